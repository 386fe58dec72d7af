package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goroutine returns what starts a goroutine in a file, "" if nothing does.
func goroutine(f *ast.File) (how string) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			how = "a go statement"
		case *ast.SelectorExpr:
			if n.Sel.Name == "Parallel" || n.Sel.Name == "WaitGroup" {
				how = n.Sel.Name
			}
		case *ast.ImportSpec:
			if strings.Contains(n.Path.Value, "errgroup") {
				how = n.Path.Value
			}
		}
		return how == ""
	})
	return how
}

var sequential = regexp.MustCompile(`(?s)\nSEQUENTIAL := (.*?[^\\])\n`)

// Packages that make race runs without the race detector start no goroutine.
func TestSequentialPackages(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	list := sequential.FindSubmatch(makefile)
	if list == nil {
		t.Fatal("the Makefile has no list SEQUENTIAL")
	}
	for _, dir := range strings.Fields(strings.ReplaceAll(string(list[1]), "\\\n", " ")) {
		names, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
		if err != nil || len(names) == 0 {
			t.Errorf("%s has no Go file: %v", dir, err)
		}
		for _, name := range names {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Error(err)
			} else if how := goroutine(f); how != "" {
				t.Errorf("%s has %s: take its package off the list SEQUENTIAL of the Makefile", name, how)
			}
		}
	}
}

func TestGoroutine(t *testing.T) {
	for text, want := range map[string]bool{
		"func f() { go f() }": true, "import \"golang.org/x/sync/errgroup\"": true, "func f() { t.Parallel() }": true,
		"func f() { var g sync.WaitGroup; g.Go(f) }": true, "func f() { typechecktest.Go(t) }": false,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "a.go", "package a\n"+text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := goroutine(f) != ""; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
