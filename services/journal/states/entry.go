package states

import (
	"errors"
	"fmt"
	"time"

	"github.com/deferpay/deferpay/services/journal/record"
)

// Entry is one applied record.
type Entry[B any] struct {
	Offset  int64          // in the log; -1 while the record is in flight
	Attempt record.Attempt // identity of the record; event ids derive from it
	// what it expects and changes: those named, then those that the decision read
	Streams     []record.Stream
	Kind        string    // name of the body
	DecidedAt   time.Time // the time that the decision used: UTC, whole microseconds
	Writer      string    // the instance that decided it
	Traceparent string    // W3C trace context of the request, or ""
	Body        B
	Sealed      *record.Sealed
}

// entryOf returns the entry of an envelope that has no offset yet.
func entryOf[B any](e *record.Envelope, body B) Entry[B] {
	streams := make([]record.Stream, len(e.Expects))
	for i := range e.Expects {
		streams[i] = e.Expects[i].Stream
	}
	return Entry[B]{
		Offset: -1, Attempt: e.Attempt, Streams: streams, Kind: e.Kind, DecidedAt: record.Time(e.DecidedAt),
		Writer: e.Writer, Traceparent: e.Traceparent, Body: body, Sealed: e.Sealed,
	}
}

// Verdict is the answer to a decision: the applied record and the states of its streams right after
// it.
type Verdict[S, B any] struct {
	Entry[B]
	After *View[S]
}

// NewVerdict returns a verdict with a view of its own, for States.Apply to fill in.
func NewVerdict[S, B any]() *Verdict[S, B] { return &Verdict[S, B]{After: new(View[S])} }

// Fold brings an entry into the states of its streams by v.Set.
//
// It is pure: it has no clock (v.Now is the time of the entry), does no I/O, looks at nothing but v
// and e, and has the same result on every instance and after every restart. It does not depend on
// Offset, which is not known while the record is in flight. It replaces states and never changes
// one in place.
//
// An error means that the record is impossible: the record has no effect, and its subject is
// parked. The journal runs the fold before it appends, and refuses the decision with that error, so
// a fold is the place for assertions.
type Fold[S, B any] func(v *View[S], e Entry[B]) error

// Codec turns bodies into bytes and back. Its methods may be called at the same time.
type Codec[B any] interface {
	// Encode returns the bytes of a body and its kind: a stable name of its type, for people and
	// tools. The kind "barrier", and those that begin with "journal.", are taken.
	Encode(body B) (kind string, data []byte, err error)
	// Decode returns the body. It depends on its arguments alone, so that every instance folds the
	// same body. An error that wraps ErrUnknownKind is returned if the program does not know the
	// kind, or the version of its schema.
	Decode(kind string, data []byte) (B, error)
}

// ErrUnknownKind is returned by Codec.Decode for a kind of body, or a version of it, that the
// program does not know, and that a newer program may know.
var ErrUnknownKind = errors.New("unknown kind")

// UnreadableError is why a log cannot be read any further: this program cannot decode one of its
// records. The record is never skipped, unless a later record declares it void.
type UnreadableError struct {
	Log    string // the topic
	Offset int64
	Kind   string // of the body; "" if the envelope itself cannot be decoded
	Err    error  // wraps ErrUnknownKind if a newer program may be able to decode it
}

func (e *UnreadableError) Error() string {
	at := fmt.Sprintf("record @%d of %s", e.Offset, e.Log)
	switch {
	case errors.Is(e.Err, ErrUnknownKind):
		return fmt.Sprintf("%s has the kind %q, which this version cannot read; run a newer version: %v", at, e.Kind, e.Err)
	case e.Kind == "":
		return fmt.Sprintf("%s is not a record of a journal: %v", at, e.Err)
	}
	return fmt.Sprintf("%s has the kind %q, and its body cannot be decoded: %v", at, e.Kind, e.Err)
}

func (e *UnreadableError) Unwrap() error { return e.Err }
