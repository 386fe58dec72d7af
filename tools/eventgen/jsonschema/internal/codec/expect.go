package codec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/shape"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// The functions of this file return conditions on a Go value under which its text certainly
// conforms to a schema. If they know none, they set doubt, and the text is checked whenever the
// value is written.

// expected returns the conditions under which the text of x conforms to all schemas.
func (g *generator) expected(s *shape.Shape, want []*schema.Schema, x string) []string {
	var out []string
	for _, w := range want {
		if w = w.Unnulled(); w.IsTrue() || s.Form == shape.Declared && s.Decl.Checks(w) && !isEnum(s.Decl) {
			continue // the function that writes the type sees to it
		}
		for _, part := range w.All() {
			out = append(out, g.expectedOf(s, part, x)...)
		}
	}
	return slices.Compact(out)
}

func isEnum(d *shape.Decl) bool { return d.Form == shape.TextEnum || d.Form == shape.IntEnum }

// expectedOf returns the conditions for the keywords of one schema, without those of its allOf.
func (g *generator) expectedOf(s *shape.Shape, w *schema.Schema, x string) []string {
	kind := kindOf(s)
	if types := w.Types | w.Implied; kind == 0 || w.IsFalse() || w.Combines("") || types != 0 && types&kind == 0 {
		g.doubt = true
		return nil
	}
	out := g.expectedValue(s, w, x)
	switch {
	case kind == jsonvalue.String:
		out = append(out, g.expectedText(s, w, x)...)
	case kind&schema.Numbers != 0:
		out = append(out, g.expectedNumber(s, w, x)...)
	case kind == jsonvalue.Array:
		g.doubt = g.doubt || w.IsTuple || w.Contains != nil
		out = append(out, sizes(x, w.MinItems, w.MaxItems)...)
		if w.Unique {
			out = append(out, unique(s.Elem, x))
		}
	case kind == jsonvalue.Object:
		g.doubt = g.doubt || len(w.Properties)+len(w.Patterns)+len(w.Required)+len(w.Dependencies) > 0 || w.PropertyNames != nil
		out = append(out, sizes(x, w.MinProperties, w.MaxProperties)...)
	}
	return out
}

// kindOf returns the kind of the values of a type that is neither declared nor any value, or of an
// enum. Of a number it is that of all numbers.
func kindOf(s *shape.Shape) jsonvalue.Kind {
	switch s.Form {
	case shape.Null:
		return jsonvalue.Null
	case shape.List:
		return jsonvalue.Array
	case shape.Map:
		return jsonvalue.Object
	case shape.Declared:
		switch s.Decl.Form {
		case shape.TextEnum:
			return jsonvalue.String
		case shape.IntEnum:
			return jsonvalue.Integer
		}
	case shape.Basic:
		switch s.Kind() {
		case "integer":
			return jsonvalue.Integer
		case "number":
			return jsonvalue.Number
		case "boolean":
			return jsonvalue.Boolean
		}
		return jsonvalue.String
	}
	return 0
}

// expectedValue returns the condition of const and enum.
func (g *generator) expectedValue(s *shape.Shape, w *schema.Schema, x string) []string {
	if !w.IsEnum && w.Constant == nil {
		return nil
	}
	if s.Form != shape.Declared {
		g.doubt = true
		return nil
	}
	for _, v := range s.Decl.Values {
		g.doubt = g.doubt || w.Constant != nil && !source.Equal(w.Constant, v.Node) || w.IsEnum && !slices.ContainsFunc(w.Enum, func(n *source.Node) bool { return source.Equal(n, v.Node) })
	}
	return []string{strings.TrimPrefix(x, "*") + ".Valid()"}
}

