package contract

import "time"

// MandateVisitor has a method for every event about the mandate of a contract.
type MandateVisitor interface {
	MandateAccepted(MandateAccepted) error
	MandateWithdrawn(MandateWithdrawn) error
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

// MandateAccepted: this mandate is in force.
type MandateAccepted struct {
	Ref     Ref
	Mandate Mandate
}

// About implements Event.
func (e MandateAccepted) About() Ref { return e.Ref }

// Visit implements Event.
func (e MandateAccepted) Visit(v Visitor) error { return v.MandateAccepted(e) }

func (e MandateAccepted) apply(c *Contract, _ time.Time) (*Contract, error) {
	next, err := c.step(ActionSignMandate)
	if err == nil {
		mandate := e.Mandate
		next.Mandate = &mandate
	}
	return next, err
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

// MandateWithdrawn: the mandate was revoked.
type MandateWithdrawn struct {
	Ref    Ref
	Reason string
}

// About implements Event.
func (e MandateWithdrawn) About() Ref { return e.Ref }

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
