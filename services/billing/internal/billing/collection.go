package billing

import (
	"errors"
	"fmt"
	"time"
)

// Errors of collecting an invoice. They record nothing.
var (
	ErrInvoiceUnknown  = errors.New("invoice unknown")
	ErrMandateNotValid = errors.New("mandate does not allow a direct debit")
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

func (i Invoice) allows(s Step) error {
	allowed := i.Status.AllowedSteps()
	for _, a := range allowed {
		if a == s {
			return nil
		}
	}
	return &StepError{InvoiceRef: i.Ref, Status: i.Status, Step: s, Allowed: allowed}
}

// invoiceOf returns the invoice that a command is about.
func invoiceOf(s States, ref string) (Invoice, error) {
	i, ok := s.Invoice(ref)
	if !ok {
		return i, fmt.Errorf("%w: %s", ErrInvoiceUnknown, ref)
	}
	return i, nil
}

// step finds the invoice and the account that a step of its collection concerns.
func step(b Book, contractRef, invoiceRef string, s Step, presentation int64) (Account, Invoice, error) {
	a, ok := b.Account(contractRef)
	if !ok {
		return a, Invoice{}, impossible("contract %s is not known", contractRef)
	}
	i, ok := b.Invoice(invoiceRef)
	if !ok || i.ContractRef != contractRef {
		return a, i, impossible("invoice %s of %s is not known", invoiceRef, contractRef)
	}
	if err := i.allows(s); err != nil {
		return a, i, impossible("%w", err)
	}
	want := i.Presentations
	if s == StepPresented {
		want++
	}
	if presentation != want {
		return a, i, impossible("presentation %d of %s, want %d", presentation, invoiceRef, want)
	}
	return a, i, nil
}

// Present asks for the open amount of an invoice to be given to the bank.
type Present struct {
	InvoiceRef string
}

// About implements Command.
func (p Present) About() Subject { return Subject{Invoice: p.InvoiceRef} }

func (p Present) decide(s States, at Moment) (Event, error) {
	i, err := invoiceOf(s, p.InvoiceRef)
	if err != nil {
		return nil, err
	}
	a, _ := s.Account(i.ContractRef)
	return DecidePresent(a, i, at.Now)
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

// DebitPresented: the direct debit of an invoice was given to the bank.
type DebitPresented struct {
	ContractRef  string
	InvoiceRef   string
	Presentation int64 // counted from 1
	RUM          string
	Amount       Money
}

// About implements Event.
func (e DebitPresented) About() Subject {
	return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef}
}

// Visit implements Event.
func (e DebitPresented) Visit(v Visitor) error { return v.DebitPresented(e) }

func (e DebitPresented) apply(b Book, at time.Time) error {
	a, i, err := step(b, e.ContractRef, e.InvoiceRef, StepPresented, e.Presentation)
	if err != nil {
		return err
	}
	if e.Amount.Amount != i.OpenAmount() || e.Amount.Currency != i.Currency {
		return impossible("%s presented for %s, %d is open", e.Amount, e.InvoiceRef, i.OpenAmount())
	}
	i.Status, i.Presentations, i.Presenting, i.Rejection = InvoicePresented, e.Presentation, e.Amount.Amount, ""
	b.PutInvoice(i)
	b.PutAccount(a.withPresented(e.RUM, at))
	return nil
}

// Collect says that the bank collected a presented invoice.
type Collect struct {
	InvoiceRef string
}

// About implements Command.
func (c Collect) About() Subject { return Subject{Invoice: c.InvoiceRef} }

func (c Collect) decide(s States, _ Moment) (Event, error) {
	i, err := invoiceOf(s, c.InvoiceRef)
	if err != nil {
		return nil, err
	}
	return DecideCollected(i)
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

// DebitCollected: the bank collected it.
type DebitCollected struct {
	ContractRef  string
	InvoiceRef   string
	Presentation int64
	Amount       Money
}

// About implements Event.
func (e DebitCollected) About() Subject {
	return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef}
}

// Visit implements Event.
func (e DebitCollected) Visit(v Visitor) error { return v.DebitCollected(e) }

func (e DebitCollected) apply(b Book, at time.Time) error {
	a, i, err := step(b, e.ContractRef, e.InvoiceRef, StepCollected, e.Presentation)
	if err != nil {
		return err
	}
	if e.Amount.Amount != i.Presenting || e.Amount.Currency != i.Currency {
		return impossible("%s collected for %s, %d was presented", e.Amount, e.InvoiceRef, i.Presenting)
	}
	before := i.OpenAmount()
	i.Status, i.Collected, i.Presenting, i.SettledAt = InvoiceSettled, e.Amount.Amount, 0, at
	if a.NotSettled, err = less(a.NotSettled, before-i.OpenAmount()); err != nil {
		return impossible("not settled of %s: %w", e.ContractRef, err)
	}
	b.PutInvoice(i)
	b.PutAccount(a)
	return nil
}

// Reject says that the bank rejected a presented invoice before settling it.
type Reject struct {
	InvoiceRef string
	Reason     string // SEPA reason code
}

// About implements Command.
func (r Reject) About() Subject { return Subject{Invoice: r.InvoiceRef} }

func (r Reject) decide(s States, _ Moment) (Event, error) {
	i, err := invoiceOf(s, r.InvoiceRef)
	if err != nil {
		return nil, err
	}
	return DecideRejected(i, r.Reason)
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

// DebitRejected: the bank rejected it before settling it.
type DebitRejected struct {
	ContractRef  string
	InvoiceRef   string
	Presentation int64
	Reason       string // SEPA reason code
	Amount       Money
}

// About implements Event.
func (e DebitRejected) About() Subject {
	return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef}
}

// Visit implements Event.
func (e DebitRejected) Visit(v Visitor) error { return v.DebitRejected(e) }

func (e DebitRejected) apply(b Book, _ time.Time) error {
	a, i, err := step(b, e.ContractRef, e.InvoiceRef, StepRejected, e.Presentation)
	if err != nil {
		return err
	}
	i.Status, i.Presenting, i.Rejection = InvoiceRejected, 0, e.Reason
	b.PutInvoice(i)
	b.PutAccount(a)
	return nil
}
