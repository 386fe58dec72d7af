package publication

import (
	"context"
	"errors"
	"sort"
	"sync"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Kept is how many entries a feed holds: more than an instance applies while another one that
// published is found to be dead.
const Kept = 8192

var (
	errBehind    = errors.New("the entries are not held any more")
	errDiscarded = errors.New("the state was discarded")
)

// Feed holds the entries that an instance applied last, each with the states after it. Publications
// of the same process deliver from it, so that the log is folded once. Its methods may be called at
// the same time.
type Feed[S, B any] struct {
	kept int

	mu      sync.Mutex
	running bool
	life    int         // how often the feed was stopped
	low     int64       // entries before it are not held
	next    topic.Place // of the next record to be read; entries from it on are not handed out
	entries []fed[S, B]
	changed chan struct{} // closed when more is held, or the feed stops; nil while nobody waits
}

type fed[S, B any] struct {
	*states.Verdict[S, B]
	value []byte // the record
}

// NewFeed returns a feed that is not running.
func NewFeed[S, B any](kept int) *Feed[S, B] { return &Feed[S, B]{kept: kept} }

// Start begins to hold entries. The log is read from the offset from on, and ends at end: only its
// last entries will be wanted.
func (f *Feed[S, B]) Start(from, end int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running, f.low, f.next = true, max(from, end-int64(f.kept)), topic.Place{Offset: from}
}

// Stop forgets everything: the entries may be others when they are read again.
func (f *Feed[S, B]) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running, f.entries = false, nil
	f.life++
	f.wake()
}

// Add takes the next applied entry and its record, and reports whether it keeps them. The states of
// the verdict must not be written any more then.
func (f *Feed[S, B]) Add(v *states.Verdict[S, B], value []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.running || v.Offset < f.low {
		return false
	}
	if len(f.entries) >= f.kept {
		f.low = f.entries[0].Offset + 1
		f.entries[0] = fed[S, B]{}
		f.entries = f.entries[1:]
	}
	f.entries = append(f.entries, fed[S, B]{&states.Verdict[S, B]{Entry: v.Entry, After: v.After.Share()}, value})
	return true
}

// Reveal hands out the entries up to the record that last names. They have been read from the log;
// what was only acknowledged might have been lost.
func (f *Feed[S, B]) Reveal(last topic.Mark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = topic.Place{Offset: last.Offset + 1, Seen: last}
	f.wake()
}

func (f *Feed[S, B]) wake() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// serves reports whether every entry from an offset on is held or will come.
func (f *Feed[S, B]) serves(from int64) (life int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.life, f.running && from >= f.low
}

// atOnce is how many entries a publication takes from a feed at once.
const atOnce = 256

// take waits for entries from an offset on, and returns some and the place to go on from.
func (f *Feed[S, B]) take(ctx context.Context, life int, from int64) ([]fed[S, B], topic.Place, error) {
	for {
		f.mu.Lock()
		if f.life != life || from < f.low {
			f.mu.Unlock()
			if f.life != life {
				return nil, topic.Place{}, errDiscarded
			}
			return nil, topic.Place{}, errBehind
		}
		if f.next.Offset > from {
			entries, next := f.between(from)
			f.mu.Unlock()
			return entries, next, nil
		}
		if f.changed == nil {
			f.changed = make(chan struct{})
		}
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, topic.Place{}, ctx.Err()
		}
	}
}

// between returns the entries from an offset on that may be handed out, atOnce of them at most.
func (f *Feed[S, B]) between(from int64) ([]fed[S, B], topic.Place) {
	first := sort.Search(len(f.entries), func(i int) bool { return f.entries[i].Offset >= from })
	last := sort.Search(len(f.entries), func(i int) bool { return f.entries[i].Offset >= f.next.Offset })
	next := f.next
	if last-first > atOnce {
		last = first + atOnce
		next = after(&f.entries[last-1].Entry)
	}
	return append([]fed[S, B](nil), f.entries[first:last]...), next
}

// after returns the place behind an entry.
func after[B any](e *states.Entry[B]) topic.Place {
	return topic.Place{Offset: e.Offset + 1, Seen: topic.Mark{Offset: e.Offset, Attempt: e.Attempt}}
}

// delivery returns the entry for a window, with the body as it is in the log if that is wanted.
func (e fed[S, B]) delivery(order func(*states.Entry[B], *states.View[S]) string, body bool) (*delivery[S, B], error) {
	v := &states.Verdict[S, B]{Entry: e.Entry, After: e.After.Share()}
	d := &delivery[S, B]{Verdict: v, key: order(&v.Entry, v.After)}
	if !body {
		return d, nil
	}
	envelope, err := record.Decode(e.value)
	if err != nil {
		return nil, err
	}
	d.payload = envelope.Body
	return d, nil
}
