package api

import (
	"time"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
)

// utc returns an instant as records keep it. The conversions below change the instants of a body in
// place, so that a request that writes the same instant in another way is the same request.
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
