package billing

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors of closing a period. They record nothing.
var (
	ErrCustomerUnknown   = errors.New("customer unknown")
	ErrPeriodNotEnded    = errors.New("period has not ended")
	ErrEarlierPeriodOpen = errors.New("an earlier period is still open; run it first")
	ErrNothingToClose    = errors.New("nothing in the period")
	ErrPeriodClosed      = errors.New("period is closed already")
)

// Close asks for a period of a customer to be closed, and its invoice to be issued. Contracts are
// those that the caller knows the customer to have. Those in the customer's own list are added: the
// caller's may be behind, and the customer's may lack contracts of the former version of the log.
type Close struct {
	Customer  CustomerKey
	Contracts []string
	Period    Period
}

// About implements Command.
func (c Close) About() Subject {
	return Subject{Customer: c.Customer, Contracts: c.Contracts, Series: InvoiceSeries}
}

func (c Close) decide(s States, at Moment) (Event, error) {
	customer := s.Customer(c.Customer).with(c.Contracts...)
	accounts := make([]Account, 0, len(customer.Contracts))
	for _, ref := range customer.Contracts {
		if a, ok := s.Account(ref); ok {
			accounts = append(accounts, a)
		}
	}
	if len(accounts) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrCustomerUnknown, c.Customer.CustomerRef)
	}
	return DecideClose(accounts, s.Numbering(InvoiceSeries), c.Period, at.Now, at.Paris)
}

// Closing is what closing a period of a customer takes: the contracts whose operations are
// invoiced, and all that the period is closed for.
type Closing struct {
	Parts     []Account // with something in the period, in one currency
	Contracts []string  // the parts' and those with nothing to close up to the period
}

// Total is what the invoice says.
func (c Closing) Total(p Period) (Money, error) {
	total := Money{Currency: c.Parts[0].Currency}
	for _, a := range c.Parts {
		open, _ := a.OpenPeriod(p)
		var err error
		if total.Amount, err = sum(total.Amount, open.Total()); err != nil {
			return total, err
		}
	}
	return total, nil
}

// PlanClose returns what closing a period of a customer takes, given the accounts of all its
// contracts in the order of their references, or why it cannot be closed now. An invoice has one
// currency, that of the first contract with something in the period, and its purchases add up to
// MaxAmount at most. Contracts that do not fit are left for another invoice.
func PlanClose(accounts []Account, p Period, now time.Time, paris *time.Location) (Closing, error) {
	c := planned(accounts, p)
	for _, a := range accounts {
		switch {
		case len(c.Parts) == 0 && !a.LastClosed.Before(p):
			return c, fmt.Errorf("%w: %s of %s", ErrPeriodClosed, p, a.Contract.CustomerRef)
		case len(a.Open) > 0 && a.Open[0].Period.Before(p):
			return c, fmt.Errorf("%w: %s of %s", ErrEarlierPeriodOpen, a.Open[0].Period, a.Contract.Ref)
		case len(c.Parts) > 0 && a.Unreadable:
			return c, fmt.Errorf("%w: %s", ErrContractUnreadable, a.Contract.Ref)
		}
	}
	if len(c.Parts) == 0 {
		return c, fmt.Errorf("%w: %s of %s", ErrNothingToClose, p, accounts[0].Contract.CustomerRef)
	}
	if end := p.End(paris); now.Before(end) {
		return c, fmt.Errorf("%w: %s ends at %s", ErrPeriodNotEnded, p, end.Format(time.RFC3339))
	}
	return c, nil
}

func planned(accounts []Account, p Period) (c Closing) {
	purchases := int64(0)
	for _, a := range accounts {
		open, found := a.OpenPeriod(p)
		switch {
		case found && (len(c.Parts) == 0 || c.Parts[0].Currency == a.Currency && open.Purchases <= MaxAmount-purchases):
			c.Parts = append(c.Parts, a)
			purchases += open.Purchases
		case found || !a.LastClosed.Before(p):
			continue
		}
		c.Contracts = append(c.Contracts, a.Contract.Ref)
	}
	return c
}

// DecideClose closes a period of a customer and issues its invoice in one decision: not before the
// period has ended, in order, and only if there is something in it. The buyer on the invoice is
// that of the part whose contract was observed last: a customer is one company, whatever its
// contracts.
func DecideClose(accounts []Account, n Numbering, p Period, now time.Time, paris *time.Location) (Event, error) {
	c, err := PlanClose(accounts, p, now, paris)
	if err != nil {
		return nil, err
	}
	e := PeriodClosed{Customer: c.Parts[0].Contract.Customer(), Period: p, InvoiceRef: n.next(now, paris).ref(InvoiceSeries), Contracts: c.Contracts}
	if e.Total, err = c.Total(p); err != nil {
		return nil, fmt.Errorf("total of %s: %w", p, err)
	}
	var observed time.Time
	for _, a := range c.Parts {
		open, _ := a.OpenPeriod(p)
		e.Parts = append(e.Parts, ClosedPart{
			ContractRef: a.Contract.Ref, Lines: open.Lines, Total: Money{Amount: open.Total(), Currency: a.Currency}, Hash: open.Hash,
		})
		if !a.IngestedAt.Before(observed) {
			e.Buyer, observed = a.Contract.Buyer, a.IngestedAt
		}
	}
	return e, nil
}

