package billing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// InvoiceStatus is where the collection of an invoice stands.
type InvoiceStatus string

// ISSUED -> PRESENTED -> SETTLED, or REJECTED and then PRESENTED again. RETURNED has a place and is
// not built yet.
const (
	InvoiceIssued    InvoiceStatus = "ISSUED"
	InvoicePresented InvoiceStatus = "PRESENTED"
	InvoiceRejected  InvoiceStatus = "REJECTED"
	InvoiceReturned  InvoiceStatus = "RETURNED"
	InvoiceSettled   InvoiceStatus = "SETTLED"
)

// Step is what a bank reports about an invoice.
type Step string

// The steps of collecting an invoice.
const (
	StepPresented Step = "PRESENTED"
	StepCollected Step = "COLLECTED"
	StepRejected  Step = "REJECTED"
)

// AllowedSteps are the steps that a status allows.
func (s InvoiceStatus) AllowedSteps() []Step {
	switch s {
	case InvoiceIssued, InvoiceRejected, InvoiceReturned:
		return []Step{StepPresented}
	case InvoicePresented:
		return []Step{StepCollected, StepRejected}
	}
	return nil
}

// Invoice never changes once it is issued, but for its collection.
type Invoice struct {
	Ref             string
	ContractRef     string
	SubscriptionRef string
	CustomerRef     string
	Period          Period
	Buyer           Company
	Currency        string
	Purchases       int64
	Refunds         int64
	CreditNotes     int64
	Lines           int64
	Hash            Hash
	IssuedAt        time.Time

	Status        InvoiceStatus
	Presentations int64
	Presenting    int64 // amount with the bank while PRESENTED
	Collected     int64
	Rejection     string // SEPA reason code while REJECTED
	SettledAt     time.Time
}

// Total is purchases less refunds, never negative.
func (i Invoice) Total() int64 { return i.Purchases - i.Refunds }

// Due is the total less the credit notes.
func (i Invoice) Due() int64 { return i.Total() - i.CreditNotes }

// OpenAmount counts as outstanding: due less collected, never below 0.
func (i Invoice) OpenAmount() int64 { return max(0, i.Due()-i.Collected) }

// CreditDue is owed to the customer: collected less due, never below 0. Paying it out is done
// elsewhere.
func (i Invoice) CreditDue() int64 { return max(0, i.Collected-i.Due()) }

// Numbering is the last number of a series of invoices. Years never go back.
type Numbering struct {
	Year int
	Last int64
}

// next numbers an invoice issued now, by the Paris year.
func (n Numbering) next(now time.Time, paris *time.Location) Numbering {
	if year := now.In(paris).Year(); year > n.Year {
		return Numbering{Year: year, Last: 1}
	}
	return Numbering{Year: n.Year, Last: n.Last + 1}
}

// follows says whether m may come right after n: the next number, or the first of a later year.
func (n Numbering) follows(m Numbering) bool {
	return n.Year == m.Year && n.Last == m.Last+1 || n.Year > m.Year && n.Last == 1
}

func (n Numbering) ref() string { return fmt.Sprintf("BIL-%04d-%06d", n.Year, n.Last) }

// NextInvoiceRef is the reference that an invoice issued now would get.
func NextInvoiceRef(n Numbering, now time.Time, paris *time.Location) string {
	return n.next(now, paris).ref()
}

func parseInvoiceRef(ref string) (Numbering, error) {
	year, n, ok := strings.Cut(strings.TrimPrefix(ref, "BIL-"), "-")
	y, err1 := strconv.Atoi(year)
	last, err2 := strconv.ParseInt(n, 10, 64)
	got := Numbering{Year: y, Last: last}
	if !ok || err1 != nil || err2 != nil || y < 2000 || last < 1 || got.ref() != ref {
		return Numbering{}, fmt.Errorf("%q is no reference of an invoice", ref)
	}
	return got, nil
}

// InvoiceVisitor has a method for every event about invoices: their issue, and each step of their
// collection.
type InvoiceVisitor interface {
	PeriodClosed(PeriodClosed) error
	DebitPresented(DebitPresented) error
	DebitCollected(DebitCollected) error
	DebitRejected(DebitRejected) error
}
