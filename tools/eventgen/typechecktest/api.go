package typechecktest

import (
	"fmt"
	"go/ast"
	"go/printer"
	"go/scanner"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// API returns the exported declarations, one line each, sorted and without comments.
func (c *Code) API() []string {
	var out []string
	for p, list := range c.packages {
		for _, f := range list {
			for _, d := range f.Decls {
				out = append(out, lines(c.fset, strings.TrimPrefix(p, c.importPath+"/"), d)...)
			}
		}
	}
	slices.Sort(out)
	return out
}

// lines returns the lines of a declaration.
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

// lister collects exported declarations.
type lister struct {
	fset *token.FileSet
	pkg  string
	out  []string
}

// add adds a line with parts of a declaration.
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

// field returns the names, the type and the tag of a field.
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

// Shapes returns the structs without the names of generated types, each once and sorted. They are
// equal for code whose types only have other names, or in which one type replaces several equal
// ones.
func (c *Code) Shapes() []string {
	named := map[string]bool{}
	var structs []*ast.StructType
	for _, list := range c.packages {
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
					p = unnamed(c.fset, t, named)
				}
				fmt.Fprint(&b, p, " ")
			}
			fields = append(fields, b.String())
		}
		slices.Sort(fields)
		seen[strings.Join(fields, "; ")] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// unnamed returns a type with T in place of each of the names.
func unnamed(fset *token.FileSet, t ast.Expr, names map[string]bool) string {
	var text strings.Builder
	_ = printer.Fprint(&text, fset, t) // to memory
	src := []byte(text.String())
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(src)), src, nil, 0)
	var out strings.Builder
	for {
		_, tok, lit := s.Scan()
		switch {
		case tok == token.EOF:
			return out.String()
		case tok == token.IDENT && names[lit]:
			lit = "T"
		case tok == token.SEMICOLON: // also at the end of a line
			lit = ";"
		case lit == "":
			lit = tok.String()
		}
		out.WriteString(lit + " ")
	}
}
