package problem

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much a document has of what a client has sent, in bytes: paths, names and headers may be as
// long as a request.
const (
	maxDetail  = 600
	maxMessage = 300
	maxPointer = 200
)

// legible returns a text of at most limit bytes, in which a question mark stands for each character
// that cannot be seen, and for what is not UTF-8.
func legible(s string, limit int) string {
	more := ""
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s, more = s[:limit], "..."
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || Hidden(r) {
			return '?'
		}
		return r
	}, s) + more
}

// ignorable are characters that are not shown, besides those of category Cf.
var ignorable = []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point, unicode.Co, unicode.Cf, unicode.Zl, unicode.Zp}

// Hidden reports whether a character cannot be seen or changes the order of those around it: a
// control or format character, such as a line break, NUL, a joiner or a bidirectional control, a
// filler, and one that no script has. What a person reads is then not what is recorded. Selectors
// of variants are not hidden: pictures such as a red heart have them.
func Hidden(r rune) bool {
	if r < 0x7f {
		return r < ' '
	}
	return unicode.IsControl(r) || unicode.In(r, ignorable...)
}
