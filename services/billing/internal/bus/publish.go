package bus

import (
	"context"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
)

// threshold is the share of the ceiling, in per cent, whose passing is published.
const threshold = 80

// Publish adds publication to a router: every applied record of the log becomes its public events,
// none, one or several. A record is acknowledged when the broker has all of them; until then it is
// delivered again, so an event may be published twice, with the same ce_id. Events of one contract
// are published in order.
func Publish(router *message.Router, applied message.Subscriber, events *billingbus.Publisher) {
	router.AddConsumerHandler("publishBillingEvents", store.Log, applied, func(m *message.Message) error {
		p, err := store.FromMessage(m)
		if err != nil {
			return err
		}
		return publish(m.Context(), events, p)
	})
}

// publication sends the events of one record; each has the record's identity and its own index as
// id.
type publication struct {
	store.Published
	events *billingbus.Publisher
	key    billingbus.ContractKey
	next   int
}

func (p *publication) headers() billingbus.CloudEventsHeaders {
	h := billingbus.CloudEventsHeaders{ID: p.Attempt + "-" + strconv.Itoa(p.next), Time: p.DecidedAt, Traceparent: p.Trace}
	p.next++
	return h
}

func publish(ctx context.Context, events *billingbus.Publisher, record store.Published) error {
	p := &publication{Published: record, events: events, key: billingbus.ContractKey(record.Account.Contract.Ref)}
	switch e := record.Event.(type) {
	case billing.PurchaseAccepted:
		return p.purchase(ctx, e)
	case billing.PurchaseRefused:
		return p.refused(ctx, e)
	case billing.RefundAccepted:
		return p.refund(ctx, e)
	case billing.PeriodClosed:
		return p.closed(ctx, e)
	case billing.DebitCollected:
		return p.settled(ctx, event.SettlementMethodDirectDebit, e.Amount)
	case billing.DebitRejected:
		return p.rejected(ctx, e)
	}
	return nil // the others concern nobody outside
}

func (p *publication) outstanding() event.Outstanding {
	a := p.Account
	return event.Outstanding{NotInvoiced: event.Money{Amount: a.NotInvoiced, Currency: a.Currency}, NotSettled: event.Money{Amount: a.NotSettled, Currency: a.Currency}}
}

func (p *publication) purchase(ctx context.Context, e billing.PurchaseAccepted) error {
	c := p.Account.Contract
	err := p.events.OperationAccepted(ctx, p.key, event.OperationAccepted{
		OperationRef: e.OperationRef, ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, Kind: event.OperationKindPurchase, OrderRef: e.OrderRef,
		Amount: event.Money(e.Amount), Period: e.Period.String(), ContractVersion: e.ContractVersion, Outstanding: p.outstanding(), OccurredAt: p.DecidedAt,
	}, p.headers())
	if err != nil || !passes(p.Account, e.Amount.Amount) {
		return err
	}
	return p.events.CeilingThresholdReached(ctx, p.key, event.CeilingThresholdReached{
		ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, Percent: threshold, Outstanding: p.outstanding(), Ceiling: event.Money(c.Ceiling), OccurredAt: p.DecidedAt,
	}, p.headers())
}

// passes says whether a purchase took the outstanding amount from below the threshold to it or
// above.
func passes(after billing.Account, amount int64) bool {
	ceiling := after.Contract.Ceiling.Amount
	limit := ceiling/100*threshold + ceiling%100*threshold/100
	now := after.Outstanding().Amount
	return now >= limit && now-amount < limit
}

func (p *publication) refused(ctx context.Context, e billing.PurchaseRefused) error {
	c := p.Account.Contract
	m := event.OperationRefused{
		OperationRef: e.OperationRef, ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, OrderRef: e.OrderRef, Amount: event.Money(e.Amount),
		ContractVersion: e.ContractVersion, Outstanding: p.outstanding(), Ceiling: event.Money(c.Ceiling), OccurredAt: p.DecidedAt,
	}
	for _, r := range e.Reasons {
		m.Reasons = append(m.Reasons, event.RefusalReason(r))
	}
	return p.events.OperationRefused(ctx, p.key, m, p.headers())
}

func (p *publication) refund(ctx context.Context, e billing.RefundAccepted) error {
	c := p.Account.Contract
	return p.events.OperationAccepted(ctx, p.key, event.OperationAccepted{
		OperationRef: e.OperationRef, ContractRef: e.ContractRef, CustomerRef: c.CustomerRef, Kind: event.OperationKindRefund, OrderRef: p.Purchase.OrderRef,
		PurchaseRef: &e.PurchaseRef, Amount: event.Money(e.Amount), Period: e.Period.String(), ContractVersion: c.Version, Outstanding: p.outstanding(), OccurredAt: p.DecidedAt,
	}, p.headers())
}

// closed publishes both that the period is closed and its invoice, and that an invoice of nothing
// is settled.
func (p *publication) closed(ctx context.Context, e billing.PeriodClosed) error {
	// the codec let it into the record, so it fits
	customer, lines := p.Invoice.CustomerRef, int32(e.Lines)
	err := p.events.BillingPeriodClosed(ctx, p.key, event.BillingPeriodClosed{
		ContractRef: e.ContractRef, CustomerRef: customer, Period: e.Period.String(), LineCount: lines, Total: event.Money(e.Total), InvoiceRef: &e.InvoiceRef, OccurredAt: p.DecidedAt,
	}, p.headers())
	if err != nil {
		return err
	}
	err = p.events.InvoiceIssued(ctx, p.key, event.InvoiceIssued{
		InvoiceRef: e.InvoiceRef, ContractRef: e.ContractRef, CustomerRef: customer, Period: e.Period.String(), Buyer: store.ToCompany(e.Buyer),
		Total: event.Money(e.Total), LineCount: lines, LinesHash: e.Hash[:], OccurredAt: p.DecidedAt,
	}, p.headers())
	if err != nil || p.Invoice.Status != billing.InvoiceSettled {
		return err
	}
	return p.settled(ctx, event.SettlementMethodNothingDue, e.Total)
}

func (p *publication) settled(ctx context.Context, how event.SettlementMethod, amount billing.Money) error {
	i := p.Invoice
	return p.events.InvoiceSettled(ctx, p.key, event.InvoiceSettled{
		InvoiceRef: i.Ref, ContractRef: i.ContractRef, CustomerRef: i.CustomerRef, Method: how, Amount: event.Money(amount), OccurredAt: p.DecidedAt,
	}, p.headers())
}

func (p *publication) rejected(ctx context.Context, e billing.DebitRejected) error {
	return p.events.DirectDebitRejected(ctx, p.key, event.DirectDebitRejected{
		InvoiceRef: e.InvoiceRef, ContractRef: e.ContractRef, CustomerRef: p.Invoice.CustomerRef, Presentation: int32(e.Presentation), Phase: event.DebitPhaseRejected,
		Reason: e.Reason, Amount: event.Money(e.Amount), OccurredAt: p.DecidedAt,
	}, p.headers())
}
