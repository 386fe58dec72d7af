package problem

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// wording is what a person reads instead of a text of the generated decoders and of the libraries
// below them.
type wording struct {
	pattern *regexp.Regexp
	words   string // with $1 and so on
}

func worded(pattern, words string) wording { return wording{regexp.MustCompile(pattern), words} }

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
	worded(`parsing time "?([^"]*)"? as`, `must be an instant such as 2026-03-01T00:00:00Z, it is "$1"`),
	worded(`parsing time "(.*)": (\w+) out of range`, `must be an instant such as 2026-03-01T00:00:00Z; the $2 of "$1" does not exist`),
	worded(`parsing time "(.*)": extra text`, `must be an instant such as 2026-03-01T00:00:00Z, it is "$1"`),
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
		if m := w.pattern.FindStringSubmatchIndex(text); m != nil {
			return shorten(unescaped(string(w.pattern.ExpandString(nil, w.words, text, m))))
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

var escapes = regexp.MustCompile(`(?:\\x[0-9a-f]{2})+`)

// unescaped returns a text with the bytes that package time writes as \xe9, each by itself.
func unescaped(text string) string {
	return escapes.ReplaceAllStringFunc(text, func(all string) string {
		bytes, err := hex.DecodeString(strings.ReplaceAll(all, `\x`, ""))
		if err != nil {
			return all
		}
		return string(bytes)
	})
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
