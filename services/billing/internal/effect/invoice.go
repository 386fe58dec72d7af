package effect

import (
	"fmt"

	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/optional"
)

func (e *encoder) PeriodClosed(c billing.PeriodClosed) error {
	lines, err := int32Of(c.Lines())
	if err != nil {
		return err
	}
	buyer, hash := toLogCompany(c.Buyer), hashOf(c)
	m := &billinglog.PeriodClosed{
		ContractRef: c.About().Contract, Period: c.Period.String(), LineCount: lines, Total: billinglog.Money(c.Total), InvoiceRef: optional.Text(c.InvoiceRef),
		LinesHash: hash[:], Buyer: &buyer, CustomerRef: c.Customer.CustomerRef, SellerRef: c.Customer.SellerRef, Contracts: c.Contracts,
	}
	for _, p := range c.Parts { // none has more lines than all together
		m.Parts = append(m.Parts, billinglog.ClosedPart{ContractRef: p.ContractRef, LineCount: int32(p.Lines), Total: billinglog.Money(p.Total), LinesHash: p.Hash[:]})
	}
	e.message = m
	return e.Unrequested()
}

// hashOf returns the hash of the lines of an invoice.
func hashOf(c billing.PeriodClosed) billing.Hash {
	var hashes []billing.Hash
	for _, p := range c.Parts {
		hashes = append(hashes, p.Hash)
	}
	return billing.HashOf(hashes)
}

// PeriodClosed returns the closing of one contract as one part if the record is of the former
// version, which did not name the customer.
func (d decoder) PeriodClosed(m *billinglog.PeriodClosed) (Body, error) {
	p, err := billing.ParsePeriod(m.Period)
	if err != nil {
		return Body{}, err
	}
	e := billing.PeriodClosed{
		Customer: billing.CustomerKey{CustomerRef: m.CustomerRef, SellerRef: m.SellerRef}, Period: p, InvoiceRef: optional.Value(m.InvoiceRef), Total: billing.Money(m.Total), Contracts: m.Contracts,
	}
	if m.Buyer != nil {
		e.Buyer = fromLogCompany(*m.Buyer)
	}
	parts := m.Parts
	if m.CustomerRef == "" {
		parts = []billinglog.ClosedPart{{ContractRef: m.ContractRef, LineCount: m.LineCount, Total: m.Total, LinesHash: m.LinesHash}}
		e.Contracts = []string{m.ContractRef}
	}
	for _, p := range parts {
		part := billing.ClosedPart{ContractRef: p.ContractRef, Lines: int64(p.LineCount), Total: billing.Money(p.Total)}
		if n := copy(part.Hash[:], p.LinesHash); n != len(part.Hash) || len(p.LinesHash) != n {
			return Body{}, fmt.Errorf("hash of %d bytes", len(p.LinesHash))
		}
		e.Parts = append(e.Parts, part)
	}
	return d.WithoutRequest(e)
}

// PeriodClosed publishes for each part that the period of its contract is closed, then the invoice,
// and then which parts are settled because nothing is due.
func (p *publisher) PeriodClosed(e billing.PeriodClosed) error {
	i, _ := p.After.Invoice(e.InvoiceRef)
	hash := hashOf(e)
	issued := event.InvoiceIssued{
		InvoiceRef: e.InvoiceRef, ContractRef: e.About().Contract, CustomerRef: i.CustomerRef, SellerRef: i.SellerRef, Period: e.Period.String(),
		Buyer: toEventCompany(e.Buyer), Total: event.Money(e.Total), LineCount: int32(e.Lines()), LinesHash: hash[:], OccurredAt: p.DecidedAt,
	}
	for _, part := range i.Parts {
		// the codec let the sum of the lines into the record
		lines, total := int32(part.Lines), event.Money{Amount: part.Total(), Currency: i.Currency}
		err := p.events.BillingPeriodClosed(p.ctx, p.key, event.BillingPeriodClosed{
			ContractRef: part.ContractRef, CustomerRef: i.CustomerRef, Period: e.Period.String(), LineCount: lines, Total: total, InvoiceRef: &e.InvoiceRef, OccurredAt: p.DecidedAt,
		}, p.headers())
		if err != nil {
			return err
		}
		issued.Parts = append(issued.Parts, event.InvoicePart{
			ContractRef: part.ContractRef, SubscriptionRef: part.SubscriptionRef, Total: total, LineCount: lines, LinesHash: part.Hash[:],
		})
	}
	if err := p.events.InvoiceIssued(p.ctx, p.key, issued, p.headers()); err != nil {
		return err
	}
	for _, part := range i.Parts {
		if err := p.nothingDue(i, part.ContractRef); err != nil {
			return err
		}
	}
	return nil
}

// nothingDue publishes that a part is settled if it is because nothing is due.
func (p *publisher) nothingDue(i billing.Invoice, contractRef string) error {
	if part, _ := i.Part(contractRef); part.Method != billing.MethodNothingDue {
		return nil
	}
	return p.settled(i, contractRef, billing.Money{Currency: i.Currency})
}

