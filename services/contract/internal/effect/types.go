package effect

import (
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/optional"
)

// factState is a contract as facts carry it.
type factState = event.Contract

func stateOf(c *contract.Contract) factState {
	r := event.Contract{
		ContractRef: string(c.Ref), SubscriptionRef: c.Ref.SubscriptionRef(), CustomerRef: c.CustomerRef, SellerRef: c.SellerRef,
		Version: c.Version, Status: event.ContractStatus(c.Status), Buyer: toFactCompany(c.Buyer), Ceiling: event.Money(c.Ceiling),
		ValidFrom: c.ValidFrom, ValidUntil: optional.Instant(c.ValidUntil),
	}
	if m := c.Mandate; m != nil {
		r.Mandate = &event.Mandate{
			Rum: m.RUM, Ics: m.ICS, Scheme: event.MandateScheme(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt, RevokedAt: optional.Instant(m.RevokedAt),
		}
	}
	if s := c.Suspension; s != nil {
		r.Suspension = &event.Suspension{Cause: event.SuspensionCause(s.Cause), Detail: s.Detail, Since: s.Since, InvoiceRef: optional.Text(s.InvoiceRef)}
	}
	return r
}

func toFactCompany(c contract.Company) event.Company {
	a := c.BillingAddress
	return event.Company{LegalName: c.LegalName, Siren: c.SIREN, VATNumber: c.VATNumber, BillingAddress: event.Address{
		Line1: a.Line1, Line2: optional.Text(a.Line2), PostalCode: a.PostalCode, City: a.City, Country: a.Country,
	}}
}

func toLogCompany(c contract.Company) contractlog.Company {
	a := c.BillingAddress
	return contractlog.Company{LegalName: c.LegalName, Siren: c.SIREN, VATNumber: c.VATNumber, BillingAddress: contractlog.Address{
		Line1: a.Line1, Line2: optional.Text(a.Line2), PostalCode: a.PostalCode, City: a.City, Country: a.Country,
	}}
}

func fromLogCompany(c contractlog.Company) contract.Company {
	a := c.BillingAddress
	return contract.Company{LegalName: c.LegalName, SIREN: c.Siren, VATNumber: c.VATNumber, BillingAddress: contract.Address{
		Line1: a.Line1, Line2: optional.Value(a.Line2), PostalCode: a.PostalCode, City: a.City, Country: a.Country,
	}}
}

func toLogMandate(m contract.Mandate) contractlog.Mandate {
	return contractlog.Mandate{
		Key: m.Key, Rum: m.RUM, Ics: m.ICS, Scheme: contractlog.MandateScheme(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt, RevokedAt: optional.Instant(m.RevokedAt),
	}
}

func fromLogMandate(m contractlog.Mandate) contract.Mandate {
	return contract.Mandate{
		Key: m.Key, RUM: m.Rum, ICS: m.Ics, Scheme: contract.Scheme(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt, RevokedAt: optional.Value(m.RevokedAt),
	}
}
