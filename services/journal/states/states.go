// Package states holds the states of a log's streams up to an offset, and the rule by which every
// reader, for ever, applies the next record or treats it as void.
//
// The rule: a record is applied if each stream that it expects was last changed by the attempt that
// it names; otherwise it is void. Nothing else is looked at: not the writer, not the time, not the
// body. A record that holds and that the fold refuses is impossible: it has no effect, it still
// moves its streams on, so that whatever was built on it is void, and it parks its subject.
//
// Operators write records of two kinds. A journal.void declares an earlier record void that cannot
// be decoded, by its offset and its digest; every reader then treats it so, those included that
// could decode it. A journal.release releases a parked stream.
//
// A journal.forget makes streams as if they had never been. A record that was decided before the
// time up to which they are forgotten cannot begin such a stream: it is void.
//
// The package does no I/O. Package journal exports Entry, Verdict, View, Fold and Codec under its
// own name. Only the journal's own packages import this one.
package states

import (
	"fmt"
	"iter"
	"runtime/debug"
	"slices"

	"github.com/deferpay/deferpay/services/journal/pack"
	"github.com/deferpay/deferpay/services/journal/record"
)

// Config says how a log is read. Fold and Codec are required.
type Config[S, B any] struct {
	Log   string // name of the topic, for errors
	Fold  Fold[S, B]
	Codec Codec[B]
	// what an impossible record parks; by default the first stream of the entry
	Subject func(*Entry[B]) record.Stream
	// Token is what an expectation names of a cell: by default, the attempt that changed it last.
	// Tests replace it to show that a count would not do: a record that was built on a void one
	// would pass whenever records of others bring the count to the same number.
	Token func(*Cell[S]) record.Attempt
	// Passing is what the names of streams begin with that are forgotten one day, by records of
	// kind journal.forget. It decides where they lie in memory, and changes no outcome.
	Passing string
	// States turns states into bytes and back. With it, streams that have not changed for a while
	// take little memory. Cuts need it.
	States StateCodec[S]
	// PackAfter is how many records a while is. By default it is 2,048 for streams that one record
	// has changed, and 16,384 for others. It changes no outcome.
	PackAfter int64
}

// States is what a log leads to up to an offset. One goroutine uses it at a time.
type States[S, B any] struct {
	cfg              Config[S, B]
	lasting, passing *table[S]
	parked           map[record.Stream]parking
	next             int64 // offset of the next record
	// what was declared void, by offset; a later record may declare it
	voids map[int64][]record.Digest

	forgotten []record.Forgetting // the last one of each prefix
	oldest    int64               // when the oldest of the passing streams was changed

	untouched *Cell[S] // stands for the streams that have no cell
	cut       *Cut[S]  // that is being handed out; nil if none is
	hash      func(pack.Seed, record.Stream) uint64
}

// New returns the states before the first record.
func New[S, B any](cfg Config[S, B]) *States[S, B] {
	if cfg.Subject == nil {
		cfg.Subject = firstStream[B]
	}
	if cfg.Token == nil {
		cfg.Token = lastAttempt[S]
	}
	return (&States[S, B]{cfg: cfg, untouched: new(Cell[S]), hash: pack.Hash[record.Stream]}).Empty()
}

func firstStream[B any](e *Entry[B]) record.Stream { return e.Streams[0] }

func lastAttempt[S any](c *Cell[S]) record.Attempt { return c.last }

// Empty returns the states before the first record, with the same configuration. They know which
// records l has found to be declared void.
func (l *States[S, B]) Empty() *States[S, B] {
	e := *l
	e.lasting, e.passing, e.forgotten, e.oldest = l.newTable(), l.newTable(), nil, 0
	e.parked, e.next, e.cut = make(map[record.Stream]parking), 0, nil
	e.voids = make(map[int64][]record.Digest, len(l.voids))
	for offset, digests := range l.voids {
		e.voids[offset] = slices.Clone(digests)
	}
	return &e
}

// Next returns the offset of the next record.
func (l *States[S, B]) Next() int64 { return l.next }

// State returns the state of a stream and reports whether it has one.
func (l *States[S, B]) State(s record.Stream) (st S, ok bool) {
	if c := l.Cell(s); c != nil {
		return c.state, c.has
	}
	return st, false
}

// Cell returns the cell of a stream; nil if nothing was applied to it.
func (l *States[S, B]) Cell(s record.Stream) *Cell[S] {
	if k := l.find(s); k != nil {
		return &k.Cell
	}
	return nil
}

// find returns a stream, as it lies in memory or unpacked; nil if nothing was applied to it.
func (l *States[S, B]) find(s record.Stream) *kept[S] {
	t := l.tableOf(s)
	if k := t.cells[s]; k != nil {
		return k
	}
	return t.packed.find(s)
}

