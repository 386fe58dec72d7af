package jsonvalue

import (
	"math"
	"unicode/utf8"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue/internal/number"
)

// The functions of this file are for Writer.Expect. Each reports whether the text of a value
// certainly conforms to a keyword. If it returns false, the check of the text decides, so that
// there is one set of rules.

// LongEnough reports whether a text has at least n characters.
func LongEnough(s string, n int) bool {
	return len(s) >= n && (len(s) >= utf8.UTFMax*n || utf8.RuneCountInString(s) >= n)
}

// ShortEnough reports whether a text has at most n characters.
func ShortEnough(s string, n int) bool { return len(s) <= n || utf8.RuneCountInString(s) <= n }

// Distinct reports whether the items of a list differ.
func Distinct[T comparable](list []T) bool {
	const few = 16
	if len(list) <= few {
		for i, it := range list {
			for _, other := range list[:i] {
				if it == other {
					return false
				}
			}
		}
		return true
	}
	seen := make(map[T]bool, len(list))
	for _, it := range list {
		seen[it] = true
	}
	return len(seen) == len(list)
}

// Multiple reports whether a number is a multiple of another one, which is n/scale, and scale a
// power of ten. It returns false for numbers of more than 15 digits.
func Multiple(f, n, scale float64) bool {
	const exact = 1e15 // two decimal numbers of up to 15 digits are different numbers in Go
	digits := math.Round(f * scale)
	return math.Abs(digits) < exact && digits/scale == f && math.Mod(digits, n) == 0
}

// Scaled returns the arguments of Multiple for a number of a schema, or false if it has too many
// digits. The generator calls it.
func Scaled(text string) (n, scale int64, ok bool) { return number.Scaled([]byte(text)) }

// Compare compares two numbers in JSON. It returns -1, 0 or 1. The generator calls it.
func Compare(a, b string) int { return number.Compare([]byte(a), []byte(b)) }
