package effect

import (
	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

func (e *encoder) PurchaseCancelled(c billing.PurchaseCancelled) error {
	request, err := e.Requested()
	e.message = &billinglog.PurchaseCancelled{OperationRef: c.OperationRef, ContractRef: c.ContractRef, OrderRef: c.OrderRef, Reason: c.Reason, Request: billinglog.Request(request)}
	return err
}

func (d decoder) PurchaseCancelled(m *billinglog.PurchaseCancelled) (Body, error) {
	return d.Answering(billing.PurchaseCancelled{OperationRef: m.OperationRef, ContractRef: m.ContractRef, OrderRef: m.OrderRef, Reason: m.Reason}, ledger.Request(m.Request))
}

func (p *publisher) PurchaseCancelled(e billing.PurchaseCancelled) error {
	purchase, _ := p.After.Operation(e.OperationRef)
	return p.events.OperationCancelled(p.ctx, p.key, event.OperationCancelled{
		OperationRef: e.OperationRef, ContractRef: e.ContractRef, CustomerRef: p.account.Contract.CustomerRef, Amount: event.Money(purchase.Amount),
		Period: purchase.Period.String(), Reason: e.Reason, Outstanding: p.outstanding(), OccurredAt: p.DecidedAt,
	}, p.headers())
}

func (m projector) PurchaseCancelled(e billing.PurchaseCancelled) error {
	purchase, _ := m.after.Operation(e.OperationRef)
	m.cancel(purchase)
	return nil
}
