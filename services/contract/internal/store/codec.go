package store

import (
	"fmt"
	"time"

	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/idempotency"
)

// codec writes a body as one of the messages of the channel logBody in
// specs/contract/internal.asyncapi.yaml.
type codec struct{}

func (codec) Encode(b Body) (string, []byte, error) {
	m, err := toRecord(b)
	if err != nil {
		return "", nil, err
	}
	data, err := contractinternal.EncodeLogBody(m)
	if err != nil {
		return "", nil, fmt.Errorf("encode %T: %w", b.Event, err)
	}
	return contractinternal.KindOfLogBody(m), data, nil
}

func (codec) Decode(kind string, data []byte) (Body, error) {
	m, err := contractinternal.DecodeLogBody(data)
	if err != nil {
		return Body{}, fmt.Errorf("decode %s: %w", kind, err)
	}
	if named := contractinternal.KindOfLogBody(m); named != kind {
		return Body{}, fmt.Errorf("a record of the kind %s holds a %s", kind, named)
	}
	return fromRecord(m)
}

// toRecord gives the Avro record of a body. Events that only a request leads to must have one.
func toRecord(b Body) (contractinternal.LogBody, error) {
	var asked journalrecord.Request
	if b.Request != nil {
		asked = journalrecord.Request(*b.Request)
	}
	switch e := b.Event.(type) {
	case contract.Activated:
		return &contractlog.Activated{ContractRef: string(e.Ref)}, nil
	case contract.Suspended:
		return suspendedRecord(e, b.Request), nil
	}
	if b.Request == nil {
		return nil, fmt.Errorf("%T without the request that led to it", b.Event)
	}
	switch e := b.Event.(type) {
	case contract.Subscribed:
		return &contractlog.Subscribed{
			ContractRef: string(e.Ref), CustomerRef: e.CustomerRef, SellerRef: e.SellerRef, Buyer: CompanyRecord(e.Buyer),
			Ceiling: event.Money(e.Ceiling), ValidFrom: e.ValidFrom, ValidUntil: optional(e.ValidUntil), Request: asked,
		}, nil
	case contract.Amended:
		return amendedRecord(e, asked), nil
	case contract.Reinstated:
		return &contractlog.Reinstated{ContractRef: string(e.Ref), Reason: e.Reason, Request: asked}, nil
	case contract.Terminated:
		return &contractlog.Terminated{ContractRef: string(e.Ref), Reason: e.Reason, Request: asked}, nil
	case contract.MandateAccepted:
		return &contractlog.MandateAccepted{ContractRef: string(e.Ref), Mandate: MandateRecord(e.Mandate), Request: asked}, nil
	case contract.MandateWithdrawn:
		return &contractlog.MandateWithdrawn{ContractRef: string(e.Ref), Reason: e.Reason, Request: asked}, nil
	}
	return nil, fmt.Errorf("no record for %T", b.Event)
}

func suspendedRecord(e contract.Suspended, request *idempotency.Request) *contractlog.Suspended {
	r := &contractlog.Suspended{ContractRef: string(e.Ref), Cause: event.SuspensionCause(e.Cause), Reason: e.Reason}
	if request != nil {
		asked := journalrecord.Request(*request)
		r.Request = &asked
	}
	if d := e.Debit; d != nil {
		r.Debit = &contractlog.DebitFailure{EventID: d.EventID, InvoiceRef: d.InvoiceRef, Presentation: int32(d.Presentation), Reason: d.Reason}
	}
	return r
}

func amendedRecord(e contract.Amended, asked journalrecord.Request) *contractlog.Amended {
	r := &contractlog.Amended{ContractRef: string(e.Ref), ValidUntil: e.ValidUntil, OpenEnded: e.OpenEnded, Reason: e.Reason, Request: asked}
	if e.Ceiling != nil {
		ceiling := event.Money(*e.Ceiling)
		r.Ceiling = &ceiling
	}
	if e.Buyer != nil {
		buyer := CompanyRecord(*e.Buyer)
		r.Buyer = &buyer
	}
	return r
}

