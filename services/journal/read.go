package journal

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Read calls fn with the applied states. It holds a read lock that excludes Project, so what fn
// sees of the states and of the read model belongs to Position. fn must not keep state, nor call
// the journal's other methods, except Position. Read does not check Ready.
func (j *Journal[S, B]) Read(fn func(state func(Stream) (S, bool))) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	fn(j.core.State)
}

// Position returns the offset of the last record that was read, whether it was applied or void; -1
// before the first. It moves back to -1 when the state is discarded, to be read again.
func (j *Journal[S, B]) Position() int64 { return j.read.at.Load() }

// WaitFor returns nil once the record at offset was read, or an error that wraps ctx's error if ctx
// ends first.
func (j *Journal[S, B]) WaitFor(ctx context.Context, offset int64) error {
	reached := j.read.wait(offset)
	if reached == nil {
		return nil
	}
	defer j.read.forget(reached)
	j.reader.wake()
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %s:%d, at %d: %w", j.cfg.Topic, offset, j.Position(), context.Cause(ctx))
	}
}

// Barrier returns nil once everything was read that was in the log when it was called. Otherwise
// the error wraps ErrNotReady, or ctx's error if ctx ends first. It appends a record that changes
// nothing; calls at the same time share one.
func (j *Journal[S, B]) Barrier(ctx context.Context) error { return j.await(ctx, j.core.Await) }

// await calls begin under the lock, and waits until it calls passed.
func (j *Journal[S, B]) await(ctx context.Context, begin func(passed func(error))) error {
	passed := make(chan error, 1)
	j.mu.Lock()
	err := j.readiness()
	if err == nil {
		begin(func(err error) { passed <- err })
		j.act()
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case err := <-passed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for a barrier: %w", context.Cause(ctx))
	}
}

// progress is how far the log was read, and who waits for it to be read further.
type progress struct {
	at      atomic.Int64
	mu      sync.Mutex
	waiters map[chan struct{}]int64
}

// wait returns a channel that is closed once offset was read; nil if it was.
func (p *progress) wait(offset int64) chan struct{} {
	if p.at.Load() >= offset {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at.Load() >= offset { // read in between
		return nil
	}
	if p.waiters == nil {
		p.waiters = make(map[chan struct{}]int64)
	}
	c := make(chan struct{})
	p.waiters[c] = offset
	return c
}

// awaited reports whether somebody waits.
func (p *progress) awaited() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiters) > 0
}

func (p *progress) forget(c chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiters, c)
}

// moveTo sets how far the log was read, and wakes those who waited for it.
func (p *progress) moveTo(offset int64) {
	p.at.Store(offset)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, wanted := range p.waiters {
		if wanted <= offset {
			delete(p.waiters, c)
			close(c)
		}
	}
}
