package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Account is the account that a mandate permits to debit. It is personal data: nothing here prints
// it, and events carry no more of it than LastFour.
type Account struct {
	IBAN  string // with or without spaces
	BIC   string // optional
	Owner string
}

// String hides the account, so that it cannot reach a log by accident.
func (Account) String() string { return "(account)" }

// GoString hides the account as String does.
func (a Account) GoString() string { return a.String() }

// MarshalJSON gives what may be kept of the account, its last four characters, and never the rest.
func (a Account) MarshalJSON() ([]byte, error) { return json.Marshal(a.LastFour()) }

// LastFour returns the last four characters of the IBAN, by which people recognise the account.
func (a Account) LastFour() string {
	iban := compact(a.IBAN)
	return iban[max(0, len(iban)-4):]
}

func (a Account) check(f *faults) {
	f.check("/iban", CheckIBAN(a.IBAN))
	if a.BIC != "" {
		f.check("/bic", CheckBIC(a.BIC))
	}
	if strings.TrimSpace(a.Owner) == "" {
		f.add("/owner", "must not be blank")
	}
}

var (
	ibanForm = regexp.MustCompile(`^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$`)
	bicForm  = regexp.MustCompile(`^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$`)
	rumForm  = regexp.MustCompile(`^[A-Za-z0-9+?/:().,' -]{1,35}$`)
	icsForm  = regexp.MustCompile(`^[A-Z]{2}[0-9]{2}[A-Z0-9]{3}[A-Z0-9]{1,28}$`)
)

// ibanLength is the length of an IBAN in each country of the SEPA schemes (EPC409-09, list of SEPA
// scheme countries), as the registry of ISO 13616 gives it. Guernsey, Jersey and the Isle of Man
// have GB; the French overseas territories FR.
var ibanLength = map[string]int{
	"AD": 24, "AL": 28, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24,
	"FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20,
	"LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24,
	"RS": 22, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "VA": 22,
}

// CheckIBAN: an account number by ISO 13616-1: country, check digits and a national part of the
// country's length, the whole 1 modulo 97 by ISO 7064 (MOD 97-10), in a country that takes part in
// the SEPA schemes. Spaces are left out of account. The error does not repeat the number.
func CheckIBAN(iban string) error {
	iban = compact(iban)
	if !ibanForm.MatchString(iban) {
		return errors.New("must be two letters, two digits and the account, ISO 13616")
	}
	length, member := ibanLength[iban[:2]]
	switch {
	case !member:
		return fmt.Errorf("%s is not a country of the SEPA schemes", iban[:2])
	case len(iban) != length:
		return fmt.Errorf("must have %d characters in %s, has %d", length, iban[:2], len(iban))
	case mod97(iban[4:]+iban[:4]) != 1:
		return errors.New("has wrong check digits; is a character mistyped?")
	}
	return nil
}

// CheckBIC: the form of a business identifier code by ISO 9362: party prefix (4), country (2),
// party suffix (2) and, if there is one, branch (3).
func CheckBIC(bic string) error {
	if !bicForm.MatchString(bic) {
		return errors.New("must have 8 or 11 characters, ISO 9362")
	}
	return nil
}

// CheckRUM: a unique mandate reference (attribute AT-01 of the SEPA direct debit rulebooks,
// EPC016-06 and EPC222-07): 1 to 35 characters of the SEPA character set; a reference does not
// begin or end with a slash or hold two in a row (EPC130-08, section 1.4), and begins or ends with
// no blank.
func CheckRUM(rum string) error {
	switch {
	case !rumForm.MatchString(rum):
		return errors.New("must be 1 to 35 letters, digits or + ? / - : ( ) . , '")
	case strings.TrimSpace(rum) != rum:
		return errors.New("must not begin or end with a blank")
	case strings.HasPrefix(rum, "/"), strings.HasSuffix(rum, "/"), strings.Contains(rum, "//"):
		return errors.New("must not begin or end with a slash, nor hold two in a row")
	}
	return nil
}

// CheckICS: a SEPA creditor identifier (AT-02; EPC262-08): country, check digits, a business code
// of three characters and the national identifier. The check digits are those of ISO 7064 (MOD
// 97-10) over the whole without the business code. A French one has 13 characters.
func CheckICS(ics string) error {
	switch {
	case !icsForm.MatchString(ics):
		return errors.New("must be two letters, two digits, a business code of three characters and the identifier")
	case strings.HasPrefix(ics, "FR") && len(ics) != 13:
		return errors.New("must have 13 characters in FR")
	case mod97(ics[7:]+ics[:4]) != 1:
		return errors.New("has wrong check digits; is a character mistyped?")
	}
	return nil
}

// mod97 is the remainder by 97 of the number that s spells when each letter stands for two digits,
// A = 10 to Z = 35.
func mod97(s string) int {
	rest := 0
	for _, c := range s {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest
}

func compact(s string) string { return strings.ReplaceAll(s, " ", "") }
