package jsonschema

import "slices"

// endless tells of schemas that lead back to themselves without going into the value: no check of
// them would end.
func (s *Set) endless() {
	state := map[*schema]int{} // 1: being looked at, 2: good
	var visit func(at *schema)
	visit = func(at *schema) {
		at = at.final()
		if at == nil || state[at] == 2 {
			return
		}
		if state[at] == 1 {
			s.loader.diags.ErrorHint(at.node.Pos, "let it go through a property or an item", "this schema is made of itself: no value could be checked against it")
			return
		}
		state[at] = 1
		for _, next := range at.inPlace() {
			visit(next)
		}
		state[at] = 2
	}
	for _, at := range s.loader.order {
		visit(at)
	}
}

// inPlace are the schemas that look at the same value.
func (s *schema) inPlace() []*schema {
	out := slices.Concat(s.allOf, s.anyOf, s.oneOf, []*schema{s.not, s.cond, s.then, s.otherwise})
	for _, d := range s.dependencies {
		out = append(out, d.schema)
	}
	return slices.DeleteFunc(out, func(o *schema) bool { return o == nil })
}

// mostParts bounds what the smallest value of a schema consists of: two required properties of the
// same schema are four of the next one, and so on.
const mostParts = 100_000

// infinite tells of types whose values hold one of their own, which no value can end, and of those
// that hold more than any value can.
func (s *Set) infinite() {
	const hint = "let one of the properties on the way be left out, or be null"
	state, parts := map[*decl]int{}, map[*decl]int{}
	var visit func(d *decl)
	visit = func(d *decl) {
		if state[d] == 1 {
			s.loader.diags.ErrorHint(d.pos, hint, "every value of this schema holds another one: it would have no end")
		}
		if state[d] != 0 {
			return
		}
		state[d], parts[d] = 1, 1
		for _, f := range d.fields {
			if f.constant == nil && !f.optional && f.shape.form == isDecl && f.shape.decl.hasCodec() {
				visit(f.shape.decl)
				parts[d] += parts[f.shape.decl]
			}
		}
		if d.value != nil && d.value.form == isDecl && d.value.decl.hasCodec() {
			visit(d.value.decl)
			parts[d] += parts[d.value.decl]
		}
		if parts[d] > mostParts {
			s.loader.diags.ErrorHint(d.pos, hint, "every value of this schema consists of more than %d others", mostParts)
			parts[d] = 1 // those that hold it are told nothing of it
		}
		state[d] = 2
	}
	for _, d := range s.shaper.decls {
		visit(d)
	}
}
