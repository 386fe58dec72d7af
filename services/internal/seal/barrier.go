package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// apart is how long after the begin of a barrier the next may begin.
const apart = 100 * time.Millisecond

// ticket is shared by all callers that wait for one barrier.
type ticket struct {
	done    chan struct{} // closed when the others are set
	reading int
	err     error
}

func (t *ticket) finish(reading int, err error) {
	t.reading, t.err = reading, err
	close(t.done)
}

// barrier returns once everything that was acknowledged before the call was read, and in which
// reading of the topic.
func (r *Ring) barrier(ctx context.Context) (reading int, err error) {
	t, err := r.join()
	if err != nil {
		return 0, err
	}
	select {
	case <-t.done:
		return t.reading, t.err
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: read %s to its end: %w", ErrNotReady, r.cfg.Topic, context.Cause(ctx))
	}
}

// join returns the ticket for the barrier that is begun next.
func (r *Ring) join() (*ticket, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life == nil {
		return nil, fmt.Errorf("%w: %w", ErrNotReady, errNotRunning)
	}
	if r.waiting == nil {
		r.waiting = &ticket{done: make(chan struct{})}
		r.wanted <- struct{}{} // empty, for only serveBarriers takes a ticket away
	}
	return r.waiting, nil
}

// serveBarriers begins barriers, one after the other, as long as callers wait for them.
func (r *Ring) serveBarriers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wanted:
		}
		r.mu.Lock()
		t := r.waiting
		r.waiting = nil
		reading := r.reading
		r.mu.Unlock()
		next := time.After(apart)
		t.finish(reading, r.pass(ctx, reading))
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
	}
}

var errReadAgain = errors.New("the topic is read again from its start")

// pass appends a barrier and waits until it was read. An error is returned if the topic is read
// again from its start meanwhile, because the offset may be one of a former topic.
func (r *Ring) pass(ctx context.Context, reading int) error {
	offset, err := r.produce(ctx, record(rand.Text(), nil))
	if err != nil {
		return err
	}
	for {
		r.mu.Lock()
		next, current, progress := r.next, r.reading == reading, r.progress
		r.mu.Unlock()
		switch {
		case !current:
			return fmt.Errorf("%w: %w", ErrNotReady, errReadAgain)
		case next > offset:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNotReady, context.Cause(ctx))
		case <-progress:
		}
	}
}
