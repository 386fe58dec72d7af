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
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || hidden(r) }) {
		return s + more
	}
	text := []rune(s)
	shown := make([]rune, len(text))
	for i, r := range text {
		if shown[i] = r; r == utf8.RuneError || hiddenAt(text, i) {
			shown[i] = '?'
		}
	}
	return string(shown) + more
}

// Unseen returns the first character of a text that cannot be seen or that changes the order of
// those around it, and reports whether there is one. Such are control and format characters, such
// as line breaks, NUL and bidirectional controls, fillers, and characters that no script has. What
// a person reads is then not what is recorded. Selectors of variants are not among them: pictures
// such as a red heart have them. Neither are joiners between letters of a script that uses them,
// as in Persian and Hindi names, and between pictures, as in that of a family.
func Unseen(s string) (first rune, found bool) {
	if !strings.ContainsFunc(s, hidden) {
		return 0, false
	}
	text := []rune(s)
	for i, r := range text {
		if hiddenAt(text, i) {
			return r, true
		}
	}
	return 0, false
}

// Blank reports whether a text has blanks alone, and at least one. An empty text is not blank:
// whether it may be empty is in the OpenAPI documents.
func Blank(s string) bool {
	return s != "" && strings.TrimSpace(s) == ""
}

const (
	nonJoiner = '\u200c'
	joiner    = '\u200d'
)

// ignorable are characters that are not shown, or are for no text.
var ignorable = []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point, unicode.Co, unicode.Cf, unicode.Zl, unicode.Zp}

// hidden reports whether a character cannot be seen, of joiners wherever they are. Signs of numbers
// and verses are format characters that can be seen.
func hidden(r rune) bool {
	if r < 0x7f {
		return r < ' '
	}
	return unicode.IsControl(r) || unicode.In(r, ignorable...) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// hiddenAt reports whether a character of a text cannot be seen where it is.
func hiddenAt(text []rune, i int) bool {
	r := text[i]
	if r != nonJoiner && r != joiner {
		return hidden(r)
	}
	before, after := i-1, i+1
	for before >= 0 && unicode.Is(unicode.Mn, text[before]) && unicode.Is(unicode.Inherited, text[before]) {
		before-- // an accent or a selector of what is before it
	}
	if before < 0 || after == len(text) {
		return true
	}
	letters := joins(text[before]) && joins(text[after])
	return !letters && (r == nonJoiner || !picture(text[before]) || !picture(text[after]))
}

// cursive are the scripts whose letters have other forms beside a joiner.
var cursive = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mongolian, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya,
	unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar,
}

func joins(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsMark(r)) && unicode.In(r, cursive...)
}

// picture reports whether a character may be a part of a picture: a symbol, an arrow to both sides,
// or a colour of skin.
func picture(r rune) bool {
	return unicode.Is(unicode.So, r) || r == '\u2194' || r >= 0x1f3fb && r <= 0x1f3ff
}
