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

func companyOf(b contractapi.Company) contract.Company {
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

func optTime(t time.Time) contractapi.OptDateTime {
	return contractapi.OptDateTime{Value: t, Set: !t.IsZero()}
}