// expectedText returns the conditions of the keywords for strings.
func (g *generator) expectedText(s *shape.Shape, w *schema.Schema, x string) []string {
	text := x
	switch {
	case s.Form == shape.Declared || s.Scalar.Method == "Text":
		text = "string(" + x + ")"
	case s.Scalar != shape.TextScalar: // the text is made when it is written
		format := schema.TextFormats[w.Format]
		g.doubt = g.doubt || w.MinLength != nil || w.MaxLength != nil || w.Pattern != nil || format != "" && w.Format != s.Scalar.Logical || w.Base64 && s.Scalar.Logical != "byte"
		return nil
	}
	var out []string
	if n, ok := w.MinLength.Int(); ok && n == 1 {
		out = append(out, x+` != ""`)
	} else if w.MinLength != nil {
		out = append(out, fmt.Sprintf("jsonvalue.LongEnough(%s, %s)", text, w.MinLength.Value))
	}
	if w.MaxLength != nil {
		out = append(out, fmt.Sprintf("jsonvalue.ShortEnough(%s, %s)", text, w.MaxLength.Value))
	}
	if w.Pattern != nil {
		out = append(out, fmt.Sprintf("%s.Matches(%s)", g.pattern(w.Pattern.Value), text))
	}
	if f := schema.TextFormats[w.Format]; f != "" {
		out = append(out, fmt.Sprintf("jsonvalue.%s.Accepts(%s)", f, text))
	}
	if w.Base64 {
		out = append(out, "jsonvalue.Base64.Accepts("+text+")")
	}
	return out
}

// expectedNumber returns the conditions of the keywords for numbers.
func (g *generator) expectedNumber(s *shape.Shape, w *schema.Schema, x string) []string {
	integer := kindOf(s) == jsonvalue.Integer
	var out []string
	for _, b := range []struct {
		op   string
		node *source.Node
	}{{">=", w.Min}, {"<=", w.Max}, {">", w.Above}, {"<", w.Below}} {
		if b.node == nil {
			continue
		}
		n, isInt := b.node.Int()
		f, err := strconv.ParseFloat(b.node.Value, 64)
		switch {
		case integer && isInt && n == int64(int32(n)):
			out = append(out, fmt.Sprintf("%s %s %d", x, b.op, n))
		case integer && isInt && s.Form == shape.Basic:
			out = append(out, fmt.Sprintf("int64(%s) %s %d", x, b.op, n))
		case !integer && err == nil:
			op := b.op
			if jsonvalue.Compare(strconv.FormatFloat(f, 'g', -1, 64), b.node.Value) != 0 {
				op = op[:1] // numbers that are not the nearest to the bound
			}
			out = append(out, fmt.Sprintf("%s %s %s", x, op, b.node.Value))
		default:
			g.doubt = true
		}
	}
	if w.MultipleOf != nil {
		n, scale, ok := jsonvalue.Scaled(w.MultipleOf.Value)
		switch {
		case ok && integer && scale == 1 && n == int64(int32(n)):
			out = append(out, fmt.Sprintf("%s%%%d == 0", x, n))
		case ok && !integer:
			out = append(out, fmt.Sprintf("jsonvalue.Multiple(%s, %d, %d)", x, n, scale))
		default:
			g.doubt = true
		}
	}
	return out
}

// sizes returns the conditions for the number of items or members.
func sizes(x string, least, most *source.Node) []string {
	var out []string
	if least != nil {
		out = append(out, fmt.Sprintf("len(%s) >= %s", x, least.Value))
	}
	if most != nil {
		out = append(out, fmt.Sprintf("len(%s) <= %s", x, most.Value))
	}
	return out
}

// unique returns the condition that the items of a list differ. Of items without == it is that
// there are not two of them.
func unique(item *shape.Shape, x string) string {
	comparable := item.Form == shape.Declared && isEnum(item.Decl) || item.Form == shape.Basic && item.Scalar.GoType != "time.Time" && item.Scalar.GoType != "[]byte"
	if comparable {
		return "jsonvalue.Distinct(" + x + ")"
	}
	return "len(" + x + ") < 2"
}

// expectedMembers returns the schemas that each member of an object with a field of its own shall
// conform to. WriteMembers has the text checked if there are others.
func (g *generator) expectedMembers(d *shape.Decl) map[string][]*schema.Schema {
	want := map[string][]*schema.Schema{}
	for _, p := range d.Whole() {
		if p.Schema == nil {
			continue // the kinds of an object
		}
		for i, s := range p.Schema.All() {
			skip := p.Skip
			if i > 0 {
				skip = ""
			}
			g.expectedObject(d, s, skip, want)
		}
	}
	return want
}

