package journal

import (
	"fmt"
	"time"
)

// A barrier is a record that changes nothing. Whoever has read its own barrier has
// read everything that was in the log when the barrier was begun. At most one is
// in flight, and each serves all who asked before it was begun.

const (
	barrierApart = 5 * time.Millisecond
	barrierRetry = 50 * time.Millisecond
)

type barriers[S, B any] struct {
	flying  Attempt // the barrier in flight; zero for none
	since   time.Time
	after   time.Time      // the next is not begun before
	serving []ticket[S, B] // wait for the one in flight
	next    []ticket[S, B] // wait for the one after
}

// ticket is one who waits for a barrier: a command to be confirmed, a flight whose
// fate is unknown, or a function.
type ticket[S, B any] struct {
	cmd     *command[S, B]
	unknown *flight[S, B]
	fn      func(error)
}

// await queues for a barrier begun from now on.
func (c *core[S, B]) await(t ticket[S, B]) {
	c.barriers.next = append(c.barriers.next, t)
	c.pump()
}

// pump begins a barrier if one is wanted, none is in flight, and it is time.
func (c *core[S, B]) pump() {
	b := &c.barriers
	c.wakeAt = time.Time{}
	if !b.flying.IsZero() || len(b.next) == 0 {
		return
	}
	now := c.mono()
	if now.Before(b.after) {
		c.wakeAt = b.after
		return
	}
	e := envelope{kind: barrierKind, attempt: c.newAttempt(), decidedAt: c.clock().UnixMicro(), writer: c.writer}
	value, err := c.encode(&e)
	if err != nil {
		panic("journal: encode a barrier: " + err.Error())
	}
	b.flying, b.since, b.after = e.attempt, now, now.Add(barrierApart)
	b.serving, b.next = b.next, b.serving[:0]
	c.appends = append(c.appends, outgoing{attempt: e.attempt, value: value})
}

// passed says that a barrier was read.
func (c *core[S, B]) passed(a Attempt) {
	b := &c.barriers
	if a != b.flying || a.IsZero() {
		return // another instance's, or one that was given up
	}
	b.flying = Attempt{}
	served := b.serving
	b.serving = nil
	for _, t := range served {
		switch {
		case t.fn != nil:
			t.fn(nil)
		case t.cmd != nil:
			c.confirm(t.cmd)
		case t.unknown != nil:
			c.giveUp(t.unknown)
		}
	}
	c.pump()
}

// giveUp leaves a record whose append failed and that a later barrier did not
// find in the log. It may still come: then it is treated as anybody's.
func (c *core[S, B]) giveUp(f *flight[S, B]) {
	if c.flights[f.attempt] != f {
		return // it was found
	}
	c.stats.Unknown++
	c.settle(f, fmt.Errorf("%w: %w", ErrUnknownOutcome, errGone))
}

// failed says whether a is the barrier in flight, and if so lets those who wait
// for it wait for another.
func (b *barriers[S, B]) failed(a Attempt) bool {
	if a != b.flying || a.IsZero() {
		return false
	}
	b.flying = Attempt{}
	b.next = append(b.serving, b.next...)
	b.serving = nil
	return true
}

// take empties the queues.
func (b *barriers[S, B]) take() []ticket[S, B] {
	all := append(b.serving, b.next...)
	*b = barriers[S, B]{after: b.after}
	return all
}
