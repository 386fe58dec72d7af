// Package heaproom lets a small heap grow further before it is collected. By default Go collects a
// heap once it has doubled, so a process with little in memory that serves many requests spends a
// fifth of its processor time on collections. The commands of the services and the embedded broker
// import it.
package heaproom

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Room is how many bytes are allocated between two collections at least. A heap that is larger is
// collected when it has doubled, as ever.
const Room = 256 << 20

// Keep lets the heap of the process grow by Room before each collection. It changes nothing if the
// environment sets GOGC. A limit in GOMEMLIMIT holds as before.
func Keep(getenv func(string) string) {
	if getenv("GOGC") != "" {
		return
	}
	k := &keeper{percent: usual}
	k.adjust()
	again(&cycle{keeper: k})
}

// keeper sets the percentage by which the heap grows.
type keeper struct{ percent int }

// cycle is never reachable, so each collection finalizes it.
type cycle struct{ keeper *keeper }

func again(c *cycle) {
	runtime.SetFinalizer(c, func(c *cycle) {
		c.keeper.adjust()
		again(c)
	})
}

// adjust is called after each collection. A change stops the world, so small ones are left out.
func (k *keeper) adjust() {
	p, little := percent(live()), k.percent/8
	if p > k.percent+little || p < k.percent-little || p == usual && k.percent != usual {
		debug.SetGCPercent(p)
		k.percent = p
	}
}

// live returns how many bytes the last collection has left.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

const (
	usual = 100     // Go's default
	least = 4 << 20 // Go's smallest heap
)

// percent returns by how many per cent a heap grows that may grow by Room.
func percent(live uint64) int {
	return int(max(usual, usual*Room/max(live, least)))
}
