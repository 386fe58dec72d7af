package journal

import (
	"context"
	"sync"
)

// window holds the entries that were read and not acked. Those of one key are
// handled one after the other, those of different keys side by side.
type window struct {
	handle func(context.Context, delivery) bool // true when done, false when ctx is
	active chan struct{}                        // a token for each entry being handled
	held   chan struct{}                        // a token for each entry held

	mu      sync.Mutex
	pending []*pending // in log order; the first is not done
	keys    map[string][]*pending
	next    int64 // offset of the entry to come
	workers sync.WaitGroup
}

// delivery is what a window hands out.
type delivery interface {
	at() (key string, offset int64)
}

type pending struct {
	delivery
	done bool
}

// readAhead is how many entries may be held for each that may be handled: behind a
// key that is slow, others go on.
const readAhead = 16

func newWindow(limit int, next int64, handle func(context.Context, delivery) bool) *window {
	return &window{handle: handle, active: make(chan struct{}, limit), held: make(chan struct{}, limit*readAhead),
		keys: make(map[string][]*pending), next: next}
}

// add takes the next entry, waiting for room. It returns false when ctx is done.
func (w *window) add(ctx context.Context, d delivery) bool {
	select {
	case w.held <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	key, offset := d.at()
	p := &pending{delivery: d}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = offset + 1
	w.pending = append(w.pending, p)
	queue, busy := w.keys[key]
	w.keys[key] = append(queue, p)
	if !busy {
		w.workers.Go(func() { w.work(ctx, key) })
	}
	return true
}

// skip says that there is nothing to deliver before offset next.
func (w *window) skip(next int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = max(w.next, next)
}

// work handles the entries of a key until none is left.
func (w *window) work(ctx context.Context, key string) {
	for {
		w.mu.Lock()
		queue := w.keys[key]
		if len(queue) == 0 {
			delete(w.keys, key)
			w.mu.Unlock()
			return
		}
		p := queue[0]
		w.mu.Unlock()
		select {
		case w.active <- struct{}{}:
		case <-ctx.Done():
			return
		}
		done := w.handle(ctx, p.delivery)
		<-w.active
		if !done {
			return
		}
		w.mu.Lock()
		w.keys[key] = w.keys[key][1:]
		p.done = true
		for len(w.pending) > 0 && w.pending[0].done {
			w.pending[0] = nil
			w.pending = w.pending[1:]
		}
		w.mu.Unlock()
		<-w.held
	}
}

// position is the lowest offset not done: all before it are.
func (w *window) position() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) > 0 {
		_, offset := w.pending[0].at()
		return offset
	}
	return w.next
}
