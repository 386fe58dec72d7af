package heaproom

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 6400, 1 << 20: 6400, 64 << 20: 400, 128 << 20: 200, Room: 100, 4 * Room: 100, 1 << 40: 100} {
		if got := percent(live); got != want {
			t.Errorf("a heap of %d MiB grows by %d %%, want %d", live>>20, got, want)
		}
	}
}

// The percentage follows the heap from one collection to the next.
func TestKeepFollowsHeap(t *testing.T) {
	stop := Keep(func(string) string { return "" })
	defer stop()
	small := current()
	if small <= usual {
		t.Fatalf("a small heap grows by %d %%", small)
	}
	held := make([]byte, Room)
	const want = usual // of Room and some stacks
	for deadline := time.Now().Add(10 * time.Second); current() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a heap of %d MiB still grows by %d %%, want %d", Room>>20, current(), want)
		}
		runtime.GC()
	}
	runtime.KeepAlive(held)
	for deadline := time.Now().Add(10 * time.Second); current() <= want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a heap that has shrunk still grows by %d %%", current())
		}
		runtime.GC()
	}
}

// The stacks of many goroutines count: the room is the same with them.
func TestRoomWithStacks(t *testing.T) {
	defer Keep(func(string) string { return "" })()
	var began sync.WaitGroup
	end := make(chan struct{})
	defer close(end)
	for range 64 {
		began.Add(1)
		go func() {
			deep(1000, func() { began.Done(); <-end })
		}()
	}
	began.Wait()
	s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}}
	for range 3 { // until the percentage is that of the stacks
		again := make(chan struct{})
		runtime.SetFinalizer(&struct{ _ [64]byte }{}, func(any) { close(again) })
		runtime.GC()
		<-again
	}
	metrics.Read(s)
	goal, live, stacks := s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
	if stacks < 8<<20 {
		t.Fatalf("%d bytes of stacks, the test needs more", stacks)
	}
	if room := goal - live; room < Room*7/8 || room > Room*5/4+stacks {
		t.Errorf("a heap of %d MiB with %d MiB of stacks grows by %d MiB, want %d", live>>20, stacks>>20, room>>20, Room>>20)
	}
}

// deep calls f with a deep stack.
func deep(n int, f func()) {
	var frame [256]byte
	if n == 0 {
		f()
	} else {
		deep(n-1, f)
	}
	runtime.KeepAlive(&frame)
}

func TestKeepStops(t *testing.T) {
	Keep(func(string) string { return "" })()
	runtime.GC()
	if got := current(); got != usual {
		t.Errorf("the heap still grows by %d %%", got)
	}
}

// Who sets GOGC decides.
func TestKeepLeavesGOGC(t *testing.T) {
	before := current()
	Keep(func(name string) string { return map[string]string{"GOGC": "50"}[name] })
	if got := current(); got != before {
		t.Errorf("the heap grows by %d %%, want %d as before", got, before)
	}
}

func current() int {
	p := debug.SetGCPercent(usual)
	debug.SetGCPercent(p)
	return p
}
