package tidy

import (
	"go/build/constraint"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/fulltest"
)

const (
	taggedLine = "//go:build " + fulltest.Tag
	slow       = "github.com/chromedp" // it takes longer to compile than any of our packages
)

var mentionsTag = regexp.MustCompile(`\b` + fulltest.Tag + `\b`)

// untagged returns what is wrong with the build tag of the full form in a file, "" if nothing is.
// Only tests have the tag, so that no program differs by it, and no test is left out with it.
func untagged(name, text string) string {
	f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return "" // it does not build either
	}
	tagged := false
	for _, group := range f.Comments {
		for _, c := range group.List {
			if !constraint.IsGoBuild(c.Text) || c.Pos() > f.Package || !mentionsTag.MatchString(c.Text) {
				continue
			}
			if tagged = true; c.Text != taggedLine || !strings.HasSuffix(name, "_test.go") {
				return "the tag " + fulltest.Tag + " is for files of tests, as " + taggedLine
			}
		}
	}
	for _, i := range f.Imports {
		if path := strings.Trim(i.Path.Value, `"`); under(path, slow) && !tagged {
			return path + " takes long to compile: begin the file with " + taggedLine
		}
	}
	return ""
}

func TestFullFormFiles(t *testing.T) {
	for _, c := range []struct {
		name, text string
		good       bool
	}{
		{"a_test.go", taggedLine + "\n\npackage a\n\nimport \"" + slow + "/cdp\"\n", true},
		{"a_test.go", "package a\n\n" + taggedLine + "\n", true}, // no constraint there
		{"a_test.go", "//go:build linux\n\npackage a\n", true},
		{"a_test.go", "package a\n\nimport \"" + slow + "/cdp\"\n", false},
		{"a.go", taggedLine + "\n\npackage a\n", false},
		{"a_test.go", "//go:build !" + fulltest.Tag + "\n\npackage a\n", false},
		{"a_test.go", taggedLine + " || linux\n\npackage a\n", false},
	} {
		if fault := untagged(c.name, c.text); (fault == "") != c.good {
			t.Errorf("%s of %q: %q", c.name, c.text, fault)
		}
	}
	seen := 0
	for _, name := range files(t) {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if filepath.Ext(name) != ".go" || err != nil {
			continue // deleted and not committed yet
		}
		if strings.HasPrefix(string(text), taggedLine+"\n") {
			seen++
		}
		if fault := untagged(name, string(text)); fault != "" {
			t.Errorf("%s: %s", name, fault)
		}
	}
	if seen == 0 {
		t.Error("no file has the tag")
	}
}
