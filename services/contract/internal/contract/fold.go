package contract

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Event is what happened to a contract. The events are the types of this package that have an apply
// method.
type Event interface {
	ref() Ref
	apply(c *Contract, at time.Time) (*Contract, error)
}

// The events, one for each thing that can happen.
type (
	// Subscribed: the contract began to exist.
	Subscribed Subscribe
	// Activated: it became active.
	Activated struct{ Ref Ref }
	// Amended: terms changed; what is nil (and false) stayed.
	Amended struct {
		Ref        Ref
		Ceiling    *Money
		Buyer      *Company
		ValidUntil *time.Time
		OpenEnded  bool
		Reason     string
	}
	// Suspended: purchases are refused from here on. Debit is set when a direct debit is the cause.
	Suspended struct {
		Ref    Ref
		Cause  Cause
		Reason string
		Debit  *Debit
	}
	// Reinstated: it is active again.
	Reinstated struct {
		Ref    Ref
		Reason string
	}
	// Terminated: it ended for good.
	Terminated struct {
		Ref    Ref
		Reason string
	}
	// MandateAccepted: this mandate is in force.
	MandateAccepted struct {
		Ref     Ref
		Mandate Mandate
	}
	// MandateWithdrawn: the mandate was revoked.
	MandateWithdrawn struct {
		Ref    Ref
		Reason string
	}
)

// Fold returns the contract after an event that happened at the instant at. It never changes c. An
// error says that the event is impossible on c: no command on c could have led to it. Values are
// taken as they are, so that a rule made stricter later does not make the past unreadable.
func Fold(c *Contract, e Event, at time.Time) (*Contract, error) {
	if _, first := e.(Subscribed); first != (c == nil) {
		return nil, fmt.Errorf("%T on a contract that exists: %t", e, c != nil)
	}
	next, err := e.apply(c, at)
	if err != nil {
		return nil, err
	}
	next.Version++
	next.UpdatedAt = at
	return next, nil
}

// step returns a copy to be changed, if the contract permits the action.
func (c *Contract) step(a Action) (*Contract, error) {
	if err := c.require(a); err != nil {
		return nil, err
	}
	next := *c
	return &next, nil
}

func (e Subscribed) apply(_ *Contract, at time.Time) (*Contract, error) {
	return &Contract{
		Ref: e.Ref, CustomerRef: e.CustomerRef, SellerRef: e.SellerRef, Status: StatusPending, Buyer: e.Buyer,
		Ceiling: e.Ceiling, ValidFrom: e.ValidFrom, ValidUntil: e.ValidUntil, CreatedAt: at,
	}, nil
}

func (e Activated) apply(c *Contract, at time.Time) (*Contract, error) {
	if !c.Within(at) {
		return nil, errors.New("activated outside its validity")
	}
	next, err := c.step(ActionActivate)
	if err == nil {
		next.Status = StatusActive
	}
	return next, err
}

func (e Amended) apply(c *Contract, _ time.Time) (*Contract, error) {
	next, err := c.step(ActionAmend)
	if err != nil {
		return nil, err
	}
	if e.Ceiling != nil {
		next.Ceiling = *e.Ceiling
	}
	if e.Buyer != nil {
		next.Buyer = *e.Buyer
	}
	if e.OpenEnded {
		next.ValidUntil = time.Time{}
	}
	if e.ValidUntil != nil {
		next.ValidUntil = *e.ValidUntil
	}
	return next, nil
}

func (e Suspended) apply(c *Contract, at time.Time) (*Contract, error) {
	next, err := c.step(ActionSuspend)
	if err != nil {
		return nil, err
	}
	next.Status = StatusSuspended
	next.Suspension = &Suspension{Cause: e.Cause, Detail: e.Reason, Since: at}
	if e.Debit != nil {
		if c.knows(*e.Debit) {
			return nil, fmt.Errorf("suspended twice for presentation %d of %s", e.Debit.Presentation, e.Debit.InvoiceRef)
		}
		next.Suspension.InvoiceRef = e.Debit.InvoiceRef
		next.Debits = append(slices.Clip(c.Debits), *e.Debit)
	}
	return next, nil
}

func (e Reinstated) apply(c *Contract, _ time.Time) (*Contract, error) {
	next, err := c.step(ActionReinstate)
	if err == nil {
		next.Status, next.Suspension = StatusActive, nil
	}
	return next, err
}

func (e Terminated) apply(c *Contract, at time.Time) (*Contract, error) {
	next, err := c.step(ActionTerminate)
	if err == nil {
		next.Status, next.Suspension = StatusTerminated, nil
		next.Termination = &Termination{Reason: e.Reason, Since: at}
	}
	return next, err
}

func (e MandateAccepted) apply(c *Contract, _ time.Time) (*Contract, error) {
	next, err := c.step(ActionSignMandate)
	if err == nil {
		mandate := e.Mandate
		next.Mandate = &mandate
	}
	return next, err
}

func (e MandateWithdrawn) apply(c *Contract, at time.Time) (*Contract, error) {
	next, err := c.step(ActionRevokeMandate)
	if err == nil {
		mandate := *c.Mandate
		mandate.RevokedAt = at
		next.Mandate = &mandate
	}
	return next, err
}

// RefOf returns the contract that an event happened to.
func RefOf(e Event) Ref { return e.ref() }

func (e Subscribed) ref() Ref       { return e.Ref }
func (e Activated) ref() Ref        { return e.Ref }
func (e Amended) ref() Ref          { return e.Ref }
func (e Suspended) ref() Ref        { return e.Ref }
func (e Reinstated) ref() Ref       { return e.Ref }
func (e Terminated) ref() Ref       { return e.Ref }
func (e MandateAccepted) ref() Ref  { return e.Ref }
func (e MandateWithdrawn) ref() Ref { return e.Ref }
