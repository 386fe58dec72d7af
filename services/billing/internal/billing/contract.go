package billing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Status is where a contract stands. Anything but StatusActive counts as not active.
type Status string

// The statuses that billing knows.
const (
	StatusUnknown    Status = "UNKNOWN"
	StatusPending    Status = "PENDING"
	StatusActive     Status = "ACTIVE"
	StatusSuspended  Status = "SUSPENDED"
	StatusExpired    Status = "EXPIRED"
	StatusTerminated Status = "TERMINATED"
)

// CustomerKey names a customer of a seller: those of one key share an invoice a month.
type CustomerKey struct {
	CustomerRef string
	SellerRef   string
}

// Customer is what billing keeps of a customer of a seller. It lacks contracts that were observed
// by records of the former version of the log only.
type Customer struct {
	CustomerKey
	Contracts  []string // references, sorted by CompareRefs
	LastClosed Period   // the newest period that was closed for all of them
}

// with returns the customer with more contracts. The old list is not touched.
func (c Customer) with(refs ...string) Customer {
	c.Contracts = union(c.Contracts, refs)
	return c
}

// union returns the references of both lists, sorted and each once.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.SortFunc(all, CompareRefs)
	return slices.Compact(all)
}

// CompareRefs orders references of contracts by their numbers: CTR-9 is before CTR-10.
func CompareRefs(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// Contract is billing's copy of a contract, as the newest fact has it.
type Contract struct {
	Ref             string
	SubscriptionRef string
	CustomerRef     string
	SellerRef       string
	Version         int64 // a higher one replaces a lower one
	Status          Status
	Buyer           Company
	Ceiling         Money
	ValidFrom       time.Time
	ValidUntil      time.Time // first instant after its validity; zero without end
	Mandate         Mandate   // the zero value before the first is signed
	Suspension      Suspension
}

// Customer returns the key of the contract's customer.
func (c Contract) Customer() CustomerKey {
	return CustomerKey{CustomerRef: c.CustomerRef, SellerRef: c.SellerRef}
}

// Suspension says why a contract is suspended; the zero value when it is not.
type Suspension struct {
	Cause      string
	Detail     string
	Since      time.Time
	InvoiceRef string // the invoice whose debit failed, if one did
}

// Company is a buyer, as printed on its invoices.
type Company struct {
	LegalName string
	SIREN     string
	VATNumber string
	Address   Address
}

// Address is a postal address.
type Address struct {
	Line1, Line2, PostalCode, City, Country string
}

// Mandate is a SEPA direct debit mandate; signed when RUM is not empty.
type Mandate struct {
	RUM          string // unique mandate reference
	ICS          string // creditor identifier
	Scheme       string
	IBANLastFour string
	SignedAt     time.Time
	RevokedAt    time.Time // zero while it stands
}

// MandateStatus is whether collections may be presented under a mandate.
type MandateStatus string

// Only MandateValid allows purchases and collections.
const (
	MandateValid     MandateStatus = "VALID"
	MandateNotSigned MandateStatus = "NOT_SIGNED"
	MandateRevoked   MandateStatus = "REVOKED"
	MandateLapsed    MandateStatus = "LAPSED"
)

// lapseYears: a mandate lapses 36 months after the last collection presented under it, or after its
// signature.
const lapseYears = 3

// status judges a mandate, given when a collection was last presented under its RUM (zero: never).
func (m Mandate) status(lastPresented, now time.Time) MandateStatus {
	switch {
	case m.RUM == "":
		return MandateNotSigned
	case !m.RevokedAt.IsZero():
		return MandateRevoked
	case !now.Before(m.lapses(lastPresented)):
		return MandateLapsed
	}
	return MandateValid
}

// MandateError: a mandate does not allow purchases and collections.
type MandateError struct {
	ContractRef string
	Status      MandateStatus
	Since       time.Time // zero if none was signed
}

func (e *MandateError) Error() string {
	since := e.Since.Format(time.RFC3339)
	switch e.Status {
	case MandateNotSigned:
		return "no mandate is signed for " + e.ContractRef
	case MandateRevoked:
		return fmt.Sprintf("the mandate of %s was revoked at %s", e.ContractRef, since)
	}
	return fmt.Sprintf("the mandate of %s lapsed at %s, %d months after its last presentation or its signature", e.ContractRef, since, 12*lapseYears)
}

func (m Mandate) lapses(lastPresented time.Time) time.Time {
	from := m.SignedAt
	if lastPresented.After(from) {
		from = lastPresented
	}
	return from.AddDate(lapseYears, 0, 0)
}

// ContractVisitor has a method for every event about billing's copy of a contract.
type ContractVisitor interface {
	ContractObserved(ContractObserved) error
	ContractUnreadable(ContractUnreadable) error
}

// Errors of decisions about copies of contracts. They record nothing.
var (
	ErrContractUnknown    = errors.New("contract unknown")
	ErrContractUnreadable = errors.New("newest state of the contract could not be read")
	ErrStale              = fmt.Errorf("%w: version is not newer than the one known", ErrNoEffect)
	// ErrBehind is ErrStale for a state that was decided after the one known, and still has a lower
	// version: contract never gave out the version that is known.
	ErrBehind = fmt.Errorf("%w, but it was decided later", ErrStale)
	// ErrContradiction: a fact contradicts what an earlier one said. No retry can help.
	ErrContradiction = errors.New("fact contradicts an earlier one")
)

// Observe asks for a state of a contract to be recorded. It has no effect unless the state is newer
// than the one known, or Source is the fact that could not be read.
type Observe struct {
	ContractObserved
	Source Source // where the fact was read
}

func (o Observe) decide(s States, _ Moment) (Event, error) {
	o.Listed = true
	if a, ok := s.Account(o.Contract.Ref); ok {
		return DecideObserved(&a, o)
	}
	return DecideObserved(nil, o)
}

// DecideObserved records a state of a contract if it is newer than the one known (nil: none is). If
// it is not, and the fact is the one that could not be read before, the known state is recorded
// again: nothing is missing any more.
func DecideObserved(known *Account, o Observe) (Event, error) {
	e := o.ContractObserved
	if known == nil {
		return e, nil
	}
	if err := known.contradicts(e); err != nil {
		return nil, err
	}
	stale := ErrStale
	switch {
	case e.Contract.Version > known.Contract.Version:
		return e, nil
	case known.Unreadable && known.LastUnreadable.sharesTopic(o.Source) && known.LastUnreadable.Offset == o.Source.Offset:
		return ContractObserved{Contract: known.Contract, Fact: e.Fact, EventID: known.EventID, OccurredAt: known.OccurredAt, Listed: e.Listed}, nil
	case e.OccurredAt.After(known.OccurredAt):
		stale = ErrBehind
	}
	return nil, fmt.Errorf("%w: %d, known %d", stale, e.Contract.Version, known.Contract.Version)
}

// contradicts returns an error if the id of a fact is that of another one, or if the contract is of
// another customer, subscription or currency than before: none of these ever changes.
func (a *Account) contradicts(e ContractObserved) error {
	if e.EventID == a.EventID && e.EventID != "" && e.Contract.instants() != a.Contract.instants() {
		return fmt.Errorf("%w: the id %s is that of version %d of %s with another content", ErrContradiction, e.EventID, a.Contract.Version, a.Contract.Ref)
	}
	if e.Contract.Customer() != a.Contract.Customer() || e.Contract.SubscriptionRef != a.Contract.SubscriptionRef {
		return fmt.Errorf("%w: %s is %s of customer %q at %q, and was %s of %q at %q", ErrContradiction, a.Contract.Ref, e.Contract.SubscriptionRef,
			e.Contract.CustomerRef, e.Contract.SellerRef, a.Contract.SubscriptionRef, a.Contract.CustomerRef, a.Contract.SellerRef)
	}
	if e.Contract.Ceiling.Currency != a.Currency {
		return fmt.Errorf("%w: the ceiling of %s is in %s, and was in %s", ErrContradiction, a.Contract.Ref, e.Contract.Ceiling.Currency, a.Currency)
	}
	return nil
}

// instants returns the contract with its times in one form, so that contracts can be compared.
func (c Contract) instants() Contract {
	for _, t := range []*time.Time{&c.ValidFrom, &c.ValidUntil, &c.Mandate.SignedAt, &c.Mandate.RevokedAt, &c.Suspension.Since} {
		*t = time.UnixMicro(t.UnixMicro()).UTC()
	}
	return c
}

// ContractObserved: a newer state of a contract was read.
type ContractObserved struct {
	Contract   Contract
	Fact       string // name of the fact that carried it
	EventID    string
	OccurredAt time.Time
	// Listed: the contract is entered in the list of its customer. Records of the former version of
	// the log did not do that.
	Listed bool
}

// About implements Event.
func (e ContractObserved) About() Subject {
	s := Subject{Contract: e.Contract.Ref}
	if e.Listed {
		s.Customer = e.Contract.Customer()
	}
	return s
}

// Visit implements Event.
func (e ContractObserved) Visit(v Visitor) error { return v.ContractObserved(e) }

func (e ContractObserved) apply(b Book, at time.Time) error {
	a, known := b.Account(e.Contract.Ref)
	// the same version is recorded again once nothing is missing any more
	if known && e.Contract.Version <= a.Contract.Version && !(e.Contract.Version == a.Contract.Version && a.Unreadable) {
		return impossible("%s has version %d, got %d", e.Contract.Ref, a.Contract.Version, e.Contract.Version)
	}
	if e.Contract.Ceiling.Amount < 0 {
		return impossible("ceiling of %s is %d", e.Contract.Ref, e.Contract.Ceiling.Amount)
	}
	if !known {
		a.Currency = e.Contract.Ceiling.Currency
	}
	a.Contract, a.IngestedAt, a.Unreadable = e.Contract, at, false
	a.EventID, a.OccurredAt = e.EventID, e.OccurredAt
	if e.Listed {
		c := b.Customer(e.Contract.Customer())
		if !known { // what was closed for its customer is closed for it
			a.LastClosed = c.LastClosed
		}
		b.PutCustomer(c.with(e.Contract.Ref))
	}
	b.PutAccount(a)
	return nil
}

// NoteUnreadable notes that a fact about a contract could not be read. It has no effect on a
// contract that is not known: then there is nothing that could be out of date.
type NoteUnreadable ContractUnreadable

// About implements Command.
func (n NoteUnreadable) About() Subject { return ContractUnreadable(n).About() }

func (n NoteUnreadable) decide(s States, _ Moment) (Event, error) {
	a, ok := s.Account(n.ContractRef)
	if !ok {
		return nil, ErrNoEffect
	}
	return DecideUnreadable(a, ContractUnreadable(n))
}

// DecideUnreadable notes that a fact about a contract could not be read. A fact that was noted
// already is ErrStale: it may be delivered again after a newer version was read.
func DecideUnreadable(a Account, u ContractUnreadable) (Event, error) {
	if last := a.LastUnreadable; last.sharesTopic(u.Source) && last.Offset >= u.Source.Offset {
		return nil, fmt.Errorf("%w: offset %d was noted", ErrStale, u.Source.Offset)
	}
	return u, nil
}

// ContractUnreadable: a fact about a known contract could not be read; purchases on it wait for a
// newer one.
type ContractUnreadable struct {
	ContractRef string
	Source      Source
	Error       string
}

// About implements Event.
func (e ContractUnreadable) About() Subject { return Subject{Contract: e.ContractRef} }

// Visit implements Event.
func (e ContractUnreadable) Visit(v Visitor) error { return v.ContractUnreadable(e) }

func (e ContractUnreadable) apply(b Book, _ time.Time) error {
	a, ok := b.Account(e.ContractRef)
	if !ok {
		return impossible("contract %s is not known", e.ContractRef)
	}
	a.Unreadable, a.LastUnreadable = true, e.Source
	b.PutAccount(a)
	return nil
}
