package billing

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// InvoiceStatus is where the collection of an invoice, or of one of its parts, stands.
type InvoiceStatus string

// The statuses of invoices and parts; see Part.AllowedSteps for what leads from one to another.
const (
	InvoiceIssued    InvoiceStatus = "ISSUED"
	InvoicePresented InvoiceStatus = "PRESENTED"
	InvoiceRejected  InvoiceStatus = "REJECTED"
	InvoiceReturned  InvoiceStatus = "RETURNED"
	InvoiceSettled   InvoiceStatus = "SETTLED"
)

// Method is how a part was settled.
type Method string

// The methods of settlement.
const (
	MethodDirectDebit Method = "DIRECT_DEBIT"
	MethodOther       Method = "OTHER" // such as a transfer
	MethodNothingDue  Method = "NOTHING_DUE"
)

// Invoice is what a customer owes to a seller for a period, with a part for each contract. Once it
// is issued only its credit notes and its collection change, and these belong to its parts.
type Invoice struct {
	Ref         string
	CustomerRef string
	SellerRef   string
	Period      Period
	Buyer       Company
	Currency    string
	IssuedAt    time.Time
	Parts       []Part // in the order of the references of their contracts, never empty
}

// Part is what an invoice says of one contract. It is collected under that contract's mandate and
// counts in that contract's outstanding amount.
type Part struct {
	ContractRef     string
	SubscriptionRef string
	Purchases       int64
	Refunds         int64
	CreditNotes     int64
	Lines           int64
	Hash            Hash

	Status        InvoiceStatus
	Presentations int64
	Presenting    int64  // amount with the bank while PRESENTED
	RUM           string // mandate of the last presentation
	Collected     int64
	Failure       string // SEPA reason code while REJECTED or RETURNED
	Method        Method // while SETTLED
	Reference     string // of the payment, if it was settled otherwise
	SettledAt     time.Time
}

// Total is purchases less refunds, never negative.
func (p Part) Total() int64 { return p.Purchases - p.Refunds }

// Due is the total less the credit notes.
func (p Part) Due() int64 { return p.Total() - p.CreditNotes }

// OpenAmount counts as outstanding: due less collected, never below 0.
func (p Part) OpenAmount() int64 { return max(0, p.Due()-p.Collected) }

// CreditDue is owed to the customer: collected less due, never below 0. Paying it out is out of
// scope.
func (p Part) CreditDue() int64 { return max(0, p.Collected-p.Due()) }

// settledIfNothingIsOpen returns the part as SETTLED if nothing is open on it, unless an outcome of
// the bank is awaited or it is settled already.
func (p Part) settledIfNothingIsOpen(at time.Time) Part {
	if p.OpenAmount() == 0 && p.Status != InvoicePresented && p.Status != InvoiceSettled {
		p.Status, p.Method, p.Failure, p.SettledAt = InvoiceSettled, MethodNothingDue, "", at
	}
	return p
}

// Part returns the part of a contract.
func (i Invoice) Part(contractRef string) (Part, bool) {
	for _, p := range i.Parts {
		if p.ContractRef == contractRef {
			return p, true
		}
	}
	return Part{}, false
}

// with returns the invoice with one part replaced. The old list is not touched.
func (i Invoice) with(p Part) Invoice {
	i.Parts = slices.Clone(i.Parts)
	for n := range i.Parts {
		if i.Parts[n].ContractRef == p.ContractRef {
			i.Parts[n] = p
		}
	}
	return i
}

func (i Invoice) sum(of func(Part) int64) (n int64) {
	for _, p := range i.Parts {
		n += of(p)
	}
	return n
}

// Purchases is the sum of the purchases of all parts, and so on for the methods below. Totals are
// kept in range when the invoice is issued.
func (i Invoice) Purchases() int64 { return i.sum(func(p Part) int64 { return p.Purchases }) }

// Refunds is the sum of the refunds made before the period was closed.
func (i Invoice) Refunds() int64 { return i.sum(func(p Part) int64 { return p.Refunds }) }

// CreditNotes is the sum of the credit notes issued since.
func (i Invoice) CreditNotes() int64 { return i.sum(func(p Part) int64 { return p.CreditNotes }) }

// Total is purchases less refunds.
func (i Invoice) Total() int64 { return i.sum(Part.Total) }

// Due is the total less the credit notes.
func (i Invoice) Due() int64 { return i.sum(Part.Due) }

