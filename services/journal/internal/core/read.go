package core

import (
	"bytes"
	"fmt"

	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Recall reports whether a record is, byte for byte, one of ours in flight, and marks it so: there
// is no need to decode it then.
func (c *Core[S, B]) Recall(r *record.Record) bool {
	if f := c.flights[record.AttemptIn(r.Value)]; f != nil && bytes.Equal(f.value, r.Value) {
		r.Attempt, r.Own = f.attempt, true
	}
	return r.Own
}

// Read takes the next record of the log, either recalled or decoded. A *states.UnreadableError is
// returned if the record cannot be decoded; nothing has changed then. A *states.VoidedError is
// returned if the log has to be read again, after Reset.
func (c *Core[S, B]) Read(r *record.Record) error {
	f := c.flights[r.Attempt]
	res, err := c.apply(r, f)
	if err != nil {
		return err
	}
	switch res.Outcome {
	case states.Barrier:
		c.stats.Barriers++
		c.passed(r.Attempt)
	case states.Void:
		c.stats.Void++
		if f != nil {
			c.stats.OwnVoid++
			c.readVoid(f)
		}
	case states.Applied:
		c.stats.Applied++
		if c.cfg.Project != nil {
			c.cfg.Project(res.Verdict.Entry, res.Verdict.After)
		}
		if c.cfg.Feed != nil && c.cfg.Feed(res.Verdict, r.Value) && f == nil {
			c.foreign = states.NewVerdict[S, B]()
		}
		c.readApplied(f, res.Verdict)
	case states.Impossible:
		c.overtaken(res.Verdict.Streams)
		subject := c.applied.Subject(&res.Verdict.Entry)
		if c.cfg.Park != nil {
			c.cfg.Park(&res.Verdict.Entry, subject, res.Err)
		}
		if f != nil {
			c.settle(f, fmt.Errorf("%w: %s: %w", ErrParked, subject, res.Err))
		}
	}
	return nil
}

// apply brings a record into the states; f is the flight that it is, if any.
func (c *Core[S, B]) apply(r *record.Record, f *flight[S, B]) (states.Result[S, B], error) {
	switch {
	case f == nil:
		return c.applied.Apply(r, c.foreign)
	case r.Own:
		return c.applied.ApplyOwn(r.Offset, f.expects, &f.verdict), nil
	}
	return c.applied.Apply(r, states.NewVerdict[S, B]()) // the caller keeps it
}

func (c *Core[S, B]) readApplied(f *flight[S, B], verdict *states.Verdict[S, B]) {
	if f == nil {
		c.overtaken(verdict.Streams)
		return
	}
	c.land(f)
	c.succeed(f.specs)
	if f.cmd != nil {
		c.stats.Decided++
		f.cmd.verdict = verdict
		c.Finish(f.cmd, nil)
	}
	c.wake(f.specs)
}

func (c *Core[S, B]) readVoid(f *flight[S, B]) {
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

// Failed is called when a record was not acknowledged. The record may be in the log, now or later;
// a barrier of the same producer shows when to give up on it.
func (c *Core[S, B]) Failed(a record.Attempt) {
	if c.barriers.failed(a) {
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
