package avro

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
)

// takenPackages are names a package of types must not have: what generated code imports, and what
// Go treats specially.
var takenPackages = []string{"avrobin", "jsonvalue", "uuid", "payload", "bus", "handshake", "message", "registry", "singleobject", "topics", "context", "err", "errors", "fmt", "hex", "math", "time", "main", "internal", "vendor", "testdata", "init"}

// variable matches the names of variables in generated code, which would hide a package.
var variable = regexp.MustCompile(`^[a-z][0-9]*$`)

// packageName is the last n segments of a namespace as a package name.
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
	case goname.Reserved(name), slices.Contains(takenPackages, name), unicode.IsDigit(rune(name[0])), variable.MatchString(name):
		return "avro" + name
	}
	return name
}
