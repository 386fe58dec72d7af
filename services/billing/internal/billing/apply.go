package billing

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Book holds the states that an event touches. Put replaces a state; a Book never shares what it
// hands out for change.
type Book interface {
	Account(contractRef string) (Account, bool)
	PutAccount(Account)
	Operation(ref string) (Operation, bool)
	PutOperation(Operation)
	Invoice(ref string) (Invoice, bool)
	PutInvoice(Invoice)
	Numbering() Numbering
	PutNumbering(Numbering)
	Run(Period) Run
	PutRun(Run)
}

// ErrImpossible: no decision can have led to the event in this state. It has no effect.
var ErrImpossible = errors.New("impossible event")

func impossible(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrImpossible, fmt.Errorf(format, args...))
}

// Apply brings an event into the book. It checks what the decision relied on; on an error nothing
// is put.
func Apply(b Book, e Event, at time.Time) error {
	switch e := e.(type) {
	case ContractObserved:
		return applyObserved(b, e, at)
	case ContractUnreadable:
		return applyUnreadable(b, e)
	case PurchaseAccepted:
		return applyPurchase(b, e)
	case PurchaseRefused:
		return applyRefused(b, e)
	case RefundAccepted:
		return applyRefund(b, e)
	case PeriodClosed:
		return applyClosed(b, e, at)
	case DebitPresented:
		return applyPresented(b, e, at)
	case DebitCollected:
		return applyCollected(b, e, at)
	case DebitRejected:
		return applyRejected(b, e)
	case RunStarted:
		return applyRunStarted(b, e, at)
	case RunCompleted:
		return applyRunCompleted(b, e, at)
	}
	return impossible("no rule for %T", e)
}

func applyObserved(b Book, e ContractObserved, at time.Time) error {
	a, known := b.Account(e.Contract.Ref)
	if known && e.Contract.Version <= a.Contract.Version {
		return impossible("%s has version %d, got %d", e.Contract.Ref, a.Contract.Version, e.Contract.Version)
	}
	if e.Contract.Ceiling.Amount < 0 {
		return impossible("ceiling of %s is %d", e.Contract.Ref, e.Contract.Ceiling.Amount)
	}
	if !known {
		a.Currency = e.Contract.Ceiling.Currency
	}
	a.Contract, a.IngestedAt, a.Unreadable = e.Contract, at, false
	b.PutAccount(a)
	return nil
}

func applyUnreadable(b Book, e ContractUnreadable) error {
	a, ok := b.Account(e.ContractRef)
	if !ok {
		return impossible("contract %s is not known", e.ContractRef)
	}
	a.Unreadable, a.LastUnreadable = true, e.Source
	b.PutAccount(a)
	return nil
}

// take gives the account with one more operation, whose reference must be the next one.
func take(b Book, contractRef, operationRef string) (Account, error) {
	a, ok := b.Account(contractRef)
	if !ok {
		return a, impossible("contract %s is not known", contractRef)
	}
	if want := a.nextOperation(); operationRef != want {
		return a, impossible("operation %s, want %s", operationRef, want)
	}
	if _, taken := b.Operation(operationRef); taken {
		return a, impossible("operation %s exists", operationRef)
	}
	a.Operations++
	return a, nil
}

func applyPurchase(b Book, e PurchaseAccepted) error {
	a, err := take(b, e.ContractRef, e.OperationRef)
	if err != nil {
		return err
	}
	total, err := sum(a.Outstanding().Amount, e.Amount.Amount)
	switch {
	case err != nil:
		return impossible("outstanding of %s: %w", e.ContractRef, err)
	case e.Amount.Amount < 1 || e.Amount.Currency != a.Currency:
		return impossible("purchase of %s on an account in %s", e.Amount, a.Currency)
	case total > a.Contract.Ceiling.Amount:
		return impossible("purchase %s takes the outstanding to %d, above the ceiling %d", e.OperationRef, total, a.Contract.Ceiling.Amount)
	case a.Contract.Status != StatusActive:
		return impossible("purchase %s on a contract that is %s", e.OperationRef, a.Contract.Status)
	case !a.LastClosed.Before(e.Period):
		return impossible("purchase %s in the closed period %s", e.OperationRef, e.Period)
	}
	open, _ := a.OpenPeriod(e.Period)
	open.Period = e.Period
	open.Lines++
	// at most the outstanding amount and refunds, which are at most earlier purchases
	open.Purchases += e.Amount.Amount
	if open.Purchases < 0 {
		return impossible("purchases of %s: %w", e.Period, errOverflow)
	}
	open.Hash = open.Hash.line(KindPurchase, e.OperationRef, e.Amount)
	a.NotInvoiced += e.Amount.Amount
	b.PutAccount(a.withOpen(open))
	b.PutOperation(Operation{
		Ref: e.OperationRef, Kind: KindPurchase, Status: OperationAccepted, ContractRef: e.ContractRef, OrderRef: e.OrderRef,
		Amount: e.Amount, Period: e.Period,
	})
	return nil
}

func applyRefused(b Book, e PurchaseRefused) error {
	a, err := take(b, e.ContractRef, e.OperationRef)
	if err != nil {
		return err
	}
	if len(e.Reasons) == 0 {
		return impossible("purchase %s is refused without a reason", e.OperationRef)
	}
	b.PutAccount(a)
	b.PutOperation(Operation{
		Ref: e.OperationRef, Kind: KindPurchase, Status: OperationRefused, ContractRef: e.ContractRef, OrderRef: e.OrderRef, Amount: e.Amount,
	})
	return nil
}

