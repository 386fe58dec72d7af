package schema

import (
	"fmt"
	"slices"
)

// finiteness knows the records that have no finite value: each of their values contains a record
// that has none either.
type finiteness struct {
	waiting map[*Type]int     // number of fields that may have no finite value
	users   map[*Type][]*need // the fields that a record is enough for
}

// need is a field whose values are records.
type need struct {
	of  *Type
	met bool // one of the records is known to have a finite value
}

// finite finds the records without a finite value among all named types.
func finite(types []*Type) finiteness {
	known := finiteness{map[*Type]int{}, map[*Type][]*need{}}
	var ready []*Type
	for _, t := range types {
		if known.read(t); known.waiting[t] == 0 {
			ready = append(ready, t)
		}
	}
	for len(ready) > 0 {
		t := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, n := range known.users[t] {
			if n.met {
				continue
			}
			n.met = true
			if known.waiting[n.of]--; known.waiting[n.of] == 0 {
				ready = append(ready, n.of)
			}
		}
	}
	return known
}

func (k finiteness) read(t *Type) {
	for _, f := range t.Fields {
		if records := needed(f.Type); len(records) > 0 {
			n := &need{of: t}
			k.waiting[t]++
			for _, r := range records {
				k.users[r] = append(k.users[r], n)
			}
		}
	}
}

// has reports whether t has a finite value.
func (k finiteness) has(t *Type) bool { return k.waiting[t] == 0 }

// needed returns the records of which one has to have a finite value, so that t has one. It returns
// none if t has one in any case.
func needed(t *Type) []*Type {
	switch {
	case t.Kind == Record:
		return []*Type{t}
	case t.Kind == Union && !slices.ContainsFunc(t.Branches, func(b *Type) bool { return b.Kind != Record }):
		return t.Branches
	}
	return nil
}

// next returns a record without a finite value that a value of t, which has none either, contains.
func (k finiteness) next(t *Type) *Type {
	for _, f := range t.Fields {
		if records := needed(f.Type); len(records) > 0 && !slices.ContainsFunc(records, k.has) {
			return records[0]
		}
	}
	return t
}

// circles returns the records without a finite value that contain themselves: each record of a
// circle contains the next one, and the last one the first.
func (k finiteness) circles(types []*Type) [][]*Type {
	var out [][]*Type
	walked := map[*Type]int{} // the number of the walk that came by
	for i, t := range types {
		if k.has(t) {
			continue
		}
		for walked[t] == 0 {
			walked[t] = i + 1
			t = k.next(t)
		}
		if walked[t] != i+1 {
			continue // a former walk found this circle
		}
		circle := []*Type{t}
		for r := k.next(t); r != t; r = k.next(r) {
			circle = append(circle, r)
		}
		out = append(out, circle)
	}
	return out
}

// checkFinite refuses records that have no finite value.
func (l *Loader) checkFinite(types []*Type) finiteness {
	known := finite(types)
	for _, circle := range known.circles(types) {
		t, through := circle[0], ""
		for i, r := range circle[1:min(len(circle), 4)] {
			through += []string{", through ", ", "}[min(i, 1)] + r.Name
		}
		if more := len(circle) - 4; more > 0 {
			through += fmt.Sprintf(" and %d more", more)
		}
		hint := `make a field nullable: ["null", "` + circle[1%len(circle)].Name + `"]`
		l.invalid(t.Node, hint, "record %s always contains another %s%s, so it has no finite value", t.Name, t.Name, through)
	}
	return known
}
