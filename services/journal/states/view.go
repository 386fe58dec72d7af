package states

import (
	"fmt"
	"time"

	"github.com/deferpay/deferpay/services/journal/record"
)

// Cell is what is known of one stream: its state, and the record that changed it last.
type Cell[S any] struct {
	last    record.Attempt
	version int64 // records applied to it
	at      int64 // DecidedAt of the last of them, in microseconds
	state   S
	has     bool // a fold has set the state
}

// Version returns how many records have been applied to the stream.
func (c *Cell[S]) Version() int64 { return c.version }

// View is what a decision or a fold sees: the states of streams, and a time. State values are
// shared and must never be changed in place. One goroutine uses a view at a time.
type View[S any] struct {
	now      int64 // microseconds
	asked    bool  // Now was called
	stale    bool  // the time has moved since Now was called
	writable bool
	more     Finder[S] // finds streams that were not named; nil when the streams are fixed
	slots    []slot[S]
	inline   [4]slot[S] // most records name four streams or fewer
}

type slot[S any] struct {
	stream record.Stream
	origin *kept[S] // where the cell is kept, while a record is applied
	Cell[S]
}

// State returns the state of a stream and reports whether it has one. A decision may ask for any
// stream, and its record then expects that stream. A fold may ask only for the streams of its
// entry; another one is a mistake in the program and panics.
func (v *View[S]) State(s record.Stream) (S, bool) {
	slot := v.slot(s)
	return slot.state, slot.has
}

// Name returns the name of a stream that begins with prefix and ends with rest. It takes no memory
// if the view shows the stream.
func (v *View[S]) Name(prefix, rest string) record.Stream {
	for i := range v.slots {
		s := v.slots[i].stream
		if len(s) == len(prefix)+len(rest) && string(s[:len(prefix)]) == prefix && string(s[len(prefix):]) == rest {
			return s
		}
	}
	return record.Stream(prefix + rest)
}

// Version returns how many records have been applied to a stream, for people and ETags. It reads
// the stream as State does.
func (v *View[S]) Version(s record.Stream) int64 { return v.slot(s).version }

// Now returns the time that a decision uses, in UTC and whole microseconds: that of the clock, but
// never before the last record applied to a stream that the decision reads. In a fold it is the
// DecidedAt of the entry.
func (v *View[S]) Now() time.Time {
	v.asked = true
	return record.Time(v.now)
}

// Share returns a view of the same states that another goroutine may use. Nobody may set states
// through either of them any more.
func (v *View[S]) Share() *View[S] {
	shared := *v
	return &shared
}

// Set sets the state of a stream after the entry. Only a fold may call it.
func (v *View[S]) Set(s record.Stream, st S) {
	if !v.writable {
		panic("journal: Set outside a fold")
	}
	slot := v.slot(s)
	slot.state, slot.has = st, true
}

func (v *View[S]) slot(s record.Stream) *slot[S] {
	for i := range v.slots {
		if v.slots[i].stream == s {
			return &v.slots[i]
		}
	}
	if v.more == nil {
		panic(fmt.Sprintf("journal: stream %q is not one of the entry's", s))
	}
	v.add(s, v.more.Find(s))
	slot := &v.slots[len(v.slots)-1]
	if slot.at > v.now {
		v.now, v.stale = slot.at, v.asked
	}
	return slot
}

// begin empties the view and makes room for n streams.
func (v *View[S]) begin(n int, now int64) {
	*v = View[S]{now: now}
	if n <= len(v.inline) {
		v.slots = v.inline[:0]
	} else {
		v.slots = make([]slot[S], 0, n)
	}
}

// add shows a stream and its cell, which is nil if nothing was applied to it.
func (v *View[S]) add(s record.Stream, c *Cell[S]) {
	v.slots = append(v.slots, slot[S]{stream: s})
	if c != nil {
		v.slots[len(v.slots)-1].Cell = *c
	}
}

// addKept shows a stream as it is kept; nil if nothing was applied to it.
func (v *View[S]) addKept(s record.Stream, k *kept[S]) {
	if k == nil {
		v.add(s, nil)
		return
	}
	v.add(s, &k.Cell)
	v.slots[len(v.slots)-1].origin = k
}

// advance makes the view the one after a record.
func (v *View[S]) advance(a record.Attempt) {
	for i := range v.slots {
		v.slots[i].last = a
		v.slots[i].version++
		v.slots[i].at = v.now
	}
}

// Finder finds the cell that a decision sees of a stream; nil if nothing was applied to it.
type Finder[S any] interface {
	Find(s record.Stream) *Cell[S]
}

// Draft is the view of a decision that is being made, and what the decision has read in it.
type Draft[S any] struct{ view View[S] }

// NewDraft returns a draft that shows the streams given, and any other that the decision asks for,
// as cells finds them. now is the time, in microseconds; if one of the streams was changed later,
// that time is used.
func NewDraft[S any](streams []record.Stream, now int64, cells Finder[S]) *Draft[S] {
	d := new(Draft[S])
	v := &d.view
	v.begin(len(streams), now)
	for _, s := range streams {
		v.add(s, cells.Find(s))
		v.now = max(v.now, v.slots[len(v.slots)-1].at)
	}
	v.more = cells
	return d
}

// View returns the view to decide on.
func (d *Draft[S]) View() *View[S] { return &d.view }

// Close ends the decision: the view shows no more streams. It reports whether the decision is
// stale, which is when it asked for the time and then read a stream that was changed after that
// time.
func (d *Draft[S]) Close() (stale bool) {
	d.view.more = nil
	return d.view.stale
}

// Streams returns what the decision was shown, in order.
func (d *Draft[S]) Streams() []record.Stream {
	list := make([]record.Stream, d.Len())
	for i := range d.view.slots {
		list[i] = d.view.slots[i].stream
	}
	return list
}

// Len returns how many streams the decision was shown.
func (d *Draft[S]) Len() int { return len(d.view.slots) }

// At returns the i-th stream and its cell.
func (d *Draft[S]) At(i int) (record.Stream, *Cell[S]) {
	return d.view.slots[i].stream, &d.view.slots[i].Cell
}

// DecidedAt returns the time that the decision used, in microseconds.
func (d *Draft[S]) DecidedAt() int64 { return d.view.now }
