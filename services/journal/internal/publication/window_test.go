package publication

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
)

type thing struct {
	key    string
	offset int64
	done   chan struct{}
}

func (t *thing) at() (string, topic.Mark) { return t.key, topic.Mark{Offset: t.offset} }

// Items of one key are handled in order, those of other keys do not wait for them, and the position
// is the lowest offset that is not done.
func TestWindowOrdersByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan int64, 10)
		w := newWindow(2, topic.Place{}, func(_ context.Context, it item) bool {
			begun <- it.(*thing).offset
			<-it.(*thing).done
			return true
		})
		var things []*thing
		for offset, key := range []string{"a", "a", "b", "c"} {
			it := &thing{key: key, offset: int64(offset), done: make(chan struct{})}
			things = append(things, it)
			if !w.add(t.Context(), it) {
				t.Fatal("no room")
			}
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
