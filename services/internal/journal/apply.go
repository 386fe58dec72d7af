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
	// it is, byte for byte, a record of ours in flight, and only attempt is filled in
	own   bool
	early bool  // it was applied before it was read
	fault error // why the value could not be decoded
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
	verdict *Verdict[S, B] // only when applied, or impossible
	err     error          // only when impossible
}

// ledger is the applied state of a log up to an offset.
type ledger[S, B any] struct {
	fold    Fold[S, B]
	codec   Codec[B]
	subject func(*Entry[B]) Stream // what an impossible record parks
	token   func(*cell[S]) Attempt // what an expectation names of a cell
	cells   map[Stream]*cell[S]
	attic   attic[S]
	parked  map[Stream]error
	next    int64 // offset of the next record

	untouched *cell[S] // stands for the streams that have none
}

// newLedger is the state before the first record.
func newLedger[S, B any](fold Fold[S, B], codec Codec[B], subject func(*Entry[B]) Stream) *ledger[S, B] {
	l := &ledger[S, B]{fold: fold, codec: codec, subject: subject, token: byIdentity[S], untouched: new(cell[S])}
	if subject == nil {
		l.subject = firstStream[B]
	}
	return l.empty()
}

// empty is a ledger of the same rules before the first record.
func (l *ledger[S, B]) empty() *ledger[S, B] {
	e := *l
	e.attic = attic[S]{names: new(strings.Builder)}
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

// apply brings the next record into the state, and what became of it into verdict,
// whose view is used. An error means that it cannot be read: nothing changed, and the
// log cannot be read further by this program.
func (l *ledger[S, B]) apply(r *record, verdict *Verdict[S, B]) (result[S, B], error) {
	r.decode()
	if r.fault != nil {
		return result[S, B]{}, fmt.Errorf("record %d: %w", r.offset, r.fault)
	}
	if r.kind == barrierKind {
		l.next = r.offset + 1
		return result[S, B]{outcome: isBarrier}, nil
	}
	v := verdict.After
	v.begin(len(r.expects), r.decidedAt)
	for i := range r.expects {
		s := r.expects[i].stream
		v.add(s, l.cells[s])
	}
	if !l.holds(r.expects, v) {
		l.next = r.offset + 1
		return result[S, B]{outcome: isVoid}, nil
	}
	body, err := l.codec.Decode(r.kind, r.body)
	if err != nil {
		return result[S, B]{}, fmt.Errorf("read the body %q of record %d: %w", r.kind, r.offset, err)
	}
	l.next = r.offset + 1
	verdict.Entry = entryOf(&r.envelope, body)
	verdict.Offset = r.offset
	if err := foldInto(l.fold, v, verdict.Entry); err != nil {
		l.park(r, v)
		l.parked[l.subject(&verdict.Entry)] = err
		return result[S, B]{outcome: isImpossible, verdict: verdict, err: err}, nil
	}
	v.advance(r.attempt)
	l.store(v)
	return result[S, B]{outcome: isApplied, verdict: verdict}, nil
}

// applyOwn brings the next record into the state, one that was decided here. If what
// it expects holds, the states are those that it was decided on, and what the fold
// made of them then is what it would make of them now.
func (l *ledger[S, B]) applyOwn(offset int64, expects []expectation, verdict *Verdict[S, B]) result[S, B] {
	l.next = offset + 1
	v := verdict.After
	for i := range v.slots {
		v.slots[i].origin = l.cells[v.slots[i].stream]
	}
	if !l.holds(expects, v) {
		return result[S, B]{outcome: isVoid}
	}
	verdict.Offset = offset
	l.store(v)
	return result[S, B]{outcome: isApplied, verdict: verdict}
}

// holds says whether every expectation is met where the view's cells are kept.
// Nothing can be built on a parked stream: a record that tries is void.
func (l *ledger[S, B]) holds(expects []expectation, v *View[S]) bool {
	for i := range expects {
		c := v.slots[i].origin
		if c == nil {
			c = l.untouched
		}
		if l.token(c) != expects[i].attempt || len(l.parked) > 0 && l.parked[expects[i].stream] != nil {
			return false
		}
	}
	return len(expects) > 0
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
			c = l.attic.cell()
			l.cells[l.attic.name(s)] = c
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