// fromRecord is the inverse of toRecord.
func fromRecord(m contractinternal.LogBody) (Body, error) {
	switch r := m.(type) {
	case *contractlog.Activated:
		return Body{Event: contract.Activated{Ref: contract.Ref(r.ContractRef)}}, nil
	case *contractlog.Suspended:
		return suspendedBody(r), nil
	case *contractlog.Subscribed:
		return asked(contract.Subscribed{
			Ref: contract.Ref(r.ContractRef), CustomerRef: r.CustomerRef, SellerRef: r.SellerRef, Buyer: company(r.Buyer),
			Ceiling: contract.Money(r.Ceiling), ValidFrom: r.ValidFrom, ValidUntil: orZero(r.ValidUntil),
		}, r.Request), nil
	case *contractlog.Amended:
		return asked(amendedEvent(r), r.Request), nil
	case *contractlog.Reinstated:
		return asked(contract.Reinstated{Ref: contract.Ref(r.ContractRef), Reason: r.Reason}, r.Request), nil
	case *contractlog.Terminated:
		return asked(contract.Terminated{Ref: contract.Ref(r.ContractRef), Reason: r.Reason}, r.Request), nil
	case *contractlog.MandateAccepted:
		return asked(contract.MandateAccepted{Ref: contract.Ref(r.ContractRef), Mandate: mandate(r.Mandate)}, r.Request), nil
	case *contractlog.MandateWithdrawn:
		return asked(contract.MandateWithdrawn{Ref: contract.Ref(r.ContractRef), Reason: r.Reason}, r.Request), nil
	}
	return Body{}, fmt.Errorf("no event for %T", m)
}

func asked(e contract.Event, r journalrecord.Request) Body {
	request := idempotency.Request(r)
	return Body{Event: e, Request: &request}
}

func suspendedBody(r *contractlog.Suspended) Body {
	e := contract.Suspended{Ref: contract.Ref(r.ContractRef), Cause: contract.Cause(r.Cause), Reason: r.Reason}
	if d := r.Debit; d != nil {
		e.Debit = &contract.Debit{EventID: d.EventID, InvoiceRef: d.InvoiceRef, Presentation: int(d.Presentation), Reason: d.Reason}
	}
	if r.Request == nil {
		return Body{Event: e}
	}
	return asked(e, *r.Request)
}

func amendedEvent(r *contractlog.Amended) contract.Amended {
	e := contract.Amended{Ref: contract.Ref(r.ContractRef), ValidUntil: r.ValidUntil, OpenEnded: r.OpenEnded, Reason: r.Reason}
	if r.Ceiling != nil {
		ceiling := contract.Money(*r.Ceiling)
		e.Ceiling = &ceiling
	}
	if r.Buyer != nil {
		buyer := company(*r.Buyer)
		e.Buyer = &buyer
	}
	return e
}

// CompanyRecord gives the Avro record of a company.
func CompanyRecord(c contract.Company) event.Company {
	a := c.BillingAddress
	r := event.Company{
		LegalName: c.LegalName, Siren: c.SIREN, VATNumber: c.VATNumber,
		BillingAddress: event.Address{Line1: a.Line1, PostalCode: a.PostalCode, City: a.City, Country: a.Country},
	}
	if a.Line2 != "" {
		r.BillingAddress.Line2 = &a.Line2
	}
	return r
}

func company(r event.Company) contract.Company {
	a := r.BillingAddress
	c := contract.Company{
		LegalName: r.LegalName, SIREN: r.Siren, VATNumber: r.VATNumber,
		BillingAddress: contract.Address{Line1: a.Line1, PostalCode: a.PostalCode, City: a.City, Country: a.Country},
	}
	if a.Line2 != nil {
		c.BillingAddress.Line2 = *a.Line2
	}
	return c
}

// MandateRecord gives the Avro record of a mandate.
func MandateRecord(m contract.Mandate) event.Mandate {
	return event.Mandate{
		Rum: m.RUM, Ics: m.ICS, Scheme: event.MandateScheme(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt,
		RevokedAt: optional(m.RevokedAt),
	}
}

func mandate(r event.Mandate) contract.Mandate {
	return contract.Mandate{
		RUM: r.Rum, ICS: r.Ics, Scheme: contract.Scheme(r.Scheme), IBANLastFour: r.IBANLastFour, SignedAt: r.SignedAt,
		RevokedAt: orZero(r.RevokedAt),
	}
}

// optional is nil for the zero time, which the domain uses for "none".
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
