package billing

import (
	"fmt"
	"slices"
	"time"
)

// Cancel asks for a purchase to count no longer.
type Cancel struct {
	PurchaseRef string
	Reason      string
}

// About implements Command.
func (c Cancel) About() Subject { return onPurchase(c.PurchaseRef) }

func (c Cancel) decide(s States, _ Moment) (Event, error) {
	a, purchase, err := purchaseOf(s, c.PurchaseRef)
	if err != nil {
		return nil, err
	}
	return DecideCancel(a, purchase, c)
}

// CancelError: an operation cannot be cancelled.
type CancelError struct {
	Operation  Operation
	InvoiceRef string // that it is on, "" if it is on none
}

func (e *CancelError) Error() string {
	o := e.Operation
	switch {
	case o.Kind != KindPurchase:
		return fmt.Sprintf("%s is a refund, and only a purchase can be cancelled", o.Ref)
	case o.Status == OperationRefused:
		return fmt.Sprintf("%s was refused, so it does not count", o.Ref)
	case o.Status == OperationCancelled:
		return fmt.Sprintf("%s is cancelled already", o.Ref)
	case e.InvoiceRef != "":
		return fmt.Sprintf("%s is on invoice %s", o.Ref, e.InvoiceRef)
	}
	return fmt.Sprintf("%s of %s was refunded", o.Given(), o.Ref)
}

// DecideCancel cancels an accepted purchase. Its period must be open, and nothing of it refunded.
// The contract's status does not matter.
func DecideCancel(a Account, purchase Operation, c Cancel) (Event, error) {
	invoice := a.InvoiceOf(purchase.Period)
	if purchase.Kind != KindPurchase || purchase.Status != OperationAccepted || invoice != "" || purchase.Refunded > 0 {
		return nil, &CancelError{Operation: purchase, InvoiceRef: invoice}
	}
	return PurchaseCancelled{OperationRef: purchase.Ref, ContractRef: purchase.ContractRef, OrderRef: purchase.OrderRef, Reason: c.Reason}, nil
}

// PurchaseCancelled: a purchase does not count any more, and is on no invoice.
type PurchaseCancelled struct {
	OperationRef string
	ContractRef  string
	OrderRef     string // that it frees, "" in a record of the former version of the log
	Reason       string
}

func (e PurchaseCancelled) order() OrderKey { return OrderKey{e.ContractRef, e.OrderRef} }

// About implements Event.
func (e PurchaseCancelled) About() Subject {
	s := Subject{Contract: e.ContractRef, Purchase: e.OperationRef}
	if e.OrderRef != "" {
		s.Order = e.order()
	}
	return s
}

// Visit implements Event.
func (e PurchaseCancelled) Visit(v Visitor) error { return v.PurchaseCancelled(e) }

// cancelled is what a line of the hash begins with if it takes a purchase off the period.
const cancelled Kind = "CANCELLED"

func (e PurchaseCancelled) apply(b Book, _ time.Time) error {
	a, ok := b.Account(e.ContractRef)
	if !ok {
		return impossible("contract %s is not known", e.ContractRef)
	}
	p, ok := b.Operation(e.OperationRef)
	if !ok || p.Kind != KindPurchase || p.Status != OperationAccepted || p.ContractRef != e.ContractRef || p.Refunded > 0 {
		return impossible("cancellation of %s, which is not an accepted purchase of %s without refunds", e.OperationRef, e.ContractRef)
	}
	if e.OrderRef != "" && e.OrderRef != p.OrderRef {
		return impossible("cancellation of %s frees the order %s, its order is %s", p.Ref, e.OrderRef, p.OrderRef)
	}
	open, found := a.OpenPeriod(p.Period)
	if !found || open.Lines < 1 {
		return impossible("cancellation of %s in the period %s, which is not open", p.Ref, p.Period)
	}
	var err error
	if a.NotInvoiced, err = less(a.NotInvoiced, p.Amount.Amount); err != nil {
		return impossible("not invoiced of %s: %w", e.ContractRef, err)
	}
	if _, err := less(open.Total(), p.Amount.Amount); err != nil {
		return impossible("total of %s: %w", p.Period, err)
	}
	open.Lines--
	open.Purchases -= p.Amount.Amount
	open.Hash = open.Hash.line(cancelled, p.Ref, p.Amount)
	a = a.withOpen(open)
	if open.Lines == 0 { // nothing to invoice
		a.Open = slices.DeleteFunc(a.Open, func(o OpenMonth) bool { return o.Period == p.Period })
	}
	p.Status = OperationCancelled
	b.PutAccount(a)
	b.PutOperation(p)
	if e.OrderRef != "" && b.Order(e.order()) == p.Ref {
		b.PutOrder(e.order(), "")
	}
	return nil
}
