package publication

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
)

// window holds the items that were read and are not done. Those of one key are handled one after
// the other, those of different keys side by side, several of them together.
type window struct {
	limits limits
	// handles items of different keys, and calls settle for those that are done before it returns.
	// The others are handled again.
	handle func(ctx context.Context, items []item, settle func(i int))
	held   chan struct{} // one element for each item held
	wake   chan struct{} // has one element if there may be something to do

	mu      sync.Mutex
	pending []*pending // in log order; the first is not done
	keys    map[string][]*pending
	ready   []*pending  // the first of their keys, and not being handled
	active  int         // how many are in a batch that is handled, or wait to be handled again
	next    topic.Place // of the next item
	workers sync.WaitGroup
}

// limits say how many items are handled at the same time, and how many of them together; and how
// long an item waits that is not done, at first and at most.
type limits struct {
	active, together int
	retry, retryMax  time.Duration
}

// item is what a window holds.
type item interface {
	at() (key string, record topic.Mark)
}

type pending struct {
	item
	key   string
	done  bool
	delay time.Duration // before it is handled again
}

// readAhead is how many items may be held for each one that may be handled: behind a slow key,
// other keys go on.
const readAhead = 16

// newWindow returns a window that handles what it holds until ctx is done.
func newWindow(ctx context.Context, l limits, next topic.Place, handle func(context.Context, []item, func(int))) *window {
	w := &window{limits: l, handle: handle, held: make(chan struct{}, l.active*readAhead), wake: make(chan struct{}, 1),
		keys: make(map[string][]*pending), next: next}
	w.workers.Go(func() { w.run(ctx) })
	return w
}

// add takes the next item, and waits for room. It reports false if ctx ended first. The item may
// wait until flush is called, so that those that are added together are handled together.
func (w *window) add(ctx context.Context, it item) bool {
	select {
	case w.held <- struct{}{}:
	default:
		w.flush()
		select {
		case w.held <- struct{}{}:
		case <-ctx.Done():
			return false
		}
	}
	key, m := it.at()
	p := &pending{item: it, key: key}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = topic.Place{Offset: m.Offset + 1, Seen: m}
	w.pending = append(w.pending, p)
	queue := w.keys[key]
	w.keys[key] = append(queue, p)
	if len(queue) == 0 {
		w.ready = append(w.ready, p)
	}
	return true
}

// flush begins to handle what was added.
func (w *window) flush() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// skip moves the position on to next if no item is left: none will come before it.
func (w *window) skip(next topic.Place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if next.Offset > w.next.Offset {
		w.next = next
	}
}

// run begins to handle what is ready, until ctx is done.
func (w *window) run(ctx context.Context) {
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return
		}
		for batch := w.take(); len(batch) > 0; batch = w.take() {
			w.workers.Go(func() { w.work(ctx, batch) })
		}
	}
}

// take returns items that may be handled now.
func (w *window) take() []*pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.ready), w.limits.together, w.limits.active-w.active)
	batch := w.ready[:n:n]
	w.ready = w.ready[n:]
	w.active += n
	return batch
}

// work handles items. Those that are not done are ready again after a delay of their own.
func (w *window) work(ctx context.Context, batch []*pending) {
	items := make([]item, len(batch))
	for i, p := range batch {
		items[i] = p.item
	}
	settled := make([]atomic.Bool, len(batch))
	w.handle(ctx, items, func(i int) {
		if settled[i].CompareAndSwap(false, true) {
			w.finish(batch[i])
		}
	})
	finished := 0
	for i, p := range batch {
		if ctx.Err() == nil && settled[i].CompareAndSwap(false, true) {
			w.retry(ctx, p)
		} else {
			finished++
		}
	}
	w.leave(finished)
}

// leave makes room for as many items as have been handled. Items of a batch leave together, not
// when each is finished: otherwise a backlog would be handled in batches of one or two.
func (w *window) leave(items int) {
	w.mu.Lock()
	w.active -= items
	idle := len(w.ready) == 0
	w.mu.Unlock()
	if !idle {
		w.flush()
	}
}

// finish ends an item, and makes the next one of its key ready.
func (w *window) finish(p *pending) {
	w.mu.Lock()
	queue := w.keys[p.key][1:]
	if len(queue) == 0 {
		delete(w.keys, p.key)
	} else {
		w.keys[p.key] = queue
		w.ready = append(w.ready, queue[0])
	}
	p.done = true
	for len(w.pending) > 0 && w.pending[0].done {
		w.pending[0] = nil
		w.pending = w.pending[1:]
	}
	idle := len(w.ready) == 0
	w.mu.Unlock()
	<-w.held
	if !idle {
		w.flush()
	}
}

// retry makes an item ready again after its delay, which doubles each time.
func (w *window) retry(ctx context.Context, p *pending) {
	p.delay = max(w.limits.retry, min(2*p.delay, w.limits.retryMax))
	w.workers.Go(func() {
		again := sleep(ctx, p.delay)
		w.mu.Lock()
		w.active--
		if again {
			w.ready = append(w.ready, p)
		}
		w.mu.Unlock()
		w.flush()
	})
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
