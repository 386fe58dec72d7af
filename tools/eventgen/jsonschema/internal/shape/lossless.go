package shape

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// ByMembers reports whether a value of the union is the object that names the most of its members.
func (d *Decl) ByMembers() bool { return d.Several && len(d.objects()) > 1 }

// objects returns the objects of a union.
func (d *Decl) objects() (out []*Decl) {
	for _, b := range d.Branches {
		if s := b.Shape; s.Form == Declared && s.Decl.Form == Struct {
			out = append(out, s.Decl)
		}
	}
	return out
}

// Names returns the members that an object of a union names.
func (b *Branch) Names() (out []string) {
	if b.Shape.Form == Declared {
		for _, f := range b.Shape.Decl.Fields {
			out = append(out, f.Name)
		}
	}
	return out
}

// keepAll makes the objects of an anyOf hold the members that only another object of it names. It
// warns about those that they cannot hold.
func (p *Shaper) keepAll(d *Decl) {
	if !d.ByMembers() {
		return
	}
	objects := d.objects()
	for i, o := range objects {
		if !o.Closed && o.Extra == nil {
			scope := fieldScope()
			for _, f := range o.Fields {
				scope[f.GoName] = true
			}
			for _, f := range o.Patterns {
				scope[f.GoName] = true
			}
			o.Extra = extra(scope)
			o.Extra.Shape = &Shape{}
		}
		for _, other := range objects[:i] {
			p.warnOfParts(d, o, other)
		}
	}
}

// extra returns the field for members that have no other.
func extra(scope goname.Scope) *Field {
	return &Field{GoName: scope.Take("Extra"), Wish: "Extra", Doc: "The members that the schema does not name."}
}

// warnOfParts warns about a member that is one object in one alternative, and another one in
// another.
func (p *Shaper) warnOfParts(d, a, b *Decl) {
	for _, f := range a.Fields {
		i := slices.IndexFunc(b.Fields, func(g *Field) bool { return g.Name == f.Name })
		if i >= 0 && f.Constant == nil && b.Fields[i].Constant == nil && differ(f.Shape, b.Fields[i].Shape) {
			p.Diags.Warnf(d.pos, "write oneOf, or one schema for the member", "%q has other members in %s than in %s: of a value that is both, some are not kept", f.Name, a.Name, b.Name)
		}
	}
}

// differ reports whether two types are, or contain, different objects.
func differ(a, b *Shape) bool {
	a, b = a.unnulled(), b.unnulled()
	if (a.Form == List || a.Form == Map) && a.Form == b.Form {
		return differ(a.Elem, b.Elem)
	}
	return a.Form == Declared && b.Form == Declared && a.Decl != b.Decl && a.Decl.Form == Struct && b.Decl.Form == Struct
}

// ambiguous warns about an alternative of a oneOf whose values are also those of another one, so
// that none of them can be read or written.
func (p *Shaper) ambiguous(base []Part, group []*schema.Schema) {
	for i, a := range group {
		for k, b := range group {
			if i == k || i > k && p.covers(base, a, b) && p.covers(base, b, a) {
				continue // both ways were reported already
			}
			if p.covers(base, a, b) {
				p.Diags.Warnf(a.Node.Pos, "write anyOf; or require a member that only it has, add a discriminator, or write additionalProperties: false",
					"a value of alternative %d of this oneOf is also one of alternative %d, and oneOf refuses a value that is both", i+1, k+1)
				break
			}
		}
	}
}

// covers reports whether every object that has only members that a names, and conforms to a,
// conforms to b too. It can be true if it reports false.
func (p *Shaper) covers(base []Part, a, b *schema.Schema) bool {
	of, by := p.flatten(append(slices.Clone(base), Part{Schema: a})), p.flatten([]Part{{Schema: b}})
	if only, _ := implied(of); kinds(of) != jsonvalue.Object && (kinds(of) != schema.Everything || only != jsonvalue.Object) {
		return false
	}
	have := gather(of)
	for _, at := range by {
		s := at.Schema
		if s == nil || s.Bool != nil || s.Types&^jsonvalue.Object != 0 || s.IsEnum || s.Constant != nil || !s.Additional.IsTrue() || len(s.Patterns)+len(s.Dependencies)+len(s.OneOf)+len(s.AnyOf) > 0 ||
			s.PropertyNames != nil || s.Not != nil || s.If != nil || s.MinProperties != nil || s.MaxProperties != nil {
			return false
		}
		if slices.ContainsFunc(s.Required, func(n *source.Node) bool { return have.required[n.Value] == nil }) {
			return false
		}
		for _, prop := range s.Properties {
			if !within(have.parts[prop.Name], prop.Schema) {
				return false
			}
		}
	}
	return true
}

// within reports whether one of the schemas of a member is the other schema, or allows no other
// types if that limits nothing else. A member without a schema is not there.
func within(parts []Part, s *schema.Schema) bool {
	s = s.Final()
	if len(parts) == 0 || s.IsTrue() {
		return true
	}
	return slices.ContainsFunc(parts, func(at Part) bool {
		own := at.Schema.Final()
		return own == s || own != nil && source.Equal(own.Node, s.Node) || own != nil && own.Types != 0 && own.Types&^s.Types == 0 && s.OnlyType()
	})
}
