package shape

import (
	"regexp"
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// AddsTag reports whether the branch is a struct without a field for the discriminator of its
// union, which is therefore added when a value is written as one of the union. On its own the
// struct is written without it.
func (b *Branch) AddsTag(union *Decl) bool {
	s := b.Shape
	return union.Tagged != "" && s.Form == Declared && s.Decl.Form == Struct && s.Decl.Field(union.Tagged) == nil
}

// Rest returns the field that holds a member without a field of its own, or nil.
func (d *Decl) Rest(member string) *Field {
	for _, f := range d.Patterns {
		if regexp.MustCompile(f.Pattern.Value).MatchString(member) { // the loader compiled it
			return &f.Field
		}
	}
	return d.Extra
}

// Takes reports whether each object of a struct certainly conforms to its schema also with a member
// that has no field.
func (d *Decl) Takes(member string) bool {
	for _, p := range d.Whole() {
		if p.Schema == nil {
			continue // the kinds of an object
		}
		for i, s := range p.Schema.All() {
			skip := p.Skip
			if i > 0 {
				skip = ""
			}
			named := slices.ContainsFunc(s.Properties, func(q schema.Property) bool { return q.Name == member })
			if named || !s.Additional.IsTrue() || len(s.Patterns)+len(s.Dependencies) > 0 || s.PropertyNames != nil || s.MaxProperties != nil || s.Combines(skip) || s.IsEnum || s.Constant != nil {
				return false
			}
		}
	}
	return true
}

// describes reports whether a struct of all parts has a field for a member.
func (p *Shaper) describes(parts []Part, member string) bool {
	return slices.ContainsFunc(p.flatten(parts), func(at Part) bool {
		return at.Schema != nil && at.Schema.Bool == nil && mentions(at.Schema, member)
	})
}

// checkTag warns about a branch whose schema refuses the discriminator, which is added to it, and
// about one that has several values of it, of which a value does not keep its own.
func (p *Shaper) checkTag(d *Decl, b *Branch) {
	if !b.AddsTag(d) {
		return
	}
	o := b.Shape.Decl
	if len(b.Tags) > 1 {
		p.Diags.Warnf(o.pos, "add the property to the schema", "%s has no property %q: as one of %s it is written with %q, also if %q was read", o.Name, d.Tagged, d.Name, b.Tags[0], b.Tags[1])
	}
	for _, at := range p.flatten(o.Whole()) {
		if at.Schema != nil && p.refusesTag(o, at.Schema, d.Tagged, b.Tags[0]) {
			p.Diags.Warnf(o.pos, "add the property to the schema", "%s has no property %q, and refuses it, but is %q as one of %s: no value of it can be written as that", o.Name, d.Tagged, b.Tags[0], d.Name)
			return
		}
	}
}

// refusesTag reports whether a schema refuses every object of a struct that has a member, which has
// no field, with a text.
func (p *Shaper) refusesTag(o *Decl, s *schema.Schema, member, text string) bool {
	always := int64(1)
	for _, f := range o.Fields {
		if !f.Optional {
			always++
		}
	}
	if n, ok := s.MaxProperties.Int(); ok && n < always || s.PropertyNames != nil && p.refuses(s.PropertyNames, member) {
		return true
	}
	known := false
	for _, q := range s.Properties {
		if q.Name == member {
			known = true
			if p.refuses(q.Schema, text) {
				return true
			}
		}
	}
	for _, q := range s.Patterns {
		if regexp.MustCompile(q.Pattern.Value).MatchString(member) { // the loader compiled it
			known = true
			if p.refuses(q.Schema, text) {
				return true
			}
		}
	}
	return !known && !s.Additional.IsTrue() && p.refuses(s.Additional, text)
}

// refuses reports whether a schema refuses a text.
func (p *Shaper) refuses(s *schema.Schema, text string) bool {
	var faults diag.List
	p.Validate(s.Final(), &source.Node{Pos: s.Node.Pos, Kind: source.String, Value: text}, "the discriminator", &faults)
	return faults.HasErrors()
}
