package sepa

import (
	"errors"
	"fmt"
	"strings"

	"github.com/deferpay/deferpay/services/internal/codes/country"
)

// CheckBIC returns an error unless bic is a business identifier code by ISO 9362:2022: party prefix
// (4), country (2), party suffix (2) and, if there is one, branch (3). The country is one of ISO
// 3166-1, or XK, by which banks in Kosovo are registered. Whether the code is assigned to a
// bank is not checked: the directory is not public.
func CheckBIC(bic string) error {
	switch {
	case !matches(bic, "4c2a2c") && !matches(bic, "4c2a2c3c"):
		return errors.New("must have 8 or 11 capital letters and digits (ISO 9362)")
	case !country.Known(bic[4:6]) && bic[4:6] != "XK":
		return errors.New("must have a country code of ISO 3166-1 as its fifth and sixth characters")
	}
	return nil
}

// identifierLength is how long a creditor identifier is in the countries that give it one length.
// Source: European Payments Council, EPC262-08, Creditor Identifier Overview, version 5.0 of 21
// November 2017. Countries are left out where identifiers of several lengths exist or where the
// overview could not be compared with a second source.
var identifierLength = map[string]int{"AT": 18, "DE": 18, "ES": 16, "FR": 13, "IT": 23, "NL": 19}

const maxIdentifier = 35

// CheckICS returns an error unless ics is a SEPA creditor identifier (EPC262-08): country of the
// SEPA schemes (2), check digits (2), business code (3) and national identifier. The check digits
// are those of ISO 7064 (MOD 97-10) over the whole without the business code, which the creditor
// chooses. Only capital letters are accepted, without spaces.
func CheckICS(ics string) error {
	if len(ics) < 8 || len(ics) > maxIdentifier || !matches(ics[:4], "2a2n") || !alphanumeric(ics) {
		return errors.New("must be two capital letters, two check digits, a business code of three characters and the national identifier")
	}
	if _, member := structures[ics[:2]]; !member {
		return errors.New("must begin with a country of the SEPA schemes")
	}
	if want, fixed := identifierLength[ics[:2]]; fixed && len(ics) != want {
		return fmt.Errorf("must have %d characters in %s, has %d", want, ics[:2], len(ics))
	}
	if !checks(ics[2:4], ics[7:]+ics[:4]) {
		return errWrongCheckDigits
	}
	return nil
}

const maxReference = 35

// CheckRUM returns an error unless rum is a unique mandate reference (attribute AT-M001 of the SDD
// rulebooks EPC016-06 and EPC222-07, 2025): 1 to 35 characters of the SEPA set (EPC217-08). By the
// implementation guidelines (EPC130-08, EPC131-08) it does not begin or end with a slash, nor does
// it contain two in a row. We refuse blanks at its ends too, which people cannot see.
func CheckRUM(rum string) error {
	switch {
	case len(rum) == 0 || len(rum) > maxReference || !latin(rum):
		return errors.New("must be 1 to 35 letters, digits, blanks or + ? / - : ( ) . , '")
	case strings.Trim(rum, " ") != rum:
		return errors.New("must not begin or end with a blank")
	case strings.HasPrefix(rum, "/"), strings.HasSuffix(rum, "/"), strings.Contains(rum, "//"):
		return errors.New("must not begin or end with a slash, nor have two in a row")
	}
	return nil
}

// latin reports whether s consists of the characters that every bank of the schemes supports
// (EPC217-08).
func latin(s string) bool {
	for _, c := range []byte(s) {
		lower := c >= 'a' && c <= 'z'
		if !lower && !in('c', c) && !strings.ContainsRune("/-?:().,'+ ", rune(c)) {
			return false
		}
	}
	return true
}

// MandateKey returns what identifies a mandate. Two mandates with one key are the same mandate to
// the banks: case and blanks do not count (EPC132-17), and neither does the business code of the
// creditor identifier (EPC262-08, section 4). Both arguments must have passed their checks.
func MandateKey(ics, rum string) string {
	reference := strings.ToUpper(strings.ReplaceAll(rum, " ", ""))
	return ics[:4] + ics[7:] + "/" + reference
}
