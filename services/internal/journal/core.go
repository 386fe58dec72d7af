package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"
)

// core decides. It is a state machine without I/O, goroutines or locks: events go
// in (submit, read, failed, abandon, tick) and actions come out (records to
// append, commands that are done, a time to be woken at). The journal drives it
// against Kafka and the simulation drives it against a log it scrambles.
//
// Rules:
//   - A decision may rest on this instance's own records in flight, but an answer
//     only on an applied record.
//   - A decision that appends nothing is answered from applied state alone, past a
//     barrier begun after it arrived.
//   - A stream that turned out to be decided elsewhere too is decided on again only
//     when nothing of ours is in flight on it.
//   - A record whose append failed is never decided again: it may be in the log.
type core[S, B any] struct {
	ledger *ledger[S, B]
	rules[S, B]

	ready    bool
	flights  map[Attempt]*flight[S, B]
	specs    map[Stream]*speculation[S, B]
	idle     []*speculation[S, B] // to be used again
	seq      int64                // of the next flight
	epoch    int64                // counts produce errors: speculation of an older epoch is dropped
	barriers barriers[S, B]
	encoder
	waiting int           // commands waiting for a stream
	foreign Verdict[S, B] // the record of another instance that was read last

	// Of the decision being made.
	speculative bool
	hold        *speculation[S, B] // a stream it has to wait for
	barred      error              // a stream that is parked

	appends []outgoing
	done    []*command[S, B]
	wakeAt  time.Time
	stats   Stats
}

// rules is what a core is given by its surroundings.
type rules[S, B any] struct {
	writer     string
	maxRecord  int // bytes
	key        func(*Entry[B]) string
	clock      func() time.Time // of decisions
	mono       func() time.Time // of waiting
	newAttempt func() Attempt
	project    func(Entry[B], *View[S])
}

// command is a decision to be made.
type command[S, B any] struct {
	streams     []Stream
	decide      func(*View[S]) (B, error)
	sealed      *Sealed
	traceparent string
	gone        <-chan struct{} // closed when the request's deadline has passed

	flight   *flight[S, B] // the record that stands for it, if one is in flight
	finished bool
	verdict  *Verdict[S, B]
	err      error
	signal   chan struct{} // for whoever waits for it
}

func (cmd *command[S, B]) alive() bool {
	select {
	case <-cmd.gone:
		return false
	default:
		return true
	}
}

// flight is a record of ours that was appended and not read back.
type flight[S, B any] struct {
	seq     int64
	attempt Attempt
	expects []expectation
	value   []byte        // what was appended
	verdict Verdict[S, B] // the answer if it is applied: the entry is the one decoded from value
	specs   []*speculation[S, B]
	cmd     *command[S, B]
	since   time.Time

	inline struct { // spares allocations
		expects [3]expectation
		specs   [3]*speculation[S, B]
	}
}

// outgoing is a record to append.
type outgoing struct {
	attempt Attempt
	key     string
	value   []byte
}

func newCore[S, B any](l *ledger[S, B], r rules[S, B]) *core[S, B] {
	return &core[S, B]{ledger: l, rules: r, foreign: *newVerdict[S, B](),
		flights: make(map[Attempt]*flight[S, B]), specs: make(map[Stream]*speculation[S, B])}
}

// start asks for the barrier that makes the core ready once it is read.
func (c *core[S, B]) start() {
	c.await(ticket[S, B]{fn: func(err error) { c.ready = err == nil }})
}

// submit takes a new command.
func (c *core[S, B]) submit(cmd *command[S, B]) {
	if !c.ready {
		c.finish(cmd, ErrNotReady)
		return
	}
	for _, s := range cmd.streams {
		if sp := c.specs[s]; sp != nil && len(sp.waiting) > 0 {
			c.wait(sp, cmd) // behind those that came first
			return
		}
	}
	c.try(cmd)
}

// try decides a command, unless one of its streams has to be waited for.
func (c *core[S, B]) try(cmd *command[S, B]) {
	if cmd.finished || !cmd.alive() {
		return // whoever asked gives up by abandon
	}
	for _, s := range cmd.streams {
		if sp := c.specs[s]; sp != nil && c.blocked(sp) {
			c.wait(sp, cmd)
			return
		}
	}
	v, body, err := c.decide(cmd, true)
	switch {
	case c.hold != nil:
		c.wait(c.hold, cmd)
	case err != nil:
		c.await(ticket[S, B]{cmd: cmd})
	default:
		c.append(cmd, v, body)
	}
}

