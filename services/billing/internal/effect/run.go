package effect

import (
	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

func (e *encoder) RunStarted(r billing.RunStarted) error {
	e.message = &billinglog.RunStarted{Period: r.Period.String(), Request: (*billinglog.Request)(e.MaybeRequested())}
	return nil
}

func (d decoder) RunStarted(m *billinglog.RunStarted) (Body, error) {
	p, err := billing.ParsePeriod(m.Period)
	if err != nil {
		return Body{}, err
	}
	return d.MaybeAnswering(billing.RunStarted{Period: p}, (*ledger.Request)(m.Request))
}

func (p *publisher) RunStarted(billing.RunStarted) error { return private() }

func (m projector) RunStarted(e billing.RunStarted) error {
	m.Running[e.Period] = true
	return nil
}

func (e *encoder) RunCompleted(r billing.RunCompleted) error {
	closed, err := int32Of(r.Closed)
	if err != nil {
		return err
	}
	invoices, err := int32Of(r.Invoices)
	if err != nil {
		return err
	}
	m := &billinglog.RunCompleted{Period: r.Period.String(), Closed: closed, Invoices: invoices}
	for _, l := range r.LeftOut {
		m.Parked = append(m.Parked, billinglog.Parked{
			ContractRef: l.ContractRef, Code: l.Code, Detail: l.Detail, CustomerRef: l.Customer.CustomerRef, SellerRef: l.Customer.SellerRef,
		})
	}
	e.message = m
	return e.Unrequested()
}

func (d decoder) RunCompleted(m *billinglog.RunCompleted) (Body, error) {
	p, err := billing.ParsePeriod(m.Period)
	if err != nil {
		return Body{}, err
	}
	e := billing.RunCompleted{Period: p, Closed: int64(m.Closed), Invoices: int64(m.Invoices)}
	for _, l := range m.Parked {
		e.LeftOut = append(e.LeftOut, billing.LeftOut{
			Customer: billing.CustomerKey{CustomerRef: l.CustomerRef, SellerRef: l.SellerRef}, ContractRef: l.ContractRef, Code: l.Code, Detail: l.Detail,
		})
	}
	return d.WithoutRequest(e)
}

func (p *publisher) RunCompleted(billing.RunCompleted) error { return private() }

func (m projector) RunCompleted(e billing.RunCompleted) error {
	delete(m.Running, e.Period)
	return nil
}
