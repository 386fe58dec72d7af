package layout

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
)

// takenPackages are names that a package of types must not have, beside the names of the packages
// that generated code imports: those of packages that users of the types import, and those that are
// special in Go.
var takenPackages = []string{"payload", "err", "errors", "fmt", "main", "internal", "vendor", "testdata", "init"}

// variable matches the names of variables in generated code, which would hide a package.
var variable = regexp.MustCompile(`^[a-z][0-9]*$`)

// packageName makes a package name of the last n segments of a namespace.
func packageName(namespace string, n int) string {
	segments := strings.Split(namespace, ".")
	var b strings.Builder
	for _, c := range strings.Join(segments[max(0, len(segments)-n):], "") {
		if c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
			b.WriteRune(unicode.ToLower(c))
		}
	}
	name := b.String()
	switch {
	case name == "":
		return "event"
	case goname.Reserved(name), gofile.Imported(name), slices.Contains(takenPackages, name), unicode.IsDigit(rune(name[0])), variable.MatchString(name):
		return "avro" + name
	}
	return name
}
