package ledger

import "github.com/deferpay/deferpay/services/journal"

// State is the state of one stream. Streams of one Family have states of one type. States are
// immutable.
type State = any

// View shows a decision or a fold the states of streams; see journal.View.
type View = journal.View[State]

// States reads the applied states of streams.
type States func(journal.Stream) (State, bool)

// State returns the state of a stream, and whether it has one.
func (s States) State(name journal.Stream) (State, bool) { return s(name) }

// Reader reads the states of streams: a *View, or States.
type Reader interface {
	State(journal.Stream) (State, bool)
}

// Family is the streams that have states of the type T. Its value is what their names begin with.
type Family[T any] string

// Stream returns the name of one of the streams.
func (f Family[T]) Stream(ref string) journal.Stream { return journal.Stream(string(f) + ref) }

// Get returns the state of one of the streams, and whether it has one.
func (f Family[T]) Get(from Reader, ref string) (state T, ok bool) {
	s, ok := from.State(f.name(from, ref))
	if !ok {
		return state, false
	}
	state, ok = s.(T)
	return state, ok
}

// Put sets the state of one of the streams. Only a fold may call it.
func (f Family[T]) Put(v *View, ref string, state T) { v.Set(v.Name(string(f), ref), state) }

// name returns the name of one of the streams, which a view may have already.
func (f Family[T]) name(from Reader, ref string) journal.Stream {
	if v, ok := from.(*View); ok {
		return v.Name(string(f), ref)
	}
	return f.Stream(ref)
}
