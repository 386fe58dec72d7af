package avro

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Set is the schemas of one call of the generator: named types are shared by all of them. Add
// everything, call Resolve once, then ask and emit.
type Set struct {
	loader   schema.Loader
	seen     map[*source.Node]bool
	byNode   map[*source.Node]*Root
	roots    []*Root
	packages *layout
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{loader: schema.Loader{Nearest: diag.Nearest}, seen: map[*source.Node]bool{}, byNode: map[*source.Node]*Root{}}
}

// Lookup says where a type nobody defined may be found: it is asked once for each full name, with
// the file that uses it, and returns the schema of the file named like the type, or nil.
func (s *Set) Lookup(find func(fullname, fromFile string) *source.Node) {
	s.loader.Find = func(fullname string, use any) *schema.Node {
		pos, _ := use.(diag.Pos)
		n := find(fullname, pos.File)
		if n == nil || s.seen[n] {
			return nil
		}
		s.seen[n] = true
		return fromSource(n)
	}
}

// AddFile declares the types of a schema without making it a payload.
func (s *Set) AddFile(n *source.Node) {
	if !s.seen[n] {
		s.seen[n] = true
		s.loader.Add(fromSource(n))
	}
}

// AddRoot reads the schema of a payload. A payload that is not a record becomes a struct named
// after hint with the field Value. The same node gives the same Root.
func (s *Set) AddRoot(n *source.Node, hint string) *Root {
	if r, ok := s.byNode[n]; ok {
		return r
	}
	s.seen[n] = true
	r := &Root{hint: hint, set: s, at: s.loader.Add(fromSource(n)), pos: n.Pos}
	s.byNode[n] = r
	s.roots = append(s.roots, r)
	return r
}

// Resolve links all names and decides all Go names. The list holds every fault; with an error in it
// nothing else of the set may be used.
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
	for _, r := range s.roots {
		r.typ = *r.at
		if r.typ.Kind.Named() {
			r.Name = r.typ.Name
		}
		r.Kind = r.typ.Kind.String()
	}
	s.packages = plan(s.loader.Named(), s.roots)
	return list
}

// fromSource copies a node into the form the schema package reads, positions included.
func fromSource(n *source.Node) *schema.Node {
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
			out.Items = append(out.Items, fromSource(it))
		}
	case source.Map:
		out.Kind = schema.JSONObject
		for _, p := range n.Pairs {
			out.Pairs = append(out.Pairs, schema.Pair{Key: p.Key.Value, Pos: p.Key.Pos, Value: fromSource(p.Value)})
		}
	}
	return out
}

// GoType is where a Go type is found.
type GoType struct{ ImportPath, Package, Name string }

// Root is the schema of a payload.
type Root struct {
	Name string // Avro full name, "" when the payload is not a named type
	Kind string // record, enum, array, ...

	hint string
	set  *Set
	at   **schema.Type
	typ  *schema.Type
	pos  diag.Pos
	decl *typeDecl
}

// Field is a field of a record payload.
type Field struct {
	Name, GoName string
	GoType       string // as written in the record's own package: string, int64, *Money
	Kind         string // of the type, or of the branch beside null
	Logical      string // logical type, "" for none
	Doc          string
	Nullable     bool

	set *Set
	typ *schema.Type
}

// IsRecord tells whether the payload is a record, so that the Go type is its own and not a wrapper.
func (r *Root) IsRecord() bool { return r.typ.Kind == schema.Record }

// Go is the Go type of the payload. ImportPath is what Config gives plus the package.
func (r *Root) Go(c Config) GoType { return c.goType(r.decl) }

// Doc is the doc of the schema.
func (r *Root) Doc() string { return r.typ.Doc }

// SchemaText is the schema with all it names inside, as a registry gets it.
func (r *Root) SchemaText() string { return r.typ.Text() }

// Canonical is the Parsing Canonical Form.
func (r *Root) Canonical() string { return string(r.typ.Canonical()) }

// Fingerprint is the CRC-64-AVRO of the canonical form.
func (r *Root) Fingerprint() uint64 { return r.typ.Fingerprint() }

// Fields are the fields of a record, in order; none for anything else.
func (r *Root) Fields() []Field {
	if !r.IsRecord() {
		return nil
	}
	return r.set.fieldsOf(r.decl)
}

func (s *Set) fieldsOf(d *typeDecl) []Field {
	g := &generator{layout: s.packages, pkg: d.pkg}
	var out []Field
	for i, f := range d.typ.Fields {
		t, nullable := f.Type, false
		if other, _, ok := t.Nullable(); ok {
			t, nullable = other, true
		}
		out = append(out, Field{Name: f.Name, GoName: d.fields[i], GoType: g.goType(f.Type), Kind: t.Kind.String(), Logical: string(t.Logical), Doc: f.Doc, Nullable: nullable, set: s, typ: t})
	}
	return out
}

// Fields are those of a field that is a record, in order; none for anything else. GoType is as
// written in that record's package.
func (f Field) Fields() []Field {
	if f.typ.Kind != schema.Record {
		return nil
	}
	return f.set.fieldsOf(f.set.packages.named[f.typ])
}

// Field is the field of that name.
func (r *Root) Field(name string) (Field, bool) {
	fields := r.Fields()
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

// file is the file a type was read from.
func file(t *schema.Type) string {
	if t.Node == nil {
		return ""
	}
	pos, _ := t.Node.Pos.(diag.Pos)
	return pos.File
}
