// Package goname makes idiomatic, stable and unique Go names from the names in contracts.
//
// The stages of eventgen that decide names import it. It imports no package of eventgen.
//
// A name is split where its case changes, and at characters that are neither letters nor digits.
// Each word begins with a capital letter, and the words API, ASCII, BIC, CPU, EOF, HTML, HTTP,
// HTTPS, IBAN, ID, IP, JSON, SQL, SSL, TCP, TLS, TTL, UDP, UI, URI, URL, UTC, UTF8, UUID, VAT and
// XML are in capital letters: contractRef is ContractRef, vatNumber is VATNumber, DIRECT_DEBIT is
// DirectDebit.
package goname

import (
	"cmp"
	"fmt"
	"go/token"
	"regexp"
	"strings"
	"unicode"
)

var initialisms = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq("API ASCII BIC CPU EOF HTML HTTP HTTPS IBAN ID IP JSON SQL SSL TCP TLS TTL UDP UI URI URL UTC UTF8 UUID VAT XML") {
		m[w] = true
	}
	return m
}()

// words splits a name: HTTPServer_v2 is HTTP, Server, v2.
func words(name string) []string {
	var out []string
	var word []rune
	runes := []rune(name)
	flush := func() {
		if len(word) > 0 {
			out = append(out, string(word))
			word = nil
		}
	}
	for i, c := range runes {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			flush()
			continue
		case unicode.IsUpper(c) && i > 0 && !unicode.IsUpper(runes[i-1]):
			flush()
		case unicode.IsUpper(c) && i+1 < len(runes) && unicode.IsLower(runes[i+1]) && !plural(runes[i+1:]):
			flush()
		}
		word = append(word, c)
	}
	flush()
	return out
}

// plural reports whether what follows capital letters is the s of IDs, and not the rest of a word.
func plural(rest []rune) bool {
	return rest[0] == 's' && (len(rest) == 1 || !unicode.IsLower(rest[1]))
}

// qualified is the name of a class with its package, as Java has it.
var qualified = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\.([A-Z]\w*([$.][A-Z]\w*)*)$`)

// Class returns the name of a class in a name that is qualified with its package, as Java has it:
// Order of com.example.Order. Of any other name it returns "".
func Class(name string) string {
	if m := qualified.FindStringSubmatch(name); m != nil {
		return m[2]
	}
	return ""
}

// Exported returns the exported Go name for a name in a contract. It leaves out the package of a
// class of Java.
func Exported(name string) string {
	name = cmp.Or(Class(name), name)
	shouting := strings.ToUpper(name) == name // DIRECT_DEBIT: its case is not significant
	var b strings.Builder
	for _, w := range words(name) {
		upper := strings.ToUpper(w)
		base, s := upper, ""
		if strings.HasSuffix(w, "s") {
			base, s = upper[:len(upper)-1], "s"
		}
		switch {
		case initialisms[upper]:
			b.WriteString(upper)
		case s != "" && initialisms[base]:
			b.WriteString(base + s)
		default:
			r := []rune(w)
			if shouting {
				r = []rune(strings.ToLower(w))
			}
			r[0] = unicode.ToUpper(r[0])
			b.WriteString(string(r))
		}
	}
	out := b.String()
	if out == "" || !unicode.IsUpper([]rune(out)[0]) {
		out = "X" + out
	}
	return out
}

// Unexported returns the unexported form of an exported Go name.
func Unexported(goName string) string {
	r := []rune(goName)
	n := 0
	for n < len(r) && unicode.IsUpper(r[n]) {
		n++
	}
	if n > 1 && n < len(r) && unicode.IsLower(r[n]) {
		n-- // HTTPServer: httpServer
	}
	out := strings.ToLower(string(r[:n])) + string(r[n:])
	if Reserved(out) {
		out += "_"
	}
	return out
}

// Reserved reports whether name is a keyword or a predeclared identifier of Go.
func Reserved(name string) bool { return token.IsKeyword(name) || predeclared[name] }

var predeclared = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq("any bool byte comparable complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string uint uint8 uint16 uint32 uint64 uintptr true false iota nil append cap clear close complex copy delete imag len make max min new panic print println real recover") {
		m[w] = true
	}
	return m
}()

// Scope is a set of names that are taken.
type Scope map[string]bool

// Take takes and returns the first candidate that is not taken, or the last one with a number.
func (s Scope) Take(candidates ...string) string {
	for _, c := range candidates {
		if !s[c] {
			s[c] = true
			return c
		}
	}
	last := candidates[len(candidates)-1]
	for i := 2; ; i++ {
		if c := fmt.Sprintf("%s%d", last, i); !s[c] {
			s[c] = true
			return c
		}
	}
}