func applyRefund(b Book, e RefundAccepted) error {
	a, err := take(b, e.ContractRef, e.OperationRef)
	if err != nil {
		return err
	}
	p, ok := b.Operation(e.PurchaseRef)
	if !ok || p.Kind != KindPurchase || p.Status != OperationAccepted || p.ContractRef != e.ContractRef {
		return impossible("refund %s of %s, which is no accepted purchase of %s", e.OperationRef, e.PurchaseRef, e.ContractRef)
	}
	if e.Amount.Amount < 1 || e.Amount.Currency != p.Amount.Currency || e.Amount.Amount > p.Left().Amount {
		return impossible("refund %s of %s, %s left of %s", e.OperationRef, e.Amount, p.Left(), p.Ref)
	}
	open, found := a.OpenPeriod(e.Period)
	if !found || e.Period != p.Period {
		return impossible("refund %s in the period %s, which is not the open one of %s", e.OperationRef, e.Period, p.Ref)
	}
	if a.NotInvoiced, err = less(a.NotInvoiced, e.Amount.Amount); err != nil {
		return impossible("not invoiced of %s: %w", e.ContractRef, err)
	}
	if _, err := less(open.Total(), e.Amount.Amount); err != nil {
		return impossible("total of %s: %w", e.Period, err)
	}
	open.Refunds += e.Amount.Amount
	open.Lines++
	open.Hash = open.Hash.line(KindRefund, e.OperationRef, e.Amount)
	p.Refunded += e.Amount.Amount
	b.PutAccount(a.withOpen(open))
	b.PutOperation(p)
	b.PutOperation(Operation{
		Ref: e.OperationRef, Kind: KindRefund, Status: OperationAccepted, ContractRef: e.ContractRef, OrderRef: p.OrderRef,
		Amount: e.Amount, Period: e.Period,
	})
	return nil
}

func applyClosed(b Book, e PeriodClosed, at time.Time) error {
	a, ok := b.Account(e.ContractRef)
	if !ok {
		return impossible("contract %s is not known", e.ContractRef)
	}
	if !a.LastClosed.Before(e.Period) || len(a.Open) == 0 || a.Open[0].Period != e.Period {
		return impossible("%s is not the first open period of %s", e.Period, e.ContractRef)
	}
	open := a.Open[0]
	if open.Total() != e.Total.Amount || a.Currency != e.Total.Currency || open.Lines != e.Lines || open.Hash != e.Hash {
		return impossible("%s of %s has %d lines and a total of %d, the record has %d and %d, or other lines",
			e.Period, e.ContractRef, open.Lines, open.Total(), e.Lines, e.Total.Amount)
	}
	number, err := parseInvoiceRef(e.InvoiceRef)
	if err != nil {
		return impossible("%w", err)
	}
	if !number.follows(b.Numbering()) {
		return impossible("invoice %s after number %d of %d", e.InvoiceRef, b.Numbering().Last, b.Numbering().Year)
	}
	if a.NotInvoiced, err = less(a.NotInvoiced, open.Total()); err != nil {
		return impossible("not invoiced of %s: %w", e.ContractRef, err)
	}
	a.NotSettled += open.Total() // the outstanding amount stays what it was
	a.LastClosed, a.Open = e.Period, slices.Clone(a.Open[1:])
	b.PutAccount(a)
	b.PutNumbering(number)
	b.PutInvoice(issue(a, open, e, at))
	return nil
}

func issue(a Account, open OpenMonth, e PeriodClosed, at time.Time) Invoice {
	i := Invoice{
		Ref: e.InvoiceRef, ContractRef: e.ContractRef, SubscriptionRef: a.Contract.SubscriptionRef, CustomerRef: a.Contract.CustomerRef,
		Period: e.Period, Buyer: e.Buyer, Currency: a.Currency, Purchases: open.Purchases, Refunds: open.Refunds, Lines: open.Lines,
		Hash: open.Hash, IssuedAt: at, Status: InvoiceIssued,
	}
	if i.Total() == 0 {
		i.Status, i.SettledAt = InvoiceSettled, at
	}
	return i
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

func applyPresented(b Book, e DebitPresented, at time.Time) error {
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

func applyCollected(b Book, e DebitCollected, at time.Time) error {
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

func applyRejected(b Book, e DebitRejected) error {
	a, i, err := step(b, e.ContractRef, e.InvoiceRef, StepRejected, e.Presentation)
	if err != nil {
		return err
	}
	i.Status, i.Presenting, i.Rejection = InvoiceRejected, 0, e.Reason
	b.PutInvoice(i)
	b.PutAccount(a)
	return nil
}

func applyRunStarted(b Book, e RunStarted, at time.Time) error {
	r := b.Run(e.Period)
	if r.Running {
		return impossible("the run of %s is going on", e.Period)
	}
	r.Starts++
	r.Period, r.Running, r.StartedAt = e.Period, true, at
	b.PutRun(r)
	return nil
}

func applyRunCompleted(b Book, e RunCompleted, at time.Time) error {
	r := b.Run(e.Period)
	if !r.Running {
		return impossible("the run of %s is not going on", e.Period)
	}
	r.Running, r.CompletedAt, r.LeftOut = false, at, e.LeftOut
	b.PutRun(r)
	return nil
}