// PeriodClosed: nothing enters the period of the contracts any more, and the customer's invoice is
// issued.
type PeriodClosed struct {
	// the zero value in a record of the former version of the log, which closed one contract
	Customer   CustomerKey
	Period     Period
	InvoiceRef string
	Buyer      Company
	Total      Money
	Parts      []ClosedPart // in the order of the references
	Contracts  []string     // that the period is closed for, those of the parts among them
}

// ClosedPart is what the period of one contract held.
type ClosedPart struct {
	ContractRef string
	Lines       int64
	Total       Money
	Hash        Hash
}

// Lines is how many operations are on the invoice.
func (e PeriodClosed) Lines() (n int64) {
	for _, p := range e.Parts {
		n += p.Lines
	}
	return n
}

// About implements Event.
func (e PeriodClosed) About() Subject {
	s := Subject{Contracts: e.Contracts, Customer: e.Customer, Invoice: e.InvoiceRef, Series: InvoiceSeries}
	if len(e.Parts) > 0 {
		s.Contract = e.Parts[0].ContractRef
	}
	return s
}

// Visit implements Event.
func (e PeriodClosed) Visit(v Visitor) error { return v.PeriodClosed(e) }

func (e PeriodClosed) apply(b Book, at time.Time) error {
	number, err := takeNumber(b, InvoiceSeries, e.InvoiceRef)
	if err != nil {
		return err
	}
	i := Invoice{Ref: e.InvoiceRef, Period: e.Period, Buyer: e.Buyer, Currency: e.Total.Currency, IssuedAt: at}
	accounts, err := e.accounts(b)
	if err != nil {
		return err
	}
	for n, p := range e.Parts {
		k := slices.IndexFunc(accounts, func(a Account) bool { return a.Contract.Ref == p.ContractRef })
		if k < 0 || slices.ContainsFunc(e.Parts[:n], func(q ClosedPart) bool { return q.ContractRef == p.ContractRef }) {
			return impossible("the part of %s on %s", p.ContractRef, e.InvoiceRef)
		}
		part, err := p.issue(&accounts[k], e, at)
		if err != nil {
			return err
		}
		i.CustomerRef, i.SellerRef = accounts[k].Contract.CustomerRef, accounts[k].Contract.SellerRef
		i.Parts = append(i.Parts, part)
	}
	if total := i.Total(); len(i.Parts) == 0 || total != e.Total.Amount {
		return impossible("%s has %d parts with a total of %d, the record has %d", e.InvoiceRef, len(i.Parts), total, e.Total.Amount)
	}
	for k, a := range accounts {
		if len(a.Open) > 0 && !e.Period.Before(a.Open[0].Period) {
			return impossible("%s of %s is open", a.Open[0].Period, a.Contract.Ref)
		}
		accounts[k].LastClosed = e.Period
		b.PutAccount(accounts[k])
	}
	if e.Customer != (CustomerKey{}) {
		c := b.Customer(e.Customer).with(e.Contracts...)
		if c.LastClosed.Before(e.Period) {
			c.LastClosed = e.Period
		}
		b.PutCustomer(c)
	}
	b.PutNumbering(InvoiceSeries, number)
	b.PutInvoice(i)
	return nil
}

// accounts returns the accounts that the period is closed for, in the order of Contracts.
func (e PeriodClosed) accounts(b Book) ([]Account, error) {
	accounts := make([]Account, 0, len(e.Contracts))
	for n, ref := range e.Contracts {
		a, ok := b.Account(ref)
		switch {
		case !ok || slices.Contains(e.Contracts[:n], ref):
			return nil, impossible("contract %s is not known, or is named twice", ref)
		case e.Customer != (CustomerKey{}) && a.Contract.Customer() != e.Customer:
			return nil, impossible("contract %s is not of %s", ref, e.Customer.CustomerRef)
		case !a.LastClosed.Before(e.Period):
			return nil, impossible("%s of %s is closed", e.Period, ref)
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// issue takes the period out of the account and returns the part of the invoice that it becomes.
func (p ClosedPart) issue(a *Account, e PeriodClosed, at time.Time) (Part, error) {
	if len(a.Open) == 0 || a.Open[0].Period != e.Period {
		return Part{}, impossible("%s is not the first open period of %s", e.Period, p.ContractRef)
	}
	open := a.Open[0]
	if open.Total() != p.Total.Amount || a.Currency != p.Total.Currency || p.Total.Currency != e.Total.Currency || open.Lines != p.Lines || open.Hash != p.Hash {
		return Part{}, impossible("%s of %s has %d lines and a total of %d, the record has %d and %d, or other lines",
			e.Period, p.ContractRef, open.Lines, open.Total(), p.Lines, p.Total.Amount)
	}
	var err error
	if a.NotInvoiced, err = less(a.NotInvoiced, open.Total()); err != nil {
		return Part{}, impossible("not invoiced of %s: %w", p.ContractRef, err)
	}
	a.NotSettled += open.Total() // the outstanding amount stays what it was
	a.Open = slices.Clone(a.Open[1:])
	a.Invoiced = append(slices.Clip(a.Invoiced), Invoiced{Period: e.Period, InvoiceRef: e.InvoiceRef})
	part := Part{
		ContractRef: p.ContractRef, SubscriptionRef: a.Contract.SubscriptionRef, Purchases: open.Purchases, Refunds: open.Refunds,
		Lines: open.Lines, Hash: open.Hash, Status: InvoiceIssued,
	}
	return part.settledIfNothingIsOpen(at), nil
}
