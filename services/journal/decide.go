package journal

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/deferpay/deferpay/services/journal/internal/core"
)

// Option adds to a decision.
type Option func(*options)

type options struct{ sealed *Sealed }

// WithSealed attaches encrypted personal data to the record.
func WithSealed(s Sealed) Option { return func(o *options) { o.sealed = &s } }

// Decide calls decide on the states of the streams and appends the body that it returns. It returns
// the verdict once the record is applied.
//
// decide is pure and may be called several times, from any goroutine; the last call counts. It
// returns the body to append; or ErrAlready, if the answer rests on a record that is applied
// already; or another error, to append nothing. Decide returns the error of decide only if decide
// returned it on applied state; an error is never based on a record in flight. Unless the error
// wraps ErrAlready, everything that was in the log when Decide was called is read before. For that
// the journal appends barriers, at most ten a second, so such an error may take a tenth of a
// second. A panic in decide is returned as an error.
//
// streams are those that decide is known to read. It may read others through its view, and the
// record expects all of them. Naming a stream saves a call of decide when the stream has to be
// waited for.
//
// Decide appends again after a void record, and a caller may ask again after ErrUnknownOutcome.
// What must not happen twice therefore has to read a stream that only one of several attempts can
// begin, such as that of an idempotency key.
//
// If ctx ends first, the error wraps ctx's error, and also ErrUnknownOutcome if a record was
// appended.
func (j *Journal[S, B]) Decide(ctx context.Context, streams []Stream, decide func(v *View[S]) (B, error), opts ...Option) (Verdict[S, B], error) {
	if err := checkStreams(streams); err != nil {
		return Verdict[S, B]{}, err
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	cmd := &core.Command[S, B]{Streams: streams, Decide: decide, Sealed: o.sealed,
		Gone: ctx.Done(), Signal: j.signals.Get().(chan struct{})}
	if j.cfg.Traceparent != nil {
		cmd.Traceparent = j.cfg.Traceparent(ctx)
	}
	if j.cfg.Timed != nil {
		asked := j.now()
		defer func() { j.cfg.Timed(ctx, j.timing(cmd, asked)) }()
	}
	j.submit(cmd)
	select {
	case <-cmd.Signal:
		j.signals.Put(cmd.Signal) // empty again
	case <-ctx.Done():
		j.mu.Lock()
		j.core.Abandon(cmd, context.Cause(ctx))
		j.act()
		j.mu.Unlock()
	}
	verdict, err := cmd.Result()
	if verdict == nil {
		return Verdict[S, B]{}, err
	}
	return *verdict, nil
}

// Timing says when a decision went through its steps. The zero time is that of a step that was not
// taken, or is not known.
type Timing struct {
	Asked        time.Time // Decide was called
	Appended     time.Time // the last record was decided, and left
	Acknowledged time.Time // the broker acknowledged it
	Answered     time.Time // Decide returns
	Appends      int       // records appended, of which the last counts
}

// timing returns the times of a decision that has ended.
func (j *Journal[S, B]) timing(cmd *core.Command[S, B], asked time.Time) Timing {
	j.mu.RLock() // an abandoned command may still be in flight
	defer j.mu.RUnlock()
	return Timing{Asked: asked, Appended: cmd.Appended, Acknowledged: cmd.Acknowledged, Answered: j.now(), Appends: cmd.Appends}
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

// submit brings a command to the core. Of all callers that arrive at once, one takes the lock and
// brings the commands of the others too: they would only queue for the lock, and this way their
// records leave together.
func (j *Journal[S, B]) submit(cmd *core.Command[S, B]) {
	if !j.inbox.add(cmd) {
		return // another caller is on its way to the lock
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	cmds := j.inbox.take()
	for _, cmd := range cmds {
		err := j.readiness()
		if n := j.core.Load(); err == nil && n >= maxInFlight {
			err = fmt.Errorf("%w: %d decisions are under way", ErrNotReady, n)
		}
		if err != nil {
			j.core.Finish(cmd, err)
			continue
		}
		j.core.Submit(cmd)
	}
	j.act()
	j.inbox.release(cmds)
}

// inbox holds commands on their way to the core.
type inbox[S, B any] struct {
	mu    sync.Mutex
	cmds  []*core.Command[S, B]
	spare []*core.Command[S, B]
}

// add reports whether the command is the first one. The caller of the first one takes them all.
func (b *inbox[S, B]) add(cmd *core.Command[S, B]) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cmds = append(b.cmds, cmd)
	return len(b.cmds) == 1
}

func (b *inbox[S, B]) take() []*core.Command[S, B] {
	b.mu.Lock()
	defer b.mu.Unlock()
	cmds := b.cmds
	b.cmds, b.spare = b.spare[:0], nil
	return cmds
}

// release returns the memory of what was taken.
func (b *inbox[S, B]) release(cmds []*core.Command[S, B]) {
	clear(cmds)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare = cmds
}
