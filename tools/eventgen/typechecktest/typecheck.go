// Package typechecktest holds generated code to the rules of Go without building it: a package
// takes milliseconds, so that a test can look at thousands.
//
// Tests of the generator import it, and nothing else does.
package typechecktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// Checker knows what generated code may import.
type Checker struct {
	exports map[string]string // import path -> file
}

// allowed is what generated code imports, apart from its own packages.
var allowed = []string{"github.com/deferpay/deferpay/tools/eventgen/runtime/...", "github.com/ThreeDotsLabs/watermill/message", "github.com/google/uuid",
	"context", "errors", "fmt", "math", "math/big", "regexp", "slices", "strconv", "strings", "time"}

// New builds what generated code may import, once.
func New(t testing.TB) *Checker {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, allowed...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	c := &Checker{exports: map[string]string{}}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return c
		} else if err != nil {
			t.Fatal(err)
		}
		c.exports[p.ImportPath] = p.Export
	}
}

// Packages are parsed packages by their import paths.
type Packages map[string][]*ast.File

// Parse reads generated files, whose paths are below importPath.
func Parse(importPath string, files map[string][]byte) (Packages, *token.FileSet, error) {
	fset, out := token.NewFileSet(), Packages{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := parser.ParseFile(fset, name, files[name], parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		p := path.Join(importPath, path.Dir(name))
		out[p] = append(out[p], f)
	}
	return out, fset, nil
}

// Check gives what a compiler would say of generated files.
func (c *Checker) Check(importPath string, files map[string][]byte) error {
	parsed, fset, err := Parse(importPath, files)
	if err != nil {
		return err
	}
	known := importer.ForCompiler(fset, "gc", func(p string) (io.ReadCloser, error) {
		if c.exports[p] == "" {
			return nil, fmt.Errorf("generated code may not import %s", p)
		}
		return os.Open(c.exports[p])
	})
	i := &imports{known: known, parsed: parsed, fset: fset, done: map[string]*types.Package{}}
	for _, p := range slices.Sorted(maps.Keys(parsed)) {
		if _, err := i.Import(p); err != nil {
			return err
		}
	}
	return nil
}

// imports gives packages of the generated code by checking them, others by what their build left.
type imports struct {
	known  types.Importer
	parsed Packages
	fset   *token.FileSet
	done   map[string]*types.Package
}

// Import implements types.Importer.
func (i *imports) Import(p string) (*types.Package, error) {
	if done := i.done[p]; done != nil {
		return done, nil
	}
	if i.parsed[p] == nil {
		return i.known.Import(p)
	}
	config := types.Config{Importer: i}
	pkg, err := config.Check(p, i.fset, i.parsed[p], nil)
	if err != nil {
		return nil, err
	}
	i.done[p] = pkg
	return pkg, nil
}

// API gives the exported declarations of generated files, one line each and sorted: what users of
// the code see, whatever the order and the comments are.
func API(importPath string, files map[string][]byte) ([]string, error) {
	parsed, fset, err := Parse(importPath, files)
	if err != nil {
		return nil, err
	}
	var out []string
	for p, list := range parsed {
		for _, f := range list {
			for _, d := range f.Decls {
				out = append(out, lines(fset, strings.TrimPrefix(p, importPath+"/"), d)...)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// lines prints one declaration.
func lines(fset *token.FileSet, pkg string, d ast.Decl) []string {
	p := &lister{fset: fset, pkg: pkg}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() {
			p.add(&ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				p.typeSpec(s)
			case *ast.ValueSpec:
				p.values(d.Tok, s)
			}
		}
	}
	return p.out
}

// lister prints exported names.
type lister struct {
	fset *token.FileSet
	pkg  string
	out  []string
}

// add prints parts of a declaration as one line.
func (l *lister) add(parts ...any) {
	var b strings.Builder
	b.WriteString(l.pkg)
	for _, p := range parts {
		b.WriteByte(' ')
		if s, ok := p.(string); ok {
			b.WriteString(s)
		} else {
			_ = printer.Fprint(&b, l.fset, p) // to memory
		}
	}
	l.out = append(l.out, strings.Join(strings.Fields(b.String()), " "))
}

func (l *lister) typeSpec(s *ast.TypeSpec) {
	var members []*ast.Field
	kind := "struct"
	switch t := s.Type.(type) {
	case *ast.StructType:
		members = t.Fields.List
	case *ast.InterfaceType:
		kind, members = "interface", t.Methods.List
	default:
		kind = ""
	}
	switch {
	case !s.Name.IsExported():
		return
	case kind == "":
		l.add("type", s.Name.Name, s.Type)
		return
	}
	l.add("type", s.Name.Name, kind)
	for _, m := range members {
		if len(m.Names) == 0 || m.Names[0].IsExported() {
			l.add(append([]any{"type", s.Name.Name, kind}, field(m)...)...)
		}
	}
}

func (l *lister) values(tok token.Token, s *ast.ValueSpec) {
	for i, n := range s.Names {
		switch {
		case !n.IsExported():
		case tok == token.CONST && i < len(s.Values) && !strings.HasPrefix(n.Name, "SchemaOf") && !strings.HasPrefix(n.Name, "FingerprintOf"):
			l.add("const", n.Name, s.Values[i])
		default:
			l.add(tok.String(), n.Name)
		}
	}
}

// field gives the parts of a field that are worth comparing.
func field(f *ast.Field) []any {
	var out []any
	for _, n := range f.Names {
		out = append(out, n.Name)
	}
	out = append(out, f.Type)
	if f.Tag != nil {
		out = append(out, f.Tag.Value)
	}
	return out
}

// Shapes gives the structs of generated files with the names of generated types left out, each once
// and sorted: what is the same when types are called otherwise, or one stands for several that are
// alike.
func Shapes(importPath string, files map[string][]byte) ([]string, error) {
	parsed, fset, err := Parse(importPath, files)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	var structs []*ast.StructType
	for _, list := range parsed {
		for _, f := range list {
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.TypeSpec); ok {
					named[s.Name.Name] = true
					if t, ok := s.Type.(*ast.StructType); ok {
						structs = append(structs, t)
					}
				}
				return true
			})
		}
	}
	seen := map[string]bool{}
	for _, s := range structs {
		var fields []string
		for _, f := range s.Fields.List {
			var b strings.Builder
			for _, p := range field(f) {
				if t, ok := p.(ast.Expr); ok {
					ast.Inspect(t, func(n ast.Node) bool {
						if id, ok := n.(*ast.Ident); ok && named[id.Name] {
							id.Name = "T"
						}
						return true
					})
					_ = printer.Fprint(&b, fset, t) // to memory
				} else {
					fmt.Fprint(&b, p)
				}
				b.WriteByte(' ')
			}
			fields = append(fields, b.String())
		}
		slices.Sort(fields)
		seen[strings.Join(fields, "; ")] = true
	}
	return slices.Sorted(maps.Keys(seen)), nil
}
