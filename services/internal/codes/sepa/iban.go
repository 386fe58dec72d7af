package sepa

import (
	"errors"
	"fmt"
	"strings"

	"github.com/deferpay/deferpay/services/internal/codes/country"
)

// structures is the national part of an IBAN in each country of the SEPA schemes: runs of n (a
// digit), a (a capital letter) or c (either) with their lengths.
//
// Sources: SWIFT, IBAN Registry (ISO 13616), as schwifty 2026.10.1 has it; European Payments
// Council, EPC409-09, list of SEPA scheme countries, with Albania, Moldova, Montenegro and North
// Macedonia, which joined in October 2025, and Serbia, which joined in May 2026. Guernsey, Jersey
// and the Isle of Man have IBANs of GB, the French overseas territories of FR, and the Åland
// Islands of FI.
var structures = map[string]string{
	"AD": "4n4n12c", "AL": "8n16c", "AT": "5n11n", "BE": "3n7n2n", "BG": "4a4n2n8c", "CH": "5n12c", "CY": "3n5n16c",
	"CZ": "4n6n10n", "DE": "8n10n", "DK": "4n9n1n", "EE": "2n2n11n1n", "ES": "4n4n1n1n10n", "FI": "3n11n", "FR": "5n5n11c2n",
	"GB": "4a6n8n", "GI": "4a15c", "GR": "3n4n16c", "HR": "7n10n", "HU": "3n4n1n15n1n", "IE": "4a6n8n", "IS": "4n2n6n10n",
	"IT": "1a5n5n12c", "LI": "5n12c", "LT": "5n11n", "LU": "3n13c", "LV": "4a13c", "MC": "5n5n11c2n", "MD": "2c18c",
	"ME": "3n13n2n", "MK": "3n10c2n", "MT": "4a5n18c", "NL": "4a10n", "NO": "4n6n1n", "PL": "8n16n", "PT": "4n4n11n2n",
	"RO": "4a16c", "RS": "3n13n2n", "SE": "3n16n1n", "SI": "5n8n2n", "SK": "4n6n10n", "SM": "1a5n5n12c", "VA": "3n15n",
}

// ParseIBAN returns the electronic form of an account number, which has no spaces. An error is
// returned unless it is an IBAN by ISO 13616-1 of a country that takes part in the SEPA schemes:
// the national part has the structure of the country, and the check digits are right (ISO 7064, MOD
// 97-10). The check digits that some countries have inside the national part are left to the banks.
func ParseIBAN(s string) (string, error) {
	iban := strings.ReplaceAll(s, " ", "")
	if len(iban) < 4 || !matches(iban[:4], "2a2n") || !alphanumeric(iban) {
		return "", errors.New("must be two capital letters, two check digits and the account number (ISO 13616)")
	}
	structure, member := structures[iban[:2]]
	switch length := 4 + lengthOf(structure); {
	case !member && country.Known(iban[:2]):
		return "", fmt.Errorf("must be of a country of the SEPA schemes, which %s is not", iban[:2])
	case !member:
		return "", errors.New("must begin with a country code of ISO 3166-1")
	case len(iban) != length:
		return "", fmt.Errorf("must have %d characters in %s, has %d", length, iban[:2], len(iban))
	case !matches(iban[4:], structure):
		return "", fmt.Errorf("does not have the structure of an account number in %s", iban[:2])
	case !checks(iban[2:4], iban[4:]+iban[:4]):
		return "", errWrongCheckDigits
	}
	return iban, nil
}

// LastFour returns the last four characters of an IBAN, by which people recognize the account.
func LastFour(iban string) string {
	iban = strings.ReplaceAll(iban, " ", "")
	return iban[max(0, len(iban)-4):]
}

var errWrongCheckDigits = errors.New("has wrong check digits; is a character mistyped?")

// checks reports whether the two check digits are correct (ISO 7064, MOD 97-10) for the text that
// ends with them. The digits 00, 01 and 99 are never correct, although some texts with them are 1
// modulo 97.
func checks(digits, text string) bool {
	return digits >= "02" && digits <= "98" && mod97(text) == 1
}

// mod97 returns the remainder by 97 of the number that s spells when each letter stands for two
// digits, from A = 10 to Z = 35.
func mod97(s string) int {
	rest := 0
	for _, c := range []byte(s) {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest
}
