package jsonvalue

import (
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// sequence is a pattern that is a sequence of repeated classes of ASCII characters from the
// beginning to the end of a text, as those of identifiers are. It is matched without package
// regexp, which takes several times as long.
type sequence []run

// run is a class of characters that occurs at least and at most so many times.
type run struct {
	class       [utf8.RuneSelf]bool
	least, most int // most is -1 without a limit
}

// Pattern is a regular expression of a schema.
type Pattern struct {
	re  *regexp.Regexp
	seq sequence // nil if the expression is none
}

// MustPattern compiles an expression of generated code. It panics if that is not valid.
func MustPattern(re string) *Pattern { return &Pattern{regexp.MustCompile(re), sequenceOf(re)} }

func (p *Pattern) String() string { return p.re.String() }

// Matches reports whether a text contains a match.
func (p *Pattern) Matches(s string) bool {
	if p.seq != nil {
		return match(p.seq, s)
	}
	return p.re.MatchString(s)
}

// Match reports whether a text contains a match.
func (p *Pattern) Match(text []byte) bool {
	if p.seq != nil {
		return match(p.seq, text)
	}
	return p.re.Match(text)
}

// match reports whether the text is the sequence. Each run takes all that it can, which is right
// because no character is of two runs of which the first may be longer.
func match[T string | []byte](s sequence, text T) bool {
	at := 0
	for i := range s {
		r, n := &s[i], 0
		for at < len(text) && n != r.most && text[at] < utf8.RuneSelf && r.class[text[at]] {
			at++
			n++
		}
		if n < r.least {
			return false
		}
	}
	return at == len(text)
}

// sequenceOf returns the sequence that a pattern is, or nil.
func sequenceOf(pattern string) sequence {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || tree.Op != syntax.OpConcat || len(tree.Sub) < 3 ||
		tree.Sub[0].Op != syntax.OpBeginText || tree.Sub[len(tree.Sub)-1].Op != syntax.OpEndText || tree.Sub[len(tree.Sub)-1].Flags&syntax.WasDollar == 0 {
		return nil
	}
	var out sequence
	for _, part := range tree.Sub[1 : len(tree.Sub)-1] {
		runs := runsOf(part)
		if runs == nil {
			return nil
		}
		out = append(out, runs...)
	}
	for i, r := range out {
		if r.least == r.most {
			continue
		}
		for _, after := range out[i+1:] {
			for c := range r.class {
				if r.class[c] && after.class[c] {
					return nil
				}
			}
		}
	}
	return out
}

// runsOf returns the runs of a part of a pattern, or nil if it is more than that.
func runsOf(re *syntax.Regexp) []run {
	least, most, one := 1, 1, re
	switch re.Op {
	case syntax.OpStar:
		least, most, one = 0, -1, re.Sub[0]
	case syntax.OpPlus:
		most, one = -1, re.Sub[0]
	case syntax.OpQuest:
		least, one = 0, re.Sub[0]
	case syntax.OpRepeat:
		least, most, one = re.Min, re.Max, re.Sub[0]
	}
	if re.Flags&(syntax.FoldCase|syntax.NonGreedy) != 0 || one.Flags&syntax.FoldCase != 0 {
		return nil
	}
	switch {
	case one.Op == syntax.OpLiteral && (one == re || len(one.Rune) == 1):
		var out []run
		for _, c := range one.Rune {
			r := run{least: least, most: most}
			if c >= utf8.RuneSelf {
				return nil
			}
			r.class[c] = true
			out = append(out, r)
		}
		return out
	case one.Op == syntax.OpCharClass:
		r := run{least: least, most: most}
		for i := 0; i+1 < len(one.Rune); i += 2 {
			if one.Rune[i+1] >= utf8.RuneSelf {
				return nil
			}
			for c := one.Rune[i]; c <= one.Rune[i+1]; c++ {
				r.class[c] = true
			}
		}
		return []run{r}
	}
	return nil
}
