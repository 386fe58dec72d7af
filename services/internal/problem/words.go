package problem

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// wording is what a person reads instead of a text of the generated decoders and of the libraries
// below them.
type wording struct {
	pattern *regexp.Regexp
	words   string // with $1 and $2
	quoted  bool   // $1 is written as within quotes of Go
}

func worded(pattern, words string) wording {
	return wording{pattern: regexp.MustCompile(pattern), words: words}
}

// timed returns a wording of an error of package time about a text, which is $1.
func timed(rest, words string) wording {
	return wording{pattern: regexp.MustCompile(`parsing time "((?:[^"\\]|\\.)*)"` + rest), words: words, quoted: true}
}

// wordings are tried in order.
var wordings = []wording{
	worded(`no regex match: (.+)$`, "must match $1"),
	worded(`array: len (\d+) greater than maximum (\d+)`, "must have at most $2 items, it has $1"),
	worded(`array: len (\d+) less than minimum (\d+)`, "must have at least $2 items, it has $1"),
	worded(`len 0 less than minimum 1$`, "must not be empty"),
	worded(`len (\d+) greater than maximum (\d+)`, "must have at most $2 characters, it has $1"),
	worded(`len (\d+) less than minimum (\d+)`, "must have at least $2 characters, it has $1"),
	worded(`value (\S+) less than (\S+)`, "must be at least $2, it is $1"),
	worded(`value (\S+) greater than (\S+)`, "must be at most $2, it is $1"),
	timed(` as`, `must be an instant such as 2026-03-01T00:00:00Z, it is "$1"`),
	timed(`: (\w+) out of range`, `must be an instant such as 2026-03-01T00:00:00Z; the $2 of "$1" does not exist`),
	timed(`: extra text`, `must be an instant such as 2026-03-01T00:00:00Z, it is "$1"`),
	worded(`strconv.ParseInt: parsing "(.*)": invalid syntax`, `must be an integer, it is "$1"`),
	worded(`strconv.ParseBool: parsing "(.*)"`, `must be true or false, it is "$1"`),
	worded(`strconv.ParseInt: parsing "(.*)": value out of range`, "is out of range: $1"),
	worded(`value out of range`, "is out of range"),
	worded(`unexpected floating point`, "must be an integer"),
	worded(`unknown type (.*)$`, `"$1" is not a kind that the contract has`),
	worded(`invalid value: (.*)$`, `"$1" is not a value that the contract has`),
	worded(`unable to detect sum type variant`, "the member that tells what it is, such as type, outcome or action, is missing"),
	worded(`unexpected json type "?(\w+)`, "must be an object, it is of the type $1"),
	worded(`unexpected trailing data`, "more follows the value"),
	worded(`"\{" expected`, "must be an object"),
	worded(`"\[" expected`, "must be an array"),
	worded(`invalid UUID`, "must be a UUID"),
	worded(`query parameter .* multiple values`, "must be sent once"),
	// of a decoder of JSON that is whole: it expected a longer value
	worded(`unexpected EOF`, "must be of the type in the contract"),
}

var unexpectedByte = regexp.MustCompile(`unexpected byte \d+ '(.)'`)

// kinds are the JSON types by the first byte of a value.
var kinds = map[byte]string{'"': "a string", 'n': "null", 't': "a boolean", 'f': "a boolean", '[': "an array", '{': "an object", '-': "a number"}

// words returns what a person should read of the text of a decoder. Nothing of a text that is not
// known is shown, as it may name types and libraries.
func words(text string) string {
	for _, w := range wordings {
		if m := w.pattern.FindStringSubmatch(text); m != nil {
			return shorten(w.expand(m[1:]))
		}
	}
	if m := unexpectedByte.FindStringSubmatch(text); m != nil {
		kind, known := kinds[m[1][0]]
		if !known && m[1][0] >= '0' && m[1][0] <= '9' {
			kind, known = "a number", true
		}
		if known {
			return fmt.Sprintf("must be of the type in the contract, it is %s", kind)
		}
	}
	return "is not as the contract has it"
}

// expand returns the words with what the groups of the pattern matched.
func (w wording) expand(groups []string) string {
	var parts []string
	for i, text := range groups {
		if w.quoted && i == 0 {
			if plain, err := strconv.Unquote(`"` + text + `"`); err == nil {
				text = plain
			}
		}
		parts = append(parts, "$"+strconv.Itoa(i+1), text)
	}
	return strings.NewReplacer(parts...).Replace(w.words)
}

func shorten(text string) string {
	if len(text) > 300 {
		return strings.ToValidUTF8(text[:300], "") + "..."
	}
	return text
}

var address = regexp.MustCompile(`\b(dial|read|write|lookup|accept)( tcp| udp)? \S+( on \S+)?`)

// WithoutAddresses returns a text without the network addresses that errors of the standard library
// name. What everybody may read says that the broker does not answer, and the log says where it is.
func WithoutAddresses(text string) string { return address.ReplaceAllString(text, "$1:") }