// Collected is what was collected.
func (i Invoice) Collected() int64 { return i.sum(func(p Part) int64 { return p.Collected }) }

// OpenAmount is the sum of what is open on the parts. A credit on one part does not settle another.
func (i Invoice) OpenAmount() int64 { return i.sum(Part.OpenAmount) }

// CreditDue is the sum of what is owed to the customer on the parts.
func (i Invoice) CreditDue() int64 { return i.sum(Part.CreditDue) }

// Lines is how many operations are on the invoice.
func (i Invoice) Lines() int64 { return i.sum(func(p Part) int64 { return p.Lines }) }

// Hash is the hash of the lines of the only part, or SHA-256 over the hashes of the parts in order.
func (i Invoice) Hash() Hash {
	hashes := make([]Hash, len(i.Parts))
	for n, p := range i.Parts {
		hashes[n] = p.Hash
	}
	return HashOf(hashes)
}

// HashOf returns the hash of an invoice whose parts have the given hashes.
func HashOf(parts []Hash) Hash {
	if len(parts) == 1 {
		return parts[0]
	}
	var all []byte
	for _, h := range parts {
		all = append(all, h[:]...)
	}
	return sha256.Sum256(all)
}

// Status is SETTLED if all parts are. Otherwise it is the first of RETURNED, REJECTED, PRESENTED
// and ISSUED that a part has.
func (i Invoice) Status() InvoiceStatus {
	for _, s := range []InvoiceStatus{InvoiceReturned, InvoiceRejected, InvoicePresented, InvoiceIssued} {
		if slices.ContainsFunc(i.Parts, func(p Part) bool { return p.Status == s }) {
			return s
		}
	}
	return InvoiceSettled
}

// SettledAt is when the last part was settled, zero while one is not.
func (i Invoice) SettledAt() (at time.Time) {
	if i.Status() != InvoiceSettled {
		return at
	}
	for _, p := range i.Parts {
		if p.SettledAt.After(at) {
			at = p.SettledAt
		}
	}
	return at
}

// Series is a series of numbers without a gap.
type Series string

// InvoiceSeries numbers the invoices.
const InvoiceSeries Series = "invoice"

// prefixes are what the references of a series begin with.
var prefixes = map[Series]string{InvoiceSeries: "BIL", CreditNoteSeries: "AVO"}

// Numbering is the last number of a series. Years never go back.
type Numbering struct {
	Year int
	Last int64
}

// next numbers what is issued now, by the Paris year.
func (n Numbering) next(now time.Time, paris *time.Location) Numbering {
	if year := now.In(paris).Year(); year > n.Year {
		return Numbering{Year: year, Last: 1}
	}
	return Numbering{Year: n.Year, Last: n.Last + 1}
}

// follows reports whether n may come right after m: the next number, or the first of a later year.
func (n Numbering) follows(m Numbering) bool {
	return n.Year == m.Year && n.Last == m.Last+1 || n.Year > m.Year && n.Last == 1
}

func (n Numbering) ref(s Series) string {
	return fmt.Sprintf("%s-%04d-%06d", prefixes[s], n.Year, n.Last)
}

func parseRef(s Series, ref string) (Numbering, error) {
	year, n, ok := strings.Cut(strings.TrimPrefix(ref, prefixes[s]+"-"), "-")
	y, err1 := strconv.Atoi(year)
	last, err2 := strconv.ParseInt(n, 10, 64)
	got := Numbering{Year: y, Last: last}
	if !ok || err1 != nil || err2 != nil || y < 2000 || last < 1 || got.ref(s) != ref {
		return Numbering{}, fmt.Errorf("%q is not a reference of the series %s", ref, s)
	}
	return got, nil
}

// takeNumber returns the number of a reference, which must be the next one of its series.
func takeNumber(b Book, s Series, ref string) (Numbering, error) {
	n, err := parseRef(s, ref)
	if err != nil {
		return n, impossible("%w", err)
	}
	if last := b.Numbering(s); !n.follows(last) {
		return n, impossible("%s %s after number %d of %d", s, ref, last.Last, last.Year)
	}
	return n, nil
}

// InvoiceVisitor has a method for every event about invoices: their issue, and each step of their
// collection.
type InvoiceVisitor interface {
	PeriodClosed(PeriodClosed) error
	DebitPresented(DebitPresented) error
	DebitCollected(DebitCollected) error
	DebitRejected(DebitRejected) error
	DebitReturned(DebitReturned) error
	SettledOtherwise(SettledOtherwise) error
}
