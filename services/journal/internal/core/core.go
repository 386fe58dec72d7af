// Package core decides on a log. It is a state machine without I/O, goroutines or locks: events go
// in (Submit, Read, Failed, Abandon, Tick), and actions come out (records to append, commands that
// are done, a time to be woken at). Package journal drives it against Kafka, and its own tests
// drive it against a log that they scramble.
//
// The rules:
//
//   - A decision may be built on this instance's own records in flight, but an answer only on an
//     applied record.
//   - A decision that appends nothing is answered from applied state alone, after a barrier that
//     was begun after the command arrived. No barrier is needed if it rests on a record that is
//     applied already (ErrAlready).
//   - A stream that another instance has decided on too is decided on again only when none of this
//     instance's records is in flight on it.
//   - A record whose append failed is never decided again: it may be in the log.
package core

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// The errors of a command. Package journal exports and documents them.
var (
	ErrAlready        = errors.New("already decided")
	ErrUnknownOutcome = errors.New("outcome unknown")
	ErrNotReady       = errors.New("not ready")
	ErrParked         = errors.New("stream parked")
	ErrImpossible     = errors.New("decision refused by the fold")
	ErrTooLarge       = errors.New("record too large")
)

var errGone = errors.New("the record is not in the log and may still arrive")

// Config is what a core is given by its surroundings. Project and Park may be nil.
type Config[S, B any] struct {
	Writer     string
	MaxRecord  int                                    // bytes
	Key        func(*states.Entry[B]) string          // the Kafka key of a record
	Clock      func() time.Time                       // the time of decisions
	Mono       func() time.Time                       // the time of waiting
	NewAttempt func() record.Attempt                  // one that no other instance returns
	Project    func(states.Entry[B], *states.View[S]) // called for each applied entry
	// Feed is called for each applied entry with its record, and reports whether it keeps them. Nil
	// keeps none.
	Feed func(v *states.Verdict[S, B], value []byte) bool
	// Park is called for each impossible record, with the stream that it parks.
	Park func(e *states.Entry[B], s record.Stream, why error)
}

// Core decides commands on the log that it reads. One goroutine uses it at a time.
type Core[S, B any] struct {
	cfg     Config[S, B]
	applied *states.States[S, B]

	ready   bool
	flights map[record.Attempt]*flight[S, B]
	specs   map[record.Stream]*speculation[S, B]
	idle    []*speculation[S, B] // to be used again
	seq     int64                // of the next flight
	// counts produce errors: the speculation of an older epoch is dropped
	epoch    int64
	barriers barriers[S, B]
	encoder  record.Encoder
	waiting  int                   // commands that wait for a stream
	foreign  *states.Verdict[S, B] // the last record of another instance that was read

	// Of the decision being made.
	speculative bool
	hold        *speculation[S, B] // a stream that it has to wait for
	barred      error              // why a stream it reads is parked

	actions, taken actions[S, B]
	wakeAt         time.Time
	stats          Stats
}

// actions are what a core asks of its driver.
type actions[S, B any] struct {
	appends []Append
	done    []*Command[S, B]
}

// Append is a record to append to the log.
type Append struct {
	Attempt record.Attempt
	Key     string
	Value   []byte
}

// Command is a decision to be made.
type Command[S, B any] struct {
	Streams     []record.Stream
	Decide      func(*states.View[S]) (B, error)
	Sealed      *record.Sealed
	Traceparent string
	Gone        <-chan struct{} // closed when the caller has given up
	Signal      chan struct{}   // for the driver to wake the caller by; the core does not use it

	Appends                int       // how many records were appended for it
	Appended, Acknowledged time.Time // when the last one was; for the driver

	flight   *flight[S, B] // the record that stands for the command, if one is in flight
	finished bool
	verdict  *states.Verdict[S, B]
	err      error
}

// Finished reports whether the command has a result.
func (cmd *Command[S, B]) Finished() bool { return cmd.finished }

// Result returns the verdict, or an error and no verdict.
func (cmd *Command[S, B]) Result() (*states.Verdict[S, B], error) { return cmd.verdict, cmd.err }

// gaveUp reports whether the caller has given up.
func (cmd *Command[S, B]) gaveUp() bool {
	select {
	case <-cmd.Gone:
		return true
	default:
		return false
	}
}

// flight is a record of ours that was appended and not read back.
type flight[S, B any] struct {
	seq     int64
	attempt record.Attempt
	expects []record.Expectation
	value   []byte               // what was appended
	verdict states.Verdict[S, B] // the answer if it is applied
	specs   []*speculation[S, B]
	cmd     *Command[S, B] // nil if the caller has given up
	since   time.Time

	inline struct { // spares allocations
		expects [4]record.Expectation
		specs   [4]*speculation[S, B]
	}
}

// New returns a core on a log of which l has read nothing yet.
func New[S, B any](l *states.States[S, B], cfg Config[S, B]) *Core[S, B] {
	return &Core[S, B]{cfg: cfg, applied: l, foreign: states.NewVerdict[S, B](),
		flights: make(map[record.Attempt]*flight[S, B]), specs: make(map[record.Stream]*speculation[S, B])}
}

// Start begins the barrier that makes the core ready once it is read.
func (c *Core[S, B]) Start() {
	c.Await(func(err error) { c.ready = err == nil })
}

// Ready reports whether commands are decided.
func (c *Core[S, B]) Ready() bool { return c.ready }

// Declare takes note of a declaration that was found further on in the log.
func (c *Core[S, B]) Declare(v record.Voiding) { c.applied.Declare(v) }

