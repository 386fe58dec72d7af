package states

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/services/journal/record"
)

// table holds streams and their cells.
type table[S any] struct {
	cells  map[record.Stream]*kept[S] // that are not packed
	arena  arena[S]                   // for cells, if none are ever packed
	peak   int                        // how many streams the map has room for
	packed *packed[S]                 // nil if none are
}

func (l *States[S, B]) newTable() *table[S] {
	return &table[S]{
		cells: make(map[record.Stream]*kept[S]), arena: arena[S]{names: new(strings.Builder)},
		packed: newPacked(l.cfg.States, l.cfg.PackAfter, l.hash),
	}
}

// len returns how many streams there are.
func (t *table[S]) len() int { return len(t.cells) + t.packed.len() }

// add adds a stream.
func (t *table[S]) add(s record.Stream) (k *kept[S]) {
	if t.packed == nil {
		k = t.arena.cell()
		k.stream = t.arena.name(s)
	} else {
		k = &kept[S]{stream: record.Stream(strings.Clone(string(s)))}
	}
	t.hold(k)
	return k
}

func (t *table[S]) hold(k *kept[S]) {
	t.cells[k.stream] = k
	t.peak = max(t.peak, len(t.cells))
}

// unpack takes a stream that was found packed out of what is packed. A record may name it twice.
func (t *table[S]) unpack(k *kept[S]) *kept[S] {
	if already := t.cells[k.stream]; already != nil {
		return already
	}
	t.packed.remove(k.stream, k.handle)
	k.stream, k.handle = record.Stream(strings.Clone(string(k.stream))), 0
	t.hold(k)
	return k
}

// tableOf returns the table that a stream belongs to. Streams that are forgotten one day have one
// of their own: a piece of memory is freed once everything in it is forgotten, so they must not
// share it with streams that stay.
func (l *States[S, B]) tableOf(s record.Stream) *table[S] {
	if l.cfg.Passing != "" && strings.HasPrefix(string(s), l.cfg.Passing) {
		return l.passing
	}
	return l.lasting
}

// forget removes what f declares. A parked stream stays, because it waits for an operator.
func (l *States[S, B]) forget(f record.Forgetting) {
	gone := func(s record.Stream, at int64) bool { return f.Forgets(s, at) && l.Parked(s) == nil }
	for _, t := range l.tables() {
		if t == l.lasting && f.Prefix == l.cfg.Passing {
			continue // has no such stream
		}
		for s, k := range t.cells {
			if gone(s, k.at) {
				l.cut.keep(s, &k.Cell)
				delete(t.cells, s)
				k.changed = -1
			}
		}
		t.shrink()
		whole := t == l.passing && f.Prefix == l.cfg.Passing && !l.anyParked(t)
		t.packed.forget(f.Before, whole, gone)
	}
	same := func(g record.Forgetting) bool { return g.Prefix == f.Prefix }
	if i := slices.IndexFunc(l.forgotten, same); i < 0 {
		l.forgotten = append(l.forgotten, f)
	} else {
		l.forgotten[i].Before = max(l.forgotten[i].Before, f.Before)
	}
	l.oldest = l.oldestPassing()
}

// anyParked reports whether a stream of a table is parked.
func (l *States[S, B]) anyParked(t *table[S]) bool {
	for s := range l.parked {
		if l.tableOf(s) == t {
			return true
		}
	}
	return false
}

// shrink releases the memory of the map if most of it is not used any more.
func (t *table[S]) shrink() {
	if len(t.cells) > t.peak/2 {
		return
	}
	cells := make(map[record.Stream]*kept[S], len(t.cells))
	for s, c := range t.cells {
		cells[s] = c
	}
	t.cells, t.peak = cells, len(cells)
}

// isLate reports whether a record that expects a new stream was decided at a time before which such
// streams are forgotten. It may build on a stream that is not known any more, so it is void.
func (l *States[S, B]) isLate(s record.Stream, decidedAt int64) bool {
	return slices.ContainsFunc(l.forgotten, func(f record.Forgetting) bool { return f.Forgets(s, decidedAt) })
}

// Horizon returns the time before which no decision may be made, in microseconds: streams that were
// last changed before it are forgotten.
func (l *States[S, B]) Horizon() (at int64) {
	for _, f := range l.forgotten {
		at = max(at, f.Before)
	}
	return at
}

// Oldest returns when the passing stream that has not changed for the longest time was changed, in
// microseconds. It reports false if there is no passing stream.
func (l *States[S, B]) Oldest() (at int64, ok bool) { return l.oldest, l.passing.len() > 0 }

func (l *States[S, B]) oldestPassing() (oldest int64) {
	oldest, some := l.passing.packed.oldest()
	for _, k := range l.passing.cells {
		if !some || k.at < oldest {
			oldest, some = k.at, true
		}
	}
	return oldest
}