// expectedObject adds the schemas of the members that one schema of an object has.
func (g *generator) expectedObject(d *shape.Decl, s *schema.Schema, skip string, want map[string][]*schema.Schema) {
	types := s.Types | s.Implied
	if s.IsFalse() || types != 0 && types&jsonvalue.Object == 0 || s.IsEnum || s.Constant != nil || s.Combines(skip) || s.PropertyNames != nil || len(s.Dependencies) > 0 {
		g.doubt = true
	}
	always := 0
	for _, f := range d.Fields {
		if !f.Optional {
			always++
		}
	}
	if n, ok := s.MinProperties.Int(); s.MinProperties != nil && (!ok || n > int64(always)) {
		g.doubt = true
	}
	if n, ok := s.MaxProperties.Int(); s.MaxProperties != nil && (!ok || n < int64(len(d.Fields))) {
		g.doubt = true
	}
	for _, n := range s.Required {
		g.doubt = g.doubt || !d.Always(n.Value)
	}
	for _, f := range d.Fields {
		named := false
		for _, p := range s.Properties {
			if p.Name == f.Name {
				named = true
				want[f.Name] = append(want[f.Name], p.Schema)
			}
		}
		for _, p := range s.Patterns {
			if regexp.MustCompile(p.Pattern.Value).MatchString(f.Name) { // the loader compiled it
				named = true
				want[f.Name] = append(want[f.Name], p.Schema)
			}
		}
		if !named && s.Additional != nil {
			want[f.Name] = append(want[f.Name], s.Additional)
		}
	}
}

// expectedBranch returns the schemas that the value of a branch of a union shall conform to.
func (g *generator) expectedBranch(d *shape.Decl, b *shape.Branch) []*schema.Schema {
	g.doubt = g.doubt || len(b.Also) > 0
	if b.Kinds != 0 {
		return g.wanted(d.Parts)
	}
	own := b.Parts[0].Schema
	for _, p := range d.Parts {
		if p.Schema == nil {
			continue // the Go type has these kinds only
		}
		group := p.Schema.OnlyGroup()
		if p.Skip != "" || group == "" || !slices.Contains(p.Schema.Group(group), own) {
			g.doubt = true
			continue
		}
		g.expectedGroup(d, p.Schema, group, b)
	}
	return []*schema.Schema{own}
}

// expectedGroup sets doubt unless a value that conforms to the schema of a branch conforms to the
// schema with the alternatives.
func (g *generator) expectedGroup(d *shape.Decl, s *schema.Schema, group string, b *shape.Branch) {
	own := b.Parts[0].Schema
	rest := shape.Part{Schema: s, Skip: group}
	if !s.Only("type", "oneOf", "anyOf", "discriminator") && (b.Shape.Form != shape.Declared || !slices.Contains(b.Shape.Decl.Parts, rest)) {
		g.doubt = true
	}
	if s.Types != 0 && s.Types&shape.KindsOf(b.Shape) != shape.KindsOf(b.Shape) {
		g.doubt = true
	}
	if tags := s.Tags(group); tags != nil {
		g.doubt = g.doubt || !selects(d, b, s.Discriminator, tags[slices.Index(s.Group(group), own)])
		return
	}
	g.doubt = g.doubt || b.AddsTag(d) // which another alternative may require
	for _, other := range s.Group(group) {
		if group == "oneOf" && other != own && !shape.Refuses(other, b.Shape) {
			g.doubt = true
		}
	}
}

// selects reports whether the written values of a branch certainly have a value of the
// discriminator.
func selects(d *shape.Decl, b *shape.Branch, discriminator string, tags []string) bool {
	if b.Shape.Form != shape.Declared || b.Shape.Decl.Form != shape.Struct {
		return false
	}
	f := b.Shape.Decl.Field(discriminator)
	switch known := d.Tagged == discriminator && slices.Equal(b.Tags, tags); {
	case f == nil:
		return known && b.AddsTag(d)
	case f.Constant != nil:
		return f.Constant.Is(source.String) && slices.Contains(tags, f.Constant.Value)
	default:
		return known && !f.Optional && f.Shape.Form != shape.Nullable && refuseTag(d, b, "x") != ""
	}
}
