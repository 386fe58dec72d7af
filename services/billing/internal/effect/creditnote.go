package effect

import (
	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/optional"
)

func (e *encoder) CreditNoteRecorded(c billing.CreditNoteRecorded) error {
	request, err := e.Requested()
	e.message = &billinglog.CreditNoteRecorded{
		OperationRef: c.OperationRef, ContractRef: c.ContractRef, PurchaseRef: c.PurchaseRef, InvoiceRef: c.InvoiceRef, CreditNoteRef: c.CreditNoteRef,
		Amount: billinglog.Money(c.Amount), Request: billinglog.Request(request), Reason: optional.Text(c.Reason),
	}
	return err
}

func (d decoder) CreditNoteRecorded(m *billinglog.CreditNoteRecorded) (Body, error) {
	return d.Answering(billing.CreditNoteRecorded{
		OperationRef: m.OperationRef, ContractRef: m.ContractRef, PurchaseRef: m.PurchaseRef, InvoiceRef: m.InvoiceRef, CreditNoteRef: m.CreditNoteRef,
		Reason: optional.Value(m.Reason), Amount: billing.Money(m.Amount),
	}, ledger.Request(m.Request))
}

// CreditNoteRecorded publishes the refund, then its credit note, and then that the part is settled
// if nothing is due any more.
func (p *publisher) CreditNoteRecorded(e billing.CreditNoteRecorded) error {
	c := p.account.Contract
	purchase, _ := p.After.Operation(e.PurchaseRef)
	err := p.events.OperationAccepted(p.ctx, p.key, event.OperationAccepted{
		OperationRef: e.OperationRef, ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, Kind: event.OperationKindRefund, OrderRef: purchase.OrderRef,
		PurchaseRef: &e.PurchaseRef, Amount: event.Money(e.Amount), Period: purchase.Period.String(), ContractVersion: c.Version, Outstanding: p.outstanding(),
		OccurredAt: p.DecidedAt, CreditNoteRef: &e.CreditNoteRef,
	}, p.headers())
	if err != nil {
		return err
	}
	err = p.events.CreditNoteIssued(p.ctx, p.key, event.CreditNoteIssued{
		CreditNoteRef: e.CreditNoteRef, InvoiceRef: e.InvoiceRef, ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, RefundRef: e.OperationRef,
		Amount: event.Money(e.Amount), OccurredAt: p.DecidedAt,
	}, p.headers())
	if err != nil {
		return err
	}
	i, _ := p.After.Invoice(e.InvoiceRef)
	return p.nothingDue(i, e.ContractRef)
}

func (m projector) CreditNoteRecorded(e billing.CreditNoteRecorded) error {
	purchase, _ := m.after.Operation(e.PurchaseRef)
	m.addOperation(Operation{
		Ref: e.OperationRef, Kind: billing.KindRefund, Status: billing.OperationAccepted, ContractRef: e.ContractRef, PurchaseRef: e.PurchaseRef,
		Text: e.Reason, Amount: e.Amount, Period: purchase.Period, CreditNoteRef: e.CreditNoteRef,
	}, nil)
	return nil
}
