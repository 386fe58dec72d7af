package journal

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// This file holds the rule that every reader keeps for ever. A record is applied
// if each stream it expects was last changed by the attempt it names; otherwise it
// is void. Nothing else is looked at: not the writer, not the time, not the body.

const barrierKind = "barrier"

// cell is what is known of a stream: the identity of the record that changed it
// last, and its state.
type cell[S any] struct {
	last    Attempt
	version int64 // records applied to it
	at      int64 // DecidedAt of the last of them, microseconds
	state   S
	has     bool // a fold has set the state
}

// record is one record of the log.
type record struct {
	offset   int64
	appended time.Time
	stamped  bool // appended is the broker's time, and not the writer's
	value    []byte
	own      bool  // it is, byte for byte, a record of ours in flight
	early    bool  // it was applied before it was read
	fault    error // why the value could not be decoded
	envelope
}

// envelope is what the log keeps of a decision.
type envelope struct {
	kind        string
	attempt     Attempt
	expects     []expectation
	decidedAt   int64 // microseconds
	writer      string
	traceparent string
	body        []byte
	sealed      *Sealed
}

// expectation names the attempt that changed a stream last; zero for none.
type expectation struct {
	stream  Stream
	attempt Attempt
}

type outcome int

const (
	isVoid outcome = iota
	isApplied
	isBarrier
	isImpossible // it expects what is there, but the fold refused it
)

// result is what became of a record.
type result[S, B any] struct {
	outcome outcome
	entry   Entry[B]
	after   *View[S] // only when applied
	err     error    // only when impossible
}

// ledger is the applied state of a log up to an offset.
type ledger[S, B any] struct {
	fold    Fold[S, B]
	codec   Codec[B]
	subject func(*Entry[B]) Stream // what an impossible record parks
	token   func(*cell[S]) Attempt // what an expectation names of a cell
	cells   map[Stream]*cell[S]
	parked  map[Stream]error
	next    int64 // offset of the next record
}

// newLedger is the state before the first record.
func newLedger[S, B any](fold Fold[S, B], codec Codec[B], subject func(*Entry[B]) Stream) *ledger[S, B] {
	l := &ledger[S, B]{fold: fold, codec: codec, subject: subject, token: byIdentity[S]}
	if subject == nil {
		l.subject = firstStream[B]
	}
	return l.empty()
}

// empty is a ledger of the same rules before the first record.
func (l *ledger[S, B]) empty() *ledger[S, B] {
	e := *l
	e.cells, e.parked, e.next = make(map[Stream]*cell[S]), make(map[Stream]error), 0
	return &e
}

func firstStream[B any](e *Entry[B]) Stream { return e.Streams[0] }

// byIdentity is the only sound token: a count of records would let a record built
// on a void one pass whenever foreign records bring the count to the same number.
func byIdentity[S any](c *cell[S]) Attempt { return c.last }

// expect is the expectation that a record built on c carries.
func (l *ledger[S, B]) expect(s Stream, c *cell[S]) expectation {
	return expectation{stream: s, attempt: l.token(c)}
}

// apply brings the next record into the state. own is the record's entry when the
// caller has decoded these bytes already. An error means that the body cannot be
// read: nothing changed, and the log cannot be read further by this program.
func (l *ledger[S, B]) apply(r *record, own *Entry[B]) (result[S, B], error) {
	var res result[S, B]
	if r.kind == barrierKind {
		l.next = r.offset + 1
		res.outcome = isBarrier
		return res, nil
	}
	v, ok := l.holds(r)
	if !ok {
		l.next = r.offset + 1
		return res, nil
	}
	if own != nil {
		res.entry = *own
	} else {
		body, err := l.codec.Decode(r.kind, r.body)
		if err != nil {
			return res, fmt.Errorf("read the body %q of record %d: %w", r.kind, r.offset, err)
		}
		res.entry = entryOf(&r.envelope, body)
	}
	res.entry.Offset = r.offset
	l.next = r.offset + 1
	if err := foldInto(l.fold, v, res.entry); err != nil {
		l.park(r, v)
		res.outcome, res.err = isImpossible, err
		l.parked[l.subject(&res.entry)] = err
		return res, nil
	}
	v.advance(r.attempt)
	l.store(v)
	res.outcome, res.after = isApplied, v
	return res, nil
}

// holds says whether every expectation is met, and gives the view of the streams.
// Nothing can be built on a parked stream: a record that tries is void.
func (l *ledger[S, B]) holds(r *record) (*View[S], bool) {
	v := newView[S](len(r.expects))
	v.now = r.decidedAt
	for i := range r.expects {
		x := &r.expects[i]
		v.add(x.stream, l.cells[x.stream])
		if l.token(&v.slots[i].cell) != x.attempt {
			return nil, false
		}
		if len(l.parked) > 0 && l.parked[x.stream] != nil {
			return nil, false
		}
	}
	return v, len(r.expects) > 0
}

// park lets an impossible record pass without effect: only the identity of its
// streams moves on, so that whatever was built on it is void.
func (l *ledger[S, B]) park(r *record, v *View[S]) {
	v.slots = v.slots[:0]
	for i := range r.expects {
		v.add(r.expects[i].stream, l.cells[r.expects[i].stream])
	}
	v.advance(r.attempt)
	l.store(v)
}

func (l *ledger[S, B]) store(v *View[S]) {
	for i := range v.slots {
		s, c := v.slots[i].stream, v.slots[i].origin
		if c == nil {
			c = new(cell[S])
			l.cells[Stream(strings.Clone(string(s)))] = c // s may keep a whole record alive
		}
		*c = v.slots[i].cell
	}
}

func (l *ledger[S, B]) state(s Stream) (st S, ok bool) {
	if c := l.cells[s]; c != nil {
		return c.state, c.has
	}
	return st, false
}

// entryOf is the entry of an envelope that is not on the log yet.
func entryOf[B any](e *envelope, body B) Entry[B] {
	streams := make([]Stream, len(e.expects))
	for i := range e.expects {
		streams[i] = e.expects[i].stream
	}
	return Entry[B]{
		Offset: -1, Attempt: e.attempt, Streams: streams, Kind: e.kind, DecidedAt: timeOf(e.decidedAt),
		Writer: e.writer, Traceparent: e.traceparent, Body: body, Sealed: e.sealed,
	}
}

// foldInto runs the fold on v. A panic of the domain is an impossible record: it
// would come back at every replay.
func foldInto[S, B any](fold Fold[S, B], v *View[S], e Entry[B]) (err error) {
	defer func() {
		v.writable = false
		if p := recover(); p != nil {
			err = fmt.Errorf("fold of %s panicked: %v\n%s", e.Kind, p, debug.Stack())
		}
	}()
	v.writable = true
	return fold(v, e)
}

func checkStreams(streams []Stream) error {
	if len(streams) == 0 {
		return fmt.Errorf("journal: a decision names no stream")
	}
	for i, s := range streams {
		if s == "" {
			return fmt.Errorf("journal: a decision names an empty stream")
		}
		if slices.Contains(streams[:i], s) {
			return fmt.Errorf("journal: a decision names stream %q twice", s)
		}
	}
	return nil
}
