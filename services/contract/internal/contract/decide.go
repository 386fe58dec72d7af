package contract

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknown is the error of a command on a contract that does not exist.
var ErrUnknown = errors.New("no such contract")

// ErrNoEffect is returned by Activate and ReactToDebit when there is nothing to do: not yet due,
// done before, or the contract is in a status that the matter does not concern. It is no failure.
var ErrNoEffect = errors.New("no effect")

// ClockTolerance is how far in the future a client's instants may lie before they are refused:
// clocks differ.
const ClockTolerance = time.Minute

// Command is something that is asked of a contract. The commands are the types of this package that
// have a decide method.
type Command interface {
	decide(c *Contract, now time.Time) (Event, error)
}

// Check says what is wrong with a command whatever the contract's state and the time are: *Invalid,
// or nil. So the body of a request is judged before the contract is looked at. Decide checks the
// same.
func Check(command Command) error {
	var f faults
	if c, ok := command.(interface{ check(*faults) }); ok {
		c.check(&f)
	}
	return f.err()
}

// Decide answers a command on the state c (nil: the contract does not exist) at the instant now. It
// returns the event that the command amounts to, or why there is none: *Invalid, *Forbidden,
// ErrUnknown or ErrNoEffect. It changes nothing, and whatever it returns Fold accepts on the same
// state.
func Decide(c *Contract, command Command, now time.Time) (Event, error) {
	if _, first := command.(Subscribe); !first && c == nil {
		return nil, ErrUnknown
	}
	return command.decide(c, now)
}

// Subscribe asks for a new contract. The reference is the caller's to hand out, each once.
type Subscribe struct {
	Ref         Ref
	CustomerRef string
	SellerRef   string
	Buyer       Company
	Ceiling     Money
	ValidFrom   time.Time
	ValidUntil  time.Time // zero: without end
}

func (s Subscribe) check(f *faults) {
	s.Buyer.check(f, "/buyer")
	s.Ceiling.check(f, "/ceiling")
}

func (s Subscribe) decide(c *Contract, now time.Time) (Event, error) {
	if c != nil {
		return nil, fmt.Errorf("contract %s exists already", s.Ref)
	}
	var f faults
	s.check(&f)
	checkEnd(&f, s.ValidFrom, s.ValidUntil, now)
	if err := f.err(); err != nil {
		return nil, err
	}
	return Subscribed(s), nil
}

// checkEnd: a validity ends after it begins, and not in the past: purchases have been judged by
// what was then known.
func checkEnd(f *faults, from, until, now time.Time) {
	switch {
	case until.IsZero():
	case !until.After(from):
		f.add("/validUntil", "must be later than validFrom, %s", from.Format(time.RFC3339))
	case !until.After(now):
		f.add("/validUntil", "must be later than now, %s", now.Format(time.RFC3339))
	}
}

// Activate asks whether the contract is due to become active: its mandate stands and its validity
// has begun. Nobody requests it; whoever notices proposes it, and all but the first proposal have
// no effect.
type Activate struct{}

func (Activate) decide(c *Contract, now time.Time) (Event, error) {
	if !c.permits(ActionActivate) || !c.Within(now) {
		return nil, ErrNoEffect
	}
	return Activated{Ref: c.Ref}, nil
}

// Suspend asks for purchases to be refused from now on.
type Suspend struct{ Reason string }

func (s Suspend) decide(c *Contract, _ time.Time) (Event, error) {
	if err := c.require(ActionSuspend); err != nil {
		return nil, err
	}
	return Suspended{Ref: c.Ref, Cause: Requested, Reason: s.Reason}, nil
}

// Reinstate asks for a suspended contract to be active again, whatever it was suspended for.
type Reinstate struct{ Reason string }

func (r Reinstate) decide(c *Contract, _ time.Time) (Event, error) {
	if err := c.require(ActionReinstate); err != nil {
		return nil, err
	}
	return Reinstated{Ref: c.Ref, Reason: r.Reason}, nil
}

// Terminate asks for the end of the contract. What was bought is still invoiced and collected.
type Terminate struct{ Reason string }

func (t Terminate) decide(c *Contract, _ time.Time) (Event, error) {
	if err := c.require(ActionTerminate); err != nil {
		return nil, err
	}
	return Terminated{Ref: c.Ref, Reason: t.Reason}, nil
}

