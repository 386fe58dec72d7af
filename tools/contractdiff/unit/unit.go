// Package unit finds units and currencies in names.
//
// Packages avrodiff and jsondiff, and the rules of lint, import it.
package unit

import (
	"slices"
	"strings"
	"unicode"
)

// words are units and currencies as names have them, in lower case, by what they measure.
var words = map[string][]string{
	"money":    {"cent", "cents", "eur", "euro", "euros", "usd", "dollar", "dollars", "gbp", "chf", "minor", "major", "pence", "jpy"},
	"time":     {"ns", "nanos", "micros", "ms", "millis", "milliseconds", "sec", "secs", "second", "seconds", "mins", "minutes", "hours", "days", "weeks", "months", "years"},
	"ratio":    {"percent", "percentage", "permille", "bps", "ratio", "fraction"},
	"size":     {"bytes", "kb", "kib", "mb", "mib", "gb", "gib", "bits"},
	"mass":     {"grams", "kg", "kilograms", "lb", "lbs", "tons"},
	"distance": {"mm", "cm", "meters", "km", "miles", "feet", "ft", "inches"},
	"heat":     {"celsius", "fahrenheit", "kelvin"},
}

// Split returns the words of a name in camel case, snake case or kebab case, in lower case.
func Split(name string) []string {
	var out []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			out = append(out, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	var last rune
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
		} else {
			if unicode.IsUpper(r) && !unicode.IsUpper(last) {
				flush()
			}
			word.WriteRune(r)
		}
		last = r
	}
	flush()
	return out
}

// Of returns the units and currencies in a name.
func Of(name string) []string {
	return slices.DeleteFunc(Split(name), func(w string) bool { return dimension(w) == "" })
}

func dimension(word string) string {
	for dim, list := range words {
		if slices.Contains(list, word) {
			return dim
		}
	}
	return ""
}

// Changed reports whether two names are the same but for a unit or a currency: amountCents and
// amountEuros, or amountCents and amount.
func Changed(former, next string) bool {
	if former == next {
		return false
	}
	a, b := Split(former), Split(next)
	units := func(w string) bool { return dimension(w) != "" }
	ua, ub := Of(former), Of(next)
	rest := func(list []string) []string { return slices.DeleteFunc(slices.Clone(list), units) }
	return !slices.Equal(ua, ub) && len(rest(a)) > 0 && slices.Equal(rest(a), rest(b))
}
