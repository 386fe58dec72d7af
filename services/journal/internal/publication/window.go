package publication

import (
	"context"
	"sync"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
)

// window holds the items that were read and are not done. Those of one key are handled one after
// the other, those of different keys side by side.
type window struct {
	// reports whether the item is done; it is not if ctx ended
	handle func(context.Context, item) bool
	active chan struct{} // one element for each item being handled
	held   chan struct{} // one element for each item held

	mu      sync.Mutex
	pending []*pending // in log order; the first is not done
	keys    map[string][]*pending
	next    topic.Place // of the next item
	workers sync.WaitGroup
}

// item is what a window holds.
type item interface {
	at() (key string, record topic.Mark)
}

type pending struct {
	item
	done bool
}

// readAhead is how many items may be held for each one that may be handled: behind a slow key,
// other keys go on.
const readAhead = 16

func newWindow(limit int, next topic.Place, handle func(context.Context, item) bool) *window {
	return &window{handle: handle, active: make(chan struct{}, limit), held: make(chan struct{}, limit*readAhead),
		keys: make(map[string][]*pending), next: next}
}

// add takes the next item, and waits for room. It reports false if ctx ended first.
func (w *window) add(ctx context.Context, it item) bool {
	select {
	case w.held <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	key, m := it.at()
	p := &pending{item: it}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = topic.Place{Offset: m.Offset + 1, Seen: m}
	w.pending = append(w.pending, p)
	queue, busy := w.keys[key]
	w.keys[key] = append(queue, p)
	if !busy {
		w.workers.Go(func() { w.work(ctx, key) })
	}
	return true
}

// skip moves the position on to next if no item is left: none will come before it.
func (w *window) skip(next topic.Place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if next.Offset > w.next.Offset {
		w.next = next
	}
}

// work handles the items of a key until none is left.
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
		done := w.handle(ctx, p.item)
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

// position returns the place of the lowest offset that is not done; all before it are.
func (w *window) position() topic.Place {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) > 0 {
		_, m := w.pending[0].at()
		return topic.Place{Offset: m.Offset, Seen: m}
	}
	return w.next
}
