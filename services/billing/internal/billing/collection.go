package billing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrInvoiceUnknown is the error of a step on an invoice that was not issued. It records nothing.
var ErrInvoiceUnknown = errors.New("invoice unknown")

// Step is what is reported about the collection of a part of an invoice.
type Step string

// The steps of collecting a part.
const (
	StepPresented        Step = "PRESENTED"
	StepCollected        Step = "COLLECTED"
	StepRejected         Step = "REJECTED"
	StepReturned         Step = "RETURNED"
	StepSettledOtherwise Step = "SETTLED_OTHERWISE"
)

// AllowedSteps returns the steps that are possible now. Every status of a part on which something
// is open allows one, so no debt is stuck: while the bank has not reported an outcome, that
// outcome; otherwise a transfer, which needs no mandate. What the bank reports is accepted whenever
// it comes: the time in which a debit may come back is for the banks to keep.
func (p Part) AllowedSteps() []Step {
	switch {
	case p.Status == InvoicePresented:
		return []Step{StepCollected, StepRejected}
	case p.Status == InvoiceSettled && p.Method == MethodDirectDebit:
		return []Step{StepReturned}
	case p.Status == InvoiceSettled:
		return nil
	}
	return []Step{StepPresented, StepSettledOtherwise}
}

// StepError: the status of a part does not allow a step.
type StepError struct {
	InvoiceRef  string
	ContractRef string
	Status      InvoiceStatus
	Step        Step
	Allowed     []Step
}

func (e *StepError) Error() string {
	return fmt.Sprintf("the part of %s on invoice %s is %s, which does not allow %s", e.ContractRef, e.InvoiceRef, e.Status, e.Step)
}

// PartError: a step does not name a part of its invoice.
type PartError struct {
	InvoiceRef  string
	ContractRef string   // that was named, "" for none
	Parts       []string // references of the contracts that have a part
}

func (e *PartError) Error() string {
	parts := strings.Join(e.Parts[:min(20, len(e.Parts))], ", ")
	if len(e.Parts) > 20 {
		parts += fmt.Sprintf(" and %d more", len(e.Parts)-20)
	}
	if e.ContractRef == "" {
		return fmt.Sprintf("invoice %s has parts of %s, and the step does not name one", e.InvoiceRef, parts)
	}
	return fmt.Sprintf("invoice %s has no part of %s; it has parts of %s", e.InvoiceRef, e.ContractRef, parts)
}

// Collecting names the part of an invoice that a step is about. ContractRef may be "" if the
// invoice has one part.
type Collecting struct {
	InvoiceRef  string
	ContractRef string
}

// About implements Command.
func (c Collecting) About() Subject { return Subject{Invoice: c.InvoiceRef} }

// part returns the invoice and the part that a step is about, if its status allows the step.
func (c Collecting) part(s States, step Step) (Invoice, Part, error) {
	i, ok := s.Invoice(c.InvoiceRef)
	if !ok {
		return i, Part{}, fmt.Errorf("%w: %s", ErrInvoiceUnknown, c.InvoiceRef)
	}
	return choose(i, c.ContractRef, step)
}

func choose(i Invoice, contractRef string, step Step) (Invoice, Part, error) {
	p, ok := i.Part(contractRef)
	if contractRef == "" && len(i.Parts) == 1 {
		p, ok = i.Parts[0], true
	}
	if !ok {
		e := &PartError{InvoiceRef: i.Ref, ContractRef: contractRef}
		for _, p := range i.Parts {
			e.Parts = append(e.Parts, p.ContractRef)
		}
		return i, p, e
	}
	if allowed := p.AllowedSteps(); !slices.Contains(allowed, step) {
		return i, p, &StepError{InvoiceRef: i.Ref, ContractRef: p.ContractRef, Status: p.Status, Step: step, Allowed: allowed}
	}
	return i, p, nil
}

// collection is what a step changes: a part of an invoice, and the account of its contract.
type collection struct {
	book    Book
	account Account
	invoice Invoice
	part    Part
	before  int64 // what was open on the part
}

