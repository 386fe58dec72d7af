// Package record holds what a journal writes to its topics: the envelope of a decision and the
// position of a subscriber, each with its codec. Both are in Avro single-object encoding, and their
// schemas (gen/journalrecord) never change.
//
// Package journal exports Stream, Attempt and Sealed under its own name. Only the journal's own
// packages import this one.
package record

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Stream names one line of records that build on each other, such as "contract/CTR-7" or
// "key/shop/o-17". A record expects every stream that its decision has read.
type Stream string

// Attempt identifies one attempt to append a record: a UUID that no other attempt has; see
// Attempts. The zero value stands for "none".
type Attempt [16]byte

// String returns the canonical text of the UUID.
func (a Attempt) String() string {
	var b [36]byte
	hex.Encode(b[0:8], a[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], a[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], a[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], a[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], a[10:16])
	return string(b[:])
}

// ParseAttempt returns the attempt whose canonical text is given. An error is returned if text is
// anything else.
func ParseAttempt(text string) (a Attempt, err error) {
	digits := strings.ReplaceAll(text, "-", "")
	if len(digits) == hex.EncodedLen(len(a)) {
		_, err = hex.Decode(a[:], []byte(digits))
	}
	if err != nil || a.String() != text {
		return Attempt{}, fmt.Errorf("%q is not an attempt", text)
	}
	return a, nil
}

// IsZero reports whether a stands for "none".
func (a Attempt) IsZero() bool { return a == Attempt{} }

// Sealed is personal data of a record, encrypted with a key that can be destroyed. A fold may keep
// it but never opens it.
type Sealed struct {
	KeyID      string
	Nonce      []byte
	Ciphertext []byte
}

// Barrier is the kind of a record that changes nothing.
const Barrier = "barrier"

// Envelope is what the log keeps of a decision. Whether a record is applied depends on its envelope
// alone.
type Envelope struct {
	Kind        string // name of the body, or one of the journal's own: Barrier, Void, Release
	Attempt     Attempt
	Expects     []Expectation
	DecidedAt   int64 // microseconds since 1970
	Writer      string
	Traceparent string
	Body        []byte
	Sealed      *Sealed
}

// Expectation names the attempt that changed a stream last; the zero Attempt if none did.
type Expectation struct {
	Stream  Stream
	Attempt Attempt
}

// Record is one record as read from the log. Its envelope is decoded by Decode.
type Record struct {
	Offset   int64
	Appended time.Time
	Stamped  bool // Appended is the broker's time, not the writer's
	Value    []byte
	// Own means that Value equals, byte for byte, a record that this instance has in flight, or has
	// applied when it was acknowledged. Of the envelope, the attempt at most is filled in then.
	Own   bool
	Fault error // why Value could not be decoded
	Envelope
}

// Decode fills in the envelope or, if Value is not one, Fault. A second call does nothing.
func (r *Record) Decode() {
	if r.Kind == "" && r.Fault == nil {
		r.Envelope, r.Fault = Decode(r.Value)
	}
}

// Position is how far a subscriber of a log has come.
type Position struct {
	Name      string // of the subscriber
	Log       string // the log's topic
	Offset    int64  // of the next entry to deliver
	UpdatedAt int64  // microseconds since 1970
}

// Time returns the time, in UTC, that is so many microseconds after the start of 1970.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