// Amend asks for other terms; what is nil (and false) stays as it is. The currency stays: amounts
// owed are in it. A ceiling below what is outstanding is allowed, it blocks purchases and cancels
// none.
type Amend struct {
	Ceiling    *Money
	Buyer      *Company
	ValidUntil *time.Time
	OpenEnded  bool // takes the end of the validity away; not together with ValidUntil
	Reason     string
}

func (a Amend) check(f *faults) {
	if a.Ceiling == nil && a.Buyer == nil && a.ValidUntil == nil && !a.OpenEnded {
		f.add("", "at least one of ceiling, validUntil, buyer must be there")
	}
	if a.Ceiling != nil {
		a.Ceiling.check(f, "/ceiling")
	}
	if a.Buyer != nil {
		a.Buyer.check(f, "/buyer")
	}
	if a.ValidUntil != nil && a.OpenEnded {
		f.add("/validUntil", "cannot be set and taken away at once")
	}
}

func (a Amend) decide(c *Contract, now time.Time) (Event, error) {
	if err := c.require(ActionAmend); err != nil {
		return nil, err
	}
	var f faults
	a.check(&f)
	if a.Ceiling != nil && a.Ceiling.Currency != c.Ceiling.Currency {
		f.add("/ceiling/currency", "must stay %s", c.Ceiling.Currency)
	}
	if a.ValidUntil != nil {
		checkEnd(&f, c.ValidFrom, *a.ValidUntil, now)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return Amended{Ref: c.Ref, Ceiling: a.Ceiling, Buyer: a.Buyer, ValidUntil: a.ValidUntil, OpenEnded: a.OpenEnded, Reason: a.Reason}, nil
}

// SignMandate says that the customer signed this mandate; it takes the place of the one before.
type SignMandate struct {
	RUM      string
	ICS      string
	Scheme   Scheme
	SignedAt time.Time
	Account  Account
}

func (s SignMandate) check(f *faults) {
	f.check("/rum", CheckRUM(s.RUM))
	f.check("/ics", CheckICS(s.ICS))
	if s.Scheme != Core && s.Scheme != B2B {
		f.add("/scheme", "must be CORE or B2B")
	}
	s.Account.check(f)
}

func (s SignMandate) decide(c *Contract, now time.Time) (Event, error) {
	if err := c.require(ActionSignMandate); err != nil {
		return nil, err
	}
	var f faults
	s.check(&f)
	if s.SignedAt.After(now.Add(ClockTolerance)) {
		f.add("/signedAt", "must not be in the future; it is %s", now.Format(time.RFC3339))
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return MandateAccepted{Ref: c.Ref, Mandate: Mandate{
		RUM: s.RUM, ICS: s.ICS, Scheme: s.Scheme, IBANLastFour: s.Account.LastFour(), SignedAt: s.SignedAt,
	}}, nil
}

// RevokeMandate says that the customer took the mandate back. The status stays; purchases are
// refused for want of a mandate. A debtor may do so at any time, so it is allowed on a terminated
// contract too.
type RevokeMandate struct{ Reason string }

func (r RevokeMandate) decide(c *Contract, _ time.Time) (Event, error) {
	if err := c.require(ActionRevokeMandate); err != nil {
		return nil, err
	}
	return MandateWithdrawn{Ref: c.Ref, Reason: r.Reason}, nil
}

// ReactToDebit says that a direct debit of an invoice of this contract failed. An ACTIVE contract
// is suspended, once for each presentation of each invoice; in any other case there is no effect.
// So the same news, heard again after the contract was reinstated, does not suspend it again.
type ReactToDebit struct {
	Debit
	Returned bool // it failed after settlement, not before
}

func (r ReactToDebit) decide(c *Contract, _ time.Time) (Event, error) {
	if c.Status != StatusActive || c.knows(r.Debit) {
		return nil, ErrNoEffect
	}
	cause, failed := DirectDebitRejected, "rejected"
	if r.Returned {
		cause, failed = DirectDebitReturned, "returned"
	}
	debit := r.Debit
	return Suspended{
		Ref: c.Ref, Cause: cause, Debit: &debit,
		Reason: fmt.Sprintf("direct debit of %s %s (%s)", r.InvoiceRef, failed, r.Debit.Reason),
	}, nil
}
