package billing

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors of closing a period. They record nothing.
var (
	ErrPeriodNotEnded    = errors.New("period has not ended")
	ErrEarlierPeriodOpen = errors.New("an earlier period is still open; run it first")
	ErrNothingToClose    = errors.New("nothing in the period")
	ErrPeriodClosed      = errors.New("period is closed already")
)

// Close asks for a period of a contract to be closed, and its invoice to be issued.
type Close struct {
	ContractRef string
	Period      Period
}

// About implements Command.
func (c Close) About() Subject { return Subject{Contract: c.ContractRef, Numbers: true} }

func (c Close) decide(s States, at Moment) (Event, error) {
	a, ok := s.Account(c.ContractRef)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrContractUnknown, c.ContractRef)
	}
	return DecideClose(a, s.Numbering(), c.Period, at.Now, at.Paris)
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

// PeriodClosed: nothing enters the period any more, and its invoice is issued.
type PeriodClosed struct {
	ContractRef string
	Period      Period
	Lines       int64
	Total       Money
	InvoiceRef  string
	Hash        Hash
	Buyer       Company
}

// About implements Event.
func (e PeriodClosed) About() Subject {
	return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef, Numbers: true}
}

// Visit implements Event.
func (e PeriodClosed) Visit(v Visitor) error { return v.PeriodClosed(e) }

func (e PeriodClosed) apply(b Book, at time.Time) error {
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
