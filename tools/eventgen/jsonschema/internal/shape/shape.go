// Package shape decides the Go types of JSON Schemas: their forms, names and fields.
//
// Package jsonschema alone imports it, beside codec.
package shape

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Form is the form of a Go type.
type form int

const (
	Any form = iota
	Never
	Null
	Basic    // a type that needs no declaration: Scalar
	Nullable // Elem or null
	List     // of Elem
	Map      // of Elem, by name
	Declared // a type of its own: Decl
)

// Shape is the Go type of a value. It is complete once Shaper.Resolve has returned.
type Shape struct {
	Form   form
	Scalar Scalar
	Elem   *Shape
	Decl   *Decl
	parts  []Part
}

// Scalar is a type that needs no declaration, with the name of the methods of Reader and Writer.
type Scalar struct{ GoType, Method, kind, Logical string }

var (
	TextScalar    = Scalar{"string", "String", "string", ""}
	BoolScalar    = Scalar{"bool", "Bool", "boolean", ""}
	int64Scalar   = Scalar{"int64", "Int64", "integer", ""}
	int32Scalar   = Scalar{"int32", "Int32", "integer", "int32"}
	float64Scalar = Scalar{"float64", "Float64", "number", ""}
	bytesScalar   = Scalar{"[]byte", "Bytes", "string", "byte"}
)

// formats are the formats of strings that have a Go type of their own.
var formats = map[string]Scalar{
	"date-time": {"time.Time", "Time", "string", "date-time"},
	"date":      {"jsonvalue.Date", "Date", "string", "date"},
	"uuid":      {"uuid.UUID", "UUID", "string", "uuid"},
	"time":      {"jsonvalue.Time", "Text", "string", "time"},
	"duration":  {"jsonvalue.Duration", "Text", "string", "duration"},
	"byte":      bytesScalar,
}

// DeclForm is the form of a declared type.
type DeclForm int

const (
	Struct DeclForm = iota
	Tuple
	Union
	TextEnum
	IntEnum
	ValueEnum // of arrays and objects
	Wrapper   // a struct with the field Value
)

// Decl is a Go type that is declared.
type Decl struct {
	Form      DeclForm
	Name      string
	Wish      string // the name it would have if that were not taken
	Doc       string
	File      string // without extension
	Source    string
	Parts     []Part
	Plain     bool // it is one schema, whose check has the name of the type
	pos       diag.Pos
	Fields    []*Field
	Patterns  []*patternField
	Closed    bool   // it refuses members that have no field
	Extra     *Field // for members or items without a field of their own
	Branches  []*Branch
	Tagged    string // the member that distinguishes the branches; "" if there is none
	Several   bool   // a value can conform to several branches
	Values    []enumValue
	Value     *Shape         // of a wrapper
	Implement []*Decl        // the unions that it is a branch of
	Payload   *schema.Schema // the schema of the payload, if it is one
}

// Field is a field of a struct or of a tuple.
type Field struct {
	Name, GoName, Wish string
	Doc                string
	Shape              *Shape
	Optional           bool
	Constant           *source.Node // the only value: there is no Go field
	Default            *source.Node
	from               *schema.Schema // that has the default
}

// patternField is a field for all members whose names match a pattern.
type patternField struct {
	Pattern *source.Node
	Field
}

// Branch is one of the types of a union.
type Branch struct {
	Shape *Shape
	Parts []Part // that distinguish it from the others
	Kinds jsonvalue.Kind
	Also  [][]Part // the parts of other branches with the same Go type
	Tags  []string // its values of the discriminator
	added bool     // no field has the discriminator, which is added
	// the name of the struct that holds the value; "" if the type itself implements the interface
	Wrapper string
}

// enumValue is a value of an enum with the name of its constant.
type enumValue struct {
	GoName string
	Node   *source.Node
}

// Part is a schema without the groups of alternatives that are decided, or a restriction to some
// kinds.
type Part struct {
	Schema *schema.Schema
	Skip   string // "oneOf", "anyOf", "oneOf anyOf"
	Kinds  jsonvalue.Kind
}

func keyOfParts(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%p/%s/%d ", p.Schema, p.Skip, p.Kinds)
	}
	return b.String()
}

// Payload is the schema of a payload and the type that it becomes.
type Payload struct {
	Schema *schema.Schema
	Hint   string // the name if it has neither a name of its own nor a title
	File   string
	shape  *Shape
	Decl   *Decl
}

// Shaper decides the shapes.
type Shaper struct {
	*schema.Loader
	scope goname.Scope
	files goname.Scope
	memo  map[string]*entry
	Decls []*Decl
}

type entry struct {
	shape *Shape
	done  bool
	again bool // it is inside itself
}

