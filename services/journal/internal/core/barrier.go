package core

import (
	"fmt"
	"time"

	"github.com/deferpay/deferpay/services/journal/record"
)

// A barrier is a record that changes nothing. An instance that has read its own barrier has read
// everything that was in the log when the barrier was begun. At most one is in flight, and each
// serves all who asked before it was begun. However many ask, an instance begins at most ten a
// second, because barriers stay in the log for ever.
const barrierApart = 100 * time.Millisecond

type barriers[S, B any] struct {
	flying  record.Attempt // the barrier in flight; zero for none
	since   time.Time      // when it left
	after   time.Time      // the next one is not begun before
	serving []ticket[S, B] // wait for the one in flight
	next    []ticket[S, B] // wait for the next one
}

// ticket is what waits for a barrier: a command to be confirmed, a flight whose outcome is unknown,
// or a function.
type ticket[S, B any] struct {
	cmd     *Command[S, B]
	unknown *flight[S, B]
	fn      func(error)
}

// Await calls fn with nil when everything has been read that is in the log now, or with the reason
// why that will not happen.
func (c *Core[S, B]) Await(fn func(error)) { c.await(ticket[S, B]{fn: fn}) }

// Forget appends a record that makes streams as if they had never been, and calls fn with nil once
// everything has been read that is in the log then. The record is missing if its append fails.
func (c *Core[S, B]) Forget(f record.Forgetting, fn func(error)) {
	e, err := f.Envelope()
	if err == nil {
		e.Attempt, e.DecidedAt, e.Writer = c.cfg.NewAttempt(), c.cfg.Clock().UnixMicro(), c.cfg.Writer
		var value []byte
		if value, err = c.encoder.Encode(&e); err == nil {
			c.actions.appends = append(c.actions.appends, Append{Attempt: e.Attempt, Value: value})
		}
	}
	if err != nil {
		fn(err)
		return
	}
	c.Await(fn)
}

// OldestPassing returns when the oldest stream was changed that may be forgotten.
func (c *Core[S, B]) OldestPassing() (at int64, ok bool) { return c.applied.Oldest() }

// await queues a ticket for a barrier that is begun from now on.
func (c *Core[S, B]) await(t ticket[S, B]) {
	c.barriers.next = append(c.barriers.next, t)
	c.pump()
}

// pump begins a barrier if one is wanted, none is in flight, and the last one is long enough ago.
func (c *Core[S, B]) pump() {
	b := &c.barriers
	c.wakeAt = time.Time{}
	if !b.flying.IsZero() || len(b.next) == 0 {
		return
	}
	now := c.cfg.Mono()
	if now.Before(b.after) {
		c.wakeAt = b.after
		return
	}
	e := record.Envelope{Kind: record.Barrier, Attempt: c.cfg.NewAttempt(), DecidedAt: c.cfg.Clock().UnixMicro(), Writer: c.cfg.Writer}
	value, err := c.encoder.Encode(&e)
	if err != nil {
		panic("journal: encode a barrier: " + err.Error())
	}
	b.flying, b.since, b.after = e.Attempt, now, now.Add(barrierApart)
	b.serving, b.next = b.next, b.serving[:0]
	c.actions.appends = append(c.actions.appends, Append{Attempt: e.Attempt, Value: value})
}

// passed is called when a barrier was read.
func (c *Core[S, B]) passed(a record.Attempt) {
	b := &c.barriers
	if a != b.flying || a.IsZero() {
		return // another instance's, or one that was given up
	}
	b.flying = record.Attempt{}
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

// giveUp ends a flight whose append failed and that was not in the log before a later barrier. It
// may still arrive; it is then read like a record of another instance.
func (c *Core[S, B]) giveUp(f *flight[S, B]) {
	if c.flights[f.attempt] != f {
		return // it was found
	}
	c.stats.Unknown++
	c.settle(f, fmt.Errorf("%w: %w", ErrUnknownOutcome, errGone))
}

// failed reports whether a is the barrier in flight. If so, what waits for it waits for the next
// one.
func (b *barriers[S, B]) failed(a record.Attempt) bool {
	if a != b.flying || a.IsZero() {
		return false
	}
	b.flying = record.Attempt{}
	b.next = append(b.serving, b.next...)
	b.serving = nil
	return true
}

// take empties the queues and returns what was in them.
func (b *barriers[S, B]) take() []ticket[S, B] {
	all := append(b.serving, b.next...)
	*b = barriers[S, B]{after: b.after}
	return all
}