// settled publishes that a part is settled.
func (p *publisher) settled(i billing.Invoice, contractRef string, amount billing.Money) error {
	part, _ := i.Part(contractRef)
	return p.events.InvoiceSettled(p.ctx, p.key, event.InvoiceSettled{
		InvoiceRef: i.Ref, ContractRef: contractRef, CustomerRef: i.CustomerRef, Method: event.SettlementMethod(part.Method), Amount: event.Money(amount),
		Reference: optional.Text(part.Reference), OccurredAt: p.DecidedAt,
	}, p.headers())
}

func toEventCompany(c billing.Company) event.Company {
	return event.Company{LegalName: c.LegalName, Siren: c.SIREN, VATNumber: c.VATNumber, BillingAddress: event.Address{
		Line1: c.Address.Line1, Line2: optional.Text(c.Address.Line2), PostalCode: c.Address.PostalCode, City: c.Address.City, Country: c.Address.Country,
	}}
}

func (m projector) PeriodClosed(e billing.PeriodClosed) error {
	i, _ := m.after.Invoice(e.InvoiceRef)
	m.issueInvoice(i)
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

func (d decoder) DebitPresented(m *billinglog.DebitPresented) (Body, error) {
	return d.Answering(billing.DebitPresented{
		ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), RUM: m.Rum, Amount: billing.Money(m.Amount),
	}, ledger.Request(m.Request))
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

func (d decoder) DebitCollected(m *billinglog.DebitCollected) (Body, error) {
	return d.Answering(billing.DebitCollected{
		ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), Amount: billing.Money(m.Amount),
	}, ledger.Request(m.Request))
}

func (p *publisher) DebitCollected(e billing.DebitCollected) error {
	i, _ := p.After.Invoice(e.InvoiceRef)
	return p.settled(i, e.ContractRef, e.Amount)
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

func (d decoder) DebitRejected(m *billinglog.DebitRejected) (Body, error) {
	return d.Answering(billing.DebitRejected{
		ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), Reason: m.Reason, Amount: billing.Money(m.Amount),
	}, ledger.Request(m.Request))
}

func (p *publisher) DebitRejected(e billing.DebitRejected) error {
	return p.failed(event.DebitPhaseRejected, e)
}

// failed publishes that a debit was rejected or returned, and that the part is settled if nothing
// is due.
func (p *publisher) failed(phase event.DebitPhase, e billing.DebitRejected) error {
	i, _ := p.After.Invoice(e.InvoiceRef)
	err := p.events.DirectDebitRejected(p.ctx, p.key, event.DirectDebitRejected{
		InvoiceRef: e.InvoiceRef, ContractRef: e.ContractRef, CustomerRef: i.CustomerRef, Presentation: int32(e.Presentation), Phase: phase,
		Reason: e.Reason, Amount: event.Money(e.Amount), OccurredAt: p.DecidedAt,
	}, p.headers())
	if err != nil {
		return err
	}
	return p.nothingDue(i, e.ContractRef)
}

func (projector) DebitRejected(billing.DebitRejected) error { return unread() }

func (e *encoder) DebitReturned(d billing.DebitReturned) error {
	request, err := e.Requested()
	if err != nil {
		return err
	}
	n, err := int32Of(d.Presentation)
	e.message = &billinglog.DebitReturned{ContractRef: d.ContractRef, InvoiceRef: d.InvoiceRef, Presentation: n, Reason: d.Reason, Amount: billinglog.Money(d.Amount), Request: billinglog.Request(request)}
	return err
}

func (d decoder) DebitReturned(m *billinglog.DebitReturned) (Body, error) {
	return d.Answering(billing.DebitReturned{
		ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), Reason: m.Reason, Amount: billing.Money(m.Amount),
	}, ledger.Request(m.Request))
}

func (p *publisher) DebitReturned(e billing.DebitReturned) error {
	return p.failed(event.DebitPhaseReturned, billing.DebitRejected(e))
}

func (projector) DebitReturned(billing.DebitReturned) error { return unread() }

func (e *encoder) SettledOtherwise(o billing.SettledOtherwise) error {
	request, err := e.Requested()
	e.message = &billinglog.SettledOtherwise{ContractRef: o.ContractRef, InvoiceRef: o.InvoiceRef, Reference: o.Reference, Amount: billinglog.Money(o.Amount), Request: billinglog.Request(request)}
	return err
}

func (d decoder) SettledOtherwise(m *billinglog.SettledOtherwise) (Body, error) {
	return d.Answering(billing.SettledOtherwise{ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Reference: m.Reference, Amount: billing.Money(m.Amount)}, ledger.Request(m.Request))
}

func (p *publisher) SettledOtherwise(e billing.SettledOtherwise) error {
	i, _ := p.After.Invoice(e.InvoiceRef)
	return p.settled(i, e.ContractRef, e.Amount)
}

func (projector) SettledOtherwise(billing.SettledOtherwise) error { return unread() }
