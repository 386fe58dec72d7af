// Package heaproom lets a small heap grow further before it is collected. By default Go collects a
// heap once it has doubled, so a process with little in memory that serves many requests spends a
// fifth of its processor time on collections. The commands of the services and the embedded broker
// import it.
package heaproom

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Room is how many bytes are allocated between two collections at least. A heap that is larger is
// collected when it has doubled, as ever.
const Room = 256 << 20

// Keep lets the heap of the process grow by Room before each collection, until stop is called. It
// changes nothing if the environment sets GOGC. A limit in GOMEMLIMIT holds as before.
func Keep(getenv func(string) string) (stop func()) {
	if getenv("GOGC") != "" {
		return func() {}
	}
	k := &keeper{percent: usual}
	k.adjust()
	again(&cycle{keeper: k})
	return k.stop
}

// keeper sets the percentage by which the heap grows.
type keeper struct {
	mu      sync.Mutex
	percent int
	stopped bool
}

// stop sets the percentage to Go's default, and leaves it alone from then on.
func (k *keeper) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	debug.SetGCPercent(usual)
}

// cycle is never reachable, so each collection finalizes it.
type cycle struct{ keeper *keeper }

func again(c *cycle) {
	runtime.SetFinalizer(c, func(c *cycle) {
		if c.keeper.adjust() {
			again(c)
		}
	})
}

// adjust is called after each collection. It reports whether it is to be called again. A change
// stops the world, so small ones are left out.
func (k *keeper) adjust() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return false
	}
	p, little := percent(scanned()), k.percent/8
	if p > k.percent+little || p < k.percent-little || p == usual && k.percent != usual {
		debug.SetGCPercent(p)
		k.percent = p
	}
	return true
}

// scanned returns the bytes of which the heap grows by a percentage: what the last collection has
// left, the stacks and the global variables.
func scanned() (sum uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(s)
	for _, one := range s {
		sum += one.Value.Uint64()
	}
	return sum
}

const (
	usual = 100     // Go's default
	least = 4 << 20 // bytes; the smallest heap that a percentage is computed for
)

// percent returns by how many per cent of what was scanned a heap grows that may grow by Room.
func percent(scanned uint64) int {
	return int(max(usual, usual*Room/max(scanned, least)))
}