// Packed returns how many streams are packed.
func (l *States[S, B]) Packed() int { return l.lasting.packed.len() + l.passing.packed.len() }

// PackedBytes returns how much memory packed streams take.
func (l *States[S, B]) PackedBytes() int64 {
	return l.lasting.packed.bytes() + l.passing.packed.bytes()
}

// Cells iterates over the streams to which something was applied, in no order.
func (l *States[S, B]) Cells() iter.Seq2[record.Stream, *Cell[S]] {
	return func(yield func(record.Stream, *Cell[S]) bool) {
		for s, c := range l.unpacked() {
			if !yield(s, c) {
				return
			}
		}
		for _, t := range l.tables() {
			if !t.packed.all(yield) {
				return
			}
		}
	}
}

// unpacked iterates over the streams that are not packed.
func (l *States[S, B]) unpacked() iter.Seq2[record.Stream, *Cell[S]] {
	return func(yield func(record.Stream, *Cell[S]) bool) {
		for _, t := range l.tables() {
			for s, k := range t.cells {
				if !yield(s, &k.Cell) {
					return
				}
			}
		}
	}
}

func (l *States[S, B]) tables() [2]*table[S] { return [...]*table[S]{l.lasting, l.passing} }

// Parked returns why a stream is parked, nil if it is not.
func (l *States[S, B]) Parked(s record.Stream) error { return l.parked[s].err }

// AllParked returns the parked streams, and why each is.
func (l *States[S, B]) AllParked() map[record.Stream]error {
	all := make(map[record.Stream]error, len(l.parked))
	for s, p := range l.parked {
		all[s] = p.err
	}
	return all
}

// ParkedBy returns the impossible record that parks a stream, the zero Attempt if none does.
func (l *States[S, B]) ParkedBy(s record.Stream) record.Attempt { return l.parked[s].attempt }

// ParkedStreams returns how many streams are parked.
func (l *States[S, B]) ParkedStreams() int { return len(l.parked) }

// Subject returns the stream that is parked if the entry is impossible.
func (l *States[S, B]) Subject(e *Entry[B]) record.Stream { return l.cfg.Subject(e) }

// Encode encodes the body of a decision. It returns the body as readers will decode it too, because
// what is built on a record in flight has to be built on what its bytes say.
func (l *States[S, B]) Encode(body B) (kind string, data []byte, seen B, err error) {
	kind, data, err = l.cfg.Codec.Encode(body)
	if err == nil && record.IsReserved(kind) {
		err = fmt.Errorf("kind %q is taken", kind)
	}
	if err != nil {
		return kind, data, seen, fmt.Errorf("encode the decision: %w", err)
	}
	if seen, err = l.cfg.Codec.Decode(kind, data); err != nil {
		err = fmt.Errorf("decode the encoded decision %q: %w", kind, err)
	}
	return kind, data, seen, err
}

// Expect appends the expectations of a record that is built on the draft.
func (l *States[S, B]) Expect(into []record.Expectation, d *Draft[S]) []record.Expectation {
	for i := range d.view.slots {
		s := &d.view.slots[i]
		into = append(into, record.Expectation{Stream: s.stream, Attempt: l.cfg.Token(&s.Cell)})
	}
	return into
}

// Foresee returns the verdict on a record if it is applied to what the draft shows. The draft then
// shows the states after it; l does not change. The fold's error is returned if it refuses
// the record.
func (l *States[S, B]) Foresee(e *record.Envelope, body B, d *Draft[S]) (Verdict[S, B], error) {
	v := Verdict[S, B]{Entry: entryOf(e, body), After: &d.view}
	if err := l.fold(v.After, v.Entry); err != nil {
		return v, err
	}
	v.After.advance(e.Attempt)
	return v, nil
}

// Outcome is what became of a record.
type Outcome int

// The outcomes of a record.
const (
	Void Outcome = iota
	Applied
	Barrier
	Impossible // it holds, and the fold refused it
	Operators  // of a kind that the journal itself defines: it changes no state of the domain
)

// Result is what became of a record. Verdict is set if it was applied or impossible, Err if it was
// impossible.
type Result[S, B any] struct {
	Outcome Outcome
	Verdict *Verdict[S, B]
	Err     error
}