// Adopt replaces the states, before the first record is read, by those that a snapshot of the log
// led to.
func (c *Core[S, B]) Adopt(l *states.States[S, B]) { c.applied = l }

// Cut begins a cut of the applied states.
func (c *Core[S, B]) Cut() *states.Cut[S] { return c.applied.Cut() }

// EndCut ends a cut.
func (c *Core[S, B]) EndCut(cut *states.Cut[S]) { c.applied.EndCut(cut) }

// Blank returns states that have read nothing, and know what was declared void.
func (c *Core[S, B]) Blank() *states.States[S, B] { return c.applied.Empty() }

// Next returns the offset of the next record to read.
func (c *Core[S, B]) Next() int64 { return c.applied.Next() }

// State returns the applied state of a stream and reports whether it has one.
func (c *Core[S, B]) State(s record.Stream) (S, bool) { return c.applied.State(s) }

// Load returns how many commands are under way.
func (c *Core[S, B]) Load() int { return len(c.flights) + c.waiting }

// InFlight returns how many records are in flight.
func (c *Core[S, B]) InFlight() int { return len(c.flights) }

// Appended returns when a record of ours left. It reports false if the record is not in flight.
func (c *Core[S, B]) Appended(a record.Attempt) (since time.Time, ok bool) {
	if f := c.flights[a]; f != nil {
		return f.since, true
	}
	return c.barriers.since, a == c.barriers.flying && !a.IsZero()
}

// Acknowledged notes when a record of ours was acknowledged.
func (c *Core[S, B]) Acknowledged(a record.Attempt, at time.Time) {
	if f := c.flights[a]; f != nil && f.cmd != nil {
		f.cmd.Acknowledged = at
	}
}

// Oldest returns when the oldest record in flight left. It reports false if none is in flight.
func (c *Core[S, B]) Oldest() (since time.Time, ok bool) {
	least := int64(math.MaxInt64)
	for _, f := range c.flights {
		if f.seq < least {
			least, since, ok = f.seq, f.since, true
		}
	}
	return since, ok
}

// Take returns the records to append, in order, and the commands that are done since the last call.
// Both are valid until the next call.
func (c *Core[S, B]) Take() (appends []Append, done []*Command[S, B]) {
	clear(c.taken.appends)
	clear(c.taken.done)
	c.actions, c.taken = actions[S, B]{c.taken.appends[:0], c.taken.done[:0]}, c.actions
	return c.taken.appends, c.taken.done
}

// WakeAt returns when Tick is to be called, the zero time for never.
func (c *Core[S, B]) WakeAt() time.Time { return c.wakeAt }

// Tick goes on with what had to wait for WakeAt.
func (c *Core[S, B]) Tick() { c.pump() }

// Stats counts what has happened since the core was made, and what is under way.
type Stats struct {
	Applied, Void, OwnVoid, Decided, Unknown, Barriers, Drops, Rebuilds int64
	Parked, InFlight, Waiting, Packed                                   int
	PackedBytes                                                         int64
}

// Stats returns the counters.
func (c *Core[S, B]) Stats() Stats {
	s := c.stats
	s.Parked, s.InFlight, s.Waiting = c.applied.ParkedStreams(), len(c.flights), c.waiting
	s.Packed, s.PackedBytes = c.applied.Packed(), c.applied.PackedBytes()
	return s
}

// Parked returns the parked streams, and why each is.
func (c *Core[S, B]) Parked() map[record.Stream]error { return c.applied.AllParked() }

// Abandon gives up a command whose caller has given up, for the reason given.
func (c *Core[S, B]) Abandon(cmd *Command[S, B], cause error) {
	if cmd.finished {
		return
	}
	if f := cmd.flight; f != nil {
		f.cmd = nil
		c.stats.Unknown++
		cause = fmt.Errorf("%w: %w", ErrUnknownOutcome, cause)
	}
	c.Finish(cmd, cause)
}

// Reset discards everything that was read, before the log is read again from its start. Every
// command ends, with an error that wraps cause.
func (c *Core[S, B]) Reset(cause error) {
	for _, f := range c.flights {
		if f.cmd != nil {
			c.Abandon(f.cmd, cause)
		}
	}
	notReady := fmt.Errorf("%w: %w", ErrNotReady, cause)
	for _, sp := range c.specs {
		for _, cmd := range sp.waiting {
			c.Finish(cmd, notReady)
		}
	}
	for _, t := range c.barriers.take() {
		switch {
		case t.cmd != nil:
			c.Finish(t.cmd, notReady)
		case t.fn != nil:
			t.fn(notReady)
		}
	}
	c.applied = c.applied.Empty()
	clear(c.flights)
	clear(c.specs)
	c.actions.appends = nil
	c.waiting, c.ready = 0, false
	c.stats.Rebuilds++
}

// Finish ends a command with an error, or with nil and its verdict. A second call does nothing.
func (c *Core[S, B]) Finish(cmd *Command[S, B], err error) {
	if cmd.finished {
		return
	}
	cmd.finished, cmd.err, cmd.flight = true, err, nil
	c.actions.done = append(c.actions.done, cmd)
}

// land removes a flight that was read back or given up.
func (c *Core[S, B]) land(f *flight[S, B]) {
	delete(c.flights, f.attempt)
	for _, sp := range f.specs {
		sp.remove(f)
	}
}

// settle ends a flight with an error for its command.
func (c *Core[S, B]) settle(f *flight[S, B], err error) {
	c.land(f)
	if f.cmd != nil {
		c.Finish(f.cmd, err)
	}
	c.wake(f.specs)
}