// NewShaper returns a shaper of the schemas that a loader has read.
func NewShaper(l *schema.Loader) *Shaper {
	return &Shaper{Loader: l, scope: goname.Scope{}, files: goname.Scope{"doc": true, enums: true, Checks: true}, memo: map[string]*entry{}}
}

const (
	enums     = "enums"  // the file of the small enums of a package
	fewValues = 20       // the most values of a small enum
	Checks    = "checks" // the file of the checks of schemas that are not types
)

// Resolve decides the types of payloads and of everything in them.
func (p *Shaper) Resolve(payloads []*Payload) {
	for _, r := range payloads {
		if r.Schema.Key == "" && !goodTitle(r.Schema.Title) {
			r.Schema.Key = r.Hint
		}
	}
	for _, at := range p.Order { // given names come before derived ones
		if at.Target && at.Bool == nil {
			at.Wish = goname.Exported(at.Key)
			if at.Key == "" || goname.Class(at.Key) != "" && goodTitle(at.Title) {
				at.Wish = goname.Exported(at.Title)
			}
			at.GoName = p.scope.Take(at.Wish)
		}
	}
	for _, r := range payloads {
		r.shape = p.shape([]Part{{Schema: r.Schema}}, want{name: goname.Exported(r.Hint)})
	}
	for _, r := range payloads {
		p.payload(r)
	}
	for _, d := range p.Decls {
		if d.Form == Union {
			p.finishUnion(d)
			p.keepAll(d)
		}
	}
	p.infinite()
	p.CheckDefaults()
	for _, d := range p.Decls {
		if (d.Form == TextEnum || d.Form == IntEnum) && len(d.Values) <= fewValues {
			d.File = enums
		}
		for _, f := range d.Fields {
			if f.from != nil && f.from.Default == nil {
				f.Default = nil // it does not conform to its schema
			}
		}
	}
}

// payload makes a payload a struct.
func (p *Shaper) payload(r *Payload) {
	if r.shape.Form == Declared && r.shape.Decl.HasCodec() {
		r.Decl = r.shape.Decl
	} else {
		parts := []Part{{Schema: r.Schema}}
		w := p.named(parts, want{name: goname.Exported(r.Hint)})
		if r.Schema.Declared || r.Schema.GoName == "" && p.scope[w.name] {
			w.name += "Payload"
		}
		r.Decl = p.declare(Wrapper, parts, w)
		r.Decl.Wish = "" // it has no other name
		r.Decl.Value = r.shape
		r.Decl.Source = r.File
	}
	r.Decl.Payload = r.Schema
	for _, name := range []string{"SchemaOf", "typeOf"} {
		p.scope[name+r.Decl.Name] = true
	}
}

// want is the name of a type that has none of its own.
type want struct {
	name string
}

func (w want) below(step string) want { return want{name: w.name + goname.Exported(step)} }

// shape returns the Go type of a value that conforms to all parts.
func (p *Shaper) shape(parts []Part, w want) *Shape {
	parts = p.normal(parts)
	key := keyOfParts(parts)
	if e, ok := p.memo[key]; ok {
		e.again = e.again || !e.done
		return e.shape
	}
	e := &entry{shape: &Shape{parts: parts}}
	p.memo[key] = e
	p.decide(e.shape, parts, p.named(parts, w))
	// A list of itself must be a declared type.
	if e.done = true; e.again && e.shape.Form != Declared {
		inner := *e.shape
		d := p.declare(Wrapper, parts, p.named(parts, w))
		d.Value = &inner
		*e.shape = Shape{Form: Declared, Decl: d, parts: parts}
	}
	return e.shape
}

