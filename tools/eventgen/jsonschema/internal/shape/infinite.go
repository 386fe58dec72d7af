package shape

// mostParts is the limit of how many objects the smallest value of a type has: two required
// properties of a type with two required properties are four, and so on.
const mostParts = 100_000

// infinite refuses types whose values always contain another value of the type, so that no value is
// finite, and types whose smallest value is too large.
func (p *Shaper) infinite() {
	const hint = "make one of the properties on the way optional, or let it be null"
	state, parts := map[*Decl]int{}, map[*Decl]int{}
	var visit func(d *Decl)
	visit = func(d *Decl) {
		if state[d] == 1 {
			p.Diags.ErrorHint(d.pos, hint, "every value of this schema contains another one: no value is finite")
		}
		if state[d] != 0 {
			return
		}
		state[d], parts[d] = 1, 1
		for _, f := range d.Fields {
			if f.Constant == nil && !f.Optional && f.Shape.Form == Declared && f.Shape.Decl.HasCodec() {
				visit(f.Shape.Decl)
				parts[d] += parts[f.Shape.Decl]
			}
		}
		if d.Value != nil && d.Value.Form == Declared && d.Value.Decl.HasCodec() {
			visit(d.Value.Decl)
			parts[d] += parts[d.Value.Decl]
		}
		if parts[d] > mostParts {
			p.Diags.ErrorHint(d.pos, hint, "every value of this schema contains more than %d others", mostParts)
			parts[d] = 1 // no fault for the types that contain it
		}
		state[d] = 2
	}
	for _, d := range p.Decls {
		visit(d)
	}
}
