package effect

import (
	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/optional"
)

func (e *encoder) PurchaseAccepted(a billing.PurchaseAccepted) error {
	request, err := e.Requested()
	e.message = &billinglog.PurchaseAccepted{
		OperationRef: a.OperationRef, ContractRef: a.ContractRef, OrderRef: a.OrderRef, Label: optional.Text(a.Label),
		Amount: billinglog.Money(a.Amount), Period: a.Period.String(), ContractVersion: a.ContractVersion, TakesOrder: a.TakesOrder,
		Request: billinglog.Request(request),
	}
	return err
}

func (d decoder) PurchaseAccepted(m *billinglog.PurchaseAccepted) (Body, error) {
	p, err := billing.ParsePeriod(m.Period)
	if err != nil {
		return Body{}, err
	}
	return d.Answering(billing.PurchaseAccepted{
		OperationRef: m.OperationRef, ContractRef: m.ContractRef, OrderRef: m.OrderRef, Label: optional.Value(m.Label),
		Amount: billing.Money(m.Amount), Period: p, ContractVersion: m.ContractVersion, TakesOrder: m.TakesOrder,
	}, ledger.Request(m.Request))
}

func (p *publisher) PurchaseAccepted(e billing.PurchaseAccepted) error {
	c := p.account.Contract
	err := p.events.OperationAccepted(p.ctx, p.key, event.OperationAccepted{
		OperationRef: e.OperationRef, ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, Kind: event.OperationKindPurchase, OrderRef: e.OrderRef,
		Amount: event.Money(e.Amount), Period: e.Period.String(), ContractVersion: e.ContractVersion, Outstanding: p.outstanding(), OccurredAt: p.DecidedAt,
	}, p.headers())
	if err != nil || !passes(p.account, e.Amount.Amount) {
		return err
	}
	return p.events.CeilingThresholdReached(p.ctx, p.key, event.CeilingThresholdReached{
		ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, Percent: threshold, Outstanding: p.outstanding(), Ceiling: event.Money(c.Ceiling), OccurredAt: p.DecidedAt,
	}, p.headers())
}

// threshold is the share of the ceiling, in per cent, whose passing is published.
const threshold = 80

// passes reports whether a purchase took the outstanding amount from below the threshold to it or
// above.
func passes(after billing.Account, amount int64) bool {
	ceiling := after.Contract.Ceiling.Amount
	limit := ceiling/100*threshold + ceiling%100*threshold/100
	now := after.Outstanding().Amount
	return now >= limit && now-amount < limit
}

func (p *publisher) outstanding() event.Outstanding {
	a := p.account
	return event.Outstanding{NotInvoiced: event.Money{Amount: a.NotInvoiced, Currency: a.Currency}, NotSettled: event.Money{Amount: a.NotSettled, Currency: a.Currency}}
}

func (m projector) PurchaseAccepted(e billing.PurchaseAccepted) error {
	m.addOperation(Operation{
		Ref: e.OperationRef, Kind: billing.KindPurchase, Status: billing.OperationAccepted, ContractRef: e.ContractRef, OrderRef: e.OrderRef,
		Text: e.Label, Amount: e.Amount, Period: e.Period,
	}, nil)
	return nil
}

func (e *encoder) PurchaseRefused(r billing.PurchaseRefused) error {
	request, err := e.Requested()
	e.message = &billinglog.PurchaseRefused{
		OperationRef: r.OperationRef, ContractRef: r.ContractRef, OrderRef: r.OrderRef, Label: optional.Text(r.Label),
		Amount: billinglog.Money(r.Amount), Reasons: convert[billinglog.RefusalReason](r.Reasons), ContractVersion: r.ContractVersion, Request: billinglog.Request(request),
	}
	return err
}

func (d decoder) PurchaseRefused(m *billinglog.PurchaseRefused) (Body, error) {
	return d.Answering(billing.PurchaseRefused{
		OperationRef: m.OperationRef, ContractRef: m.ContractRef, OrderRef: m.OrderRef, Label: optional.Value(m.Label),
		Amount: billing.Money(m.Amount), Reasons: convert[billing.Reason](m.Reasons), ContractVersion: m.ContractVersion,
	}, ledger.Request(m.Request))
}

func (p *publisher) PurchaseRefused(e billing.PurchaseRefused) error {
	c := p.account.Contract
	return p.events.OperationRefused(p.ctx, p.key, event.OperationRefused{
		OperationRef: e.OperationRef, ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, OrderRef: e.OrderRef, Amount: event.Money(e.Amount),
		Reasons: convert[event.RefusalReason](e.Reasons), ContractVersion: e.ContractVersion, Outstanding: p.outstanding(), Ceiling: event.Money(c.Ceiling),
		OccurredAt: p.DecidedAt,
	}, p.headers())
}

func (m projector) PurchaseRefused(e billing.PurchaseRefused) error {
	m.addOperation(Operation{
		Ref: e.OperationRef, Kind: billing.KindPurchase, Status: billing.OperationRefused, ContractRef: e.ContractRef, OrderRef: e.OrderRef,
		Text: e.Label, Amount: e.Amount,
	}, e.Reasons)
	return nil
}

func (e *encoder) RefundAccepted(r billing.RefundAccepted) error {
	request, err := e.Requested()
	e.message = &billinglog.RefundAccepted{
		OperationRef: r.OperationRef, ContractRef: r.ContractRef, PurchaseRef: r.PurchaseRef, Reason: optional.Text(r.Reason),
		Amount: billinglog.Money(r.Amount), Period: r.Period.String(), Request: billinglog.Request(request),
	}
	return err
}

func (d decoder) RefundAccepted(m *billinglog.RefundAccepted) (Body, error) {
	p, err := billing.ParsePeriod(m.Period)
	if err != nil {
		return Body{}, err
	}
	return d.Answering(billing.RefundAccepted{
		OperationRef: m.OperationRef, ContractRef: m.ContractRef, PurchaseRef: m.PurchaseRef, Reason: optional.Value(m.Reason),
		Amount: billing.Money(m.Amount), Period: p,
	}, ledger.Request(m.Request))
}

func (p *publisher) RefundAccepted(e billing.RefundAccepted) error {
	c := p.account.Contract
	purchase, _ := p.After.Operation(e.PurchaseRef)
	return p.events.OperationAccepted(p.ctx, p.key, event.OperationAccepted{
		OperationRef: e.OperationRef, ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, Kind: event.OperationKindRefund, OrderRef: purchase.OrderRef,
		PurchaseRef: &e.PurchaseRef, Amount: event.Money(e.Amount), Period: e.Period.String(), ContractVersion: c.Version, Outstanding: p.outstanding(), OccurredAt: p.DecidedAt,
	}, p.headers())
}

func (m projector) RefundAccepted(e billing.RefundAccepted) error {
	m.addOperation(Operation{
		Ref: e.OperationRef, Kind: billing.KindRefund, Status: billing.OperationAccepted, ContractRef: e.ContractRef, PurchaseRef: e.PurchaseRef,
		Text: e.Reason, Amount: e.Amount, Period: e.Period,
	}, nil)
	return nil
}
