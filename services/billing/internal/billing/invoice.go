package billing

import (
	"errors"
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

// Errors of closing and settling. They record nothing.
var (
	ErrPeriodNotEnded    = errors.New("period has not ended")
	ErrEarlierPeriodOpen = errors.New("an earlier period is still open; run it first")
	ErrNothingToClose    = errors.New("nothing in the period")
	ErrPeriodClosed      = errors.New("period is closed already")
	ErrInvoiceUnknown    = errors.New("invoice unknown")
	ErrMandateNotValid   = errors.New("mandate does not allow a direct debit")
)

// StepError: the invoice's status does not allow a step.
type StepError struct {
	InvoiceRef string
	Status     InvoiceStatus
	Step       Step
	Allowed    []Step
}

func (e *StepError) Error() string {
	return fmt.Sprintf("invoice %s is %s, which does not allow %s", e.InvoiceRef, e.Status, e.Step)
}

// CanClose says why a period of a contract cannot be closed now, or nil.
func CanClose(a Account, p Period, now time.Time, paris *time.Location) error {
	if end := p.End(paris); now.Before(end) {
		return fmt.Errorf("%w: %s ends at %s", ErrPeriodNotEnded, p, end.Format(time.RFC3339))
	}
	if !a.LastClosed.Before(p) {
		return fmt.Errorf("%w: %s of %s", ErrPeriodClosed, p, a.Contract.Ref)
	}
	if _, found := a.OpenPeriod(p); !found {
		return fmt.Errorf("%w: %s of %s", ErrNothingToClose, p, a.Contract.Ref)
	}
	if first := a.Open[0].Period; first.Before(p) {
		return fmt.Errorf("%w: %s of %s", ErrEarlierPeriodOpen, first, a.Contract.Ref)
	}
	return nil
}

// DecideClose closes a period and issues its invoice in one decision: not before it has ended, in
// order, and only when there is something in it.
func DecideClose(a Account, n Numbering, p Period, now time.Time, paris *time.Location) (Event, error) {
	if err := CanClose(a, p, now, paris); err != nil {
		return nil, err
	}
	open, _ := a.OpenPeriod(p)
	return PeriodClosed{
		ContractRef: a.Contract.Ref, Period: p, Lines: open.Lines, Total: Money{Amount: open.Total(), Currency: a.Currency},
		InvoiceRef: NextInvoiceRef(n, now, paris), Hash: open.Hash, Buyer: a.Contract.Buyer,
	}, nil
}

// DecidePresent gives the open amount of an invoice to the bank. It needs a valid mandate.
func DecidePresent(a Account, i Invoice, now time.Time) (Event, error) {
	if err := i.allows(StepPresented); err != nil {
		return nil, err
	}
	if a.Unreadable {
		return nil, fmt.Errorf("%w: %s", ErrContractUnreadable, a.Contract.Ref)
	}
	if s := a.MandateStatus(now); s != MandateValid {
		return nil, fmt.Errorf("%w: that of %s is %s", ErrMandateNotValid, a.Contract.Ref, s)
	}
	return DebitPresented{
		ContractRef: i.ContractRef, InvoiceRef: i.Ref, Presentation: i.Presentations + 1, RUM: a.Contract.Mandate.RUM,
		Amount: Money{Amount: i.OpenAmount(), Currency: i.Currency},
	}, nil
}

// DecideCollected settles a presented invoice.
func DecideCollected(i Invoice) (Event, error) {
	if err := i.allows(StepCollected); err != nil {
		return nil, err
	}
	return DebitCollected{
		ContractRef: i.ContractRef, InvoiceRef: i.Ref, Presentation: i.Presentations, Amount: Money{Amount: i.Presenting, Currency: i.Currency},
	}, nil
}

// DecideRejected notes that the bank rejected a presented invoice. It may be presented again.
func DecideRejected(i Invoice, reason string) (Event, error) {
	if err := i.allows(StepRejected); err != nil {
		return nil, err
	}
	return DebitRejected{
		ContractRef: i.ContractRef, InvoiceRef: i.Ref, Presentation: i.Presentations, Reason: reason,
		Amount: Money{Amount: i.Presenting, Currency: i.Currency},
	}, nil
}

func (i Invoice) allows(s Step) error {
	allowed := i.Status.AllowedSteps()
	for _, a := range allowed {
		if a == s {
			return nil
		}
	}
	return &StepError{InvoiceRef: i.Ref, Status: i.Status, Step: s, Allowed: allowed}
}

// Run is the billing run of a period.
type Run struct {
	Period      Period
	Starts      int64 // how often it was started
	Running     bool
	StartedAt   time.Time
	CompletedAt time.Time // of the last completed one
	LeftOut     []LeftOut // by the last completed one
}

// Errors of runs. They record nothing.
var (
	ErrRunning    = errors.New("the run is going on")
	ErrRunStarted = errors.New("the run was started by another in the meantime")
)

// DecideRun starts a run when none is going on, and none has been started since the caller saw that
// there is something to bill: then it is billed. A run that was left unfinished is taken up by
// going over the contracts again.
func DecideRun(r Run, starts int64, p Period, now time.Time, paris *time.Location) (Event, error) {
	if end := p.End(paris); now.Before(end) {
		return nil, fmt.Errorf("%w: %s ends at %s", ErrPeriodNotEnded, p, end.Format(time.RFC3339))
	}
	if r.Running {
		return nil, fmt.Errorf("%w: %s", ErrRunning, p)
	}
	if r.Starts != starts {
		return nil, fmt.Errorf("%w: %s", ErrRunStarted, p)
	}
	return RunStarted{Period: p}, nil
}

// DecideRunCompleted ends a run that is going on.
func DecideRunCompleted(r Run, done RunCompleted) (Event, error) {
	if !r.Running {
		return nil, fmt.Errorf("the run of %s is not going on", done.Period)
	}
	return done, nil
}