// collecting returns what a recorded step changes.
func collecting(b Book, contractRef, invoiceRef string, step Step) (c collection, err error) {
	a, ok := b.Account(contractRef)
	if !ok {
		return c, impossible("contract %s is not known", contractRef)
	}
	i, ok := b.Invoice(invoiceRef)
	if !ok || contractRef == "" {
		return c, impossible("invoice %s of %s is not known", invoiceRef, contractRef)
	}
	_, p, err := choose(i, contractRef, step)
	if err != nil {
		return c, impossible("%w", err)
	}
	return collection{book: b, account: a, invoice: i, part: p, before: p.OpenAmount()}, nil
}

// is checks what a record says of the presentation and the amount.
func (c collection) is(presentation, wantPresentation int64, amount Money, want int64) error {
	if presentation != wantPresentation {
		return impossible("presentation %d of %s, want %d", presentation, c.invoice.Ref, wantPresentation)
	}
	if amount.Amount != want || amount.Currency != c.invoice.Currency {
		return impossible("%s for the part of %s on %s, want %d %s", amount, c.part.ContractRef, c.invoice.Ref, want, c.invoice.Currency)
	}
	return nil
}

// put puts the part and the account, whose outstanding amount follows what is open on the part.
func (c collection) put() error {
	change := c.part.OpenAmount() - c.before
	var err error
	if change < 0 {
		c.account.NotSettled, err = less(c.account.NotSettled, -change)
	} else {
		c.account.NotSettled, err = sum(c.account.NotSettled, change)
	}
	if err == nil {
		_, err = sum(c.account.NotInvoiced, c.account.NotSettled)
	}
	if err != nil {
		return impossible("not settled of %s: %w", c.part.ContractRef, err)
	}
	c.book.PutInvoice(c.invoice.with(c.part))
	c.book.PutAccount(c.account)
	return nil
}

// Present asks for the open amount of a part to be given to the bank.
type Present struct{ Collecting }

func (p Present) decide(s States, at Moment) (Event, error) {
	i, part, err := p.part(s, StepPresented)
	if err != nil {
		return nil, err
	}
	a, _ := s.Account(part.ContractRef)
	return DecidePresent(a, i, part, at.Now)
}

// DecidePresent presents the open amount of a part to the bank. It needs a valid mandate.
func DecidePresent(a Account, i Invoice, p Part, now time.Time) (Event, error) {
	if a.Unreadable {
		return nil, fmt.Errorf("%w: %s", ErrContractUnreadable, a.Contract.Ref)
	}
	if err := a.CheckMandate(now); err != nil {
		return nil, err
	}
	return DebitPresented{
		ContractRef: p.ContractRef, InvoiceRef: i.Ref, Presentation: p.Presentations + 1, RUM: a.Contract.Mandate.RUM,
		Amount: Money{Amount: p.OpenAmount(), Currency: i.Currency},
	}, nil
}

// DebitPresented: the direct debit of a part was given to the bank.
type DebitPresented struct {
	ContractRef  string
	InvoiceRef   string
	Presentation int64 // counted from 1 for each part
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
	c, err := collecting(b, e.ContractRef, e.InvoiceRef, StepPresented)
	if err != nil {
		return err
	}
	if err := c.is(e.Presentation, c.part.Presentations+1, e.Amount, c.before); err != nil {
		return err
	}
	p := &c.part
	p.Status, p.Presentations, p.Presenting, p.RUM, p.Failure = InvoicePresented, e.Presentation, e.Amount.Amount, e.RUM, ""
	c.account = c.account.withPresented(e.RUM, at)
	return c.put()
}

// Collect says that the bank collected a presented part.
type Collect struct{ Collecting }

func (c Collect) decide(s States, _ Moment) (Event, error) {
	i, p, err := c.part(s, StepCollected)
	if err != nil {
		return nil, err
	}
	return DebitCollected{
		ContractRef: p.ContractRef, InvoiceRef: i.Ref, Presentation: p.Presentations, Amount: Money{Amount: p.Presenting, Currency: i.Currency},
	}, nil
}

// DebitCollected: the bank collected what was presented.
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
	c, err := collecting(b, e.ContractRef, e.InvoiceRef, StepCollected)
	if err != nil {
		return err
	}
	if err := c.is(e.Presentation, c.part.Presentations, e.Amount, c.part.Presenting); err != nil {
		return err
	}
	p := &c.part
	p.Status, p.Method, p.Collected, p.Presenting, p.SettledAt = InvoiceSettled, MethodDirectDebit, e.Amount.Amount, 0, at
	return c.put()
}

