package core

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Submit takes a new command.
func (c *Core[S, B]) Submit(cmd *Command[S, B]) {
	if !c.ready {
		c.Finish(cmd, ErrNotReady)
		return
	}
	for _, s := range cmd.Streams {
		if sp := c.specs[s]; sp != nil && len(sp.waiting) > 0 {
			c.wait(sp, cmd) // behind those that came first
			return
		}
	}
	c.try(cmd)
}

// try decides a command, unless one of its streams has to be waited for.
func (c *Core[S, B]) try(cmd *Command[S, B]) {
	if cmd.finished || cmd.gaveUp() {
		return // the driver calls Abandon
	}
	for _, s := range cmd.Streams {
		if sp := c.specs[s]; sp != nil && c.blocked(sp) {
			c.wait(sp, cmd)
			return
		}
	}
	d, body, err := c.decide(cmd, true)
	switch {
	case c.hold != nil:
		c.wait(c.hold, cmd)
	case errors.Is(err, ErrAlready) && c.already(cmd):
	case err != nil:
		c.await(ticket[S, B]{cmd: cmd})
	default:
		if err := c.append(cmd, d, body); err != nil {
			c.Finish(cmd, err)
		}
	}
}

// already answers a command whose decision returns ErrAlready on applied state, and reports whether
// it did. Such an answer rests on a record that no later one undoes, so nothing has to be read
// before it is returned.
func (c *Core[S, B]) already(cmd *Command[S, B]) bool {
	_, _, err := c.decide(cmd, false)
	if !errors.Is(err, ErrAlready) {
		return false
	}
	c.Finish(cmd, err)
	return true
}

// confirm answers a command that appends nothing from applied state. It is called after a barrier
// that was begun after the command arrived.
func (c *Core[S, B]) confirm(cmd *Command[S, B]) {
	if cmd.finished || cmd.gaveUp() {
		return
	}
	if _, _, err := c.decide(cmd, false); err != nil {
		c.Finish(cmd, err)
		return
	}
	c.try(cmd) // its error was based on a record in flight, which has come back void
}

// decide calls the command's function on its streams: with what is in flight, or in applied state
// alone. It sets hold if the function reads a stream that has to be waited for. If the function
// reads a stream that is newer than the time it was given, it is called again with the streams that
// are known now.
func (c *Core[S, B]) decide(cmd *Command[S, B], speculate bool) (*states.Draft[S], B, error) {
	streams := cmd.Streams
	for {
		c.speculative, c.hold, c.barred = speculate, nil, nil
		d := states.NewDraft[S](streams, max(c.cfg.Clock().UnixMicro(), c.applied.Horizon()), c)
		body, err := call(cmd.Decide, d.View())
		if stale := d.Close(); stale {
			streams = d.Streams()
			continue
		}
		if c.barred != nil {
			err = c.barred
		}
		return d, body, err
	}
}

// call runs a decide function. Its panic must not end the process, because the function may run on
// the goroutine of another caller.
func call[S, B any](decide func(*states.View[S]) (B, error), v *states.View[S]) (body B, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decide panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return decide(v)
}

// Find implements states.Finder for the decision being made.
func (c *Core[S, B]) Find(s record.Stream) *states.Cell[S] {
	if err := c.applied.Parked(s); err != nil {
		c.barred = fmt.Errorf("%w: %s: %w", ErrParked, s, err)
	}
	if sp := c.specs[s]; sp != nil && c.speculative {
		if c.blocked(sp) {
			c.hold = sp
		} else if sp.on {
			return &sp.head
		}
	}
	return c.applied.Cell(s)
}

// append makes a record of a decision and builds the speculation on it. On an error nothing has
// changed.
func (c *Core[S, B]) append(cmd *Command[S, B], d *states.Draft[S], body B) error {
	kind, data, seen, err := c.applied.Encode(body)
	if err != nil {
		return err
	}
	f := &flight[S, B]{seq: c.seq, attempt: c.cfg.NewAttempt(), cmd: cmd, since: c.cfg.Mono()}
	f.expects = c.applied.Expect(f.inline.expects[:0], d)
	e := record.Envelope{
		Kind: kind, Attempt: f.attempt, DecidedAt: d.DecidedAt(), Writer: c.cfg.Writer,
		Traceparent: cmd.Traceparent, Body: data, Sealed: cmd.Sealed, Expects: f.expects,
	}
	if f.verdict, err = c.applied.Foresee(&e, seen, d); err != nil {
		return fmt.Errorf("%w: %w", ErrImpossible, err)
	}
	if f.value, err = c.encoder.Encode(&e); err != nil {
		return err
	}
	if len(f.value) > c.cfg.MaxRecord {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(f.value), c.cfg.MaxRecord)
	}
	c.seq++
	cmd.flight = f
	cmd.Appends, cmd.Appended, cmd.Acknowledged = cmd.Appends+1, f.since, time.Time{}
	c.flights[f.attempt] = f
	c.speculate(f, d)
	c.actions.appends = append(c.actions.appends, Append{Attempt: f.attempt, Key: c.cfg.Key(&f.verdict.Entry), Value: f.value})
	return nil
}
