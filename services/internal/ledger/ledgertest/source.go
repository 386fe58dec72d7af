package ledgertest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Decided checks that a decision of the domain package in dir makes every event that the interface
// V has a visiting method for. A decision is a function or a method whose name begins with Decide
// or decide.
func Decided[V any](t *testing.T, dir string) {
	made := map[string]bool{}
	for _, file := range parse(t, dir) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && strings.HasPrefix(strings.ToLower(f.Name.Name), "decide") {
				maps.Copy(made, madeIn(f))
			}
		}
	}
	for _, typ := range Events(reflect.TypeFor[V]()) {
		if !made[typ.Name()] {
			t.Errorf("no decision in %s makes a %s: add a command that leads to it", dir, typ.Name())
		}
	}
}

// madeIn returns the types of which a function makes values, by a literal or a conversion.
func madeIn(f *ast.FuncDecl) map[string]bool {
	made := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		var typ ast.Expr
		switch n := n.(type) {
		case *ast.CompositeLit:
			typ = n.Type
		case *ast.CallExpr:
			typ = n.Fun
		}
		if name, ok := typ.(*ast.Ident); ok {
			made[name.Name] = true
		}
		return true
	})
	return made
}

// Published checks that the package in the current directory calls every method of a generated
// publisher that sends a message, except those that are named as not published yet.
func Published(t *testing.T, publisher reflect.Type, notYet ...string) {
	called := map[string]bool{}
	for _, file := range parse(t, ".") {
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if f, ok := call.Fun.(*ast.SelectorExpr); ok {
					called[f.Sel.Name] = true
				}
			}
			return true
		})
	}
	for i := range publisher.NumMethod() {
		name := publisher.Method(i).Name
		if wanted := !slices.Contains(notYet, name); called[name] != wanted {
			t.Errorf("message %s: published %t, want %t", name, called[name], wanted)
		}
	}
}

// parse returns the files of the package in dir, its tests left out.
func parse(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	set := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		t.Fatalf("no Go files in %s", dir)
	}
	return files
}
