package heaproom

import (
	"runtime"
	"runtime/debug"
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
	before := current()
	defer debug.SetGCPercent(before)
	Keep(func(string) string { return "" })
	small := current()
	if small <= usual {
		t.Fatalf("a small heap grows by %d %%", small)
	}
	held := make([]byte, Room)
	want := percent(uint64(len(held)))
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
