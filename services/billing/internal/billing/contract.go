package billing

import (
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
	StatusTerminated Status = "TERMINATED"
)

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

func (m Mandate) lapses(lastPresented time.Time) time.Time {
	from := m.SignedAt
	if lastPresented.After(from) {
		from = lastPresented
	}
	return from.AddDate(lapseYears, 0, 0)
}
