package effect

import (
	"time"

	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
)

// factState is a contract as facts carry it.
type factState = event.Contract

func stateOf(c *contract.Contract) factState {
	r := event.Contract{
		ContractRef: string(c.Ref), SubscriptionRef: c.Ref.SubscriptionRef(), CustomerRef: c.CustomerRef, SellerRef: c.SellerRef,
		Version: c.Version, Status: event.ContractStatus(c.Status), Buyer: toLogCompany(c.Buyer), Ceiling: event.Money(c.Ceiling),
		ValidFrom: c.ValidFrom, ValidUntil: optional(c.ValidUntil),
	}
	if c.Mandate != nil {
		m := toLogMandate(*c.Mandate)
		r.Mandate = &m
	}
	if s := c.Suspension; s != nil {
		r.Suspension = &event.Suspension{Cause: event.SuspensionCause(s.Cause), Detail: s.Detail, Since: s.Since}
		if s.InvoiceRef != "" {
			r.Suspension.InvoiceRef = &s.InvoiceRef
		}
	}
	return r
}

// The log's types are the public ones for now.
type (
	logMoney = event.Money
	logCause = event.SuspensionCause
)

func toLogCompany(c contract.Company) event.Company {
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

func fromLogCompany(r event.Company) contract.Company {
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

func toLogMandate(m contract.Mandate) event.Mandate {
	return event.Mandate{
		Rum: m.RUM, Ics: m.ICS, Scheme: event.MandateScheme(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt,
		RevokedAt: optional(m.RevokedAt),
	}
}

func fromLogMandate(r event.Mandate) contract.Mandate {
	return contract.Mandate{
		RUM: r.Rum, ICS: r.Ics, Scheme: contract.Scheme(r.Scheme), IBANLastFour: r.IBANLastFour, SignedAt: r.SignedAt,
		RevokedAt: orZero(r.RevokedAt),
	}
}

// optional returns nil for the zero time, which the domain uses for "none".
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
