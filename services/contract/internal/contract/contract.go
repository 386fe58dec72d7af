// Package contract is the domain of the contract service: what a deferred-payment contract is,
// which changes it permits, and what each change makes of it. It needs nothing but the standard
// library and knows neither Kafka nor HTTP nor the clock: Decide and Fold are functions of their
// arguments alone.
//
// Everything in services/contract may import it; it imports nothing of ours.
//
// The rules, each explained where it is written:
//
//   - a contract is PENDING, then ACTIVE, then SUSPENDED and ACTIVE in turn, and TERMINATED for
//     good (status.go);
//   - it becomes active by itself once its mandate is signed and its validity has begun
//     (lifecycle.go);
//   - it becomes EXPIRED by itself when its validity ends, and has its former status again when an
//     amendment prolongs the validity (expiry.go);
//   - a failed direct debit suspends an active contract, at most once for each phase of each
//     presentation of an invoice (lifecycle.go);
//   - a mandate reference names one mandate for ever (mandate.go);
//   - a customer is one company (identity.go);
//   - a ceiling is in EUR (terms.go).
//
// Codes are not checked here but by whoever makes a command: their lists change, and a record that
// was right must stay so.
package contract

import (
	"slices"
	"strings"
	"time"
)

// Ref identifies a contract: "CTR-7".
type Ref string

// SubscriptionRef is the reference under which billing knows the subscription: "SUB-7" for "CTR-7".
func (r Ref) SubscriptionRef() string { return "SUB-" + strings.TrimPrefix(string(r), "CTR-") }

// Contract is the state of one contract after its last event. Values are immutable: Fold returns a
// new one and shares with the old one what did not change. A nil *Contract is a contract that does
// not exist.
type Contract struct {
	Ref         Ref
	CustomerRef string // from the customer file
	SellerRef   string // the agency that sells
	Version     int64  // rises with every event that others see, from 1
	Status      Status
	Buyer       Company
	Ceiling     Money
	ValidFrom   time.Time    // first instant of the validity
	ValidUntil  time.Time    // first instant after it; zero: without end
	Mandate     *Mandate     // the one signed last; nil: none yet
	Suspension  *Suspension  // set while SUSPENDED, and while EXPIRED after it
	Expiry      *Expiry      // set while EXPIRED
	Termination *Termination // set when TERMINATED
	Erasures    int64        // how often the personal data was erased
	ErasedAt    time.Time    // the last time; zero: never
	Personal    bool         // there is personal data since then
	CreatedAt   time.Time
	UpdatedAt   time.Time

	// ReinstatedAt is when it was last reinstated on request; zero: never. A failure from before
	// has no effect any more: it was received while the contract was not ACTIVE, or is received
	// again.
	ReinstatedAt time.Time

	// Failures are the failures of direct debits that this contract was suspended for, in the order
	// in which that happened. They are never forgotten: the topic that brings them may be read
	// again from its beginning.
	Failures []Failure
}

// Within reports whether the validity has begun and has not ended.
func (c *Contract) Within(now time.Time) bool {
	return !now.Before(c.ValidFrom) && !c.Over(now)
}

// Over reports whether the validity has ended.
func (c *Contract) Over(now time.Time) bool {
	return !c.ValidUntil.IsZero() && !now.Before(c.ValidUntil)
}

// NextChange returns the instant at which the contract changes by itself, and whether there is one:
// it becomes active when its validity begins, and expires when its validity ends.
func (c *Contract) NextChange() (time.Time, bool) {
	switch {
	case c.permits(ActionActivate):
		return c.ValidFrom, true
	case c.permits(ActionExpire) && !c.ValidUntil.IsZero():
		return c.ValidUntil, true
	}
	return time.Time{}, false
}

// Money is an amount in minor units of a currency (ISO 4217).
type Money struct {
	Amount   int64
	Currency string
}

// Mandate is what is known of a SEPA direct debit mandate once the account itself has been left
// out.
type Mandate struct {
	Key          string // identifies it to the banks; empty if the former version recorded it
	RUM          string // unique mandate reference
	ICS          string // SEPA creditor identifier
	Scheme       Scheme
	IBANLastFour string
	SignedAt     time.Time
	RevokedAt    time.Time // zero: it stands
}

// Revoked reports whether the debtor took the mandate back.
func (m *Mandate) Revoked() bool { return !m.RevokedAt.IsZero() }

// Stands reports whether there is a mandate, which was not revoked.
func (m *Mandate) Stands() bool { return m != nil && !m.Revoked() }

// Scheme is a SEPA direct debit scheme.
type Scheme string

// The two schemes of the European Payments Council: Core (EPC016-06) and Business-to-Business
// (EPC222-07).
const (
	Core Scheme = "CORE"
	B2B  Scheme = "B2B"
)

// Suspension says why a contract is suspended.
type Suspension struct {
	Cause      Cause
	Detail     string // for people
	InvoiceRef string // when a direct debit is the cause
	Since      time.Time
}

// Cause is what led to a suspension.
type Cause string

// What may lead to a suspension: a request, or a direct debit that failed before or after
// settlement.
const (
	Requested           Cause = "REQUESTED"
	DirectDebitRejected Cause = "DIRECT_DEBIT_REJECTED"
	DirectDebitReturned Cause = "DIRECT_DEBIT_RETURNED"
)

// Termination says why a contract ended.
type Termination struct {
	Reason string
	Since  time.Time
}

// Debit is a direct debit that failed.
type Debit struct {
	EventID      string // of the event that said so
	InvoiceRef   string
	Presentation int    // how many times the invoice was presented
	Reason       string // ISO 20022 reason code, such as AM04
}

// Failure identifies the failure of a direct debit. One presentation may fail twice: it may be
// returned after it was rejected.
type Failure struct {
	InvoiceRef   string
	Presentation int
	Returned     bool // after settlement, otherwise before it
}

// failure returns what identifies the failure of a debit that led to a suspension.
func (d Debit) failure(c Cause) Failure {
	return Failure{InvoiceRef: d.InvoiceRef, Presentation: d.Presentation, Returned: c == DirectDebitReturned}
}

// knows reports whether the failure has suspended the contract before.
func (c *Contract) knows(f Failure) bool { return slices.Contains(c.Failures, f) }
