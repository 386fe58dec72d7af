package record

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// The kinds of records that an operator writes. They have no effect on a stream of the domain. Each
// expects a stream of its own to be new, for the sake of readers that do not know the kind: to them
// it is a record that holds and that they cannot decode, so they are not ready.
const (
	Void    = "journal.void"    // the body is a Voiding
	Release = "journal.release" // the body is a Releasing
)

// IsReserved reports whether a kind is the journal's own, so that no body of a domain may have it.
func IsReserved(kind string) bool { return kind == Barrier || strings.HasPrefix(kind, "journal.") }

// Digest is the SHA-256 of the value of a record.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a value.
func DigestOf(value []byte) Digest { return sha256.Sum256(value) }

// Voiding declares an earlier record void: no reader can decode it, so it has no effect.
type Voiding struct {
	Offset int64
	Digest Digest // of the record that is meant
	Reason string
}

// Releasing releases a stream that an impossible record has parked.
type Releasing struct {
	Stream  Stream
	Attempt Attempt // the impossible record
	Reason  string
}

// Envelope returns the record that declares v, without an attempt, a time and a writer.
func (v Voiding) Envelope() (Envelope, error) {
	body, err := avrobin.EncodeSingleObject(&journalrecord.RecordVoided{Offset: v.Offset, Digest: v.Digest[:], Reason: v.Reason})
	return operators(Void, strconv.FormatInt(v.Offset, 10)+"/"+fmt.Sprintf("%x", v.Digest[:8]), body), err
}

// Envelope returns the record that declares r, without an attempt, a time and a writer.
func (r Releasing) Envelope() (Envelope, error) {
	body, err := avrobin.EncodeSingleObject(&journalrecord.StreamReleased{Stream: string(r.Stream), Attempt: journalrecord.AttemptID(r.Attempt), Reason: r.Reason})
	return operators(Release, r.Attempt.String(), body), err
}

func operators(kind, name string, body []byte) Envelope {
	stream := Stream(strings.Replace(kind, ".", "/", 1) + "/" + name)
	return Envelope{Kind: kind, Expects: []Expectation{{Stream: stream}}, Body: body}
}

// Voiding returns what a record of kind Void declares.
func (e *Envelope) Voiding() (v Voiding, err error) {
	var b journalrecord.RecordVoided
	if err := decodeSingle(e.Body, &b); err != nil {
		return v, err
	}
	if len(b.Digest) != len(v.Digest) {
		return v, fmt.Errorf("a digest of %d bytes", len(b.Digest))
	}
	return Voiding{Offset: b.Offset, Digest: Digest(b.Digest), Reason: b.Reason}, nil
}

// Releasing returns what a record of kind Release declares.
func (e *Envelope) Releasing() (Releasing, error) {
	var b journalrecord.StreamReleased
	err := decodeSingle(e.Body, &b)
	return Releasing{Stream: Stream(b.Stream), Attempt: Attempt(b.Attempt), Reason: b.Reason}, err
}
