// Package sample makes a plain value of a schema, for people to look at and to begin with. It knows
// the usual keywords only, so that its caller has to check the value.
//
// Package model imports it.
package sample

import (
	"encoding/json"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Text returns a text that a pattern matches. It returns false if it finds none.
func Text(pattern string) (string, bool) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	write(&b, tree)
	matches, err := regexp.MatchString(pattern, b.String())
	return b.String(), err == nil && matches
}

// write appends a short text that matches a part of a pattern.
func write(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(usual(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpCapture, syntax.OpPlus:
		write(b, re.Sub[0])
	case syntax.OpConcat:
		for _, part := range re.Sub {
			write(b, part)
		}
	case syntax.OpAlternate:
		write(b, re.Sub[0])
	case syntax.OpRepeat:
		for range re.Min {
			write(b, re.Sub[0])
		}
	}
}

// usual returns a letter or a digit of a class of characters, given as pairs of first and last, or
// else its first visible character.
func usual(pairs []rune) rune {
	candidates := []rune("1aA")
	for r := '!'; r <= '~'; r++ {
		candidates = append(candidates, r)
	}
	for _, r := range candidates {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] <= r && r <= pairs[i+1] {
				return r
			}
		}
	}
	if len(pairs) == 0 {
		return 'a'
	}
	return pairs[0]
}

// formats are texts of the formats of JSON Schema.
var formats = map[string]string{
	"date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31", "time": "12:00:00Z", "duration": "PT5M",
	"uuid": "123e4567-e89b-12d3-a456-426614174000", "email": "someone@example.com", "hostname": "host.example",
	"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.com", "uri-reference": "/a", "byte": "YQ==", "regex": "a",
}

// node returns the members of an object of JSON, or nil.
func node(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// decode reads a schema. Numbers stay as they are written.
func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// encode returns a value as JSON.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "null" // of maps, lists and numbers that were decoded: cannot happen
	}
	return string(text)
}
