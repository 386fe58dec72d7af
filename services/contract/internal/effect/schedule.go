package effect

import (
	"container/heap"
	"time"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
)

// Schedule holds the instants at which contracts change by themselves, at most one for each. The
// time it takes to list those that are due depends on their number, not on that of all contracts.
type Schedule struct{ queue queue }

func newSchedule() *Schedule { return &Schedule{queue{index: map[contract.Ref]int{}}} }

// Due returns the contracts whose instant is not after now, in no particular order.
func (s *Schedule) Due(now time.Time) []contract.Ref { return s.queue.due(0, now, nil) }

// set sets the instant of a contract, in place of the one that it had.
func (s *Schedule) set(ref contract.Ref, at time.Time) {
	if i, known := s.queue.index[ref]; known {
		s.queue.items[i].at = at
		heap.Fix(&s.queue, i)
		return
	}
	heap.Push(&s.queue, change{ref, at})
}

// remove removes a contract, if it is there.
func (s *Schedule) remove(ref contract.Ref) {
	if i, known := s.queue.index[ref]; known {
		heap.Remove(&s.queue, i)
	}
}

// change is the instant of a contract.
type change struct {
	ref contract.Ref
	at  time.Time
}

// queue is a heap of changes, the earliest first. It implements heap.Interface.
type queue struct {
	items []change
	index map[contract.Ref]int // in items
}

// due appends to list what is due among the i-th item and those below it.
func (q *queue) due(i int, now time.Time, list []contract.Ref) []contract.Ref {
	if i >= len(q.items) || q.items[i].at.After(now) {
		return list
	}
	return q.due(2*i+2, now, q.due(2*i+1, now, append(list, q.items[i].ref)))
}

func (q *queue) Len() int           { return len(q.items) }
func (q *queue) Less(i, j int) bool { return q.items[i].at.Before(q.items[j].at) }

func (q *queue) Swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	q.index[q.items[i].ref], q.index[q.items[j].ref] = i, j
}

func (q *queue) Push(x any) {
	c := x.(change)
	q.index[c.ref] = len(q.items)
	q.items = append(q.items, c)
}

func (q *queue) Pop() any {
	last := len(q.items) - 1
	c := q.items[last]
	q.items = q.items[:last]
	delete(q.index, c.ref)
	return c
}
