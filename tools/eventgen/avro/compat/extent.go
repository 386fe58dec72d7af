package compat

import "github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"

// extent returns how many of the writer's values fail. A pair that is part of itself is computed
// until nothing changes any more.
func extent(r, w *schema.Type) Verdict {
	e := extents{known: map[pair]Verdict{}}
	for {
		e.seen, e.changed = map[pair]bool{}, false
		v := e.of(r, w)
		if !e.changed {
			return v
		}
	}
}

type extents struct {
	known   map[pair]Verdict // of the last round
	seen    map[pair]bool    // in this round
	changed bool
}

func (e *extents) of(r, w *schema.Type) Verdict {
	p := pair{r, w}
	if e.seen[p] {
		return e.known[p]
	}
	e.seen[p] = true
	if v := e.compute(r, w); v > e.known[p] {
		e.known[p], e.changed = v, true
	}
	return e.known[p]
}

func (e *extents) compute(r, w *schema.Type) Verdict {
	switch {
	case w.Kind == schema.Union:
		return e.writerUnion(r, w)
	case r.Kind == schema.Union:
		least := AllFail
		for _, b := range r.Branches {
			least = min(least, e.of(b, w))
		}
		return least
	case !readable(r, w), r.Kind.Named() && !sameName(r, w), r.Kind == schema.Fixed && r.Size != w.Size:
		return AllFail
	}
	switch r.Kind {
	case schema.Array, schema.Map:
		return min(e.of(r.Items, w.Items), SomeFail) // an empty one can be read
	case schema.Enum:
		switch missing := len(missingSymbols(r, w)); missing {
		case 0:
			return Compatible
		case len(w.Symbols):
			return AllFail
		}
		return SomeFail
	case schema.Record:
		return e.record(r, w)
	}
	return Compatible
}

// writerUnion returns Compatible if every branch can be read, AllFail if none can, and SomeFail
// otherwise.
func (e *extents) writerUnion(r, w *schema.Type) Verdict {
	if len(w.Branches) == 0 {
		return Compatible
	}
	least, most := AllFail, Compatible
	for _, b := range w.Branches {
		v := e.of(r, b)
		least, most = min(least, v), max(most, v)
	}
	if least == AllFail {
		return AllFail
	}
	return min(most, SomeFail)
}

func (e *extents) record(r, w *schema.Type) Verdict {
	out := Compatible
	written := fieldsByName(w)
	for _, f := range r.Fields {
		switch found := candidates(f, written); {
		case len(found) == 1:
			out = max(out, e.of(f.Type, found[0].Type))
		case f.Default == nil || len(found) > 1:
			return AllFail
		}
	}
	return out
}