// confirm answers a command that appends nothing, from applied state. It is
// called past a barrier begun after the command arrived.
func (c *core[S, B]) confirm(cmd *command[S, B]) {
	if cmd.finished || !cmd.alive() {
		return
	}
	if _, _, err := c.decide(cmd, false); err != nil {
		c.finish(cmd, err)
		return
	}
	c.try(cmd) // what spoke against it was in flight, and void
}

// decide calls the command's function on a view of its streams: on top of what is
// in flight, or of applied state alone. A stream found on the way may set hold, to
// be waited for. If one is newer than the time the function asked for, it is
// called again, knowing the stream.
func (c *core[S, B]) decide(cmd *command[S, B], speculate bool) (*View[S], B, error) {
	streams := cmd.streams
	for {
		c.speculative, c.hold, c.barred = speculate, nil, nil
		v := new(View[S])
		v.begin(len(streams), c.clock().UnixMicro())
		for _, s := range streams {
			v.add(s, c.find(s, v))
			v.now = max(v.now, v.slots[len(v.slots)-1].at)
		}
		v.more = c
		body, err := call(cmd.decide, v)
		v.more = nil
		if v.stale {
			streams = v.streams()
			continue
		}
		if c.barred != nil {
			err = c.barred
		}
		return v, body, err
	}
}

// find gives the cell that a decision sees of a stream.
func (c *core[S, B]) find(s Stream, _ *View[S]) *cell[S] {
	if err := c.ledger.parked[s]; err != nil {
		c.barred = fmt.Errorf("%w: %s: %w", ErrParked, s, err)
	}
	if sp := c.specs[s]; sp != nil && c.speculative {
		if c.blocked(sp) {
			c.hold = sp
		} else if sp.on {
			return &sp.head
		}
	}
	return c.ledger.cells[s]
}

// append makes a record of a decision and builds the speculation on it.
func (c *core[S, B]) append(cmd *command[S, B], v *View[S], body B) {
	kind, data, err := c.ledger.codec.Encode(body)
	if err == nil && kind == barrierKind {
		err = fmt.Errorf("kind %q is taken", kind)
	}
	if err != nil {
		c.finish(cmd, fmt.Errorf("encode the decision: %w", err))
		return
	}
	// Speculate on what readers will see, which is the bytes.
	seen, err := c.ledger.codec.Decode(kind, data)
	if err != nil {
		c.finish(cmd, fmt.Errorf("read back the encoded decision %q: %w", kind, err))
		return
	}
	f := &flight[S, B]{seq: c.seq, attempt: c.newAttempt(), cmd: cmd, since: c.mono()}
	f.expects = f.inline.expects[:0]
	for i := range v.slots {
		f.expects = append(f.expects, c.ledger.expect(v.slots[i].stream, &v.slots[i].cell))
	}
	e := envelope{
		kind: kind, attempt: f.attempt, decidedAt: v.now, writer: c.writer,
		traceparent: cmd.traceparent, body: data, sealed: cmd.sealed, expects: f.expects,
	}
	f.verdict = Verdict[S, B]{Entry: entryOf(&e, seen), After: v}
	if err := foldInto(c.ledger.fold, v, f.verdict.Entry); err != nil {
		c.finish(cmd, fmt.Errorf("%w: %w", ErrImpossible, err))
		return
	}
	f.value, err = c.encode(&e)
	if err == nil && len(f.value) > c.maxRecord {
		err = fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(f.value), c.maxRecord)
	}
	if err != nil {
		c.finish(cmd, err)
		return
	}
	c.seq++
	cmd.flight = f
	c.flights[f.attempt] = f
	v.advance(f.attempt)
	c.speculate(f, v)
	c.appends = append(c.appends, outgoing{attempt: f.attempt, key: c.key(&f.verdict.Entry), value: f.value})
}

// recall marks a record that is one of ours in flight, byte for byte: there is no
// need to decode it.
func (c *core[S, B]) recall(r *record) {
	if f := c.flights[attemptIn(r.value)]; f != nil && bytes.Equal(f.value, r.value) {
		r.attempt, r.own = f.attempt, true
	}
}

