package contract

import (
	"fmt"
	"time"
)

// TermsVisitor has a method for every event that sets the terms of a contract.
type TermsVisitor interface {
	Subscribed(Subscribed) error
	Amended(Amended) error
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

	Others []Identity // of the customer's other contracts
}

// currency is the only one of new contracts, because they are collected by SEPA direct debit.
const currency = "EUR"

func (s Subscribe) check(f *faults) {
	s.Buyer.check(f, "/buyer")
	s.Ceiling.check(f, "/ceiling")
	if s.Ceiling.Currency != currency {
		f.add("/ceiling/currency", "must be %s: contracts are collected by SEPA direct debit", currency)
	}
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
	if err := checkIdentity(s.CustomerRef, s.Buyer.SIREN, s.Others, 0); err != nil {
		return nil, err
	}
	return Subscribed{
		Ref: s.Ref, CustomerRef: s.CustomerRef, SellerRef: s.SellerRef, Buyer: s.Buyer, Ceiling: s.Ceiling,
		ValidFrom: s.ValidFrom, ValidUntil: s.ValidUntil, Listed: true,
	}, nil
}

// checkEnd adds a fault unless the validity ends after it begins and in the future. Purchases in
// the past were judged by what was known then.
func checkEnd(f *faults, from, until, now time.Time) {
	switch {
	case until.IsZero():
	case !until.After(from):
		f.add("/validUntil", "must be later than validFrom, %s", from.Format(time.RFC3339))
	case !until.After(now):
		f.add("/validUntil", "must be later than now, %s", now.Format(time.RFC3339))
	}
}

// Subscribed: the contract began to exist.
type Subscribed struct {
	Ref         Ref
	CustomerRef string
	SellerRef   string
	Buyer       Company
	Ceiling     Money
	ValidFrom   time.Time
	ValidUntil  time.Time // zero: without end
	// Listed: the contract is entered in the list of its customer. Records of the former version
	// did not do that.
	Listed bool
}

// About implements Event.
func (e Subscribed) About() Subject {
	about := Subject{Contract: e.Ref, Numbered: true}
	if e.Listed {
		about.Customer = e.CustomerRef
	}
	return about
}

// Visit implements Event.
func (e Subscribed) Visit(v Visitor) error { return v.Subscribed(e) }

func (e Subscribed) apply(_ *Contract, at time.Time) (*Contract, error) {
	return &Contract{
		Ref: e.Ref, CustomerRef: e.CustomerRef, SellerRef: e.SellerRef, Status: StatusPending, Buyer: e.Buyer,
		Ceiling: e.Ceiling, ValidFrom: e.ValidFrom, ValidUntil: e.ValidUntil, CreatedAt: at,
	}, nil
}

// Amend asks for other terms; what is nil (and false) stays as it is. The currency stays: amounts
// owed are in it. A ceiling below what is outstanding is allowed, it blocks purchases and cancels
// none.
type Amend struct {
	Ceiling    *Money
	Buyer      *Company
	ValidFrom  *time.Time // until the validity has begun
	ValidUntil *time.Time
	OpenEnded  bool // takes the end of the validity away; not together with ValidUntil
	Reason     string

	Others []Identity // of the customer's other contracts
}

func (a Amend) check(f *faults) {
	if a.Ceiling == nil && a.Buyer == nil && a.ValidFrom == nil && a.ValidUntil == nil && !a.OpenEnded {
		f.add("", "at least one of ceiling, validFrom, validUntil, buyer must be there")
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
	a.checkValidity(&f, c, now)
	if err := f.err(); err != nil {
		return nil, err
	}
	if a.Buyer != nil && a.Buyer.SIREN != c.Buyer.SIREN {
		if err := checkIdentity(c.CustomerRef, a.Buyer.SIREN, a.Others, c.Version); err != nil {
			return nil, err
		}
	}
	e := Amended{
		Ref: c.Ref, Ceiling: a.Ceiling, Buyer: a.Buyer, ValidFrom: a.ValidFrom, ValidUntil: a.ValidUntil, OpenEnded: a.OpenEnded, Reason: a.Reason,
	}
	if a.Buyer != nil {
		e.CustomerRef = c.CustomerRef
	}
	return e, nil
}

// checkValidity adds a fault if the beginning is moved after it has come, or if the validity would
// end before it begins or in the past.
func (a Amend) checkValidity(f *faults, c *Contract, now time.Time) {
	from, until := c.ValidFrom, c.ValidUntil
	if a.ValidFrom != nil {
		if from = *a.ValidFrom; !now.Before(c.ValidFrom) {
			f.add("/validFrom", "cannot be changed any more; the validity began at %s", c.ValidFrom.Format(time.RFC3339))
		}
	}
	if a.ValidUntil != nil {
		checkEnd(f, from, *a.ValidUntil, now)
	} else if a.ValidFrom != nil && !a.OpenEnded && !until.IsZero() && !until.After(from) {
		f.add("/validFrom", "must be earlier than validUntil, %s", until.Format(time.RFC3339))
	}
}

// Amended: terms changed; what is nil (and false) stayed. If it prolongs the validity of a contract
// that has expired, the contract has its former status again.
type Amended struct {
	Ref        Ref
	Ceiling    *Money
	Buyer      *Company
	ValidFrom  *time.Time
	ValidUntil *time.Time
	OpenEnded  bool
	Reason     string
	// CustomerRef is set together with Buyer: the customer's list of contracts has the new SIREN.
	// Records of the former version did not do that.
	CustomerRef string
}

// About implements Event.
func (e Amended) About() Subject { return Subject{Contract: e.Ref, Customer: e.CustomerRef} }

// Visit implements Event.
func (e Amended) Visit(v Visitor) error { return v.Amended(e) }

func (e Amended) apply(c *Contract, at time.Time) (*Contract, error) {
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
	if e.ValidFrom != nil {
		next.ValidFrom = *e.ValidFrom
	}
	if e.OpenEnded {
		next.ValidUntil = time.Time{}
	}
	if e.ValidUntil != nil {
		next.ValidUntil = *e.ValidUntil
	}
	next.prolonged(at)
	return next, nil
}
