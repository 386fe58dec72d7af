package contract

import (
	"fmt"
	"time"
)

// MandateVisitor has a method for every event about the mandate of a contract.
type MandateVisitor interface {
	MandateAccepted(MandateAccepted) error
	MandateWithdrawn(MandateWithdrawn) error
}

// SignMandate says that the customer signed this mandate; it takes the place of the one before. The
// same mandate may be signed again by its contract, with another account for example.
//
// A contract that has ended may get a mandate too: its last invoices are still collected.
type SignMandate struct {
	RUM      string
	ICS      string
	Scheme   Scheme
	SignedAt time.Time
	Account  Account

	Key    string // identifies the mandate to the banks
	Use    Use    // what became of a mandate with that key until now
	Renews bool   // it is the mandate that the contract has
}

// Use is what became of a mandate. A mandate reference names one mandate for ever: it is never used
// by another contract, nor after the mandate was revoked.
type Use struct {
	By      Ref // the contract that it was signed for first; empty: none
	Revoked bool
}

// UnusableMandate is the error of a mandate that cannot be signed, although it is well formed.
type UnusableMandate struct {
	Ref     Ref
	Version int64
	RUM     string
	Cause   Unusable
	Since   time.Time // when it lapsed
}

// Unusable is why a mandate cannot be signed.
type Unusable int

// A mandate was signed for another contract, was revoked, or has lapsed.
const (
	UsedElsewhere Unusable = iota
	RevokedBefore
	Lapsed
)

func (e *UnusableMandate) Error() string {
	switch e.Cause {
	case UsedElsewhere:
		return fmt.Sprintf("mandate %s was signed for another contract", e.RUM)
	case RevokedBefore:
		return fmt.Sprintf("mandate %s was revoked", e.RUM)
	}
	return fmt.Sprintf("mandate %s lapsed on %s", e.RUM, e.Since.Format(time.RFC3339))
}

// lapseYears: a mandate lapses 36 months after its signature if nothing is collected under it.
const lapseYears = 3

// usable returns an *UnusableMandate unless the mandate may be used on the contract. The mandate
// that the contract has already is not asked for its age: whether it has lapsed depends on
// collections, which billing knows.
func (s SignMandate) usable(c *Contract, now time.Time) error {
	unusable := func(cause Unusable, since time.Time) error {
		return &UnusableMandate{Ref: c.Ref, Version: c.Version, RUM: s.RUM, Cause: cause, Since: since}
	}
	lapse := s.SignedAt.AddDate(lapseYears, 0, 0)
	switch {
	case s.Use.By != "" && s.Use.By != c.Ref && !s.Renews:
		// revoked or not: that concerns the customer of the other contract alone
		return unusable(UsedElsewhere, time.Time{})
	case s.Use.Revoked:
		return unusable(RevokedBefore, time.Time{})
	case s.Renews && c.Mandate.Stands():
		return nil
	case !now.Before(lapse):
		return unusable(Lapsed, lapse)
	}
	return nil
}

// check checks what does not depend on lists of codes: whoever makes the command checks the
// references.
func (s SignMandate) check(f *faults) {
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
	if err := s.usable(c, now); err != nil {
		return nil, err
	}
	return MandateAccepted{Ref: c.Ref, Mandate: Mandate{
		Key: s.Key, RUM: s.RUM, ICS: s.ICS, Scheme: s.Scheme, IBANLastFour: s.Account.LastFour(), SignedAt: s.SignedAt,
	}}, nil
}

// MandateAccepted: this mandate is in force.
type MandateAccepted struct {
	Ref     Ref
	Mandate Mandate
}

// About implements Event.
func (e MandateAccepted) About() Subject { return Subject{Contract: e.Ref, Mandate: e.Mandate.Key} }

// Visit implements Event.
func (e MandateAccepted) Visit(v Visitor) error { return v.MandateAccepted(e) }

func (e MandateAccepted) apply(c *Contract, _ time.Time) (*Contract, error) {
	next, err := c.step(ActionSignMandate)
	if err == nil {
		mandate := e.Mandate
		next.Mandate = &mandate
		next.Personal = true
	}
	return next, err
}

// RevokeMandate says that the customer revoked the mandate. The status stays, and purchases are
// refused for want of a mandate. A debtor may revoke at any time, so it is allowed in every status.
type RevokeMandate struct {
	Reason string
	Key    string // of the mandate that the contract has
}

func (r RevokeMandate) decide(c *Contract, _ time.Time) (Event, error) {
	if err := c.require(ActionRevokeMandate); err != nil {
		return nil, err
	}
	return MandateWithdrawn{Ref: c.Ref, Key: r.Key, Reason: r.Reason}, nil
}

// MandateWithdrawn: the mandate was revoked. Records of the former version have no key.
type MandateWithdrawn struct {
	Ref    Ref
	Key    string
	Reason string
}

// About implements Event.
func (e MandateWithdrawn) About() Subject {
	return Subject{Contract: e.Ref, Mandate: e.Key, Revoked: true}
}

// Visit implements Event.
func (e MandateWithdrawn) Visit(v Visitor) error { return v.MandateWithdrawn(e) }

func (e MandateWithdrawn) apply(c *Contract, at time.Time) (*Contract, error) {
	next, err := c.step(ActionRevokeMandate)
	if err == nil {
		mandate := *c.Mandate
		mandate.RevokedAt = at
		next.Mandate = &mandate
	}
	return next, err
}