// normal follows $refs and removes duplicates.
func (p *Shaper) normal(parts []Part) []Part {
	var out []Part
	for _, at := range parts {
		if at.Schema = at.Schema.Final(); at.Skip == "" && at.Schema != nil {
			at.Schema = at.Schema.Alias()
		}
		if at.Schema == nil && at.Kinds == 0 {
			continue
		}
		if !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// named returns the name of the schema itself, if it has one, instead of w.
func (p *Shaper) named(parts []Part, w want) want {
	if s := OnlySchema(parts); s != nil {
		switch {
		case s.GoName != "":
			w.name = s.GoName
		case goodTitle(s.Title):
			w.name = goname.Exported(s.Title)
		}
	}
	return w
}

// goodTitle reports whether a title can be a name: it is short and not a sentence.
func goodTitle(title string) bool {
	return title != "" && len(title) <= 40 && len(strings.Fields(title)) <= 5 && strings.Trim(title, "0123456789 ") != "" && !strings.ContainsAny(title, ".,:;!?")
}

// flatten follows $refs and allOf.
func (p *Shaper) flatten(parts []Part) []Part {
	var out []Part
	seen := map[Part]bool{}
	var add func(at Part)
	add = func(at Part) {
		if at.Schema = at.Schema.Final(); seen[at] {
			return
		}
		seen[at] = true
		out = append(out, at)
		if at.Schema != nil {
			for _, s := range at.Schema.AllOf {
				add(Part{Schema: s})
			}
		}
	}
	for _, at := range parts {
		add(at)
	}
	return out
}

// kinds returns the kinds that all parts allow.
func kinds(flat []Part) jsonvalue.Kind {
	out := schema.Everything
	for _, at := range flat {
		switch {
		case at.Schema == nil:
			out &= at.Kinds
		case at.Schema.IsFalse():
			out = 0
		case at.Schema.Types != 0:
			out &= at.Schema.Types
		}
	}
	return out
}

// values returns the values that all parts allow, if one of them lists values.
func values(flat []Part, allowed jsonvalue.Kind) (list []*source.Node, listed bool) {
	narrow := func(vs []*source.Node) {
		var out []*source.Node
		for _, v := range vs {
			fits := allowed&schema.KindOf(v) != 0 && (!listed || slices.ContainsFunc(list, func(o *source.Node) bool { return source.Equal(v, o) }))
			if fits && !slices.ContainsFunc(out, func(o *source.Node) bool { return source.Equal(v, o) }) {
				out = append(out, v)
			}
		}
		list, listed = out, true
	}
	for _, at := range flat {
		if s := at.Schema; s != nil {
			if s.Constant != nil {
				narrow([]*source.Node{s.Constant})
			}
			if s.IsEnum {
				narrow(s.Enum)
			}
			for _, g := range []string{"oneOf", "anyOf"} {
				if vs, ok := listing(s.Group(g)); ok {
					narrow(vs)
				}
			}
		}
	}
	return list, listed
}

// listing returns the values of alternatives that are each a const or an enum, which is how an enum
// with a description of each value is written.
func listing(group []*schema.Schema) (out []*source.Node, ok bool) {
	for _, s := range group {
		s = s.Final()
		switch {
		case s.Bool == nil && s.Constant != nil:
			out = append(out, s.Constant)
		case s.Bool == nil && s.IsEnum:
			out = append(out, s.Enum...)
		default:
			return nil, false
		}
	}
	return out, len(group) > 0
}

// implied returns the kind that the keywords of a schema without type apply to. It returns 0 if
// they apply to no kind, or to several.
func implied(flat []Part) (k jsonvalue.Kind, several bool) {
	var found []jsonvalue.Kind
	note := func(is bool, k jsonvalue.Kind) {
		if is && !slices.Contains(found, k) {
			found = append(found, k)
		}
	}
	for _, at := range flat {
		if s := at.Schema; s != nil {
			note(s.ForObjects, jsonvalue.Object)
			note(s.ForArrays, jsonvalue.Array)
			note(s.ForStrings || formats[s.Format].GoType != "" || schema.TextFormats[s.Format] != "", jsonvalue.String)
			note(s.ForNumbers, schema.Numbers)
		}
	}
	if len(found) == 1 {
		return found[0], false
	}
	return 0, len(found) > 1
}

// decide completes a shape.
func (p *Shaper) decide(out *Shape, parts []Part, w want) {
	flat := p.flatten(parts)
	allowed := kinds(flat)
	vals, listed := values(flat, allowed)
	if listed {
		var of jsonvalue.Kind
		for _, v := range vals {
			of |= schema.KindOf(v)
		}
		allowed &= of
	}
	switch {
	case allowed == 0:
		if out.Form = Never; !slices.ContainsFunc(flat, func(at Part) bool { return at.Schema.IsFalse() }) {
			p.Diags.Errorf(position(parts), "no value can conform to this schema: its parts contradict each other")
		}
		return
	case allowed == jsonvalue.Null:
		out.Form = Null
		return
	case allowed&jsonvalue.Null != 0 && allowed != schema.Everything:
		out.Form, out.Elem = Nullable, p.shape(append(slices.Clone(parts), Part{Kinds: schema.Everything &^ jsonvalue.Null}), w)
		return
	}
	if g, at := p.openGroup(flat, allowed, listed); g != "" {
		p.alternatives(out, parts, at, g, w)
		return
	}
	if allowed == schema.Everything {
		k, several := implied(flat)
		switch {
		case several:
			p.Diags.ErrorHint(position(parts), "add type", "this schema has keywords for several types, and no type")
			return
		case k == 0:
			return // any value
		}
		p.Diags.Warnf(position(parts), "write type: "+schema.TypeName(k), "this schema has no type; its keywords imply %s", k&^jsonvalue.Integer)
		allowed = k
		parts[0].Schema.Implied = k
	}
	p.checkBounds(flat, allowed)
	p.ofKinds(out, parts, flat, allowed, vals, listed, w)
}

func position(parts []Part) diag.Pos {
	for _, at := range parts {
		if at.Schema != nil {
			return at.Schema.Node.Pos
		}
	}
	return diag.Pos{}
}

// ofKinds decides the shape of values of one kind, or a union of several.
func (p *Shaper) ofKinds(out *Shape, parts, flat []Part, allowed jsonvalue.Kind, vals []*source.Node, listed bool, w want) {
	switch {
	case allowed == jsonvalue.Boolean:
		out.Form, out.Scalar = Basic, BoolScalar
	case allowed&^schema.Numbers == 0:
		p.number(out, parts, flat, allowed, vals, listed, w)
	case allowed == jsonvalue.String && listed:
		p.enum(out, TextEnum, parts, vals, w)
	case allowed == jsonvalue.String:
		out.Form, out.Scalar = Basic, p.text(flat)
	case listed && allowed&^(jsonvalue.Array|jsonvalue.Object) == 0:
		p.enum(out, ValueEnum, parts, vals, w)
	case allowed == jsonvalue.Array:
		p.array(out, parts, flat, w)
	case allowed == jsonvalue.Object:
		p.object(out, parts, flat, w)
	default:
		p.byKind(out, parts, allowed, w)
	}
}

func (p *Shaper) number(out *Shape, parts, flat []Part, allowed jsonvalue.Kind, vals []*source.Node, listed bool, w want) {
	out.Form = Basic
	format := ""
	for _, at := range flat {
		if at.Schema != nil && at.Schema.Format != "" {
			format = at.Schema.Format
		}
	}
	switch {
	case allowed == jsonvalue.Integer && listed && slices.IndexFunc(vals, func(v *source.Node) bool { _, ok := v.Int(); return !ok }) < 0:
		p.enum(out, IntEnum, parts, vals, w)
	case allowed == jsonvalue.Integer && format == "int32":
		out.Scalar = int32Scalar
	case allowed == jsonvalue.Integer:
		out.Scalar = int64Scalar
	default:
		out.Scalar = float64Scalar
	}
}

func (p *Shaper) text(flat []Part) Scalar {
	out := TextScalar
	for _, at := range flat {
		if at.Schema == nil {
			continue
		}
		of := formats[at.Schema.Format]
		if at.Schema.Base64 {
			of = bytesScalar
		}
		switch {
		case of.GoType == "" || of == out:
		case out != TextScalar:
			p.Diags.Errorf(at.Schema.Node.Pos, "no string has both formats %s and %s", out.Logical, of.Logical)
		default:
			out = of
		}
	}
	return out
}

func (p *Shaper) enum(out *Shape, form DeclForm, parts []Part, vals []*source.Node, w want) {
	d := p.declare(form, parts, w)
	out.Form, out.Decl = Declared, d
	for i, v := range vals {
		name := goname.Exported(v.Value)
		switch {
		case form == ValueEnum:
			name = fmt.Sprint(i + 1)
		case v.Value == "":
			name = "Empty"
		case strings.HasPrefix(v.Value, "-") && form == IntEnum:
			name = "Minus" + v.Value[1:]
		case form == IntEnum:
			name = v.Value
		case strings.HasPrefix(name, "X") && v.Value != "" && strings.Trim(v.Value[:1], "0123456789") == "":
			name = name[1:] // after the name of the type it may begin with a digit
		}
		d.Values = append(d.Values, enumValue{p.scope.Take(d.Name + name), v})
	}
}

// OnlySchema returns the schema of all parts, or nil if they have several.
func OnlySchema(parts []Part) *schema.Schema {
	var out *schema.Schema
	for _, at := range parts {
		if at.Schema != nil && out != nil && at.Schema != out {
			return nil
		}
		if at.Schema != nil {
			out = at.Schema
		}
	}
	return out
}

// declare adds a type and names it.
func (p *Shaper) declare(form DeclForm, parts []Part, w want) *Decl {
	d := &Decl{Form: form, Parts: parts, Wish: w.name, pos: position(parts)}
	d.Source = d.pos.File
	own := OnlySchema(parts)
	if own != nil && own.GoName == w.name && !own.Declared {
		d.Name, own.Declared, d.Wish = w.name, true, own.Wish
	} else {
		d.Name = p.scope.Take(w.name)
	}
	if plain := len(parts) == 1 && parts[0].Skip == ""; plain && own != nil {
		if own.GoName == "" {
			own.GoName, own.Declared = d.Name, true
		}
		d.Plain = own.GoName == d.Name
	}
	for _, at := range parts {
		if at.Schema != nil && d.Doc == "" {
			d.Doc = at.Schema.Doc
		}
	}
	d.File = p.files.Take(strings.ToLower(d.Name))
	p.Decls = append(p.Decls, d)
	return d
}
