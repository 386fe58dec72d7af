package journal

import (
	"errors"

	"github.com/deferpay/deferpay/services/journal/internal/core"
	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Stream names one line of records that build on each other, such as "contract/CTR-7" or
// "key/shop/o-17". It is a string. A record expects every stream that its decision has read.
type Stream = record.Stream

// On lists streams.
func On(streams ...Stream) []Stream { return streams }

// Attempt identifies one attempt to append a record: a UUID that no other attempt has. The zero
// value stands for "none".
type Attempt = record.Attempt

// Sealed is personal data of a record, encrypted with a key that can be destroyed. The journal
// keeps it in the log and never opens it.
type Sealed = record.Sealed

// Entry is one applied record: its offset in the log, its identity (Attempt), the streams that it
// expects and changes, the time of the decision (DecidedAt, in whole microseconds), and its Body.
// Every instance, and every replay, sees the same entries in the same order.
type Entry[B any] = states.Entry[B]

// Verdict is the answer to a decision: the applied Entry, and After, the states of its streams
// right after it. A caller may keep it.
type Verdict[S, B any] = states.Verdict[S, B]

// View is what a decision or a fold sees: the State and the Version of streams, and the time, Now.
// Fold functions change states with Set. State values are shared and must never be changed in
// place. A view is valid during the call that it is passed to; that of a Verdict or of a message
// may be kept.
type View[S any] = states.View[S]

// Fold brings an entry into the states of its streams. It is pure: the same entry on the same
// states has the same result on every instance, for ever. Its error means that the record is
// impossible: before an append, the decision is refused with it (ErrImpossible); in the log, the
// record has no effect and parks its subject (ErrParked).
type Fold[S, B any] = states.Fold[S, B]

// Codec turns bodies into bytes and back. Decode returns an error that wraps ErrUnknownKind for a
// kind, or a version of it, that the program does not know. A record that cannot be decoded makes
// the instance not ready; it is never skipped, unless an operator declares it void in the log.
type Codec[B any] = states.Codec[B]

// Errors of Decide, for errors.Is. Unless an error says otherwise, nothing was appended.
var (
	// ErrAlready is what a decide function returns when the answer rests on a record that is
	// applied already, as for a repeated idempotency key. Decide returns it from applied state
	// alone, so Read finds that record.
	ErrAlready = core.ErrAlready
	// ErrUnknownOutcome is returned if a record was appended and it is not known whether it is in
	// the log. It may still be applied. Asking again with the same idempotency key settles it.
	ErrUnknownOutcome = core.ErrUnknownOutcome
	// ErrNotReady is returned if the instance is not ready; the text says why.
	ErrNotReady = core.ErrNotReady
	// ErrParked is returned if the decision reads a stream on which an impossible record was found.
	// Nothing is decided on that stream until a correction releases it.
	ErrParked = core.ErrParked
	// ErrImpossible is returned if the fold refused what the decide function made of the states. It
	// is a mistake in the domain.
	ErrImpossible = core.ErrImpossible
	// ErrTooLarge is returned if the record would be larger than a log takes, 900,000 bytes.
	ErrTooLarge = core.ErrTooLarge
)

// ErrUnknownKind is what Codec.Decode returns for a kind of body, or a version of it, that the
// program does not know, and that a newer program may know.
var ErrUnknownKind = states.ErrUnknownKind

// UnreadableError is why an instance is not ready when the log holds a record that it cannot
// decode. It has the Log, the Offset and the Kind of the record. Ready returns an error that wraps
// it.
type UnreadableError = states.UnreadableError

// ErrDataLoss is why an instance is not ready when the log no longer holds what was read from it.
// The instance discards its state and reads the log again.
var ErrDataLoss = topic.ErrDataLoss

// TopicError is a setting of a topic that is not what the journal needs. Only changing the topic,
// or the rights on it, helps.
type TopicError struct {
	Topic   string
	Setting string // its name in Kafka, such as "retention.ms"; or "partitions", "client options"
	Problem string
}

func (e *TopicError) Error() string { return (*topic.Mismatch)(e).Error() }

// topicError returns err, with a mismatch of the topic as a *TopicError.
func topicError(err error) error {
	var m *topic.Mismatch
	if errors.As(err, &m) {
		return (*TopicError)(m)
	}
	return err
}
