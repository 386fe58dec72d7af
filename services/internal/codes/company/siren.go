// Package company checks the identifiers of companies: the French SIREN, and the VAT numbers of the
// European Union. The HTTP edges of the services import it; see package codes for why the domain
// does not.
//
// No library is used: none on the Go module proxy covers the check digits of all these numbers.
// Package codes compares the checks with python-stdnum. A number that passes may still never have
// been issued: only the registers (INSEE, VIES) know.
//
// Errors complete the sentence "the value ..." and never repeat the value.
package company

import "errors"

// CheckSIREN returns an error unless siren is nine digits with a Luhn check digit (ISO/IEC 7812-1,
// annex B), as INSEE issues them (Code de commerce, R123-221). The exception of La Poste, whose
// establishments do not pass Luhn, concerns its SIRETs: its SIREN passes.
func CheckSIREN(siren string) error {
	switch {
	case len(siren) != 9 || !numeric(siren):
		return errors.New("must be nine digits")
	case !luhn(siren):
		return errors.New("has a wrong check digit; is a digit mistyped?")
	}
	return nil
}

// luhn reports whether the last digit is the check digit of those before it.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return sum%10 == 0
}

func numeric(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
