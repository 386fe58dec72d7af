package effect

import (
	"time"

	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/optional"
)

func (e *encoder) ContractObserved(o billing.ContractObserved) error {
	e.message = &billinglog.ContractObserved{ContractRef: o.Contract.Ref, Contract: toLogContract(o.Contract), Fact: o.Fact, EventID: o.EventID, OccurredAt: o.OccurredAt, Listed: o.Listed}
	return e.Unrequested()
}

func (d decoder) ContractObserved(m *billinglog.ContractObserved) (Body, error) {
	return d.WithoutRequest(billing.ContractObserved{Contract: fromLogContract(m.Contract), Fact: m.Fact, EventID: m.EventID, OccurredAt: m.OccurredAt, Listed: m.Listed})
}

func (p *publisher) ContractObserved(billing.ContractObserved) error { return private() }

func (m projector) ContractObserved(e billing.ContractObserved) error {
	m.addContract(e.Contract)
	return nil
}

func (e *encoder) ContractUnreadable(u billing.ContractUnreadable) error {
	e.message = &billinglog.ContractUnreadable{ContractRef: u.ContractRef, Topic: u.Source.Topic, Partition: u.Source.Partition, Offset: u.Source.Offset, Error: u.Error, TopicID: u.Source.TopicID}
	return e.Unrequested()
}

func (d decoder) ContractUnreadable(m *billinglog.ContractUnreadable) (Body, error) {
	source := billing.Source{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, TopicID: m.TopicID}
	return d.WithoutRequest(billing.ContractUnreadable{ContractRef: m.ContractRef, Source: source, Error: m.Error})
}

func (p *publisher) ContractUnreadable(billing.ContractUnreadable) error { return private() }

func (projector) ContractUnreadable(billing.ContractUnreadable) error { return unread() }

// Observed returns the command to take in the state of a contract that a fact carries.
func Observed(fact, eventID string, c event.Contract, at time.Time, source billing.Source) billing.Observe {
	return billing.Observe{ContractObserved: billing.ContractObserved{Contract: fromFact(c), Fact: fact, EventID: eventID, OccurredAt: at}, Source: source}
}

// fromFact returns billing's copy of a contract that a fact carries.
func fromFact(c event.Contract) billing.Contract {
	out := billing.Contract{
		Ref: c.ContractRef, SubscriptionRef: c.SubscriptionRef, CustomerRef: c.CustomerRef, SellerRef: c.SellerRef, Version: c.Version,
		Status: billing.Status(c.Status), Buyer: fromFactCompany(c.Buyer), Ceiling: billing.Money(c.Ceiling), ValidFrom: c.ValidFrom, ValidUntil: optional.Value(c.ValidUntil),
	}
	if m := c.Mandate; m != nil {
		out.Mandate = billing.Mandate{RUM: m.Rum, ICS: m.Ics, Scheme: string(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt, RevokedAt: optional.Value(m.RevokedAt)}
	}
	if s := c.Suspension; s != nil {
		out.Suspension = billing.Suspension{Cause: string(s.Cause), Detail: s.Detail, Since: s.Since, InvoiceRef: optional.Value(s.InvoiceRef)}
	}
	return out
}

func fromFactCompany(c event.Company) billing.Company {
	a := c.BillingAddress
	return billing.Company{LegalName: c.LegalName, SIREN: c.Siren, VATNumber: c.VATNumber, Address: billing.Address{
		Line1: a.Line1, Line2: optional.Value(a.Line2), PostalCode: a.PostalCode, City: a.City, Country: a.Country,
	}}
}

// known returns the symbol of the log for one of a fact, UNKNOWN if the log has none. The two
// change apart from each other.
func known[S interface {
	~string
	Valid() bool
}, T ~string](symbol T) S {
	if s := S(symbol); s.Valid() {
		return s
	}
	return "UNKNOWN"
}

func toLogContract(c billing.Contract) billinglog.Contract {
	out := billinglog.Contract{
		ContractRef: c.Ref, SubscriptionRef: c.SubscriptionRef, CustomerRef: c.CustomerRef, SellerRef: c.SellerRef, Version: c.Version,
		Status: known[billinglog.ContractStatus](c.Status), Buyer: toLogCompany(c.Buyer), Ceiling: billinglog.Money(c.Ceiling), ValidFrom: c.ValidFrom, ValidUntil: optional.Instant(c.ValidUntil),
	}
	if m := c.Mandate; m != (billing.Mandate{}) {
		out.Mandate = &billinglog.Mandate{Rum: m.RUM, Ics: m.ICS, Scheme: known[billinglog.MandateScheme](m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt, RevokedAt: optional.Instant(m.RevokedAt)}
	}
	if s := c.Suspension; s != (billing.Suspension{}) {
		out.Suspension = &billinglog.Suspension{Cause: known[billinglog.SuspensionCause](s.Cause), Detail: s.Detail, Since: s.Since, InvoiceRef: optional.Text(s.InvoiceRef)}
	}
	return out
}

func fromLogContract(c billinglog.Contract) billing.Contract {
	out := billing.Contract{
		Ref: c.ContractRef, SubscriptionRef: c.SubscriptionRef, CustomerRef: c.CustomerRef, SellerRef: c.SellerRef, Version: c.Version,
		Status: billing.Status(c.Status), Buyer: fromLogCompany(c.Buyer), Ceiling: billing.Money(c.Ceiling), ValidFrom: c.ValidFrom, ValidUntil: optional.Value(c.ValidUntil),
	}
	if m := c.Mandate; m != nil {
		out.Mandate = billing.Mandate{RUM: m.Rum, ICS: m.Ics, Scheme: string(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt, RevokedAt: optional.Value(m.RevokedAt)}
	}
	if s := c.Suspension; s != nil {
		out.Suspension = billing.Suspension{Cause: string(s.Cause), Detail: s.Detail, Since: s.Since, InvoiceRef: optional.Value(s.InvoiceRef)}
	}
	return out
}

func toLogCompany(c billing.Company) billinglog.Company {
	a := c.Address
	return billinglog.Company{LegalName: c.LegalName, Siren: c.SIREN, VATNumber: c.VATNumber, BillingAddress: billinglog.Address{
		Line1: a.Line1, Line2: optional.Text(a.Line2), PostalCode: a.PostalCode, City: a.City, Country: a.Country,
	}}
}

func fromLogCompany(c billinglog.Company) billing.Company {
	a := c.BillingAddress
	return billing.Company{LegalName: c.LegalName, SIREN: c.Siren, VATNumber: c.VATNumber, Address: billing.Address{
		Line1: a.Line1, Line2: optional.Value(a.Line2), PostalCode: a.PostalCode, City: a.City, Country: a.Country,
	}}
}
