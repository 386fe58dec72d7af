package record

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// The kinds of records that the journal itself defines. Operators write the first two. Each
// expects a stream of its own to be new, for the sake of readers that do not know the kind: to them
// it is a record that holds and that they cannot decode, so they are not ready.
const (
	Void    = "journal.void"    // the body is a Voiding
	Release = "journal.release" // the body is a Releasing
	Forget  = "journal.forget"  // the body is a Forgetting
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

// Forgetting makes streams as if they had never been: those whose names begin with Prefix, and
// whose last record was decided before a time.
type Forgetting struct {
	Prefix string
	Before int64 // microseconds since 1970
}

// Forgets reports whether a stream is forgotten that was last changed at a time.
func (f Forgetting) Forgets(s Stream, at int64) bool {
	return at < f.Before && strings.HasPrefix(string(s), f.Prefix)
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

// Envelope returns the record that declares f, without an attempt, a time and a writer.
func (f Forgetting) Envelope() (Envelope, error) {
	body, err := avrobin.EncodeSingleObject(&journalrecord.StreamsForgotten{Prefix: f.Prefix, Before: Time(f.Before)})
	return operators(Forget, strconv.FormatInt(f.Before, 10)+"/"+f.Prefix, body), err
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

// Forgetting returns what a record of kind Forget declares.
func (e *Envelope) Forgetting() (Forgetting, error) {
	var b journalrecord.StreamsForgotten
	err := decodeSingle(e.Body, &b)
	return Forgetting{Prefix: b.Prefix, Before: b.Before.UnixMicro()}, err
}
