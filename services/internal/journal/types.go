package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Stream names one line of records that build on each other, such as
// "contract/CTR-7" or "key/shop/o-17". A record expects every stream that its
// decision has read.
type Stream string

// Attempt identifies one try to append a record: a random UUID, version 4. The
// zero value stands for "none".
type Attempt [16]byte

// String is the canonical text of the UUID.
func (a Attempt) String() string {
	var b [36]byte
	hex.Encode(b[0:8], a[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], a[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], a[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], a[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], a[10:16])
	return string(b[:])
}

// IsZero says whether a is "none".
func (a Attempt) IsZero() bool { return a == Attempt{} }

// Sealed is personal data of a record, encrypted with a key that can be
// destroyed. The fold may keep it but never opens it.
type Sealed struct {
	KeyID      string
	Nonce      []byte
	Ciphertext []byte
}

// Entry is one applied record.
type Entry[B any] struct {
	Offset      int64     // position in the log; -1 while the entry is only speculated on
	Attempt     Attempt   // identity of the record; event ids derive from it
	Streams     []Stream  // what it expects and changes: those named, then those the decision read
	Kind        string    // name of the body
	DecidedAt   time.Time // what the decision was judged by, UTC, whole microseconds
	Writer      string    // the instance that decided it
	Traceparent string    // W3C trace context of the request, or empty
	Body        B
	Sealed      *Sealed
}

// Fold brings an entry into the states of its streams by v.Set. It is pure: no
// clock (v.Now is the time of the entry), no I/O, nothing outside v and e, and
// the same result on every instance and after every restart; so it may not rest
// on Offset, which is not known yet when a decision is built on an entry still in
// flight. It replaces states and never changes one in place.
// An error means that the record is impossible: it has no effect and its
// subject is parked. Before an append the journal runs the fold on the decision
// itself and refuses it with that error, so a fold is the place for assertions.
type Fold[S, B any] func(v *View[S], e Entry[B]) error

// Codec turns bodies into bytes and back. The kind is the body's stable name, for
// people and tools; "barrier" is taken. Decode must give what every instance can
// fold alike from the bytes alone. A kind or a schema it does not know is an
// error, which makes the instance not ready: it never skips a record.
type Codec[B any] interface {
	Encode(body B) (kind string, data []byte, err error)
	Decode(kind string, data []byte) (B, error)
}

// Verdict is the answer to a decision: the applied record and the states of its
// streams right after it.
type Verdict[S, B any] struct {
	Entry[B]
	After *View[S]
}

func newVerdict[S, B any]() *Verdict[S, B] { return &Verdict[S, B]{After: new(View[S])} }

// Errors of Decide, to be told apart with errors.Is.
var (
	// ErrAlready is what a decide function returns when the answer rests on a
	// record that is applied already, as for a repeated idempotency key. Decide
	// returns it only from applied state, so that Read finds the record.
	ErrAlready = errors.New("already decided")
	// ErrUnknownOutcome: a record was appended and it is not known whether it is in
	// the log. It may still be applied. Asking again with the same key settles it.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrNotReady: the instance does not serve now; the text says why. Nothing was
	// appended.
	ErrNotReady = errors.New("not ready")
	// ErrParked: an impossible record was met on a stream, and nothing is decided on
	// it until a correction releases it. Nothing was appended.
	ErrParked = errors.New("stream parked")
	// ErrImpossible: the fold refused what the decide function made of the states.
	// It is a mistake in the domain. Nothing was appended.
	ErrImpossible = errors.New("decision refused by the fold")
	// ErrTooLarge: the record does not fit. Nothing was appended.
	ErrTooLarge = errors.New("record too large")
	// ErrDataLoss: the log no longer holds what was read from it.
	ErrDataLoss = errors.New("log lost records")
)

// View is what a decision and the fold may see: the states of streams, and the
// time. State values are shared and must never be changed in place.
type View[S any] struct {
	now      int64 // microseconds
	asked    bool  // Now was called
	stale    bool  // the time has moved since
	writable bool
	more     finder[S] // finds streams that were not named; nil when they are fixed
	slots    []slot[S]
	inline   [3]slot[S] // most records name three streams or fewer
}

type slot[S any] struct {
	stream Stream
	origin *cell[S] // where the cell is kept
	cell[S]
}

// finder gives the cell that a view shows of a stream, or nil.
type finder[S any] interface {
	find(s Stream, v *View[S]) *cell[S]
}

// State is the state of a stream, and whether it has one. A decision may ask for
// any stream, and its record then expects it. A fold may ask only for those of
// its entry; another is a mistake in the program and panics.
func (v *View[S]) State(s Stream) (S, bool) {
	slot := v.slot(s)
	return slot.state, slot.has
}

// Version is how many records have been applied to the stream, for people and
// ETags. Asking is reading the stream, as in State.
func (v *View[S]) Version(s Stream) int64 { return v.slot(s).version }

// Now is the time that a decision is judged by, UTC, in whole microseconds: the
// clock's, but never before the last record applied to a stream it names. In a
// fold it is the DecidedAt of the entry.
func (v *View[S]) Now() time.Time {
	v.asked = true
	return timeOf(v.now)
}

// Set gives a stream its state after the entry. Only a fold may call it.
func (v *View[S]) Set(s Stream, st S) {
	if !v.writable {
		panic("journal: Set outside a fold")
	}
	slot := v.slot(s)
	slot.state, slot.has = st, true
}

func (v *View[S]) slot(s Stream) *slot[S] {
	for i := range v.slots {
		if v.slots[i].stream == s {
			return &v.slots[i]
		}
	}
	if v.more == nil {
		panic(fmt.Sprintf("journal: stream %q is not one of the entry's", s))
	}
	v.add(s, v.more.find(s, v))
	slot := &v.slots[len(v.slots)-1]
	if slot.at > v.now {
		v.now, v.stale = slot.at, v.asked
	}
	return slot
}

// begin makes the view one of n streams, to be added, at a time.
func (v *View[S]) begin(n int, now int64) {
	*v = View[S]{now: now}
	if n <= len(v.inline) {
		v.slots = v.inline[:0]
	} else {
		v.slots = make([]slot[S], 0, n)
	}
}

// add lets the view see c, the stream's cell; nil when nothing was applied to it.
func (v *View[S]) add(s Stream, c *cell[S]) {
	v.slots = append(v.slots, slot[S]{stream: s, origin: c})
	if c != nil {
		v.slots[len(v.slots)-1].cell = *c
	}
}

// streams lists what the view has shown, in order.
func (v *View[S]) streams() []Stream {
	list := make([]Stream, len(v.slots))
	for i := range v.slots {
		list[i] = v.slots[i].stream
	}
	return list
}

// advance makes the view the one after an entry.
func (v *View[S]) advance(a Attempt) {
	for i := range v.slots {
		v.slots[i].last = a
		v.slots[i].version++
		v.slots[i].at = v.now
	}
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
