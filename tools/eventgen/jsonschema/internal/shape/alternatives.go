package shape

import (
	"slices"
	"strconv"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// openGroup returns the first list of alternatives that the Go type depends on.
func (p *Shaper) openGroup(flat []Part, allowed jsonvalue.Kind, listed bool) (group string, of *schema.Schema) {
	skipped := map[Part]bool{}
	for _, at := range flat {
		skipped[Part{Schema: at.Schema, Skip: at.Skip}] = true
	}
	if allowed == schema.Everything {
		if k, _ := implied(flat); k != 0 {
			allowed = k
		}
	}
	for _, at := range flat {
		for _, g := range []string{"oneOf", "anyOf"} {
			if at.Schema == nil || len(at.Schema.Group(g)) == 0 || skipped[Part{Schema: at.Schema, Skip: g}] {
				continue
			}
			if _, ok := listing(at.Schema.Group(g)); ok || listed || p.onlyNarrows(at.Schema.Group(g), flat, allowed) {
				continue
			}
			return g, at.Schema
		}
	}
	return "", nil
}

// onlyNarrows reports whether alternatives have no influence on the Go type: they only require some
// of the known properties or limit their values.
func (p *Shaper) onlyNarrows(group []*schema.Schema, flat []Part, allowed jsonvalue.Kind) bool {
	if allowed != jsonvalue.Object {
		return false
	}
	known := map[string][]*schema.Schema{}
	for _, at := range flat {
		if at.Schema != nil {
			for _, prop := range at.Schema.Properties {
				known[prop.Name] = append(known[prop.Name], prop.Schema)
			}
		}
	}
	for _, b := range group {
		for _, at := range p.flatten([]Part{{Schema: b}}) {
			s := at.Schema
			if s.Bool != nil {
				continue
			}
			if len(s.Patterns) > 0 || !s.Additional.IsTrue() && !s.Additional.IsFalse() || s.IsEnum || s.Constant != nil || s.Types&^jsonvalue.Object != 0 {
				return false
			}
			for _, prop := range s.Properties {
				if !narrows(prop.Schema, known[prop.Name]) {
					return false
				}
			}
			if !p.onlyNarrows(s.OneOf, flat, allowed) || !p.onlyNarrows(s.AnyOf, flat, allowed) {
				return false
			}
		}
	}
	return true
}

// narrows reports whether a schema of a property only limits what the known schemas allow.
func narrows(s *schema.Schema, known []*schema.Schema) bool {
	s = s.Final()
	if len(known) == 0 || known[0].IsTrue() && !s.IsTrue() {
		return false
	}
	return len(s.Properties)+len(s.Patterns)+len(s.Tuple)+len(s.AllOf)+len(s.AnyOf)+len(s.OneOf) == 0 && s.Items == nil && s.Additional == nil
}

// structural reports whether a schema determines the Go type by anything but its types and the
// alternatives of a group.
func structural(s *schema.Schema, group string) bool {
	other := s.OneOf
	if group == "oneOf" {
		other = s.AnyOf
	}
	return len(s.Properties)+len(s.Patterns)+len(s.Required)+len(s.Tuple)+len(other) > 0 || s.Additional != nil || s.Items != nil || s.IsEnum || s.Constant != nil ||
		formats[s.Format].GoType != "" || s.Base64 || s.Format == "int32"
}

// alternatives decides the shape of a value that conforms to one of several schemas.
func (p *Shaper) alternatives(out *Shape, parts []Part, of *schema.Schema, group string, w want) {
	base := append(slices.Clone(parts), Part{Schema: of, Skip: group})
	flat := p.flatten(parts)
	plain := !slices.ContainsFunc(flat, func(at Part) bool { return at.Schema != nil && structural(at.Schema, group) })
	null := false
	var branches []*Branch
	for i, b := range of.Group(group) {
		all := append(slices.Clone(base), Part{Schema: b})
		allFlat := p.flatten(all)
		allowed := kinds(allFlat)
		if vals, listed := values(allFlat, allowed); allowed == 0 || listed && len(vals) == 0 {
			p.Diags.Warnf(b.Node.Pos, "", "no value can have this alternative, because it contradicts the rest")
			continue
		}
		if allowed == jsonvalue.Null {
			null = true
			continue
		}
		name := w.name + p.branchName(of.Group(group), i)
		use := all
		if plain {
			use = []Part{{Schema: b}}
			if k := kinds(p.flatten(use)); k&^allowed != 0 {
				if im, _ := implied(p.flatten(use)); k != schema.Everything || im&^allowed != 0 || im == 0 {
					use = append(use, Part{Kinds: allowed})
				}
			}
		}
		at := &Branch{Shape: p.shape(use, want{name: name}), Parts: []Part{{Schema: b}}, Wrapper: name}
		if tags := of.Tags(group); tags != nil {
			at.Tags = tags[i]
			at.added = !p.describes(all, of.Discriminator)
		}
		branches = merge(branches, at)
	}
	p.union(out, parts, branches, null, w)
	tags := of.Tags(group)
	for _, m := range of.Unmapped(group) {
		p.Diags.Warnf(m.Value.Pos, "name one of the alternatives", "the discriminator maps %q to %s, which is not one of the alternatives", m.Key.Value, m.Value.Value)
	}
	if tags == nil && group == "oneOf" {
		p.ambiguous(base, of.OneOf)
	}
	if s := out.unnulled(); s.Form == Declared && s.Decl.Form == Union {
		if tags != nil && !slices.ContainsFunc(s.Decl.Branches, func(b *Branch) bool { return len(b.Also) > 0 }) {
			s.Decl.Tagged = of.Discriminator
		}
		s.Decl.Several = group == "anyOf" && tags == nil
	}
}

// unnulled returns the shape without null.
func (s *Shape) unnulled() *Shape {
	if s.Form == Nullable {
		return s.Elem
	}
	return s
}

// merge adds a branch. One with the Go type of another branch is merged with that, unless only the
// branch, and no field of the type, distinguishes them.
func merge(branches []*Branch, b *Branch) []*Branch {
	for _, other := range branches {
		if !b.added && sameType(other, b) || other.Shape.Form == Basic && b.Shape.Form == Basic && other.Shape.Scalar == b.Shape.Scalar {
			other.Also = append(other.Also, b.Parts)
			return branches
		}
	}
	return append(branches, b)
}

// sameType reports whether two branches have the same declared type.
func sameType(a, b *Branch) bool {
	return a.Shape == b.Shape || a.Shape.Form == Declared && b.Shape.Form == Declared && a.Shape.Decl == b.Shape.Decl
}

// union declares an interface, unless one branch or null alone is left.
func (p *Shaper) union(out *Shape, parts []Part, branches []*Branch, null bool, w want) {
	switch {
	case len(branches) == 0 && null:
		out.Form = Null
		return
	case len(branches) == 0:
		out.Form = Never
		p.Diags.Errorf(position(parts), "no value can conform to this schema: every alternative contradicts the rest")
		return
	case len(branches) == 1 && !null && branches[0].Shape != out && !branches[0].added:
		*out = *branches[0].Shape
		return
	case null:
		elem := &Shape{parts: parts}
		p.union(elem, parts, branches, false, w)
		out.Form, out.Elem = Nullable, elem
		return
	}
	d := p.declare(Union, parts, w)
	out.Form, out.Decl = Declared, d
	d.Branches = branches
}

// finishUnion decides which branches need a wrapper, once all shapes are known.
func (p *Shaper) finishUnion(d *Decl) {
	for _, b := range d.Branches {
		p.checkTag(d, b)
		shared := slices.ContainsFunc(d.Branches, func(o *Branch) bool { return o != b && sameType(o, b) })
		if !shared && b.Shape.Form == Declared && b.Shape.Decl.Form != Union && !slices.Contains(b.Shape.Decl.Implement, d) {
			b.Shape.Decl.Implement = append(b.Shape.Decl.Implement, d)
			b.Wrapper = ""
			continue
		}
		b.Wrapper = p.scope.Take(b.Wrapper)
	}
}

var kindNames = []struct {
	kind jsonvalue.Kind
	name string
}{{jsonvalue.Boolean, "Boolean"}, {schema.Numbers, "Number"}, {jsonvalue.String, "String"}, {jsonvalue.Array, "List"}, {jsonvalue.Object, "Object"}}

// byKind declares the union of a value that has one of several types.
func (p *Shaper) byKind(out *Shape, parts []Part, allowed jsonvalue.Kind, w want) {
	d := p.declare(Union, parts, w)
	out.Form, out.Decl = Declared, d
	for _, k := range kindNames {
		of, name := allowed&k.kind, k.name
		if of == 0 {
			continue
		}
		if of == jsonvalue.Integer {
			name = "Integer"
		}
		d.Branches = append(d.Branches, &Branch{Kinds: of, Wrapper: d.Name + name, Shape: p.shape(append(slices.Clone(parts), Part{Kinds: of}), want{name: d.Name + name})})
	}
}

// branchName returns a name that distinguishes an alternative: its own name, a constant, a property
// that it alone requires, or its type; if it has none of these, its number.
func (p *Shaper) branchName(group []*schema.Schema, i int) string {
	s := group[i].Final()
	if s.Key != "" {
		return goname.Exported(s.Key)
	}
	if goodTitle(s.Title) {
		return goname.Exported(s.Title)
	}
	flat := p.flatten([]Part{{Schema: s}})
	for _, at := range flat {
		for _, prop := range at.Schema.Properties {
			if c := prop.Final().Constant; c.Is(source.String) && c.Value != "" {
				return goname.Exported(c.Value)
			}
		}
	}
	for _, at := range flat {
		for _, name := range at.Schema.Required {
			if !slices.ContainsFunc(group, func(o *schema.Schema) bool { return o != group[i] && mentions(o.Final(), name.Value) }) {
				return "With" + goname.Exported(name.Value)
			}
		}
	}
	own := kinds(flat) &^ jsonvalue.Null
	for _, k := range kindNames {
		if own == k.kind || own == jsonvalue.Integer && k.kind == schema.Numbers {
			alone := !slices.ContainsFunc(group, func(o *schema.Schema) bool {
				return o != group[i] && kinds(p.flatten([]Part{{Schema: o}}))&own != 0
			})
			if alone {
				return k.name
			}
		}
	}
	return "Option" + strconv.Itoa(i+1)
}

func mentions(s *schema.Schema, name string) bool {
	return slices.ContainsFunc(s.Required, func(n *source.Node) bool { return n.Value == name }) ||
		slices.ContainsFunc(s.Properties, func(p schema.Property) bool { return p.Name == name })
}
