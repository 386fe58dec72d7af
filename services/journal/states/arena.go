package states

import (
	"strings"

	"github.com/deferpay/deferpay/services/journal/record"
)

// arena holds the names and cells of streams for as long as the states live. Most streams are never
// looked at again, and there are as many of them as records, so they lie in few large pieces of
// memory: the garbage collector marks a piece once, whatever it holds. A piece stays as long as
// anything in it does, so streams that are packed after a while are not in one.
type arena[S any] struct {
	names *strings.Builder
	cells []kept[S]
}

const (
	namesTogether = 32 << 10 // bytes
	cellsTogether = 256
)

// name returns a copy of a stream's name. The original may keep a whole record in memory.
func (a *arena[S]) name(s record.Stream) record.Stream {
	if a.names.Cap()-a.names.Len() < len(s) {
		a.names = new(strings.Builder)
		a.names.Grow(max(namesTogether, len(s)))
	}
	at := a.names.Len()
	a.names.WriteString(string(s))
	return record.Stream(a.names.String()[at:])
}

// cell returns a new cell.
func (a *arena[S]) cell() *kept[S] {
	if len(a.cells) == cap(a.cells) {
		a.cells = make([]kept[S], 0, cellsTogether)
	}
	a.cells = a.cells[:len(a.cells)+1]
	return &a.cells[len(a.cells)-1]
}
