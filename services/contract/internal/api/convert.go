package api

import (
	"time"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
)

// utc is an instant as records keep it. The conversions below bring the instants of a body to that
// form in place, so that another way to write the same instant makes no other request of it.
func utc(t *time.Time) time.Time {
	*t = t.UTC().Truncate(time.Microsecond)
	return *t
}

func subscribe(b *contractapi.NewContract) contract.Subscribe {
	s := contract.Subscribe{
		CustomerRef: string(b.CustomerRef), SellerRef: string(b.SellerRef), Buyer: company(b.Buyer), Ceiling: contract.Money(b.Ceiling),
		ValidFrom: utc(&b.ValidFrom),
	}
	if b.ValidUntil.Set {
		s.ValidUntil = utc(&b.ValidUntil.Value)
	}
	return s
}

func change(b *contractapi.ContractChange) contract.Command {
	switch b.Type {
	case contractapi.SuspendContractContractChange:
		return contract.Suspend{Reason: string(b.SuspendContract.Reason)}
	case contractapi.ReinstateContractContractChange:
		return contract.Reinstate{Reason: string(b.ReinstateContract.Reason.Value)}
	case contractapi.TerminateContractContractChange:
		return contract.Terminate{Reason: string(b.TerminateContract.Reason)}
	default:
		return amend(&b.AmendContract)
	}
}

func amend(b *contractapi.AmendContract) contract.Amend {
	a := contract.Amend{Reason: string(b.Reason.Value)}
	if b.Ceiling.Set {
		ceiling := contract.Money(b.Ceiling.Value)
		a.Ceiling = &ceiling
	}
	if b.Buyer.Set {
		buyer := company(b.Buyer.Value)
		a.Buyer = &buyer
	}
	if b.ValidUntil.Set && b.ValidUntil.Null {
		a.OpenEnded = true
	} else if b.ValidUntil.Set {
		until := utc(&b.ValidUntil.Value)
		a.ValidUntil = &until
	}
	return a
}

func signMandate(b *contractapi.SignedMandate) contract.SignMandate {
	return contract.SignMandate{
		RUM: string(b.Rum), ICS: string(b.Ics), Scheme: contract.Scheme(b.Scheme), SignedAt: utc(&b.SignedAt),
		Account: contract.Account{IBAN: b.Iban, BIC: b.Bic.Value, Owner: b.Owner},
	}
}

func company(b contractapi.Company) contract.Company {
	a := b.BillingAddress
	return contract.Company{
		LegalName: b.LegalName, SIREN: b.Siren, VATNumber: b.VatNumber,
		BillingAddress: contract.Address{Line1: a.Line1, Line2: a.Line2.Value, PostalCode: a.PostalCode, City: a.City, Country: a.Country},
	}
}

func companyBody(c contract.Company) contractapi.Company {
	a := c.BillingAddress
	return contractapi.Company{
		LegalName: c.LegalName, Siren: c.SIREN, VatNumber: c.VATNumber,
		BillingAddress: contractapi.Address{
			Line1: a.Line1, Line2: contractapi.OptString{Value: a.Line2, Set: a.Line2 != ""}, PostalCode: a.PostalCode, City: a.City, Country: a.Country,
		},
	}
}

// contractBody is a contract as answers show it.
func contractBody(c *contract.Contract) contractapi.Contract {
	b := contractapi.Contract{
		ContractRef: contractapi.ContractRef(c.Ref), SubscriptionRef: contractapi.SubscriptionRef(c.Ref.SubscriptionRef()),
		CustomerRef: contractapi.CustomerRef(c.CustomerRef), SellerRef: contractapi.SellerRef(c.SellerRef), Version: c.Version,
		Status: contractapi.ContractStatus(c.Status), Buyer: companyBody(c.Buyer), Ceiling: contractapi.Money(c.Ceiling),
		ValidFrom: c.ValidFrom, ValidUntil: optTime(c.ValidUntil), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
	if m := c.Mandate; m != nil {
		status := contractapi.MandateStatusSIGNED
		if m.Revoked() {
			status = contractapi.MandateStatusREVOKED
		}
		b.Mandate = contractapi.NewOptMandate(contractapi.Mandate{
			Rum: contractapi.Rum(m.RUM), Ics: contractapi.Ics(m.ICS), Scheme: contractapi.MandateScheme(m.Scheme), Status: status,
			SignedAt: m.SignedAt, RevokedAt: optTime(m.RevokedAt), IbanLastFour: m.IBANLastFour,
		})
	}
	if s := c.Suspension; s != nil {
		b.Suspension = contractapi.NewOptSuspension(contractapi.Suspension{
			Cause: contractapi.SuspensionCause(s.Cause), Detail: s.Detail, Since: s.Since,
			InvoiceRef: contractapi.OptString{Value: s.InvoiceRef, Set: s.InvoiceRef != ""},
		})
	}
	if t := c.Termination; t != nil {
		b.Termination = contractapi.NewOptTermination(contractapi.Termination{Reason: contractapi.Reason(t.Reason), Since: t.Since})
	}
	return b
}

func optTime(t time.Time) contractapi.OptDateTime {
	return contractapi.OptDateTime{Value: t, Set: !t.IsZero()}
}
