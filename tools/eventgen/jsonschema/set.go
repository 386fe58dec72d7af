package jsonschema

import (
	"fmt"
	"path"
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/codec"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/shape"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Set holds the schemas of one call of the generator: a schema that several refer to is one Go
// type. Add all roots, call Resolve once, then use the roots and Emit.
type Set struct {
	loader *schema.Loader
	shaper *shape.Shaper
	byRoot map[*schema.Schema]*Root
	roots  []*Root
}

// NewSet returns an empty set. deref follows the references of a node; if they lead nowhere it
// reports the fault itself and returns nil. roots returns the roots of the files in which the
// subtypes of a schema in a file are looked for; if it is nil, they are not.
func NewSet(deref func(*source.Node) *source.Node, roots func(file string) []*source.Node) *Set {
	return &Set{loader: schema.NewLoader(deref, roots), byRoot: map[*schema.Schema]*Root{}}
}

// AddRoot reads the schema of a payload. The node is the one in the document, because a $ref names
// the schema. Nodes that lead to the same schema have the same Root. The hint is the name of a
// schema that has neither a name of its own nor a title. A payload that is not an object with
// properties becomes a struct with the field Value.
func (s *Set) AddRoot(n *source.Node, hint string) *Root { return s.AddRootIn("", n, hint) }

// AddRootIn is like AddRoot for a schema in a schemaFormat. In OpenAPI's format nullable and the
// flags exclusiveMinimum and exclusiveMaximum have the meaning that they have in OpenAPI 3.0.
func (s *Set) AddRootIn(schemaFormat string, n *source.Node, hint string) *Root {
	at := s.loader.Root(n, schemaFormat)
	if r, ok := s.byRoot[at]; ok {
		return r
	}
	r := &Root{set: s, payload: &shape.Payload{Schema: at, Hint: hint, File: n.File()}}
	s.byRoot[at] = r
	s.roots = append(s.roots, r)
	return r
}

// Resolve decides all Go types and names and returns every fault. If one of them is an error, the
// set must not be used any more.
func (s *Set) Resolve() diag.List {
	s.shaper = shape.NewShaper(s.loader)
	s.loader.CheckCycles()
	if s.loader.Diags.HasErrors() {
		return s.loader.Diags.Sorted()
	}
	var payloads []*shape.Payload
	for _, r := range s.roots {
		payloads = append(payloads, r.payload)
	}
	s.shaper.Resolve(payloads)
	return s.loader.Diags.Sorted()
}

// GoType identifies a Go type.
type GoType struct{ ImportPath, Package, Name string }

// Root is the schema of a payload.
type Root struct {
	set     *Set
	payload *shape.Payload
}

// Constant is a member of an object, or of an object inside it, that can only have listed values.
type Constant = shape.Constant

// Constants returns the members that can only have listed values, of the object and of the objects
// inside it, a few deep. References and allOf are followed.
func (r *Root) Constants() []Constant {
	return r.set.shaper.Constants([]shape.Part{{Schema: r.payload.Schema}}, nil, true, map[string]bool{})
}

// Field is a property of an object payload.
type Field struct {
	Name, GoName string // GoName is empty for a property with one value, which has no field
	GoType       string // as written in the payload's own package: string, int64, *Money
	// string, integer, number, boolean, array, object, map, enum (of texts), union, any
	Kind string
	// one that has a Go type of its own: date-time, uuid, int32, ...; or empty
	Format   string
	Doc      string
	Optional bool // it can be absent
	Nullable bool
	Closed   bool // an object that refuses members that it does not name

	decl *shape.Decl
}

// Closed reports whether the payload is an object that refuses members that it does not name.
func (r *Root) Closed() bool { return r.IsObject() && r.payload.Decl.Closed }

// IsObject reports whether the payload is an object with properties, so that its Go type is not a
// wrapper.
func (r *Root) IsObject() bool { return r.payload.Decl.Form == shape.Struct }

// Name returns the name of the Go type.
func (r *Root) Name() string { return r.payload.Decl.Name }

// Go returns the Go type of the payload.
func (r *Root) Go(c Config) GoType {
	return GoType{path.Join(c.ImportPath, c.pkg()), c.pkg(), r.payload.Decl.Name}
}

// Doc returns the description of the schema.
func (r *Root) Doc() string { return r.payload.Schema.Doc }

// Fields returns the properties of an object in order, and nil for any other payload.
func (r *Root) Fields() []Field {
	if !r.IsObject() {
		return nil
	}
	return fieldsOf(r.payload.Decl)
}

// Whole returns the field that holds a payload that is not an object, and nil for an object.
func (r *Root) Whole() []Field {
	if r.payload.Decl.Form != shape.Wrapper {
		return nil
	}
	return fieldsOf(&shape.Decl{Fields: []*shape.Field{{GoName: "Value", Shape: r.payload.Decl.Value}}})
}

func fieldsOf(d *shape.Decl) []Field {
	var out []Field
	for _, f := range d.Fields {
		field := Field{Name: f.Name, GoName: f.GoName, Doc: f.Doc, Optional: f.Optional}
		if f.Constant == nil {
			s := f.Shape
			if s.Form == shape.Nullable {
				field.Nullable, s = true, s.Elem
			}
			field.GoType = f.GoType("")
			field.Kind, field.Format = s.Kind(), s.Scalar.Logical
			if s.Form == shape.Declared && s.Decl.Form == shape.Struct {
				field.decl, field.Closed = s.Decl, s.Decl.Closed
			}
		}
		out = append(out, field)
	}
	return out
}

// Fields returns the properties of a property that is an object, and nil for any other property.
func (f Field) Fields() []Field {
	if f.decl == nil {
		return nil
	}
	return fieldsOf(f.decl)
}

// Field returns the property of that name.
func (r *Root) Field(name string) (Field, bool) {
	fields := r.Fields()
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

// SchemaText returns the schema in draft-07 with the definitions of all schemas that it refers to,
// as it is registered.
func (r *Root) SchemaText() string { return string(r.set.loader.Text(r.payload.Schema).JSON()) }

// CheckExample returns a fault for everything in n that does not conform to the schema of the
// payload.
func (r *Root) CheckExample(n *source.Node) diag.List {
	var faults diag.List
	r.set.loader.Validate(r.payload.Schema, n, "the example", &faults)
	return faults
}

// Literal returns n as a Go expression of the payload's type, for another package than that of the
// types, and what the expression imports. Members that n leaves out have their defaults, as if n
// had been decoded.
func (r *Root) Literal(c Config, n *source.Node) (expr string, imports []string, faults diag.List) {
	if faults = r.CheckExample(n); faults.HasErrors() {
		return "", nil, faults
	}
	expr = codec.Literal(r.set.loader, r.payload.Decl, c.pkg(), n, &faults)
	return expr, gofile.Imports(expr, map[string]string{c.pkg(): path.Join(c.ImportPath, c.pkg())}), faults
}

// Config says where the Go goes.
type Config struct {
	ImportPath string // of the folder that holds the package
	Package    string // its name; empty: payload
	// returns the hash of a source; nil: doc.go has no hashes
	Sum func(source string) string
	// returns the name of a source in the headers; nil: its path
	Name func(source string) string
}

func (c Config) pkg() string {
	if c.Package == "" {
		return "payload"
	}
	return c.Package
}

// Emit returns the files, by path below the folder of ImportPath, and the Go types by their names.
// There are none if the set has no payload.
func (s *Set) Emit(c Config) (files map[string][]byte, names map[string]GoType, err error) {
	files, names = map[string][]byte{}, map[string]GoType{}
	if len(s.shaper.Decls) == 0 {
		return files, names, nil
	}
	for _, d := range s.shaper.Decls {
		names[d.Name] = GoType{path.Join(c.ImportPath, c.pkg()), c.pkg(), d.Name}
	}
	for name, f := range codec.Files(s.loader, s.shaper.Decls, c.pkg(), c.Sum) {
		name = c.pkg() + "/" + name + ".go"
		if files[name], err = f.Named(c.Name).Print(); err != nil {
			return nil, nil, fmt.Errorf("generated %s: %w", name, err)
		}
	}
	return files, names, nil
}