// Apply brings the next record of the log into the state. It fills in verdict, reusing its view. An
// *UnreadableError is returned if the record cannot be decoded; nothing has changed then, and the
// log can be read further only if a later record declares this one void: see Declare. A
// *VoidedError is returned if the log has to be read again.
func (l *States[S, B]) Apply(r *record.Record, verdict *Verdict[S, B]) (Result[S, B], error) {
	r.Decode()
	if l.isVoided(r) {
		l.next = r.Offset + 1
		return Result[S, B]{Outcome: Void}, nil
	}
	if r.Fault != nil {
		return Result[S, B]{}, &UnreadableError{Log: l.cfg.Log, Offset: r.Offset, Err: r.Fault}
	}
	if r.Kind == record.Barrier {
		l.next = r.Offset + 1
		return Result[S, B]{Outcome: Barrier}, nil
	}
	if record.IsReserved(r.Kind) {
		return l.applyOperators(r)
	}
	v := verdict.After
	v.begin(len(r.Expects), r.DecidedAt)
	for i := range r.Expects {
		v.addKept(r.Expects[i].Stream, l.find(r.Expects[i].Stream))
	}
	if !l.holds(r.Expects, v) {
		l.next = r.Offset + 1
		return Result[S, B]{Outcome: Void}, nil
	}
	body, err := l.cfg.Codec.Decode(r.Kind, r.Body)
	if err != nil {
		return Result[S, B]{}, &UnreadableError{Log: l.cfg.Log, Offset: r.Offset, Kind: r.Kind, Err: err}
	}
	l.next = r.Offset + 1
	verdict.Entry = entryOf(&r.Envelope, body)
	verdict.Offset = r.Offset
	if err := l.fold(v, verdict.Entry); err != nil {
		l.park(r, v)
		l.parked[l.Subject(&verdict.Entry)] = parking{err, r.Attempt}
		return Result[S, B]{Outcome: Impossible, Verdict: verdict, Err: err}, nil
	}
	v.advance(r.Attempt)
	l.store(v)
	return Result[S, B]{Outcome: Applied, Verdict: verdict}, nil
}

// ApplyOwn brings the next record of the log into the state, one whose verdict was foreseen here.
// If the record holds, its streams are in the states that it was decided on, so the states after it
// are those foreseen, and it is neither decoded nor folded again.
func (l *States[S, B]) ApplyOwn(offset int64, expects []record.Expectation, verdict *Verdict[S, B]) Result[S, B] {
	l.next = offset + 1
	v := verdict.After
	for i := range v.slots {
		v.slots[i].origin = l.find(v.slots[i].stream)
	}
	if !l.holds(expects, v) {
		return Result[S, B]{Outcome: Void}
	}
	verdict.Offset = offset
	l.store(v)
	return Result[S, B]{Outcome: Applied, Verdict: verdict}
}

// holds reports whether every expectation is met where the view's cells are kept. Nothing can be
// built on a parked stream: a record that tries is void.
func (l *States[S, B]) holds(expects []record.Expectation, v *View[S]) bool {
	for i := range expects {
		c := l.untouched
		if k := v.slots[i].origin; k != nil {
			c = &k.Cell
		} else if len(l.forgotten) > 0 && l.isLate(expects[i].Stream, v.now) {
			return false
		}
		if l.cfg.Token(c) != expects[i].Attempt || len(l.parked) > 0 && l.Parked(expects[i].Stream) != nil {
			return false
		}
	}
	return len(expects) > 0
}

// park moves the streams of an impossible record on without its effect.
func (l *States[S, B]) park(r *record.Record, v *View[S]) {
	v.slots = v.slots[:0]
	for i := range r.Expects {
		v.addKept(r.Expects[i].Stream, l.find(r.Expects[i].Stream))
	}
	v.advance(r.Attempt)
	l.store(v)
}

// store makes the view the states of its streams. The record was counted already.
func (l *States[S, B]) store(v *View[S]) {
	for i := range v.slots {
		slot := &v.slots[i]
		t, k := l.tableOf(slot.stream), slot.origin
		slot.origin = nil
		switch {
		case k == nil:
			l.cut.keep(slot.stream, nil)
			k = l.create(t, slot.stream, v.now)
		case k.handle != 0:
			l.cut.keep(slot.stream, nil) // the cut has it in a block
			k = t.unpack(k)
		default:
			l.cut.keep(slot.stream, &k.Cell)
		}
		k.Cell = slot.Cell
		if t.packed != nil {
			t.packed.changed(k, l.next-1)
		}
	}
	for _, t := range l.tables() {
		t.settle(l.next-1, 16+2*len(v.slots), l.cut)
	}
}

// create adds a new stream.
func (l *States[S, B]) create(t *table[S], s record.Stream, at int64) *kept[S] {
	if t == l.passing && (t.len() == 0 || at < l.oldest) {
		l.oldest = at
	}
	return t.add(s)
}

// fold runs the fold on v. A panic of the fold is an impossible record too: it would come back at
// every replay.
func (l *States[S, B]) fold(v *View[S], e Entry[B]) (err error) {
	defer func() {
		v.writable = false
		if p := recover(); p != nil {
			err = fmt.Errorf("fold of %s panicked: %v\n%s", e.Kind, p, debug.Stack())
		}
	}()
	v.writable = true
	return l.cfg.Fold(v, e)
}
