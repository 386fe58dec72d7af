package effect

import (
	"fmt"

	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
)

func (e *encoder) PeriodClosed(c billing.PeriodClosed) error {
	lines, err := int32Of(c.Lines)
	if err != nil {
		return err
	}
	buyer := toLogCompany(c.Buyer)
	e.message = &billinglog.PeriodClosed{
		ContractRef: c.ContractRef, Period: c.Period.String(), LineCount: lines, Total: billinglog.Money(c.Total),
		InvoiceRef: optional(c.InvoiceRef), LinesHash: c.Hash[:], Buyer: &buyer,
	}
	return e.Unrequested()
}

func (decoder) PeriodClosed(m *billinglog.PeriodClosed) (Body, error) {
	p, err := billing.ParsePeriod(m.Period)
	if err != nil {
		return Body{}, err
	}
	e := billing.PeriodClosed{ContractRef: m.ContractRef, Period: p, Lines: int64(m.LineCount), Total: billing.Money(m.Total), InvoiceRef: text(m.InvoiceRef)}
	if n := copy(e.Hash[:], m.LinesHash); n != len(e.Hash) || len(m.LinesHash) != n {
		return Body{}, fmt.Errorf("hash of %d bytes", len(m.LinesHash))
	}
	if m.Buyer != nil {
		e.Buyer = fromLogCompany(*m.Buyer)
	}
	return unasked(e)
}

// PeriodClosed publishes that the period is closed, its invoice, and that an invoice of nothing is
// settled.
func (p *publisher) PeriodClosed(e billing.PeriodClosed) error {
	i, _ := p.After.Invoice(e.InvoiceRef)
	lines := int32(e.Lines) // the codec let it into the record, so it fits
	err := p.events.BillingPeriodClosed(p.ctx, p.key, event.BillingPeriodClosed{
		ContractRef: e.ContractRef, CustomerRef: i.CustomerRef, Period: e.Period.String(), LineCount: lines, Total: event.Money(e.Total), InvoiceRef: &e.InvoiceRef, OccurredAt: p.DecidedAt,
	}, p.headers())
	if err != nil {
		return err
	}
	err = p.events.InvoiceIssued(p.ctx, p.key, event.InvoiceIssued{
		InvoiceRef: e.InvoiceRef, ContractRef: e.ContractRef, CustomerRef: i.CustomerRef, Period: e.Period.String(), Buyer: toEventCompany(e.Buyer),
		Total: event.Money(e.Total), LineCount: lines, LinesHash: e.Hash[:], OccurredAt: p.DecidedAt,
	}, p.headers())
	if err != nil || i.Status != billing.InvoiceSettled {
		return err
	}
	return p.settled(i, event.SettlementMethodNothingDue, e.Total)
}

func (p *publisher) settled(i billing.Invoice, how event.SettlementMethod, amount billing.Money) error {
	return p.events.InvoiceSettled(p.ctx, p.key, event.InvoiceSettled{
		InvoiceRef: i.Ref, ContractRef: i.ContractRef, CustomerRef: i.CustomerRef, Method: how, Amount: event.Money(amount), OccurredAt: p.DecidedAt,
	}, p.headers())
}

func toEventCompany(c billing.Company) event.Company {
	return event.Company{LegalName: c.LegalName, Siren: c.SIREN, VATNumber: c.VATNumber, BillingAddress: event.Address{
		Line1: c.Address.Line1, Line2: optional(c.Address.Line2), PostalCode: c.Address.PostalCode, City: c.Address.City, Country: c.Address.Country,
	}}
}

func (m projector) PeriodClosed(e billing.PeriodClosed) error {
	m.closePeriod(e.ContractRef, e.Period, e.InvoiceRef)
	return nil
}

func (e *encoder) DebitPresented(d billing.DebitPresented) error {
	request, err := e.Requested()
	if err != nil {
		return err
	}
	n, err := int32Of(d.Presentation)
	e.message = &billinglog.DebitPresented{ContractRef: d.ContractRef, InvoiceRef: d.InvoiceRef, Presentation: n, Rum: d.RUM, Amount: billinglog.Money(d.Amount), Request: billinglog.Request(request)}
	return err
}

func (decoder) DebitPresented(m *billinglog.DebitPresented) (Body, error) {
	return asked(billing.DebitPresented{
		ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), RUM: m.Rum, Amount: billing.Money(m.Amount),
	}, m.Request)
}

func (p *publisher) DebitPresented(billing.DebitPresented) error { return private() }

func (projector) DebitPresented(billing.DebitPresented) error { return unread() }

func (e *encoder) DebitCollected(d billing.DebitCollected) error {
	request, err := e.Requested()
	if err != nil {
		return err
	}
	n, err := int32Of(d.Presentation)
	e.message = &billinglog.DebitCollected{ContractRef: d.ContractRef, InvoiceRef: d.InvoiceRef, Presentation: n, Amount: billinglog.Money(d.Amount), Request: billinglog.Request(request)}
	return err
}

func (decoder) DebitCollected(m *billinglog.DebitCollected) (Body, error) {
	return asked(billing.DebitCollected{
		ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), Amount: billing.Money(m.Amount),
	}, m.Request)
}

func (p *publisher) DebitCollected(e billing.DebitCollected) error {
	i, _ := p.After.Invoice(e.InvoiceRef)
	return p.settled(i, event.SettlementMethodDirectDebit, e.Amount)
}

func (projector) DebitCollected(billing.DebitCollected) error { return unread() }

func (e *encoder) DebitRejected(d billing.DebitRejected) error {
	request, err := e.Requested()
	if err != nil {
		return err
	}
	n, err := int32Of(d.Presentation)
	e.message = &billinglog.DebitRejected{ContractRef: d.ContractRef, InvoiceRef: d.InvoiceRef, Presentation: n, Reason: d.Reason, Amount: billinglog.Money(d.Amount), Request: billinglog.Request(request)}
	return err
}

func (decoder) DebitRejected(m *billinglog.DebitRejected) (Body, error) {
	return asked(billing.DebitRejected{
		ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), Reason: m.Reason, Amount: billing.Money(m.Amount),
	}, m.Request)
}

func (p *publisher) DebitRejected(e billing.DebitRejected) error {
	i, _ := p.After.Invoice(e.InvoiceRef)
	return p.events.DirectDebitRejected(p.ctx, p.key, event.DirectDebitRejected{
		InvoiceRef: e.InvoiceRef, ContractRef: e.ContractRef, CustomerRef: i.CustomerRef, Presentation: int32(e.Presentation), Phase: event.DebitPhaseRejected,
		Reason: e.Reason, Amount: event.Money(e.Amount), OccurredAt: p.DecidedAt,
	}, p.headers())
}

func (projector) DebitRejected(billing.DebitRejected) error { return unread() }

func (decoder) DebitReturned(m *billinglog.DebitReturned) (Body, error) { return notBuilt(m) }

func (decoder) SettledOtherwise(m *billinglog.SettledOtherwise) (Body, error) { return notBuilt(m) }
