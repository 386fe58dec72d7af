package jsonschema

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Config says where the Go goes.
type Config struct {
	ImportPath string // of the folder that holds the package
	Package    string // its name; empty: payload
	// returns the hash of a source, for doc.go; nil if there is none
	Sum func(source string) string
}

func (c Config) pkg() string {
	if c.Package == "" {
		return "payload"
	}
	return c.Package
}

// Emit returns the files, by path below the folder of ImportPath, and the Go types by their names.
// There are none when the set has no payload.
func (s *Set) Emit(c Config) (files map[string][]byte, names map[string]GoType, err error) {
	files, names = map[string][]byte{}, map[string]GoType{}
	if len(s.shaper.decls) == 0 {
		return files, names, nil
	}
	g := &generator{needed: map[string]bool{}, files: map[string]*file{}, decls: map[string]*decl{}}
	for _, d := range s.shaper.decls {
		g.decls[d.name] = d
		names[d.name] = GoType{path.Join(c.ImportPath, c.pkg()), c.pkg(), d.name}
	}
	var sources []string
	for _, d := range s.shaper.decls {
		g.open(d.file, d.name, d.source)
		g.decl(d)
		sources = append(sources, d.source)
	}
	g.checks()
	out := map[string]gofile.File{"doc": gofile.Doc(c.pkg(), "Package "+c.pkg()+" holds the types of the JSON Schemas of messages and their codecs.", "jsonvalue.Generation1", sources, c.Sum)}
	for name, f := range g.files {
		out[name] = gofile.File{Package: c.pkg(), Sources: []string{f.source}, Body: f.text()}
	}
	for name, f := range out {
		if files[c.pkg()+"/"+name+".go"], err = f.Print(); err != nil {
			return nil, nil, fmt.Errorf("generated %s/%s.go: %w", c.pkg(), name, err)
		}
	}
	return files, names, nil
}

// checks prints the check functions that are needed, those of types beside their types.
func (g *generator) checks() {
	for len(g.queue)+len(g.loose) > 0 { // they grow
		if len(g.queue) > 0 {
			d := g.queue[0]
			g.queue = g.queue[1:]
			g.open(d.file, d.name, d.source)
			g.p("\nfunc %s(c *jsonvalue.Check, v jsonvalue.Value) bool {\nreturn %s\n}", d.check(), conjunction(g.partTermsOf(d)))
			continue
		}
		s := g.loose[0]
		g.loose = g.loose[1:]
		if d := g.decls[s.goName]; d != nil {
			g.open(d.file, d.name, d.source)
		} else {
			g.open("checkof"+strings.ToLower(s.goName), s.goName, s.node.Pos.File)
		}
		g.p("\nfunc check%s(c *jsonvalue.Check, v jsonvalue.Value) bool {\nreturn %s\n}", s.goName, conjunction(g.terms(s, "", "v")))
	}
}

// partTermsOf is what the check of a type wants.
func (g *generator) partTermsOf(d *decl) []string {
	if d.plain {
		return g.terms(d.parts[0].schema, "", "v")
	}
	return g.partTerms(d.parts)
}

// check is the name of the function that checks the values of a type.
func (d *decl) check() string {
	if d.plain {
		return "check" + d.name
	}
	return "checkValueOf" + d.name
}

// needs makes sure that the check function of that name will be printed.
func (g *generator) needs(d *decl) string {
	name := d.check()
	if !g.needed[name] {
		g.needed[name] = true
		g.queue = append(g.queue, d)
	}
	return name
}

// file is a file that is being made.
type file struct {
	body     bytes.Buffer
	about    string   // the name its tables have
	literals []string // tables
	source   string
}

// generator prints one file after the other.
type generator struct {
	*file
	files  map[string]*file
	needed map[string]bool
	decls  map[string]*decl
	queue  []*decl   // whose checks are to be printed
	loose  []*schema // that are no types, and whose checks are to be printed
}

// open goes to a file.
func (g *generator) open(name, about, source string) {
	if g.files[name] == nil {
		g.files[name] = &file{about: about, source: source}
	}
	g.file = g.files[name]
}

func (g *generator) p(format string, args ...any) { fmt.Fprintf(&g.body, format+"\n", args...) }

// literal is a variable with a value of JSON.
func (g *generator) literal(n *source.Node) string {
	return g.table("jsonvalue.Literal(" + gofile.Literal(string(n.JSON())) + ")")
}

// pattern is a variable with a regular expression.
func (g *generator) pattern(re string) string {
	return g.table("regexp.MustCompile(" + gofile.Literal(re) + ")")
}

func (g *generator) table(expr string) string {
	i := slices.Index(g.literals, expr)
	if i < 0 {
		i = len(g.literals)
		g.literals = append(g.literals, expr)
	}
	return fmt.Sprintf("tableOf%s%d", g.about, i+1)
}

// text is what stands in the file: the declarations and the tables.
func (f *file) text() string {
	for i, expr := range f.literals {
		fmt.Fprintf(&f.body, "\nvar tableOf%s%d = %s\n", f.about, i+1, expr)
	}
	return f.body.String()
}

// typeComment prints the comment of a type.
func (g *generator) typeComment(d *decl, what string) {
	g.p("%s", gofile.TypeComment(d.name, d.wish, what, d.doc))
}
