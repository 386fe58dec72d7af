package jsonschema

import (
	"path"
	"slices"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Set is the schemas of one call of the generator: what several refer to is one Go type. Add
// everything, call Resolve once, then ask and emit.
type Set struct {
	loader loader
	shaper shaper
	byRoot map[*schema]*Root
	roots  []*Root
}

// NewSet returns an empty set. deref follows the references of a node to what they lead to, and
// gives nil after telling what is wrong.
func NewSet(deref func(*source.Node) *source.Node) *Set {
	return &Set{loader: loader{deref: deref, schemas: map[*source.Node]*schema{}, ids: map[string]*source.Node{},
		compiled: map[*schema]*validator.Schema{}}, byRoot: map[*schema]*Root{}}
}

// AddRoot reads the schema of a payload; give it the node as it is written, so that a $ref can give
// its name. Nodes that lead to the same schema give the same Root. hint names what has neither a
// name of its own nor a title. A payload that is no object with properties becomes a struct with
// the field Value.
func (s *Set) AddRoot(n *source.Node, hint string) *Root {
	s.loader.findIDs(n, 0)
	at := s.loader.load(n).final()
	if r, ok := s.byRoot[at]; ok {
		return r
	}
	at.target = true
	r := &Root{hint: hint, set: s, schema: at, pos: n.Pos}
	s.byRoot[at] = r
	s.roots = append(s.roots, r)
	return r
}

// Resolve decides all Go types and names. The list holds every fault; with an error in it nothing
// else of the set may be used.
func (s *Set) Resolve() diag.List {
	l := &s.loader
	s.endless()
	if l.diags.HasErrors() {
		return l.diags.Sorted()
	}
	s.shaper = shaper{loader: l, scope: goname.Scope{}, files: goname.Scope{"doc": true}, memo: map[string]*entry{}}
	for _, r := range s.roots {
		if r.schema.key == "" && !goodTitle(r.schema.title) {
			r.schema.key = r.hint
		}
	}
	for _, at := range l.order { // names that were given come before names that are made
		if at.target && at.bool == nil {
			at.wish = goname.Exported(at.key)
			if at.key == "" {
				at.wish = goname.Exported(at.title)
			}
			at.goName = s.shaper.scope.Take(at.wish)
		}
	}
	for _, r := range s.roots {
		r.shape = s.shaper.shape([]part{{schema: r.schema}}, want{name: goname.Exported(r.hint)})
	}
	for _, r := range s.roots {
		s.shaper.root(r)
	}
	for _, d := range s.shaper.decls {
		if d.form == isUnion {
			s.shaper.finishUnion(d)
		}
	}
	s.infinite()
	s.defaults()
	return l.diags.Sorted()
}

// root gives a payload a struct.
func (p *shaper) root(r *Root) {
	if r.shape.form == isDecl && r.shape.decl.hasCodec() {
		r.decl = r.shape.decl
	} else {
		parts := []part{{schema: r.schema}}
		w := p.named(parts, want{name: goname.Exported(r.hint)})
		if r.schema.declared || r.schema.goName == "" && p.scope[w.name] {
			w.name += "Payload"
		}
		r.decl = p.declare(isWrapper, parts, w)
		r.decl.wish = "" // it has no other
		r.decl.value = r.shape
		r.decl.source = r.pos.File
	}
	r.decl.root = r
	for _, name := range []string{"SchemaOf", "typeOf"} {
		p.scope[name+r.decl.name] = true
	}
}

// GoType is where a Go type is found.
type GoType struct{ ImportPath, Package, Name string }

// Root is the schema of a payload.
type Root struct {
	hint   string
	set    *Set
	schema *schema
	pos    diag.Pos
	shape  *shape
	decl   *decl
}

// Constant is a member, however deep, that can have listed values only.
type Constant struct {
	Path     []string
	Values   []string // as they stand in a header: text without quotes
	Required bool     // it is there in every value
}

// Constants gives the members that can have listed values only, of the object and of the objects in
// it, a few deep, allOf and references followed.
func (r *Root) Constants() []Constant {
	return r.set.shaper.constants([]part{{schema: r.schema}}, nil, true, map[string]bool{})
}

// deepest bounds how far inside a value its constants are looked for: the ways to them can double
// with each step.
const deepest = 4

func (p *shaper) constants(parts []part, path []string, required bool, within map[string]bool) (out []Constant) {
	key := keyOfParts(parts)
	if within[key] || len(path) > deepest {
		return nil // an object in itself, or too far inside
	}
	within[key] = true
	defer delete(within, key)
	m := gather(p.flatten(parts))
	for _, name := range m.names {
		flat := p.flatten(m.parts[name])
		c := Constant{Path: append(slices.Clone(path), name), Required: required && m.required[name] != nil}
		list, listed := values(flat, kinds(flat))
		scalars := !slices.ContainsFunc(list, func(n *source.Node) bool { return !n.Is(source.String) && !n.Is(source.Bool) && !n.Is(source.Int) })
		if listed && scalars {
			for _, n := range list {
				c.Values = append(c.Values, n.Value)
			}
			out = append(out, c)
			continue
		}
		only := kinds(flat) == jsonvalue.Object
		out = append(out, p.constants(m.parts[name], c.Path, c.Required && only, within)...)
	}
	return out
}

// Field is a property of an object payload.
type Field struct {
	Name, GoName string // GoName is empty for a property that has one value only, and no field
	GoType       string // as written in the payload's own package: string, int64, *Money
	// string, integer, number, boolean, array, object, map, enum (of texts), union, any
	Kind string
	// that has a Go type of its own: date-time, uuid, int32, ...; empty for none
	Format   string
	Doc      string
	Optional bool // it may be left out
	Nullable bool
	Closed   bool // an object that refuses what it does not name

	decl *decl
}

// Closed tells whether the payload is an object that refuses what it does not name.
func (r *Root) Closed() bool { return r.IsObject() && r.decl.closed }

// IsObject tells whether the payload is an object with properties, so that the Go type is its own
// and not a wrapper.
func (r *Root) IsObject() bool { return r.decl.form == isStruct }

// Name is the name of the Go type.
func (r *Root) Name() string { return r.decl.name }

// Go is the Go type of the payload.
func (r *Root) Go(c Config) GoType {
	return GoType{path.Join(c.ImportPath, c.pkg()), c.pkg(), r.decl.name}
}

// Doc is the description of the schema.
func (r *Root) Doc() string { return r.schema.doc }

// Fields are the properties of an object, in order; none for anything else.
func (r *Root) Fields() []Field {
	if !r.IsObject() {
		return nil
	}
	return fieldsOf(r.decl)
}

func fieldsOf(d *decl) []Field {
	var out []Field
	for _, f := range d.fields {
		field := Field{Name: f.name, GoName: f.goName, Doc: f.doc, Optional: f.optional}
		if f.constant == nil {
			s := f.shape
			if s.form == isNullable {
				field.Nullable, s = true, s.elem
			}
			field.GoType = f.goType("")
			field.Kind, field.Format = s.kind(), s.scalar.logical
			if s.form == isDecl && s.decl.form == isStruct {
				field.decl, field.Closed = s.decl, s.decl.closed
			}
		}
		out = append(out, field)
	}
	return out
}

// Fields are those of a property that is an object with properties, in order; none for anything
// else.
func (f Field) Fields() []Field {
	if f.decl == nil {
		return nil
	}
	return fieldsOf(f.decl)
}

// Field is the property of that name.
func (r *Root) Field(name string) (Field, bool) {
	fields := r.Fields()
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

func (s *shape) kind() string {
	switch s.form {
	case isScalar:
		return s.scalar.kind
	case isNull:
		return "null"
	case isList:
		return "array"
	case isDict:
		return "map"
	case isDecl:
		switch s.decl.form {
		case isStruct:
			return "object"
		case isTuple:
			return "array"
		case isUnion:
			return "union"
		case isTextEnum:
			return "enum"
		case isIntEnum:
			return "integer"
		case isValueEnum:
			return "any"
		}
		return s.decl.value.kind()
	}
	return "any"
}
