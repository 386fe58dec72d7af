package jsonschema

import "slices"

// endless tells of schemas that lead back to themselves without going into the value: no check of them would end.
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

// infinite tells of types whose values hold one of their own, which no value can end.
func (s *Set) infinite() {
	state := map[*decl]int{}
	var visit func(d *decl)
	visit = func(d *decl) {
		if state[d] == 1 {
			s.loader.diags.ErrorHint(d.pos, "let one of the properties on the way be left out, or be null", "every value of this schema holds another one: it would have no end")
		}
		if state[d] != 0 {
			return
		}
		state[d] = 1
		for _, f := range d.fields {
			if f.constant == nil && !f.optional && f.shape.form == isDecl && f.shape.decl.hasCodec() {
				visit(f.shape.decl)
			}
		}
		if d.value != nil && d.value.form == isDecl && d.value.decl.hasCodec() {
			visit(d.value.decl)
		}
		state[d] = 2
	}
	for _, d := range s.shaper.decls {
		visit(d)
	}
}
