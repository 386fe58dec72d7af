package journal

import "strings"

// attic holds what is kept of streams for as long as the process reads the log: most
// are never looked at again, and there are as many as records. They lie in few large
// pieces of memory, for the garbage collector marks a piece and not what is in it.
type attic[S any] struct {
	names *strings.Builder
	cells []cell[S]
}

const (
	namesTogether = 32 << 10 // bytes
	cellsTogether = 256
)

// name is a copy of a stream's name, which may keep a whole record alive.
func (a *attic[S]) name(s Stream) Stream {
	if a.names.Cap()-a.names.Len() < len(s) {
		a.names = new(strings.Builder)
		a.names.Grow(max(namesTogether, len(s)))
	}
	at := a.names.Len()
	a.names.WriteString(string(s))
	return Stream(a.names.String()[at:])
}

// cell is a new one.
func (a *attic[S]) cell() *cell[S] {
	if len(a.cells) == cap(a.cells) {
		a.cells = make([]cell[S], 0, cellsTogether)
	}
	a.cells = a.cells[:len(a.cells)+1]
	return &a.cells[len(a.cells)-1]
}
