package contract

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// StatusVisitor has a method for every event that changes the status of a contract.
type StatusVisitor interface {
	Activated(Activated) error
	Suspended(Suspended) error
	Reinstated(Reinstated) error
	Expired(Expired) error
	Terminated(Terminated) error
}

// Activate makes the contract active if that is due: its mandate stands and its validity has begun.
// Nobody requests it. Every instance proposes it, and all but the first proposal have no effect.
type Activate struct{}

func (Activate) decide(c *Contract, now time.Time) (Event, error) {
	if !c.permits(ActionActivate) || !c.Within(now) {
		return nil, ErrNoEffect
	}
	return Activated{Ref: c.Ref}, nil
}

// Activated: it became active.
type Activated struct{ Ref Ref }

// About implements Event.
func (e Activated) About() Subject { return Subject{Contract: e.Ref} }

// Visit implements Event.
func (e Activated) Visit(v Visitor) error { return v.Activated(e) }

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

// Suspend asks for purchases to be refused from now on.
type Suspend struct{ Reason string }

func (s Suspend) decide(c *Contract, _ time.Time) (Event, error) {
	if err := c.require(ActionSuspend); err != nil {
		return nil, err
	}
	return Suspended{Ref: c.Ref, Cause: Requested, Reason: s.Reason}, nil
}

// ReactToDebit says that a direct debit of an invoice of this contract failed. An ACTIVE contract
// is suspended, at most once for the rejection and once for the return of each presentation of each
// invoice. So is an EXPIRED one that would otherwise be ACTIVE again when its validity is
// prolonged. In any other case there is no effect. A failure from before the contract was last
// reinstated does not suspend it: events are received again after a restart, also those that had no
// effect and so left no record.
type ReactToDebit struct {
	Debit
	CustomerRef string    // the customer of the invoice
	Returned    bool      // it failed after settlement, not before
	OccurredAt  time.Time // zero: not known
}

// Failure returns what identifies the failure.
func (r ReactToDebit) Failure() Failure {
	return Failure{InvoiceRef: r.InvoiceRef, Presentation: r.Presentation, Returned: r.Returned}
}

func (r ReactToDebit) decide(c *Contract, _ time.Time) (Event, error) {
	if r.CustomerRef != c.CustomerRef {
		return nil, fmt.Errorf("%w: %q, not %q", ErrOtherCustomer, r.CustomerRef, c.CustomerRef)
	}
	cause, failed := DirectDebitRejected, "rejected"
	if r.Returned {
		cause, failed = DirectDebitReturned, "returned"
	}
	past := !r.OccurredAt.IsZero() && r.OccurredAt.Before(c.ReinstatedAt)
	if c.underlying() != StatusActive || past || c.knows(r.Failure()) {
		return nil, ErrNoEffect
	}
	debit := r.Debit
	return Suspended{
		Ref: c.Ref, Cause: cause, Debit: &debit,
		Reason: fmt.Sprintf("direct debit of %s %s (%s)", r.InvoiceRef, failed, r.Debit.Reason),
	}, nil
}

// Suspended: purchases are refused from here on. Debit is set when a direct debit is the cause.
type Suspended struct {
	Ref    Ref
	Cause  Cause
	Reason string
	Debit  *Debit
}

// About implements Event.
func (e Suspended) About() Subject {
	about := Subject{Contract: e.Ref}
	if e.Debit != nil {
		about.Debit = e.Debit.EventID
	}
	return about
}

// Visit implements Event.
func (e Suspended) Visit(v Visitor) error { return v.Suspended(e) }

func (e Suspended) apply(c *Contract, at time.Time) (*Contract, error) {
	next, err := e.suspended(c)
	if err != nil {
		return nil, err
	}
	next.Suspension = &Suspension{Cause: e.Cause, Detail: e.Reason, Since: at}
	if e.Debit != nil {
		failure := e.Debit.failure(e.Cause)
		if c.knows(failure) {
			return nil, fmt.Errorf("suspended twice for presentation %d of %s", e.Debit.Presentation, e.Debit.InvoiceRef)
		}
		next.Suspension.InvoiceRef = e.Debit.InvoiceRef
		next.Failures = append(slices.Clip(c.Failures), failure)
	}
	return next, nil
}

// suspended returns a copy of the contract with the status changed. A contract that has expired
// stays EXPIRED: it will be SUSPENDED when its validity is prolonged.
func (e Suspended) suspended(c *Contract) (*Contract, error) {
	if e.Debit != nil && c.Status == StatusExpired && c.underlying() == StatusActive {
		next := *c
		next.Expiry = &Expiry{Before: StatusSuspended, Since: c.Expiry.Since}
		return &next, nil
	}
	next, err := c.step(ActionSuspend)
	if err == nil {
		next.Status = StatusSuspended
	}
	return next, err
}

// Reinstate asks for a suspended contract to be active again, whatever it was suspended for. A
// contract that could buy nothing then is not reinstated: its validity is over, or no mandate
// stands. Whether a mandate has lapsed is not known here, because that depends on collections.
type Reinstate struct{ Reason string }

func (r Reinstate) decide(c *Contract, now time.Time) (Event, error) {
	if err := c.require(ActionReinstate); err != nil {
		return nil, err
	}
	switch {
	case c.Over(now):
		return nil, c.forbidden(ActionReinstate).because("and its validity ended at "+c.ValidUntil.Format(time.RFC3339), "amend validUntil first")
	case !c.Mandate.Stands():
		return nil, c.forbidden(ActionReinstate).because("and has no mandate that stands", "have a mandate signed first")
	}
	return Reinstated{Ref: c.Ref, Reason: r.Reason}, nil
}

// Reinstated: it is active again.
type Reinstated struct {
	Ref    Ref
	Reason string
}

// About implements Event.
func (e Reinstated) About() Subject { return Subject{Contract: e.Ref} }

// Visit implements Event.
func (e Reinstated) Visit(v Visitor) error { return v.Reinstated(e) }

func (e Reinstated) apply(c *Contract, at time.Time) (*Contract, error) {
	next, err := c.step(ActionReinstate)
	if err == nil {
		next.Status, next.Suspension, next.ReinstatedAt = StatusActive, nil, at
	}
	return next, err
}

// Terminate asks for the end of the contract. What was bought is still invoiced and collected.
type Terminate struct{ Reason string }

func (t Terminate) decide(c *Contract, _ time.Time) (Event, error) {
	if err := c.require(ActionTerminate); err != nil {
		return nil, err
	}
	return Terminated{Ref: c.Ref, Reason: t.Reason}, nil
}

// Terminated: it ended for good.
type Terminated struct {
	Ref    Ref
	Reason string
}

// About implements Event.
func (e Terminated) About() Subject { return Subject{Contract: e.Ref} }

// Visit implements Event.
func (e Terminated) Visit(v Visitor) error { return v.Terminated(e) }

func (e Terminated) apply(c *Contract, at time.Time) (*Contract, error) {
	next, err := c.step(ActionTerminate)
	if err == nil {
		next.Status, next.Suspension, next.Expiry = StatusTerminated, nil, nil
		next.Termination = &Termination{Reason: e.Reason, Since: at}
	}
	return next, err
}
