package contract

import "strings"

// Company is a company as its invoices name it. These are a company's data, not a person's.
type Company struct {
	LegalName      string
	SIREN          string
	VATNumber      string
	BillingAddress Address
}

// Address is a postal address; Country is an ISO 3166-1 alpha-2 code.
type Address struct {
	Line1, Line2, PostalCode, City, Country string
}

// check checks what does not depend on lists of codes: whoever makes the command checks the SIREN,
// the VAT number and the country.
func (c Company) check(f *faults, at string) {
	if strings.TrimSpace(c.LegalName) == "" {
		f.add(at+"/legalName", "must not be blank")
	}
	if strings.HasPrefix(c.VATNumber, "FR") && !strings.HasSuffix(c.VATNumber, c.SIREN) {
		f.add(at+"/vatNumber", "must end with the SIREN, because it is a French one")
	}
	for _, field := range []struct{ name, value string }{
		{"line1", c.BillingAddress.Line1}, {"postalCode", c.BillingAddress.PostalCode}, {"city", c.BillingAddress.City},
	} {
		if strings.TrimSpace(field.value) == "" {
			f.add(at+"/billingAddress/"+field.name, "must not be blank")
		}
	}
}

func (m Money) check(f *faults, at string) {
	if m.Amount < 0 {
		f.add(at+"/amount", "must not be negative")
	}
}
