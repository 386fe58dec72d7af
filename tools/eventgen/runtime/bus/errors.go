package bus

import (
	"errors"
	"fmt"
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/singleobject"
)

// Permanent marks an error that would be returned again by every retry, so that the message goes to
// the dead letter topic at once. It returns nil if err is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// Permanentf returns a new permanent error.
func Permanentf(format string, args ...any) error {
	return permanent{fmt.Errorf(format, args...)}
}

// IsPermanent reports whether an error, or one it wraps, is permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

type permanent struct{ err error }

func (p permanent) Error() string { return p.err.Error() }
func (p permanent) Unwrap() error { return p.err }

// ErrUnknownMessage is wrapped by the error for a payload that is not a message of the channel, as
// OnDeadLetter gets it.
var ErrUnknownMessage = singleobject.ErrUnknown

// ErrTooLarge is wrapped by the error of a publisher for a message that is larger than the topic or
// the client takes. The publisher of package kafkabus returns it.
var ErrTooLarge = errors.New("message too large")

// ErrInvalid is wrapped by the error for a message that was decoded and violates its contract, for
// example with a missing key or a wrong header.
var ErrInvalid = errors.New("breaks its contract")

// ErrUndecodable is wrapped by the error for a payload that cannot be decoded.
var ErrUndecodable = errors.New("cannot be decoded")

// PublishError is the error of a publisher for a call with several messages, some of which may have
// been published.
type PublishError struct {
	Errors []error // of each message in the order of the call, nil if it was published
}

// Error returns the first error, and how many there are.
func (e *PublishError) Error() string {
	failed := e.Unwrap()
	if len(failed) == 0 {
		return fmt.Sprintf("none of %d messages failed", len(e.Errors))
	}
	return fmt.Sprintf("%d of %d messages: %v", len(failed), len(e.Errors), failed[0])
}

// Unwrap returns the errors of the messages that were not published.
func (e *PublishError) Unwrap() []error {
	return slices.DeleteFunc(slices.Clone(e.Errors), func(err error) bool { return err == nil })
}

// PublishedError returns the error of the message i of a call to Publish that returned err: nil if
// that message was published.
func PublishedError(err error, i int) error {
	var some *PublishError
	if errors.As(err, &some) && i < len(some.Errors) {
		return some.Errors[i]
	}
	return err
}
