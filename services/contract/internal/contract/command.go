package contract

import (
	"errors"
	"time"
)

// ErrUnknown is the error of a command on a contract that does not exist.
var ErrUnknown = errors.New("no such contract")

// ErrOtherCustomer is the error of a ReactToDebit that names another customer than the contract's.
var ErrOtherCustomer = errors.New("the contract is of another customer")

// ErrNoEffect is returned by Activate, Expire and ReactToDebit if there is nothing to record: it is
// not due yet, it was done before, or the contract's status makes it irrelevant. It is no failure.
var ErrNoEffect = errors.New("no effect")

// ClockTolerance is how far in the future a client's instants may lie before they are refused:
// clocks differ.
const ClockTolerance = time.Minute

// Command is something that is asked of a contract. The commands are the types of this package that
// have a decide method.
type Command interface {
	decide(c *Contract, now time.Time) (Event, error)
}

// Check returns what is wrong with a command whatever the contract's state and the time are: an
// *Invalid, or nil. So the body of a request is judged before its contract is read. Decide checks
// the same.
func Check(command Command) error {
	var f faults
	if c, ok := command.(interface{ check(*faults) }); ok {
		c.check(&f)
	}
	return f.err()
}

// Decide answers a command on the state c (nil: the contract does not exist) at the instant now. It
// returns the event that the command amounts to, or why there is none: *Invalid, *Forbidden,
// *UnusableMandate, ErrUnknown, ErrOtherCustomer or ErrNoEffect. It changes nothing, and whatever
// it returns Fold accepts on the same state.
func Decide(c *Contract, command Command, now time.Time) (Event, error) {
	if _, first := command.(Subscribe); !first && c == nil {
		return nil, ErrUnknown
	}
	return command.decide(c, now)
}
