// Package feed keeps the last events of the live view and sends them to browsers as server-sent
// events. Only the packages of the live view import it.
package feed

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Event is something that happened, as the page receives it.
type Event struct {
	Number int64     `json:"n"` // from 1, without gaps
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
	Body   any       `json:"body"`
}

// Feed keeps the last events of one run and the present state of the system. Its methods are safe
// for concurrent use.
type Feed struct {
	room int

	mu      sync.Mutex
	run     string            // tells events of different runs apart
	events  []json.RawMessage // the last ones, at most room
	last    int64             // number of the newest event
	state   json.RawMessage
	version int64         // of state
	changed chan struct{} // closed and replaced with each change
}

// New returns a feed that keeps the last room events.
func New(room int) *Feed {
	return &Feed{room: room, run: newRun(), changed: make(chan struct{})}
}

// newRun returns a text that no earlier process has used.
func newRun() string { return strconv.FormatInt(time.Now().UnixNano(), 36) }

// Add appends an event. The body must have a JSON form.
func (f *Feed) Add(kind string, body any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, err := json.Marshal(Event{Number: f.last + 1, At: time.Now().UTC(), Kind: kind, Body: body})
	if err != nil {
		panic(fmt.Sprintf("event %s without a JSON form: %v", kind, err))
	}
	f.last++
	if len(f.events) >= f.room {
		f.events = f.events[1:] // append copies them once the array is full
	}
	f.events = append(f.events, data)
	f.wake()
}

// SetState replaces the state, unless it is the same.
func (f *Feed) SetState(state any) {
	data, err := json.Marshal(state)
	if err != nil {
		panic(fmt.Sprintf("state without a JSON form: %v", err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if string(data) == string(f.state) {
		return
	}
	f.state = data
	f.version++
	f.wake()
}

// Restart forgets all events. Browsers forget them too.
func (f *Feed) Restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run, f.events, f.last = newRun(), nil, 0
	f.wake()
}

// wake wakes the readers. The caller must hold f.mu.
func (f *Feed) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// reader is the position of one browser.
type reader struct {
	run     string
	last    int64 // number of the newest event that it has
	version int64 // of the state that it has
}

// parseReader returns the position that a Last-Event-ID names. A text that is none is the position
// of a browser that has nothing.
func parseReader(id string) reader {
	run, number, _ := strings.Cut(id, ".")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return reader{}
	}
	return reader{run: run, last: n}
}

// parcel is what a browser has not received.
type parcel struct {
	fresh   bool              // the browser is to forget what it has
	lost    int64             // events that it has not received and that are no longer kept
	events  []json.RawMessage // oldest first
	id      string            // of the newest of them
	state   json.RawMessage   // nil if the browser has it
	changed <-chan struct{}
}

// most is the number of events in one parcel.
const most = 200

// next returns what a browser has not received, and moves its position past it.
func (f *Feed) next(r *reader) parcel {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := parcel{changed: f.changed}
	if r.run != f.run || r.last > f.last {
		p.fresh = true
		r.run, r.last = f.run, 0
	}
	oldest := f.last - int64(len(f.events)) + 1
	if r.last < oldest-1 {
		p.lost = oldest - 1 - r.last
		r.last = oldest - 1
	}
	p.events = f.events[r.last-oldest+1:]
	p.events = p.events[:min(len(p.events), most):min(len(p.events), most)]
	r.last += int64(len(p.events))
	p.id = fmt.Sprintf("%s.%d", f.run, r.last)
	if r.version != f.version {
		r.version, p.state = f.version, f.state
	}
	return p
}
