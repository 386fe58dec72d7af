package publication

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
)

type thing struct {
	key    string
	offset int64
	done   chan struct{}
}

func (t *thing) at() (string, topic.Mark) { return t.key, topic.Mark{Offset: t.offset} }

// started returns a window that ends with the test.
func started(t *testing.T, l limits, handle func(context.Context, []item, func(int))) *window {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWindow(ctx, l, topic.Place{}, handle)
	t.Cleanup(func() {
		cancel()
		w.workers.Wait()
	})
	return w
}

// Items of one key are handled in order, those of other keys do not wait for them, and the position
// is the lowest offset that is not done.
func TestWindowOrdersByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan int64, 10)
		w := started(t, limits{active: 2, together: 1}, func(_ context.Context, items []item, settle func(int)) {
			begun <- items[0].(*thing).offset
			<-items[0].(*thing).done
			settle(0)
		})
		var things []*thing
		for offset, key := range []string{"a", "a", "b", "c"} {
			it := &thing{key: key, offset: int64(offset), done: make(chan struct{})}
			things = append(things, it)
			if !w.add(t.Context(), it) {
				t.Fatal("no room")
			}
			w.flush()
			synctest.Wait()
		}
		handled := func(want ...int64) {
			t.Helper()
			synctest.Wait()
			for _, offset := range want {
				select {
				case got := <-begun:
					if got != offset {
						t.Errorf("%d is handled, want %d", got, offset)
					}
				default:
					t.Errorf("%d is not handled", offset)
				}
			}
			if len(begun) > 0 {
				t.Errorf("%d more are handled", len(begun))
			}
		}
		at := func(want int64) {
			t.Helper()
			if got := w.position().Offset; got != want {
				t.Errorf("position %d, want %d", got, want)
			}
		}
		handled(0, 2) // 1 waits for its key, and 3 for one of the two that may be handled at once
		at(0)
		close(things[2].done)
		handled(3)
		at(0)
		close(things[0].done)
		handled(1)
		at(1)
		close(things[1].done)
		close(things[3].done)
		handled()
		at(4)
		w.skip(topic.Place{Offset: 9})
		at(9)
	})
}

// TestWindowHandlesTogether adds items of four keys. They are handled together, but for the second
// of a key, and those that are not done come again without holding up others.
func TestWindowHandlesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // of the next two
		var handled [][]int64
		fails := map[int64]int{1: 2}
		w := started(t, limits{active: 8, together: 3, retry: time.Second, retryMax: time.Minute}, func(_ context.Context, items []item, settle func(int)) {
			mu.Lock()
			defer mu.Unlock()
			var offsets []int64
			for i, it := range items {
				offset := it.(*thing).offset
				offsets = append(offsets, offset)
				if fails[offset]--; fails[offset] < 0 {
					settle(i)
					settle(i) // does nothing
				}
			}
			handled = append(handled, offsets)
		})
		seen := func() [][]int64 {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(handled)
		}
		for offset, key := range []string{"a", "b", "a", "c", "d", "b"} {
			w.add(t.Context(), &thing{key: key, offset: int64(offset)})
		}
		if got := seen(); len(got) != 0 {
			t.Fatalf("%v are handled before all are added", got)
		}
		w.flush()
		first := seen()
		slices.SortFunc(first, slices.Compare) // they come side by side
		if got := fmt.Sprint(first); got != "[[0 1 3] [2] [4]]" && got != "[[0 1 3] [2 4]]" && got != "[[0 1 3] [4 2]]" {
			t.Errorf("%s are handled, want at most three together, and nothing behind 1", got)
		}
		at := func(want int64) {
			t.Helper()
			if got := w.position().Offset; got != want {
				t.Errorf("position %d, want %d", got, want)
			}
		}
		again := func(after time.Duration, want string) {
			t.Helper()
			time.Sleep(after)
			if got := fmt.Sprint(seen()[len(first):]); got != want {
				t.Errorf("%s came again, want %s", got, want)
			}
		}
		at(1)
		again(time.Second-1, "[]")
		again(1, "[[1]]")
		again(2*time.Second-1, "[[1]]")
		again(1, "[[1] [1] [5]]")
		at(6)
	})
}

// TestWindowKeepsBatchesFull adds more items than may be handled at once. They are settled one
// after the other, and each batch is full all the same.
func TestWindowKeepsBatchesFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // of the next three
		var sizes []int
		var active, most int
		w := started(t, limits{active: 6, together: 3}, func(_ context.Context, items []item, settle func(int)) {
			mu.Lock()
			sizes = append(sizes, len(items))
			active += len(items)
			most = max(most, active)
			mu.Unlock()
			for i := range items {
				time.Sleep(time.Millisecond)
				settle(i)
			}
			time.Sleep(time.Millisecond)
			mu.Lock()
			active -= len(items)
			mu.Unlock()
		})
		for offset := range int64(30) {
			w.add(t.Context(), &thing{key: fmt.Sprint(offset), offset: offset})
		}
		w.flush()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := fmt.Sprint(sizes); got != "[3 3 3 3 3 3 3 3 3 3]" {
			t.Errorf("batches of %s items are handled", got)
		}
		if most != 6 {
			t.Errorf("%d items are handled at once, want 6", most)
		}
		if got := w.position().Offset; got != 30 {
			t.Errorf("position %d, want 30", got)
		}
	})
}

// TestWindowRetryDoubles lets an item fail six times.
func TestWindowRetryDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var mu sync.Mutex // of at
		var at []time.Duration
		w := started(t, limits{active: 1, together: 1, retry: time.Second, retryMax: 5 * time.Second}, func(_ context.Context, _ []item, settle func(int)) {
			mu.Lock()
			defer mu.Unlock()
			if at = append(at, time.Since(begun)); len(at) == 7 {
				settle(0)
			}
		})
		w.add(t.Context(), &thing{key: "a"})
		w.flush()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := fmt.Sprint(at); got != "[0s 1s 3s 7s 12s 17s 22s]" {
			t.Errorf("the item is handled at %s", got)
		}
	})
}
