package jsonschema

import (
	"slices"
	"strconv"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// openGroup finds a list of alternatives that the Go type depends on.
func (p *shaper) openGroup(flat []part, allowed jsonvalue.Kind, listed bool) (group string, of *schema) {
	skipped := map[part]bool{}
	for _, at := range flat {
		skipped[part{schema: at.schema, skip: at.skip}] = true
	}
	if allowed == everything {
		if k, _ := implied(flat); k != 0 {
			allowed = k
		}
	}
	for _, at := range flat {
		for _, g := range []string{"oneOf", "anyOf"} {
			if at.schema == nil || len(at.schema.group(g)) == 0 || skipped[part{schema: at.schema, skip: g}] {
				continue
			}
			if _, ok := listing(at.schema.group(g)); ok || listed || p.onlyNarrows(at.schema.group(g), flat, allowed) {
				continue
			}
			return g, at.schema
		}
	}
	return "", nil
}

// onlyNarrows tells whether alternatives say nothing of the Go type: they ask for some of the
// properties there are, or for some values of them.
func (p *shaper) onlyNarrows(group []*schema, flat []part, allowed jsonvalue.Kind) bool {
	if allowed != jsonvalue.Object {
		return false
	}
	known := map[string][]*schema{}
	for _, at := range flat {
		if at.schema != nil {
			for _, prop := range at.schema.props {
				known[prop.name] = append(known[prop.name], prop.schema)
			}
		}
	}
	for _, b := range group {
		for _, at := range p.flatten([]part{{schema: b}}) {
			s := at.schema
			if s.bool != nil {
				continue
			}
			if len(s.patterns) > 0 || !s.additional.isTrue() && !s.additional.isFalse() || s.isEnum || s.constant != nil || s.types&^jsonvalue.Object != 0 {
				return false
			}
			for _, prop := range s.props {
				if !narrows(prop.schema, known[prop.name]) {
					return false
				}
			}
			if !p.onlyNarrows(s.oneOf, flat, allowed) || !p.onlyNarrows(s.anyOf, flat, allowed) {
				return false
			}
		}
	}
	return true
}

// narrows tells whether a property's schema limits what is known of the property, and adds nothing.
func narrows(s *schema, known []*schema) bool {
	s = s.final()
	if len(known) == 0 || known[0].isTrue() && !s.isTrue() {
		return false
	}
	return len(s.props)+len(s.patterns)+len(s.tuple)+len(s.allOf)+len(s.anyOf)+len(s.oneOf) == 0 && s.items == nil && s.additional == nil
}

// structural tells whether a schema says something of the Go type, apart from its types and from a
// group.
func structural(s *schema, group string) bool {
	other := s.oneOf
	if group == "oneOf" {
		other = s.anyOf
	}
	return len(s.props)+len(s.patterns)+len(s.required)+len(s.tuple)+len(other) > 0 || s.additional != nil || s.items != nil || s.isEnum || s.constant != nil ||
		formats[s.format].goType != "" || s.base64 || s.format == "int32" || s.format == "float"
}

// alternatives is the shape of a value that is of one of several forms.
func (p *shaper) alternatives(out *shape, parts []part, of *schema, group string, w want) {
	base := append(slices.Clone(parts), part{schema: of, skip: group})
	flat := p.flatten(parts)
	plain := !slices.ContainsFunc(flat, func(at part) bool { return at.schema != nil && structural(at.schema, group) })
	null := false
	var branches []*branch
	for i, b := range of.group(group) {
		all := append(slices.Clone(base), part{schema: b})
		allFlat := p.flatten(all)
		allowed := kinds(allFlat)
		if vals, listed := values(allFlat, allowed); allowed == 0 || listed && len(vals) == 0 {
			continue // no value is both
		}
		if allowed == jsonvalue.Null {
			null = true
			continue
		}
		name := w.name + p.branchName(of.group(group), i)
		use := all
		if plain {
			use = []part{{schema: b}}
			if k := kinds(p.flatten(use)); k&^allowed != 0 {
				if im, _ := implied(p.flatten(use)); k != everything || im&^allowed != 0 || im == 0 {
					use = append(use, part{kinds: allowed})
				}
			}
		}
		at := &branch{shape: p.shape(use, want{name: name}), parts: []part{{schema: b}}, wrapper: name}
		if tags := of.tags(group); tags != nil {
			at.tag = tags[i]
		}
		branches = merge(branches, at)
	}
	p.union(out, parts, branches, null, w)
	if s := out.unnulled(); s.form == isDecl && s.decl.form == isUnion && len(s.decl.branches) == len(of.tags(group)) {
		s.decl.tagged = of.discriminator
	}
}

// unnulled is the shape beside null.
func (s *shape) unnulled() *shape {
	if s.form == isNullable {
		return s.elem
	}
	return s
}

// merge adds a branch, to another one when their Go types are the same.
func merge(branches []*branch, b *branch) []*branch {
	for _, other := range branches {
		if other.shape == b.shape || other.shape.form == isScalar && b.shape.form == isScalar && other.shape.scalar == b.shape.scalar {
			other.also = append(other.also, b.parts)
			return branches
		}
	}
	return append(branches, b)
}

// union makes an interface, or less when less will do.
func (p *shaper) union(out *shape, parts []part, branches []*branch, null bool, w want) {
	switch {
	case len(branches) == 0 && null:
		out.form = isNull
		return
	case len(branches) == 0:
		out.form = isNever
		p.diags.Errorf(position(parts), "no value can be as this schema wants it: every alternative contradicts the rest")
		return
	case len(branches) == 1 && !null && branches[0].shape != out:
		*out = *branches[0].shape
		return
	case null:
		elem := &shape{parts: parts}
		p.union(elem, parts, branches, false, w)
		out.form, out.elem = isNullable, elem
		return
	}
	d := p.declare(isUnion, parts, w)
	out.form, out.decl = isDecl, d
	d.branches = branches
}

// finishUnion decides which branches need a wrapper, when all shapes are known.
func (p *shaper) finishUnion(d *decl) {
	for _, b := range d.branches {
		if b.shape.form == isDecl && b.shape.decl.form != isUnion && !slices.Contains(b.shape.decl.implement, d) {
			b.shape.decl.implement = append(b.shape.decl.implement, d)
			b.wrapper = ""
			continue
		}
		b.wrapper = p.scope.Take(b.wrapper)
	}
}

var kindNames = []struct {
	kind jsonvalue.Kind
	name string
}{{jsonvalue.Boolean, "Boolean"}, {numbers, "Number"}, {jsonvalue.String, "String"}, {jsonvalue.Array, "List"}, {jsonvalue.Object, "Object"}}

// byKind is the shape of a value that has one of several types.
func (p *shaper) byKind(out *shape, parts []part, allowed jsonvalue.Kind, w want) {
	d := p.declare(isUnion, parts, w)
	out.form, out.decl = isDecl, d
	for _, k := range kindNames {
		of, name := allowed&k.kind, k.name
		if of == 0 {
			continue
		}
		if of == jsonvalue.Integer {
			name = "Integer"
		}
		d.branches = append(d.branches, &branch{kinds: of, wrapper: d.name + name, shape: p.shape(append(slices.Clone(parts), part{kinds: of}), want{name: d.name + name})})
	}
}

// branchName tells an alternative from the others: by its own name, the value it is told by, the
// property it alone has, its type; by its number when it has nothing of that.
func (p *shaper) branchName(group []*schema, i int) string {
	s := group[i].final()
	if s.key != "" {
		return goname.Exported(s.key)
	}
	if goodTitle(s.title) {
		return goname.Exported(s.title)
	}
	flat := p.flatten([]part{{schema: s}})
	for _, at := range flat {
		for _, prop := range at.schema.props {
			if c := prop.final().constant; c.Is(source.String) && c.Value != "" {
				return goname.Exported(c.Value)
			}
		}
	}
	for _, at := range flat {
		for _, name := range at.schema.required {
			if !slices.ContainsFunc(group, func(o *schema) bool { return o != group[i] && mentions(o.final(), name.Value) }) {
				return "With" + goname.Exported(name.Value)
			}
		}
	}
	own := kinds(flat) &^ jsonvalue.Null
	for _, k := range kindNames {
		if own == k.kind || own == jsonvalue.Integer && k.kind == numbers {
			alone := !slices.ContainsFunc(group, func(o *schema) bool {
				return o != group[i] && kinds(p.flatten([]part{{schema: o}}))&own != 0
			})
			if alone {
				return k.name
			}
		}
	}
	return "Option" + strconv.Itoa(i+1)
}

func mentions(s *schema, name string) bool {
	return slices.ContainsFunc(s.required, func(n *source.Node) bool { return n.Value == name }) ||
		slices.ContainsFunc(s.props, func(p property) bool { return p.name == name })
}
