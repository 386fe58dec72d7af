// Package codec prints the Go types that package shape has decided on, with the code that reads,
// checks and writes their values, and prints values as Go expressions.
//
// Package jsonschema alone imports it.
package codec

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/shape"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Files returns the files of a package, by their names without extension.
func Files(l *schema.Loader, decls []*shape.Decl, pkg string, sum func(source string) string) map[string]gofile.File {
	g := &generator{loader: l, needed: map[string]bool{}, files: map[string]*file{}, decls: map[string]*shape.Decl{}}
	for _, d := range decls {
		g.decls[d.Name] = d
	}
	var sources []string
	for _, d := range decls {
		g.open(d.File, d.Name, d.Source)
		g.decl(d)
		sources = append(sources, d.Source)
	}
	g.checks()
	comment := "Package " + pkg + " holds the types of the JSON Schemas of messages and their codecs."
	out := map[string]gofile.File{"doc": gofile.Doc(pkg, comment, "jsonvalue.Generation2", sources, sum)}
	for name, f := range g.files {
		out[name] = gofile.File{Package: pkg, Sources: f.sources, Body: f.text()}
	}
	return out
}

// checks prints the check functions that are needed, each in the file of its type.
func (g *generator) checks() {
	for len(g.queue)+len(g.loose) > 0 { // both grow
		if len(g.queue) > 0 {
			d := g.queue[0]
			g.queue = g.queue[1:]
			g.open(d.File, d.Name, d.Source)
			g.p("\nfunc %s(c *jsonvalue.Check, v jsonvalue.Value) bool {\nreturn %s\n}", checkName(d), conjunction(g.partTermsOf(d)))
			continue
		}
		s := g.loose[0]
		g.loose = g.loose[1:]
		if d := g.decls[s.GoName]; d != nil {
			g.open(d.File, d.Name, d.Source)
		} else {
			g.open(shape.Checks, s.GoName, s.Node.File())
		}
		g.p("\nfunc check%s(c *jsonvalue.Check, v jsonvalue.Value) bool {\nreturn %s\n}", s.GoName, conjunction(g.terms(s, "", "v")))
	}
}

// partTermsOf returns the conditions of a type.
func (g *generator) partTermsOf(d *shape.Decl) []string {
	if d.Plain {
		return g.terms(d.Parts[0].Schema, "", "v")
	}
	return g.partTerms(d.Parts)
}

// checkName returns the name of the function that checks the values of a type.
func checkName(d *shape.Decl) string {
	if d.Plain {
		return "check" + d.Name
	}
	return "checkValueOf" + d.Name
}

// needs returns the name of the check function of a type, which will be printed.
func (g *generator) needs(d *shape.Decl) string {
	if p := d.Parts; d.Form == shape.Wrapper && !d.Plain && len(p) == 1 && p[0].Skip == "" && p[0].Schema != nil && p[0].Schema.GoName != "" {
		return g.named(p[0].Schema) // it is of a type with another name
	}
	name := checkName(d)
	if !g.needed[name] {
		g.needed[name] = true
		g.queue = append(g.queue, d)
	}
	return name
}

// file is a file that is being printed.
type file struct {
	body    bytes.Buffer
	tables  []table
	sources []string
}

// table is a variable with a constant value.
type table struct{ name, expr string }

// generator prints the files.
type generator struct {
	loader *schema.Loader // for the text of schemas
	*file
	about  string // the name that the tables of the present type share
	files  map[string]*file
	needed map[string]bool
	decls  map[string]*shape.Decl
	queue  []*shape.Decl    // whose checks are still to be printed
	loose  []*schema.Schema // the same of schemas that are not types
	doubt  bool             // what is written cannot be known to conform
	silent bool             // nothing is expected, because the text will be checked anyway
}

// open continues a file, or begins it.
func (g *generator) open(name, about, source string) {
	if g.files[name] == nil {
		g.files[name] = &file{}
	}
	g.file, g.about = g.files[name], about
	if !slices.Contains(g.sources, source) {
		g.sources = append(g.sources, source)
	}
}

func (g *generator) p(format string, args ...any) { fmt.Fprintf(&g.body, format+"\n", args...) }

// literal returns the name of a variable with a JSON value.
func (g *generator) literal(n *source.Node) string {
	name := "value"
	if n.Is(source.Seq) {
		name = "values"
	}
	return g.table(name, "jsonvalue.Literal("+gofile.Literal(string(n.JSON()))+")")
}

// pattern returns the name of a variable with a regular expression.
func (g *generator) pattern(re string) string {
	return g.table("pattern", "jsonvalue.MustPattern("+gofile.Literal(re)+")")
}

// table returns the name of a variable with a value, such as patternOfOrder, or patternOfOrder2 for
// the second one of its kind.
func (g *generator) table(kind, expr string) string {
	for n := 1; ; n++ {
		name := kind + "Of" + g.about
		if n > 1 {
			name += strconv.Itoa(n)
		}
		i := slices.IndexFunc(g.tables, func(t table) bool { return t.name == name })
		if i < 0 {
			g.tables = append(g.tables, table{name, expr})
			return name
		}
		if g.tables[i].expr == expr {
			return name
		}
	}
}

// text returns the declarations and the tables of the file.
func (f *file) text() string {
	for _, t := range f.tables {
		fmt.Fprintf(&f.body, "\nvar %s = %s\n", t.name, t.expr)
	}
	return f.body.String()
}

// typeComment prints the comment of a type.
func (g *generator) typeComment(d *shape.Decl, what string) {
	g.p("%s", gofile.TypeComment(d.Name, d.Wish, what, d.Doc))
}