// read takes the next record of the log. On an error nothing has changed.
func (c *core[S, B]) read(r *record) error {
	f := c.flights[r.attempt]
	var res result[S, B]
	if r.own && f != nil {
		res = c.ledger.applyOwn(r.offset, f.expects, &f.verdict)
	} else {
		verdict := &c.foreign
		if f != nil {
			verdict = newVerdict[S, B]()
		}
		var err error
		if res, err = c.ledger.apply(r, verdict); err != nil {
			return err
		}
	}
	switch res.outcome {
	case isBarrier:
		c.stats.Barriers++
		c.passed(r.attempt)
	case isVoid:
		c.stats.Void++
		if f != nil {
			c.stats.OwnVoid++
			c.readVoid(f)
		}
	case isApplied:
		c.stats.Applied++
		if c.project != nil {
			c.project(res.verdict.Entry, res.verdict.After)
		}
		c.readApplied(f, res.verdict)
	case isImpossible:
		c.overtaken(res.verdict.Streams)
		if f != nil {
			c.settle(f, fmt.Errorf("%w: %s: %w", ErrParked, c.ledger.subject(&res.verdict.Entry), res.err))
		}
	}
	return nil
}

func (c *core[S, B]) readApplied(f *flight[S, B], verdict *Verdict[S, B]) {
	if f == nil {
		c.overtaken(verdict.Streams)
		return
	}
	c.land(f)
	c.succeed(f.specs)
	if f.cmd != nil {
		c.stats.Decided++
		f.cmd.verdict = verdict
		c.finish(f.cmd, nil)
	}
	c.wake(f.specs)
}

func (c *core[S, B]) readVoid(f *flight[S, B]) {
	for _, sp := range f.specs {
		c.doom(sp, f.seq+1)
		c.drop(sp)
	}
	c.land(f)
	if f.cmd != nil {
		f.cmd.flight = nil
		c.try(f.cmd)
	}
	c.wake(f.specs)
}

// failed says that a record was not acknowledged. It may be in the log, now or
// later; a barrier of the same producer tells when to give up on it.
func (c *core[S, B]) failed(a Attempt) {
	if c.barriers.failed(a) {
		c.barriers.after = c.mono().Add(barrierRetry)
		c.pump()
		return
	}
	f := c.flights[a]
	if f == nil {
		return // read back already
	}
	c.epoch++ // nothing of ours in flight can be built on any more
	c.await(ticket[S, B]{unknown: f})
}

// abandon gives up a command whose caller is gone; cause says why.
func (c *core[S, B]) abandon(cmd *command[S, B], cause error) {
	if cmd.finished {
		return
	}
	if f := cmd.flight; f != nil {
		f.cmd = nil
		c.stats.Unknown++
		cause = fmt.Errorf("%w: %w", ErrUnknownOutcome, cause)
	}
	c.finish(cmd, cause)
}

// tick gives the core the time it asked to be woken at.
func (c *core[S, B]) tick() { c.pump() }

// reset discards everything that was read, before the log is read again from its
// start. Nobody is left waiting.
func (c *core[S, B]) reset(cause error) {
	for _, f := range c.flights {
		if f.cmd != nil {
			c.abandon(f.cmd, cause)
		}
	}
	notReady := fmt.Errorf("%w: %w", ErrNotReady, cause)
	for _, sp := range c.specs {
		for _, cmd := range sp.waiting {
			c.finish(cmd, notReady)
		}
	}
	tickets := c.barriers.take()
	for _, t := range tickets {
		switch {
		case t.cmd != nil:
			c.finish(t.cmd, notReady)
		case t.fn != nil:
			t.fn(notReady)
		}
	}
	c.ledger = c.ledger.empty()
	clear(c.flights)
	clear(c.specs)
	c.waiting, c.ready = 0, false
	c.stats.Rebuilds++
}

func (c *core[S, B]) finish(cmd *command[S, B], err error) {
	if cmd.finished {
		return
	}
	cmd.finished, cmd.err, cmd.flight = true, err, nil
	c.done = append(c.done, cmd)
}

// land takes a flight out: it was read back, or given up.
func (c *core[S, B]) land(f *flight[S, B]) {
	delete(c.flights, f.attempt)
	for _, sp := range f.specs {
		sp.remove(f)
	}
}

// settle ends a flight with an error for its command.
func (c *core[S, B]) settle(f *flight[S, B], err error) {
	c.land(f)
	if f.cmd != nil {
		c.finish(f.cmd, err)
	}
	c.wake(f.specs)
}

// oldest is when the oldest record still in flight was appended.
func (c *core[S, B]) oldest() (since time.Time, ok bool) {
	least := int64(math.MaxInt64)
	for _, f := range c.flights {
		if f.seq < least {
			least, since, ok = f.seq, f.since, true
		}
	}
	return since, ok
}

// call runs a decide function. A panic there must not take down the instance, for
// it may run on another's goroutine.
func call[S, B any](decide func(*View[S]) (B, error), v *View[S]) (body B, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decide panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return decide(v)
}

var errGone = errors.New("the outcome is not in the log and may still come")
