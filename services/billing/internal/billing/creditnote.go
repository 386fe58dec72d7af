package billing

import (
	"errors"
	"fmt"
	"time"
)

// CreditNoteSeries numbers the credit notes.
const CreditNoteSeries Series = "credit-note"

// ErrPurchaseInvoiced is the error of DecideRefund for a purchase that takes a credit note.
var ErrPurchaseInvoiced = errors.New("purchase is invoiced already; a credit note is needed")

// DecideCreditNote refunds part of a purchase that is on an invoice. DecideRefund must have
// returned ErrPurchaseInvoiced for the same refund.
func DecideCreditNote(a Account, purchase Operation, i Invoice, n Numbering, r Refund, at Moment) (Event, error) {
	if _, ok := i.Part(purchase.ContractRef); !ok {
		return nil, fmt.Errorf("no invoice has the period %s of %s", purchase.Period, purchase.ContractRef)
	}
	return CreditNoteRecorded{
		OperationRef: a.nextOperation(), ContractRef: a.Contract.Ref, PurchaseRef: purchase.Ref, InvoiceRef: i.Ref,
		CreditNoteRef: n.next(at.Now, at.Paris).ref(CreditNoteSeries), Reason: r.Reason, Amount: r.Amount,
	}, nil
}

// CreditNoteRecorded: part of a purchase was refunded after it was invoiced. The credit note lowers
// what is due on the part of the invoice that has the purchase.
type CreditNoteRecorded struct {
	OperationRef  string // of the refund
	ContractRef   string
	PurchaseRef   string
	InvoiceRef    string
	CreditNoteRef string
	Reason        string
	Amount        Money
}

// About implements Event.
func (e CreditNoteRecorded) About() Subject {
	return Subject{Contract: e.ContractRef, Operation: e.OperationRef, Purchase: e.PurchaseRef, Invoice: e.InvoiceRef, Series: CreditNoteSeries}
}

// Visit implements Event.
func (e CreditNoteRecorded) Visit(v Visitor) error { return v.CreditNoteRecorded(e) }

func (e CreditNoteRecorded) apply(b Book, at time.Time) error {
	number, err := takeNumber(b, CreditNoteSeries, e.CreditNoteRef)
	if err != nil {
		return err
	}
	a, p, err := takeRefund(b, e.OperationRef, e.ContractRef, e.PurchaseRef, e.Amount)
	if err != nil {
		return err
	}
	i, _ := b.Invoice(e.InvoiceRef)
	part, ok := i.Part(e.ContractRef)
	if !ok || a.InvoiceOf(p.Period) != e.InvoiceRef {
		return impossible("credit note %s of %s on %s, which does not have it", e.CreditNoteRef, p.Ref, e.InvoiceRef)
	}
	if _, err := less(part.Due(), e.Amount.Amount); err != nil {
		return impossible("due on %s: %w", e.InvoiceRef, err)
	}
	c := collection{book: b, account: a, invoice: i, part: part, before: part.OpenAmount()}
	c.part.CreditNotes += e.Amount.Amount
	c.part = c.part.settledIfNothingIsOpen(at)
	if err := c.put(); err != nil {
		return err
	}
	putRefund(b, e.OperationRef, p, e.Amount)
	b.PutNumbering(CreditNoteSeries, number)
	return nil
}
