package avro

import (
	"fmt"
	"path"
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/codec"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/example"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/layout"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Set holds the schemas of one call of the generator, which share their named types. Add all files
// and roots, call Resolve once, then use the roots and Emit.
type Set struct {
	loader   schema.Loader
	seen     map[*source.Node]bool
	byNode   map[*source.Node]*Root
	roots    []*Root
	packages *layout.Layout
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{loader: schema.Loader{Nearest: diag.Nearest}, seen: map[*source.Node]bool{}, byNode: map[*source.Node]*Root{}}
}

// Lookup sets the function that finds a type that is used but not defined. It is called once for
// each full name, with the file that uses it, and returns the schema in the file of that name, or
// nil.
func (s *Set) Lookup(find func(fullname, fromFile string) *source.Node) {
	s.loader.Find = func(fullname string, use any) *schema.Node {
		pos, _ := use.(diag.Pos)
		n := find(fullname, pos.File)
		if n == nil || s.seen[n] {
			return nil
		}
		s.seen[n] = true
		return Node(n)
	}
}

// AddFile adds the types of a schema that is not a payload.
func (s *Set) AddFile(n *source.Node) {
	if !s.seen[n] {
		s.seen[n] = true
		s.loader.Add(Node(n))
	}
}

// AddRoot reads the schema of a payload. A payload that is not a record becomes a struct with the
// field Value, named after hint. For the same node it returns the same Root.
func (s *Set) AddRoot(n *source.Node, hint string) *Root {
	if r, ok := s.byNode[n]; ok {
		return r
	}
	s.seen[n] = true
	r := &Root{set: s, at: s.loader.Add(Node(n)), pos: n.Pos, payload: &layout.Payload{Hint: hint, File: n.File()}}
	s.byNode[n] = r
	s.roots = append(s.roots, r)
	return r
}

// Resolve links all names, decides all Go names and returns every fault. If one of them is an
// error, the set must not be used any more.
func (s *Set) Resolve() diag.List {
	var list diag.List
	for _, f := range s.loader.Link() {
		pos, _ := f.Pos.(diag.Pos)
		d := diag.Diagnostic{Pos: pos, Message: f.Message, Hint: f.Hint}
		if f.Warning {
			d.Severity = diag.Warning
		}
		list.Add(d)
	}
	list = list.Sorted()
	if list.HasErrors() {
		return list
	}
	var payloads []*layout.Payload
	for _, r := range s.roots {
		r.typ, r.payload.Type = *r.at, *r.at
		payloads = append(payloads, r.payload)
		if r.typ.Kind.Named() {
			r.Name = r.typ.Name
		}
		r.Kind = r.typ.Kind.String()
	}
	s.packages = layout.Plan(s.loader.Named(), payloads)
	return list
}

// fromSource converts a node to that of package schema, with its positions.
// Node returns a schema as package schema reads it. The positions are those of the files.
func Node(n *source.Node) *schema.Node {
	out := &schema.Node{Value: n.Value, Pos: n.Pos}
	switch n.Kind {
	case source.Bool:
		out.Kind = schema.JSONBool
	case source.Int, source.Float:
		out.Kind = schema.JSONNumber
	case source.String:
		out.Kind = schema.JSONString
	case source.Seq:
		out.Kind = schema.JSONArray
		for _, it := range n.Items {
			out.Items = append(out.Items, Node(it))
		}
	case source.Map:
		out.Kind = schema.JSONObject
		for _, p := range n.Pairs {
			out.Pairs = append(out.Pairs, schema.Pair{Key: p.Key.Value, Pos: p.Key.Pos, Value: Node(p.Value)})
		}
	}
	return out
}

// GoType identifies a Go type.
type GoType struct{ ImportPath, Package, Name string }

// Root is the schema of a payload.
type Root struct {
	Name string // Avro full name, "" if the payload is not a named type
	Kind string // record, enum, array, ...

	set     *Set
	at      **schema.Type
	typ     *schema.Type
	pos     diag.Pos
	payload *layout.Payload
}

// Field is a field of a record payload.
type Field struct {
	Name, GoName string
	GoType       string // as written in the record's own package: string, int64, *Money
	Kind         string // of the type, or of its branch that is not null
	Logical      string // logical type, "" for none
	Doc          string
	Nullable     bool

	set *Set
	typ *schema.Type
}

// IsRecord reports whether the payload is a record, so that its Go type is not a wrapper.
func (r *Root) IsRecord() bool { return r.typ.Kind == schema.Record }

// Go returns the Go type of the payload.
func (r *Root) Go(c Config) GoType { return c.goType(r.payload.Decl) }

// Doc returns the doc of the schema.
func (r *Root) Doc() string { return r.typ.Doc }

// SchemaText returns the schema with the definitions of all types that it names, as it is
// registered.
func (r *Root) SchemaText() string { return r.typ.Text() }

// Canonical returns the Parsing Canonical Form.
func (r *Root) Canonical() string { return string(r.typ.Canonical()) }

// Fingerprint returns the CRC-64-AVRO of the canonical form.
func (r *Root) Fingerprint() uint64 { return r.typ.Fingerprint() }

// Fields returns the fields of a record in order, and nil for any other payload.
func (r *Root) Fields() []Field {
	if !r.IsRecord() {
		return nil
	}
	return r.set.fieldsOf(r.payload.Decl)
}

// Whole returns the field that holds a payload that is not a record, and nil for a record.
func (r *Root) Whole() []Field {
	d := r.payload.Decl
	if !d.Wrapper {
		return nil
	}
	whole := *d
	whole.Type = &schema.Type{Fields: []*schema.Field{{Type: d.Type}}}
	return r.set.fieldsOf(&whole)
}

func (s *Set) fieldsOf(d *layout.Decl) []Field {
	names := layout.NewNamer(s.packages, "", d.Package)
	var out []Field
	for i, f := range d.Type.Fields {
		t, nullable := f.Type, false
		if other, _, ok := t.Nullable(); ok {
			t, nullable = other, true
		}
		out = append(out, Field{Name: f.Name, GoName: d.Fields[i], GoType: names.GoType(f.Type), Kind: t.Kind.String(), Logical: string(t.Logical), Doc: f.Doc, Nullable: nullable, set: s, typ: t})
	}
	return out
}

// Fields returns the fields of a field that is a record, and nil for any other field. Their GoType
// is as written in the package of that record.
func (f Field) Fields() []Field {
	if f.typ.Kind != schema.Record {
		return nil
	}
	return f.set.fieldsOf(f.set.packages.Named[f.typ])
}

// Field returns the field of that name.
func (r *Root) Field(name string) (Field, bool) {
	fields := r.Fields()
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

// CheckExample returns a fault for everything in n that is not a value of the payload.
func (r *Root) CheckExample(n *source.Node) diag.List {
	_, _, faults := r.Literal(Config{ImportPath: "example"}, n)
	return faults
}

// Literal returns n as a Go expression of the payload's type, for another package than those of the
// types, and what the expression imports.
func (r *Root) Literal(c Config, n *source.Node) (expr string, imports []string, faults diag.List) {
	expr, own, faults := example.Literal(r.set.packages, c.ImportPath, r.payload, Node(n))
	return expr, gofile.Imports(expr, own), faults
}

// Config says where the Go goes.
type Config struct {
	ImportPath string // of the folder that holds the packages
	// returns the hash of a source; nil: doc.go has no hashes
	Sum func(source string) string
	// returns the name of a source in the headers; nil: its path
	Name func(source string) string
	// the symbol UNKNOWN, where it is the default of an enum, is read and never written
	RefuseUnknown bool
}

func (c Config) goType(d *layout.Decl) GoType {
	return GoType{ImportPath: path.Join(c.ImportPath, d.Package.Name), Package: d.Package.Name, Name: d.Name}
}

// Emit returns the files, by path below the folder of ImportPath, and the Go type of every named
// type that has one.
func (s *Set) Emit(c Config) (files map[string][]byte, names map[string]GoType, err error) {
	files, names = map[string][]byte{}, map[string]GoType{}
	for _, p := range s.packages.Packages {
		var sources []string
		whole := map[string]gofile.File{}
		for _, d := range p.Decls {
			whole[d.File] = whole[d.File].And(codec.File(s.packages, c.ImportPath, p, d, c.RefuseUnknown))
			sources = append(sources, d.Sources()...)
			if !d.Wrapper {
				names[d.Type.Name] = c.goType(d)
			}
		}
		for file, f := range whole {
			name := p.Name + "/" + file + ".go"
			if files[name], err = f.Named(c.Name).Print(); err != nil {
				return nil, nil, fmt.Errorf("generated %s: %w", name, err)
			}
		}
		if len(p.Decls) > 0 {
			if files[p.Name+"/doc.go"], err = gofile.Doc(p.Name, p.Doc(), "avrobin.Generation3", sources, c.Sum).Named(c.Name).Print(); err != nil {
				return nil, nil, fmt.Errorf("generated %s/doc.go: %w", p.Name, err)
			}
		}
	}
	return files, names, nil
}
