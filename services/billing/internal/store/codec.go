package store

import (
	"fmt"
	"math"
	"time"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// codec writes bodies as the log's Avro records and reads them back. Nothing else of the service
// knows these records.
type codec struct{}

func (codec) Encode(b Body) (kind string, data []byte, err error) {
	msg, err := record(b)
	if err != nil {
		return "", nil, err
	}
	if o, ok := msg.(*billinglog.ContractObserved); ok {
		// A fact may carry a symbol that this version of billing reads as UNKNOWN, which
		// EncodeLogBody would not write. It is kept as read.
		data, err = avrobin.EncodeSingleObject(o)
	} else {
		data, err = billinginternal.EncodeLogBody(msg)
	}
	return billinginternal.KindOfLogBody(msg), data, err
}

func (codec) Decode(kind string, data []byte) (Body, error) {
	msg, err := billinginternal.DecodeLogBody(data)
	if err != nil {
		return Body{}, fmt.Errorf("decode %s: %w", kind, err)
	}
	return body(msg)
}

// record is the log's record of a body.
func record(b Body) (billinginternal.LogBody, error) {
	var r journalrecord.Request
	if b.Request != nil {
		r = journalrecord.Request{Client: b.Request.Client, Key: b.Request.Key, Operation: b.Request.Operation, Hash: b.Request.Hash}
	}
	switch e := b.Event.(type) {
	case billing.ContractObserved:
		return &billinglog.ContractObserved{ContractRef: e.Contract.Ref, Contract: toContract(e.Contract), Fact: e.Fact, EventID: e.EventID, OccurredAt: e.OccurredAt}, nil
	case billing.ContractUnreadable:
		return &billinglog.ContractUnreadable{ContractRef: e.ContractRef, Topic: e.Source.Topic, Partition: e.Source.Partition, Offset: e.Source.Offset, Error: e.Error}, nil
	case billing.PurchaseAccepted:
		return &billinglog.PurchaseAccepted{OperationRef: e.OperationRef, ContractRef: e.ContractRef, OrderRef: e.OrderRef, Label: optional(e.Label),
			Amount: event.Money(e.Amount), Period: e.Period.String(), ContractVersion: e.ContractVersion, Request: r}, nil
	case billing.PurchaseRefused:
		return &billinglog.PurchaseRefused{OperationRef: e.OperationRef, ContractRef: e.ContractRef, OrderRef: e.OrderRef, Label: optional(e.Label),
			Amount: event.Money(e.Amount), Reasons: convert[event.RefusalReason](e.Reasons), ContractVersion: e.ContractVersion, Request: r}, nil
	case billing.RefundAccepted:
		return &billinglog.RefundAccepted{OperationRef: e.OperationRef, ContractRef: e.ContractRef, PurchaseRef: e.PurchaseRef, Reason: optional(e.Reason),
			Amount: event.Money(e.Amount), Period: e.Period.String(), Request: r}, nil
	case billing.PeriodClosed:
		lines, err := int32Of(e.Lines)
		buyer := ToCompany(e.Buyer)
		return &billinglog.PeriodClosed{ContractRef: e.ContractRef, Period: e.Period.String(), LineCount: lines, Total: event.Money(e.Total),
			InvoiceRef: optional(e.InvoiceRef), LinesHash: e.Hash[:], Buyer: &buyer}, err
	case billing.DebitPresented:
		n, err := int32Of(e.Presentation)
		return &billinglog.DebitPresented{ContractRef: e.ContractRef, InvoiceRef: e.InvoiceRef, Presentation: n, Rum: e.RUM, Amount: event.Money(e.Amount), Request: r}, err
	case billing.DebitCollected:
		n, err := int32Of(e.Presentation)
		return &billinglog.DebitCollected{ContractRef: e.ContractRef, InvoiceRef: e.InvoiceRef, Presentation: n, Amount: event.Money(e.Amount), Request: r}, err
	case billing.DebitRejected:
		n, err := int32Of(e.Presentation)
		return &billinglog.DebitRejected{ContractRef: e.ContractRef, InvoiceRef: e.InvoiceRef, Presentation: n, Reason: e.Reason, Amount: event.Money(e.Amount), Request: r}, err
	case billing.RunStarted:
		m := &billinglog.RunStarted{Period: e.Period.String()}
		if b.Request != nil {
			m.Request = &r
		}
		return m, nil
	case billing.RunCompleted:
		return runCompleted(e)
	}
	return nil, fmt.Errorf("no record for %T", b.Event)
}

func runCompleted(e billing.RunCompleted) (billinginternal.LogBody, error) {
	closed, err := int32Of(e.Closed)
	if err != nil {
		return nil, err
	}
	invoices, err := int32Of(e.Invoices)
	m := &billinglog.RunCompleted{Period: e.Period.String(), Closed: closed, Invoices: invoices}
	for _, l := range e.LeftOut {
		m.Parked = append(m.Parked, billinglog.Parked(l))
	}
	return m, err
}

// body is what a record of the log says.
func body(msg billinginternal.LogBody) (Body, error) {
	switch m := msg.(type) {
	case *billinglog.ContractObserved:
		return Body{Event: billing.ContractObserved{Contract: FromContract(m.Contract), Fact: m.Fact, EventID: m.EventID, OccurredAt: m.OccurredAt}}, nil
	case *billinglog.ContractUnreadable:
		return Body{Event: billing.ContractUnreadable{ContractRef: m.ContractRef, Source: billing.Source{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset}, Error: m.Error}}, nil
	case *billinglog.PurchaseAccepted:
		p, err := billing.ParsePeriod(m.Period)
		return Body{billing.PurchaseAccepted{OperationRef: m.OperationRef, ContractRef: m.ContractRef, OrderRef: m.OrderRef, Label: text(m.Label),
			Amount: billing.Money(m.Amount), Period: p, ContractVersion: m.ContractVersion}, request(m.Request)}, err
	case *billinglog.PurchaseRefused:
		return Body{billing.PurchaseRefused{OperationRef: m.OperationRef, ContractRef: m.ContractRef, OrderRef: m.OrderRef, Label: text(m.Label),
			Amount: billing.Money(m.Amount), Reasons: convert[billing.Reason](m.Reasons), ContractVersion: m.ContractVersion}, request(m.Request)}, nil
	case *billinglog.RefundAccepted:
		p, err := billing.ParsePeriod(m.Period)
		return Body{billing.RefundAccepted{OperationRef: m.OperationRef, ContractRef: m.ContractRef, PurchaseRef: m.PurchaseRef, Reason: text(m.Reason),
			Amount: billing.Money(m.Amount), Period: p}, request(m.Request)}, err
	case *billinglog.PeriodClosed:
		return periodClosed(m)
	case *billinglog.DebitPresented:
		return Body{billing.DebitPresented{ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), RUM: m.Rum, Amount: billing.Money(m.Amount)}, request(m.Request)}, nil
	case *billinglog.DebitCollected:
		return Body{billing.DebitCollected{ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), Amount: billing.Money(m.Amount)}, request(m.Request)}, nil
	case *billinglog.DebitRejected:
		return Body{billing.DebitRejected{ContractRef: m.ContractRef, InvoiceRef: m.InvoiceRef, Presentation: int64(m.Presentation), Reason: m.Reason, Amount: billing.Money(m.Amount)}, request(m.Request)}, nil
	case *billinglog.RunStarted:
		p, err := billing.ParsePeriod(m.Period)
		b := Body{Event: billing.RunStarted{Period: p}}
		if m.Request != nil {
			b.Request = request(*m.Request)
		}
		return b, err
	case *billinglog.RunCompleted:
		p, err := billing.ParsePeriod(m.Period)
		e := billing.RunCompleted{Period: p, Closed: int64(m.Closed), Invoices: int64(m.Invoices)}
		for _, l := range m.Parked {
			e.LeftOut = append(e.LeftOut, billing.LeftOut(l))
		}
		return Body{Event: e}, err
	}
	return Body{}, fmt.Errorf("%s is not built yet", billinginternal.KindOfLogBody(msg))
}

