package bus

import (
	"errors"
	"fmt"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/singleobject"
)

// Permanent marks an error that trying again cannot cure: the message goes to the dead letter topic
// at once. Handlers use it for messages that break a rule.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// Permanentf is Permanent of a new error.
func Permanentf(format string, args ...any) error {
	return permanent{fmt.Errorf(format, args...)}
}

// IsPermanent says whether an error, or one it wraps, was marked as permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

type permanent struct{ err error }

func (p permanent) Error() string { return p.err.Error() }
func (p permanent) Unwrap() error { return p.err }

// ErrUnknownMessage says that a payload is none of the channel's messages. Errors given to
// OnDeadLetter can be tested for it.
var ErrUnknownMessage = singleobject.ErrUnknown

// ErrInvalid says that a payload was decoded but breaks its contract: a key or a header that is
// missing or wrong.
var ErrInvalid = errors.New("breaks its contract")

// ErrUndecodable says that a payload cannot be read as the message it claims to be.
var ErrUndecodable = errors.New("cannot be decoded")
