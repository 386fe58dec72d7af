package main

import (
	"bytes"
	"context"
	"errors"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/fulltest"
)

const root = "../.."

// TestListApplies holds every mutation of the list to the code as it is: the text to replace is
// there once, the result is Go, and the package has a test of that name.
func TestListApplies(t *testing.T) {
	list, err := Read(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 40 {
		t.Errorf("%d mutations", len(list))
	}
	for _, m := range list {
		mutated, err := m.Apply(root)
		if err != nil {
			t.Errorf("%s: %v; the code has changed, so change the list", m.Name, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.File, mutated, parser.SkipObjectResolution); err != nil {
			t.Errorf("%s: what it makes is no Go: %v", m.Name, err)
		}
		if !hasTest(t, m.Test) {
			t.Errorf("%s: %s has no test that matches %s", m.Name, m.Test.Package, m.Test.Run)
		}
	}
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

func hasTest(t *testing.T, test Test) bool {
	t.Helper()
	top, _, _ := strings.Cut(test.Run, "/")
	pattern, err := regexp.Compile(top)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, test.Package, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range testFunction.FindAllSubmatch(text, -1) {
			if pattern.Match(f[1]) {
				return true
			}
		}
	}
	return false
}

// world writes a module with a list of mutations and returns its folder.
func world(t *testing.T, list string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module world\n\ngo 1.26\n",
		"a/a.go":      "package a\n\n// Max returns the larger one.\nfunc Max(x, y int) int {\n\tif x > y {\n\t\treturn x\n\t}\n\treturn y\n}\n",
		"a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestMax(t *testing.T) {\n\tfor _, s := range []string{\"sub\"} {\n\t\tt.Run(s, func(t *testing.T) {\n\t\t\tif Max(1, 2) != 2 || Max(2, 1) != 2 {\n\t\t\t\tt.Error(\"not the larger one\")\n\t\t\t}\n\t\t})\n\t}\n}\n\nfunc TestRed(t *testing.T) { t.Error(\"red\") }\n",
		file:          list,
		"b/go.mod":    "module other\n\ngo 1.26\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.go", "a_test.go"} {
		text, err := os.ReadFile(filepath.Join(dir, "a", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "b", "c"), 0o755), os.WriteFile(filepath.Join(dir, "b", "c", name), text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mutation(name, old, new, test string) string {
	old, new = strings.ReplaceAll(old, "\n", "\n-"), strings.ReplaceAll(new, "\n", "\n+")
	return "= " + name + "\nrule: P3 the larger one of " + name + "\nfile: a/a.go\ntest: " + test + "\n-" + old + "\n+" + new + "\n\n"
}

// TestVerdicts runs go test for each mutation; the short form has the first three.
func TestVerdicts(t *testing.T) {
	tests := []struct {
		name, list string
		status     int
		want       []string
	}{
		{"caught", mutation("m", "x > y", "x < y", "./a ^TestMax$"), 0, []string{"1/1 caught ", "P3 ", "m by TestMax", "1 mutations, 1 caught\n"}},
		{"survived", mutation("m", "x > y", "x >= y", "./a ^TestMax$"), 1, []string{"survived", "rule: P3 the larger one of m", "test: ./a -run ^TestMax$", "0 caught, 1 survived"}},
		{"does not build", mutation("m", "return x", "return z", "./a ^TestMax$"), 1, []string{"does not build", "undefined: z"}},
		{"caught by a panic", mutation("m", "return y", "panic(y)", "./a ^TestMax$"), 0, []string{"caught", "1 caught\n"}},
		{"caught by an exit", mutation("m", "package a", "package a\nimport \"os\"\nfunc init() { os.Exit(3) }", "./a ^TestMax$"), 0, []string{"caught", "by the end of the test program"}},
		{"not there", mutation("m", "x == y", "x < y", "./a ^TestMax$"), 1, []string{"not applicable", "is 0 times in a/a.go (tools/mutate/mutations.txt:1)"}},
		{"there twice", mutation("m", "return", "panic", "./a ^TestMax$"), 1, []string{"not applicable", "is 3 times in"}},
		{"pattern matches nothing", mutation("m", "x > y", "x < y", "./a ^TestMin$"), 1, []string{"no test", "the pattern matches no test"}},
		{"fails without the mutation", mutation("m", "x > y", "x < y", "./a ^TestRed$"), 1, []string{"no test", "it fails without a mutation", "red"}},
		{"no such package", mutation("m", "x > y", "x < y", "./b ^TestMax$"), 1, []string{"no test"}},
		{"in a module of its own", strings.Replace(mutation("m", "x > y", "x < y", "./b/c ^TestMax$"), "a/a.go", "b/c/a.go", 1), 0, []string{"m by TestMax", "1 caught\n"}},
		{"several", mutation("one", "x > y", "x < y", "./a ^TestMax$") + "# a comment\n" + mutation("two", "x > y", "x >= y", "./a ^TestMax$"), 1,
			[]string{"/2 caught ", "/2 survived ", "2 mutations, 1 caught, 1 survived"}},
	}
	for _, tt := range tests[:fulltest.Choose(3, len(tests))] {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := world(t, tt.list)
			before, err := os.ReadFile(filepath.Join(dir, "a/a.go"))
			if err != nil {
				t.Fatal(err)
			}
			status, stdout, stderr := runTool(t.Context(), "-root", dir)
			if status != tt.status || stderr != "" {
				t.Errorf("status %d, want %d\n%s%s", status, tt.status, stdout, stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("%q is not in\n%s", want, stdout)
				}
			}
			if after, err := os.ReadFile(filepath.Join(dir, "a/a.go")); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the work tree was touched: %v", err)
			}
		})
	}
}

func runTool(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(ctx, args, &out, &errs)
	return status, out.String(), errs.String()
}

// The timeout is longer on a busy machine, where the test takes longer without the mutation too.
func TestTimeout(t *testing.T) {
	fulltest.Only(t, "it compiles a test and waits for its end")
	dir := world(t, mutation("m", "return y", "select {}", "./a ^TestMax$"))
	if status, stdout, stderr := runTool(t.Context(), "-root", dir, "-timeout", "2s"); status != 0 || !strings.Contains(stdout, "by a timeout of ") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

func TestUsage(t *testing.T) {
	good := mutation("one", "x > y", "x < y", "./a ^TestMax$")
	dir := world(t, good)
	for _, tt := range []struct {
		args   string
		status int
		want   string
	}{
		{"--help", 0, "Usage: go run ./tools/mutate"},
		{"-list", 0, "one  "},
		{"-list -run one", 0, "P3"},
		{"-list -run P3", 0, "the larger one"},
		{"-run two", 2, `no mutation matches "two"`},
		{"-run (", 2, "missing closing )"},
		{"-p 0", 2, "-p must be at least 1"},
		{"-x", 2, "flag provided but not defined"},
		{"extra", 2, `unexpected argument "extra"`},
	} {
		status, stdout, stderr := runTool(t.Context(), append([]string{"-root", dir}, strings.Fields(tt.args)...)...)
		if said := stdout + stderr; status != tt.status || !strings.Contains(said, tt.want) || (status == 2) != (stdout == "") {
			t.Errorf("%s: status %d, %q, %q; want %d and %q", tt.args, status, stdout, stderr, tt.status, tt.want)
		}
	}
}

func TestInterrupted(t *testing.T) {
	dir := world(t, mutation("m", "x > y", "x < y", "./a ^TestMax$"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status, stdout, _ := runTool(ctx, "-root", dir); status != 130 || !strings.Contains(stdout, "interrupted after 0 of 1") {
		t.Errorf("status %d\n%s", status, stdout)
	}
}

func TestBadLists(t *testing.T) {
	good := mutation("m", "x > y", "x < y", "./a ^TestMax$")
	for _, tt := range []struct{ name, list, want string }{
		{"empty", "", ""},
		{"no begin", "rule: x\n", ":1: expected = and the name"},
		{"twice", good + good, ":8: m is there twice"},
		{"strange line", "= m\nrules: x\n", `:2: expected rule:, file:, test:, full test:, - or +, found "rules: x"`},
		{"no rule", strings.Replace(good, "rule: P3 the larger one of m\n", "", 1), ":1: m: no rule"},
		{"no file", strings.Replace(good, "file: a/a.go\n", "", 1), ":1: m: no file"},
		{"file above", strings.Replace(good, "a/a.go", "../a.go/../a.go", 1), ":1: m: no file, or not a clean path"},
		{"no pattern", strings.Replace(good, "./a ^TestMax$", "./a", 1), ":1: m: no test"},
		{"bad pattern", strings.Replace(good, "^TestMax$", "(", 1), "missing closing )"},
		{"nothing replaced", strings.Replace(good, "-x > y\n", "", 1), ":1: m: nothing is replaced"},
		{"nothing changed", strings.Replace(good, "+x < y", "+x > y", 1), ":1: m: it changes nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, _, stderr := runTool(t.Context(), "-root", world(t, tt.list))
			if tt.want == "" {
				tt.want = "no mutation matches"
			}
			if status != 2 || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d, %q, want %q", status, stderr, tt.want)
			}
		})
	}
}
