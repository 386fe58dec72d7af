package states

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/services/journal/record"
)

// table holds streams and their cells.
type table[S any] struct {
	cells map[record.Stream]*Cell[S]
	arena arena[S]
	peak  int // how many streams the map has room for
}

func newTable[S any]() *table[S] {
	return &table[S]{cells: make(map[record.Stream]*Cell[S]), arena: arena[S]{names: new(strings.Builder)}}
}

// add adds a stream and returns its cell.
func (t *table[S]) add(s record.Stream) *Cell[S] {
	c := t.arena.cell()
	t.cells[t.arena.name(s)] = c
	t.peak = max(t.peak, len(t.cells))
	return c
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
	for _, t := range []*table[S]{l.passing, l.lasting} {
		if t == l.lasting && f.Prefix == l.cfg.Passing {
			continue // has no such stream
		}
		for s, c := range t.cells {
			if f.Forgets(s, c.at) && l.Parked(s) == nil {
				l.cut.keep(s, c)
				delete(t.cells, s)
			}
		}
		t.shrink()
	}
	same := func(g record.Forgetting) bool { return g.Prefix == f.Prefix }
	if i := slices.IndexFunc(l.forgotten, same); i < 0 {
		l.forgotten = append(l.forgotten, f)
	} else {
		l.forgotten[i].Before = max(l.forgotten[i].Before, f.Before)
	}
	l.oldest = l.oldestPassing()
}

// shrink releases the memory of the map if most of it is not used any more.
func (t *table[S]) shrink() {
	if len(t.cells) > t.peak/2 {
		return
	}
	cells := make(map[record.Stream]*Cell[S], len(t.cells))
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
func (l *States[S, B]) Oldest() (at int64, ok bool) { return l.oldest, len(l.passing.cells) > 0 }

func (l *States[S, B]) oldestPassing() (oldest int64) {
	first := true
	for _, c := range l.passing.cells {
		if first || c.at < oldest {
			oldest, first = c.at, false
		}
	}
	return oldest
}
