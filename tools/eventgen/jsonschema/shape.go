package jsonschema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// form is what a Go type is made like.
type form int

const (
	isAny form = iota
	isNever
	isNull
	isScalar   // a type of Go or of the runtime
	isNullable // elem or null
	isList     // of elem
	isDict     // of elem
	isDecl     // a type of its own: decl
)

// shape is the Go type of a value. A shape is complete when the set is resolved.
type shape struct {
	form   form
	scalar scalar
	elem   *shape
	decl   *decl
	parts  []part
}

// scalar is a type that needs no declaration, with the methods of Reader and Writer for it.
type scalar struct{ goType, method, kind, logical string }

var (
	textScalar    = scalar{"string", "String", "string", ""}
	boolScalar    = scalar{"bool", "Bool", "boolean", ""}
	int64Scalar   = scalar{"int64", "Int64", "integer", ""}
	int32Scalar   = scalar{"int32", "Int32", "integer", "int32"}
	float64Scalar = scalar{"float64", "Float64", "number", ""}
	float32Scalar = scalar{"float32", "Float32", "number", "float"}
	bytesScalar   = scalar{"[]byte", "Bytes", "string", "byte"}
)

// formats are the formats of texts that have a Go type.
var formats = map[string]scalar{
	"date-time": {"time.Time", "Time", "string", "date-time"},
	"date":      {"jsonvalue.Date", "Date", "string", "date"},
	"uuid":      {"uuid.UUID", "UUID", "string", "uuid"},
	"time":      {"jsonvalue.Time", "Text", "string", "time"},
	"duration":  {"jsonvalue.Duration", "Text", "string", "duration"},
	"byte":      bytesScalar,
}

// declForm is what a declared type is.
type declForm int

const (
	isStruct declForm = iota
	isTuple
	isUnion
	isTextEnum
	isIntEnum
	isValueEnum // of lists and objects
	isWrapper   // a struct with the field Value
)

// decl is a Go type that is declared.
type decl struct {
	form      declForm
	name      string
	wish      string // the name it would have if that were free
	doc       string
	file      string // without extension
	source    string
	parts     []part
	plain     bool // it is one schema, whose check has the name
	pos       diag.Pos
	fields    []*field
	patterns  []*patternField
	closed    bool   // it refuses members that no field is for
	extra     *field // of members or items that no other field is for
	branches  []*branch
	tagged    string // name of the member that tells the branches apart, if one does
	values    []enumValue
	value     *shape  // of a wrapper
	implement []*decl // unions that it is a branch of
	root      *Root
}

// field is a field of a struct or of a tuple.
type field struct {
	name, goName, wish string
	doc                string
	shape              *shape
	optional           bool
	constant           *source.Node // it has no field: this is written
	fallback           *source.Node
}

type patternField struct {
	pattern *source.Node
	field
}

type branch struct {
	shape *shape
	parts []part // that tell it from the others
	kinds jsonvalue.Kind
	also  [][]part // of others with the same Go type
	tag   string   // value of the discriminator that tells it
	// name of the struct that holds the value; "" when the type itself implements the interface
	wrapper string
}

type enumValue struct {
	goName string
	node   *source.Node
}

// part is a schema, without one of its groups when that was decided; or a restriction to some
// kinds.
type part struct {
	schema *schema
	skip   string // "oneOf", "anyOf", "oneOf anyOf"
	kinds  jsonvalue.Kind
}

func keyOfParts(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%p/%s/%d ", p.schema, p.skip, p.kinds)
	}
	return b.String()
}

// shaper decides the shapes.
type shaper struct {
	*loader
	scope goname.Scope
	files goname.Scope
	memo  map[string]*entry
	decls []*decl
}

type entry struct {
	shape *shape
	done  bool
	again bool // it was met inside itself
}

// want is the name and the place that a type without a name of its own gets.
type want struct {
	name string
}

func (w want) below(step string) want { return want{name: w.name + goname.Exported(step)} }

// shape decides the Go type of a value that has to pass all parts.
func (p *shaper) shape(parts []part, w want) *shape {
	parts = p.normal(parts)
	key := keyOfParts(parts)
	if e, ok := p.memo[key]; ok {
		e.again = e.again || !e.done
		return e.shape
	}
	e := &entry{shape: &shape{parts: parts}}
	p.memo[key] = e
	p.decide(e.shape, parts, p.named(parts, w))
	// a list of itself: only a type with a name can be
	if e.done = true; e.again && e.shape.form != isDecl {
		inner := *e.shape
		d := p.declare(isWrapper, parts, p.named(parts, w))
		d.value = &inner
		*e.shape = shape{form: isDecl, decl: d, parts: parts}
	}
	return e.shape
}

