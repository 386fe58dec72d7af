package core

import (
	"math"
	"slices"

	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// speculation is what this instance has in flight on one stream. While it is on, decisions are
// built on head, the state after the records in flight. It is dropped when a record of another
// instance came between, when one of ours was void, or when a produce failed. The stream then waits
// until none of our records is in flight on it, and starts again with one record at a time,
// doubling with each success.
type speculation[S, B any] struct {
	stream  record.Stream
	on      bool
	epoch   int64 // of the core when it was turned on
	head    states.Cell[S]
	flights []*flight[S, B] // by seq
	doomed  int64           // flights from this seq on will be void
	window  int             // how many may be in flight; 0 for any number
	waiting []*Command[S, B]
}

const (
	never     = math.MaxInt64
	maxWindow = 256 // a window beyond it becomes 0
)

// speculate puts a flight on top of its streams; d shows them after it.
func (c *Core[S, B]) speculate(f *flight[S, B], d *states.Draft[S]) {
	f.specs = f.inline.specs[:0]
	for i := range d.Len() {
		s, cell := d.At(i)
		sp := c.spec(s)
		f.specs = append(f.specs, sp)
		sp.on, sp.epoch = true, c.epoch
		sp.head = *cell
		sp.flights = append(sp.flights, f)
	}
}

// spec returns the speculation of a stream, which may be a new one.
func (c *Core[S, B]) spec(s record.Stream) *speculation[S, B] {
	sp := c.specs[s]
	if sp != nil {
		return sp
	}
	if n := len(c.idle); n > 0 {
		sp = c.idle[n-1]
		c.idle = c.idle[:n-1]
	} else {
		sp = &speculation[S, B]{}
	}
	sp.stream, sp.doomed = s, never
	c.specs[s] = sp
	return sp
}

// blocked reports whether decisions on the stream have to wait.
func (c *Core[S, B]) blocked(sp *speculation[S, B]) bool {
	if sp.on && sp.epoch != c.epoch {
		c.drop(sp)
	}
	n := len(sp.flights)
	if n == 0 {
		return false
	}
	return !sp.on || sp.window > 0 && n >= sp.window
}

// wait lets a command wait for a stream.
func (c *Core[S, B]) wait(sp *speculation[S, B], cmd *Command[S, B]) {
	sp.waiting = append(sp.waiting, cmd)
	c.waiting++
}

// drop ends building on what is in flight.
func (c *Core[S, B]) drop(sp *speculation[S, B]) {
	if sp.on {
		c.stats.Drops++
	}
	sp.on, sp.window = false, 1
	var none states.Cell[S]
	sp.head = none
}

// overtaken drops the speculation on streams that a record of another instance has changed: what we
// still have in flight on them will be void.
func (c *Core[S, B]) overtaken(streams []record.Stream) {
	for _, s := range streams {
		if sp := c.specs[s]; sp != nil && len(sp.flights) > 0 {
			c.doom(sp, 0)
			c.drop(sp)
		}
	}
}

// doom marks the flights on a stream from seq on, which will be void, and with them those that were
// built on them on other streams.
func (c *Core[S, B]) doom(sp *speculation[S, B], seq int64) {
	if seq >= sp.doomed {
		return
	}
	before := sp.doomed
	sp.doomed = seq
	for _, f := range sp.flights {
		if f.seq < seq || f.seq >= before {
			continue
		}
		for _, other := range f.specs {
			if other != sp {
				c.drop(other)
				c.doom(other, f.seq)
			}
		}
	}
}

// succeed widens the windows of streams on which a record of ours was applied.
func (c *Core[S, B]) succeed(specs []*speculation[S, B]) {
	for _, sp := range specs {
		if sp.window > 0 {
			if sp.window *= 2; sp.window > maxWindow {
				sp.window = 0
			}
		}
	}
}

// wake decides the commands that waited for the streams, until one has to wait again.
func (c *Core[S, B]) wake(specs []*speculation[S, B]) {
	for _, sp := range specs {
		for len(sp.waiting) > 0 && !c.blocked(sp) {
			cmd := sp.waiting[0]
			sp.waiting[0] = nil
			sp.waiting = sp.waiting[1:]
			c.waiting--
			c.try(cmd)
		}
		if len(sp.flights) == 0 && len(sp.waiting) == 0 {
			c.release(sp)
		}
	}
}

// release forgets a stream on which nothing is in flight and nobody waits.
func (c *Core[S, B]) release(sp *speculation[S, B]) {
	delete(c.specs, sp.stream)
	if len(c.idle) < 1024 {
		*sp = speculation[S, B]{flights: sp.flights[:0]}
		c.idle = append(c.idle, sp)
	}
}

// remove takes a flight off the stream.
func (sp *speculation[S, B]) remove(f *flight[S, B]) {
	i := slices.Index(sp.flights, f)
	if i < 0 {
		return
	}
	sp.flights = slices.Delete(sp.flights, i, i+1)
	if len(sp.flights) == 0 {
		var none states.Cell[S]
		sp.on, sp.head, sp.doomed = false, none, never
	}
}