// Reject says that the bank rejected a presented part before settling it.
type Reject struct {
	Collecting
	Reason string // SEPA reason code
}

func (r Reject) decide(s States, _ Moment) (Event, error) {
	i, p, err := r.part(s, StepRejected)
	if err != nil {
		return nil, err
	}
	return DebitRejected{
		ContractRef: p.ContractRef, InvoiceRef: i.Ref, Presentation: p.Presentations, Reason: r.Reason,
		Amount: Money{Amount: p.Presenting, Currency: i.Currency},
	}, nil
}

// DebitRejected: the bank rejected it before settling it. What is open may be presented again.
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

func (e DebitRejected) apply(b Book, at time.Time) error {
	c, err := collecting(b, e.ContractRef, e.InvoiceRef, StepRejected)
	if err != nil {
		return err
	}
	if err := c.is(e.Presentation, c.part.Presentations, e.Amount, c.part.Presenting); err != nil {
		return err
	}
	p := &c.part
	p.Status, p.Presenting, p.Failure = InvoiceRejected, 0, e.Reason
	c.part = p.settledIfNothingIsOpen(at)
	return c.put()
}

// Return says that a collected debit came back from the bank.
type Return struct {
	Collecting
	Reason string // SEPA reason code
}

func (r Return) decide(s States, _ Moment) (Event, error) {
	i, p, err := r.part(s, StepReturned)
	if err != nil {
		return nil, err
	}
	return DebitReturned{
		ContractRef: p.ContractRef, InvoiceRef: i.Ref, Presentation: p.Presentations, Reason: r.Reason,
		Amount: Money{Amount: p.Collected, Currency: i.Currency},
	}, nil
}

// DebitReturned: a collected debit came back. What is open again counts as outstanding again, even
// above the ceiling, and may be presented again.
type DebitReturned struct {
	ContractRef  string
	InvoiceRef   string
	Presentation int64
	Reason       string // SEPA reason code
	Amount       Money
}

// About implements Event.
func (e DebitReturned) About() Subject {
	return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef}
}

// Visit implements Event.
func (e DebitReturned) Visit(v Visitor) error { return v.DebitReturned(e) }

func (e DebitReturned) apply(b Book, at time.Time) error {
	c, err := collecting(b, e.ContractRef, e.InvoiceRef, StepReturned)
	if err != nil {
		return err
	}
	if err := c.is(e.Presentation, c.part.Presentations, e.Amount, c.part.Collected); err != nil {
		return err
	}
	p := &c.part
	p.Status, p.Method, p.Collected, p.Failure, p.SettledAt = InvoiceReturned, "", 0, e.Reason, time.Time{}
	c.part = p.settledIfNothingIsOpen(at)
	return c.put()
}

// SettleOtherwise says that the open amount of a part was paid in another way, such as a transfer.
// It needs no mandate.
type SettleOtherwise struct {
	Collecting
	Reference string // of the payment
}

func (o SettleOtherwise) decide(s States, _ Moment) (Event, error) {
	i, p, err := o.part(s, StepSettledOtherwise)
	if err != nil {
		return nil, err
	}
	return SettledOtherwise{
		ContractRef: p.ContractRef, InvoiceRef: i.Ref, Reference: o.Reference, Amount: Money{Amount: p.OpenAmount(), Currency: i.Currency},
	}, nil
}

// SettledOtherwise: what was open on a part was paid in another way than by direct debit.
type SettledOtherwise struct {
	ContractRef string
	InvoiceRef  string
	Reference   string
	Amount      Money
}

// About implements Event.
func (e SettledOtherwise) About() Subject {
	return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef}
}

// Visit implements Event.
func (e SettledOtherwise) Visit(v Visitor) error { return v.SettledOtherwise(e) }

func (e SettledOtherwise) apply(b Book, at time.Time) error {
	c, err := collecting(b, e.ContractRef, e.InvoiceRef, StepSettledOtherwise)
	if err != nil {
		return err
	}
	if err := c.is(0, 0, e.Amount, c.before); err != nil {
		return err
	}
	p := &c.part
	p.Status, p.Method, p.Collected, p.Reference, p.Failure, p.SettledAt = InvoiceSettled, MethodOther, p.Collected+e.Amount.Amount, e.Reference, "", at
	return c.put()
}