// normal leaves out what stands twice, and follows $refs.
func (p *shaper) normal(parts []part) []part {
	var out []part
	for _, at := range parts {
		if at.schema = at.schema.final(); at.schema == nil && at.kinds == 0 {
			continue
		}
		if !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// named gives the name of the schema itself when it has one.
func (p *shaper) named(parts []part, w want) want {
	if s := only(parts); s != nil {
		switch {
		case s.goName != "":
			w.name = s.goName
		case goodTitle(s.title):
			w.name = goname.Exported(s.title)
		}
	}
	return w
}

// goodTitle tells whether a title can be a name, and is no sentence.
func goodTitle(title string) bool {
	return title != "" && len(title) <= 40 && len(strings.Fields(title)) <= 5 && strings.Trim(title, "0123456789 ") != "" && !strings.ContainsAny(title, ".,:;!?")
}

// flatten follows $refs and allOf.
func (p *shaper) flatten(parts []part) []part {
	var out []part
	seen := map[part]bool{}
	var add func(at part)
	add = func(at part) {
		if at.schema = at.schema.final(); seen[at] {
			return
		}
		seen[at] = true
		out = append(out, at)
		if at.schema != nil {
			for _, s := range at.schema.allOf {
				add(part{schema: s})
			}
		}
	}
	for _, at := range parts {
		add(at)
	}
	return out
}

// kinds are the kinds that all parts allow.
func kinds(flat []part) jsonvalue.Kind {
	out := everything
	for _, at := range flat {
		switch {
		case at.schema == nil:
			out &= at.kinds
		case at.schema.isFalse():
			out = 0
		case at.schema.types != 0:
			out &= at.schema.types
		}
	}
	return out
}

// values are the values that all parts allow, when they list them.
func values(flat []part, allowed jsonvalue.Kind) (list []*source.Node, listed bool) {
	narrow := func(vs []*source.Node) {
		var out []*source.Node
		for _, v := range vs {
			fits := allowed&kindOf(v) != 0 && (!listed || slices.ContainsFunc(list, func(o *source.Node) bool { return source.Equal(v, o) }))
			if fits && !slices.ContainsFunc(out, func(o *source.Node) bool { return source.Equal(v, o) }) {
				out = append(out, v)
			}
		}
		list, listed = out, true
	}
	for _, at := range flat {
		if s := at.schema; s != nil {
			if s.constant != nil {
				narrow([]*source.Node{s.constant})
			}
			if s.isEnum {
				narrow(s.enum)
			}
			for _, g := range []string{"oneOf", "anyOf"} {
				if vs, ok := listing(s.group(g)); ok {
					narrow(vs)
				}
			}
		}
	}
	return list, listed
}

// listing are the values of alternatives that each are a const or an enum: how some write an enum
// with a description of each value.
func listing(group []*schema) (out []*source.Node, ok bool) {
	for _, s := range group {
		s = s.final()
		switch {
		case s.bool == nil && s.constant != nil:
			out = append(out, s.constant)
		case s.bool == nil && s.isEnum:
			out = append(out, s.enum...)
		default:
			return nil, false
		}
	}
	return out, len(group) > 0
}

// implied is the kind that a schema without type speaks of. It is 0 when it speaks of none, or of
// several.
func implied(flat []part) (k jsonvalue.Kind, several bool) {
	var found []jsonvalue.Kind
	note := func(is bool, k jsonvalue.Kind) {
		if is && !slices.Contains(found, k) {
			found = append(found, k)
		}
	}
	for _, at := range flat {
		if s := at.schema; s != nil {
			note(s.nearObject, jsonvalue.Object)
			note(s.nearArray, jsonvalue.Array)
			note(s.nearText || formats[s.format].goType != "" || textFormats[s.format] != "", jsonvalue.String)
			note(s.nearNum, numbers)
		}
	}
	if len(found) == 1 {
		return found[0], false
	}
	return 0, len(found) > 1
}

// decide fills in a shape.
func (p *shaper) decide(out *shape, parts []part, w want) {
	flat := p.flatten(parts)
	allowed := kinds(flat)
	vals, listed := values(flat, allowed)
	if listed {
		var of jsonvalue.Kind
		for _, v := range vals {
			of |= kindOf(v)
		}
		allowed &= of
	}
	switch {
	case allowed == 0:
		if out.form = isNever; !slices.ContainsFunc(flat, func(at part) bool { return at.schema.isFalse() }) {
			p.diags.Errorf(position(parts), "no value can be as this schema wants it: its parts contradict each other")
		}
		return
	case allowed == jsonvalue.Null:
		out.form = isNull
		return
	case allowed&jsonvalue.Null != 0 && allowed != everything:
		out.form, out.elem = isNullable, p.shape(append(slices.Clone(parts), part{kinds: everything &^ jsonvalue.Null}), w)
		return
	}
	if g, at := p.openGroup(flat, allowed, listed); g != "" {
		p.alternatives(out, parts, at, g, w)
		return
	}
	if allowed == everything {
		k, several := implied(flat)
		switch {
		case several:
			p.diags.ErrorHint(position(parts), "say which with type", "this schema speaks of values of several types")
			return
		case k == 0:
			return // any
		}
		p.diags.Warnf(position(parts), "write type: "+typeName(k), "this schema has no type; it is taken to be that of %s", k&^jsonvalue.Integer)
		allowed = k
		parts[0].schema.implied = k
	}
	p.ofKinds(out, parts, flat, allowed, vals, listed, w)
}

func typeName(k jsonvalue.Kind) string {
	for name, kind := range typeNames {
		if kind == k {
			return name
		}
	}
	return "?"
}

func position(parts []part) diag.Pos {
	for _, at := range parts {
		if at.schema != nil {
			return at.schema.node.Pos
		}
	}
	return diag.Pos{}
}

// ofKinds is the shape of values of one kind, or a union of several.
func (p *shaper) ofKinds(out *shape, parts, flat []part, allowed jsonvalue.Kind, vals []*source.Node, listed bool, w want) {
	switch {
	case allowed == jsonvalue.Boolean:
		out.form, out.scalar = isScalar, boolScalar
	case allowed&^numbers == 0:
		p.number(out, parts, flat, allowed, vals, listed, w)
	case allowed == jsonvalue.String && listed:
		p.enum(out, isTextEnum, parts, vals, w)
	case allowed == jsonvalue.String:
		out.form, out.scalar = isScalar, p.text(flat)
	case listed && allowed&^(jsonvalue.Array|jsonvalue.Object) == 0:
		p.enum(out, isValueEnum, parts, vals, w)
	case allowed == jsonvalue.Array:
		p.array(out, parts, flat, w)
	case allowed == jsonvalue.Object:
		p.object(out, parts, flat, w)
	default:
		p.byKind(out, parts, allowed, w)
	}
}

func (p *shaper) number(out *shape, parts, flat []part, allowed jsonvalue.Kind, vals []*source.Node, listed bool, w want) {
	out.form = isScalar
	format := ""
	for _, at := range flat {
		if at.schema != nil && at.schema.format != "" {
			format = at.schema.format
		}
	}
	switch {
	case allowed == jsonvalue.Integer && listed && slices.IndexFunc(vals, func(v *source.Node) bool { _, ok := v.Int(); return !ok }) < 0:
		p.enum(out, isIntEnum, parts, vals, w)
	case allowed == jsonvalue.Integer && format == "int32":
		out.scalar = int32Scalar
	case allowed == jsonvalue.Integer:
		out.scalar = int64Scalar
	case format == "float":
		out.scalar = float32Scalar
	default:
		out.scalar = float64Scalar
	}
}

func (p *shaper) text(flat []part) scalar {
	out := textScalar
	for _, at := range flat {
		if at.schema == nil {
			continue
		}
		of := formats[at.schema.format]
		if at.schema.base64 {
			of = bytesScalar
		}
		switch {
		case of.goType == "" || of == out:
		case out != textScalar:
			p.diags.Errorf(at.schema.node.Pos, "no text has the formats %s and %s at once", out.logical, of.logical)
		default:
			out = of
		}
	}
	return out
}

func (p *shaper) enum(out *shape, form declForm, parts []part, vals []*source.Node, w want) {
	d := p.declare(form, parts, w)
	out.form, out.decl = isDecl, d
	for i, v := range vals {
		name := goname.Exported(v.Value)
		switch {
		case form == isValueEnum:
			name = fmt.Sprint(i + 1)
		case v.Value == "":
			name = "Empty"
		case strings.HasPrefix(v.Value, "-") && form == isIntEnum:
			name = "Minus" + v.Value[1:]
		case form == isIntEnum:
			name = v.Value
		case strings.HasPrefix(name, "X") && v.Value != "" && strings.Trim(v.Value[:1], "0123456789") == "":
			name = name[1:] // behind the type's name a digit may begin
		}
		d.values = append(d.values, enumValue{p.scope.Take(d.name + name), v})
	}
}

// only is the schema that all parts are of, if there is one.
func only(parts []part) *schema {
	var out *schema
	for _, at := range parts {
		if at.schema != nil && out != nil && at.schema != out {
			return nil
		}
		if at.schema != nil {
			out = at.schema
		}
	}
	return out
}

// declare names a type.
func (p *shaper) declare(form declForm, parts []part, w want) *decl {
	d := &decl{form: form, parts: parts, wish: w.name, pos: position(parts)}
	d.source = d.pos.File
	own := only(parts)
	if own != nil && own.goName == w.name && !own.declared {
		d.name, own.declared, d.wish = w.name, true, own.wish
	} else {
		d.name = p.scope.Take(w.name)
	}
	if plain := len(parts) == 1 && parts[0].skip == ""; plain && own != nil {
		if own.goName == "" {
			own.goName, own.declared = d.name, true
		}
		d.plain = own.goName == d.name
	}
	for _, at := range parts {
		if at.schema != nil && d.doc == "" {
			d.doc = at.schema.doc
		}
	}
	d.file = p.files.Take(strings.ToLower(d.name))
	p.decls = append(p.decls, d)
	return d
}