func periodClosed(m *billinglog.PeriodClosed) (Body, error) {
	p, err := billing.ParsePeriod(m.Period)
	if err != nil {
		return Body{}, err
	}
	e := billing.PeriodClosed{ContractRef: m.ContractRef, Period: p, Lines: int64(m.LineCount), Total: billing.Money(m.Total), InvoiceRef: text(m.InvoiceRef)}
	if n := copy(e.Hash[:], m.LinesHash); n != len(e.Hash) || len(m.LinesHash) != n {
		return Body{}, fmt.Errorf("hash of %d bytes", len(m.LinesHash))
	}
	if m.Buyer != nil {
		e.Buyer = fromCompany(*m.Buyer)
	}
	return Body{Event: e}, nil
}

func request(r journalrecord.Request) *idempotency.Request {
	return &idempotency.Request{Client: r.Client, Key: r.Key, Operation: r.Operation, Hash: r.Hash}
}

// FromContract is billing's copy of a contract that a fact carries.
func FromContract(c event.Contract) billing.Contract {
	out := billing.Contract{
		Ref: c.ContractRef, SubscriptionRef: c.SubscriptionRef, CustomerRef: c.CustomerRef, SellerRef: c.SellerRef, Version: c.Version,
		Status: billing.Status(c.Status), Buyer: fromCompany(c.Buyer), Ceiling: billing.Money(c.Ceiling), ValidFrom: c.ValidFrom, ValidUntil: instant(c.ValidUntil),
	}
	if m := c.Mandate; m != nil {
		out.Mandate = billing.Mandate{RUM: m.Rum, ICS: m.Ics, Scheme: string(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt, RevokedAt: instant(m.RevokedAt)}
	}
	if s := c.Suspension; s != nil {
		out.Suspension = billing.Suspension{Cause: string(s.Cause), Detail: s.Detail, Since: s.Since, InvoiceRef: text(s.InvoiceRef)}
	}
	return out
}

func toContract(c billing.Contract) event.Contract {
	out := event.Contract{
		ContractRef: c.Ref, SubscriptionRef: c.SubscriptionRef, CustomerRef: c.CustomerRef, SellerRef: c.SellerRef, Version: c.Version,
		Status: event.ContractStatus(c.Status), Buyer: ToCompany(c.Buyer), Ceiling: event.Money(c.Ceiling), ValidFrom: c.ValidFrom, ValidUntil: optionalInstant(c.ValidUntil),
	}
	if m := c.Mandate; m != (billing.Mandate{}) {
		out.Mandate = &event.Mandate{Rum: m.RUM, Ics: m.ICS, Scheme: event.MandateScheme(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt, RevokedAt: optionalInstant(m.RevokedAt)}
	}
	if s := c.Suspension; s != (billing.Suspension{}) {
		out.Suspension = &event.Suspension{Cause: event.SuspensionCause(s.Cause), Detail: s.Detail, Since: s.Since, InvoiceRef: optional(s.InvoiceRef)}
	}
	return out
}

// ToCompany is a buyer as events carry it.
func ToCompany(c billing.Company) event.Company {
	return event.Company{LegalName: c.LegalName, Siren: c.SIREN, VATNumber: c.VATNumber, BillingAddress: event.Address{
		Line1: c.Address.Line1, Line2: optional(c.Address.Line2), PostalCode: c.Address.PostalCode, City: c.Address.City, Country: c.Address.Country,
	}}
}

func fromCompany(c event.Company) billing.Company {
	a := c.BillingAddress
	return billing.Company{LegalName: c.LegalName, SIREN: c.Siren, VATNumber: c.VATNumber, Address: billing.Address{
		Line1: a.Line1, Line2: text(a.Line2), PostalCode: a.PostalCode, City: a.City, Country: a.Country,
	}}
}

func convert[To, From ~string](from []From) (to []To) {
	for _, f := range from {
		to = append(to, To(f))
	}
	return to
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func optionalInstant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func int32Of(n int64) (int32, error) {
	if n < 0 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%d is too large for the record", n)
	}
	return int32(n), nil
}
