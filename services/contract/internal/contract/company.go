package contract

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

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

func (c Company) check(f *faults, at string) {
	if strings.TrimSpace(c.LegalName) == "" {
		f.add(at+"/legalName", "must not be blank")
	}
	f.check(at+"/siren", CheckSIREN(c.SIREN))
	f.check(at+"/vatNumber", CheckVAT(c.VATNumber, c.SIREN))
	for _, field := range []struct{ name, value string }{
		{"line1", c.BillingAddress.Line1}, {"postalCode", c.BillingAddress.PostalCode}, {"city", c.BillingAddress.City},
	} {
		if strings.TrimSpace(field.value) == "" {
			f.add(at+"/billingAddress/"+field.name, "must not be blank")
		}
	}
	if !countryForm.MatchString(c.BillingAddress.Country) {
		f.add(at+"/billingAddress/country", "must be an ISO 3166-1 alpha-2 code")
	}
}

func (m Money) check(f *faults, at string) {
	if m.Amount < 0 {
		f.add(at+"/amount", "must not be negative")
	}
	if !currencyForm.MatchString(m.Currency) {
		f.add(at+"/currency", "must be an ISO 4217 code, three capital letters")
	}
}

var (
	countryForm  = regexp.MustCompile(`^[A-Z]{2}$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
	sirenForm    = regexp.MustCompile(`^[0-9]{9}$`)
	vatForm      = regexp.MustCompile(`^[A-Z]{2}[A-Z0-9+*]{2,13}$`)
)

// CheckSIREN: nine digits, the last of which is a Luhn check digit (ISO/IEC 7812-1, annex B), as
// INSEE defines the SIREN (Code de commerce, R123-221).
func CheckSIREN(siren string) error {
	if !sirenForm.MatchString(siren) {
		return errors.New("must be nine digits")
	}
	sum := 0
	for i, digit := range siren {
		d := int(digit - '0')
		if i%2 == 1 { // every second digit, counted from the check digit at the right
			d *= 2
			if d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	if sum%10 != 0 {
		return errors.New("has a wrong check digit; is a digit mistyped?")
	}
	return nil
}

// CheckVAT: an intra-community VAT number (Council Directive 2006/112/EC, article 215: a country
// prefix and the national number). A French one (Code général des impôts, article 286 ter) is FR, a
// key of two characters and the SIREN; a key of two digits is (12 + 3 * (SIREN mod 97)) mod 97. Of
// other countries only the form is checked.
func CheckVAT(vat, siren string) error {
	if !vatForm.MatchString(vat) {
		return errors.New("must be a country prefix of two letters and the national number")
	}
	if !strings.HasPrefix(vat, "FR") {
		return nil
	}
	if len(vat) != 13 || vat[4:] != siren {
		return errors.New("must be FR, two characters and the SIREN")
	}
	number, err := strconv.Atoi(siren)
	if err != nil {
		return nil // the SIREN's own check says so
	}
	key, err := strconv.Atoi(vat[2:4])
	if err != nil {
		return nil // a key with letters follows another rule, which is not public
	}
	if want := (12 + 3*(number%97)) % 97; key != want {
		return fmt.Errorf("has a wrong key: %02d belongs to this SIREN", want)
	}
	return nil
}
