package company

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// vat describes the VAT numbers of one country, without their prefix.
type vat struct {
	form  *regexp.Regexp
	words string // the form, for people
	// checks reports whether the check digits are correct. It is nil where they are not checked.
	checks func(number string) bool
}

func form(pattern, words string, checks func(string) bool) vat {
	return vat{regexp.MustCompile(`^(?:` + pattern + `)$`), words, checks}
}

// countries has the VAT numbers of the member states by their prefixes, which are ISO 3166-1 but
// for EL (Greece) and XI (Northern Ireland, which the Windsor Framework keeps in VIES).
//
// Sources: Council Directive 2006/112/EC, article 215, for the prefixes; European Commission, VIES
// FAQ 11, as of November 2026, for the forms; the member states' algorithms as published with VIES
// for the check digits. Bulgaria, Cyprus, Czechia, Latvia, Lithuania, Malta, Slovakia and Northern
// Ireland have several kinds of numbers with rules of their own; only their form is checked.
var countries = map[string]vat{
	"AT": form(`U\d{8}`, "U and eight digits", func(n string) bool { return (weighted(n[1:8], 1, 2)+4+digit(n[8]))%10 == 0 }),
	"BE": form(`[01]\d{9}`, "ten digits, the first 0 or 1", func(n string) bool { return (value(n[:8])+value(n[8:]))%97 == 0 }),
	"BG": form(`\d{9,10}`, "nine or ten digits", nil),
	"CY": form(`\d{8}[A-Z]`, "eight digits and a letter", nil),
	"CZ": form(`\d{8,10}`, "eight to ten digits", nil),
	"DE": form(`[1-9]\d{8}`, "nine digits", mod11and10),
	"DK": form(`[1-9]\d{7}`, "eight digits", modulus(11, 2, 7, 6, 5, 4, 3, 2, 1)),
	"EE": form(`\d{9}`, "nine digits", modulus(10, 3, 7, 1, 3, 7, 1, 3, 7, 1)),
	"EL": form(`\d{9}`, "nine digits", func(n string) bool { return sum(n[:8], 256, 128, 64, 32, 16, 8, 4, 2)%11%10 == digit(n[8]) }),
	"ES": form(`[A-Z]\d{7}[A-Z\d]|\d{8}[A-Z]`, "nine letters and digits", spanish),
	"FI": form(`\d{8}`, "eight digits", modulus(11, 7, 9, 10, 5, 8, 4, 2, 1)),
	"FR": form(`[A-HJ-NP-Z\d]{2}\d{9}`, "two characters and nine digits", french),
	"HR": form(`\d{11}`, "eleven digits", mod11and10),
	"HU": form(`\d{8}`, "eight digits", modulus(10, 9, 7, 3, 1, 9, 7, 3, 1)),
	"IE": form(`\d{7}[A-W]{1,2}|\d[A-Z+*]\d{5}[A-W]`, "seven digits and one or two letters", irish),
	"IT": form(`\d{11}`, "eleven digits", luhn),
	"LT": form(`\d{9}|\d{12}`, "nine or twelve digits", nil),
	"LU": form(`\d{8}`, "eight digits", func(n string) bool { return value(n[:6])%89 == value(n[6:]) }),
	"LV": form(`\d{11}`, "eleven digits", nil),
	"MT": form(`[1-9]\d{7}`, "eight digits", nil),
	"NL": form(`\d{9}B\d{2}`, "nine digits, B and two digits", dutch),
	"PL": form(`\d{10}`, "ten digits", modulus(11, 6, 5, 7, 2, 3, 4, 5, 6, 7, -1)),
	"PT": form(`[1-9]\d{8}`, "nine digits", func(n string) bool { return (11-sum(n[:8], 9, 8, 7, 6, 5, 4, 3, 2)%11)%11%10 == digit(n[8]) }),
	"RO": form(`[1-9]\d{1,9}`, "two to ten digits", romanian),
	"SE": form(`\d{10}01`, "twelve digits, the last two 01", func(n string) bool { return luhn(n[:10]) }),
	"SI": form(`[1-9]\d{7}`, "eight digits", slovenian),
	"SK": form(`\d{10}`, "ten digits", nil),
	"XI": form(`\d{9}|\d{12}|GD[0-4]\d{2}|HA[5-9]\d{2}`, "nine or twelve digits, or GD or HA and three digits", nil),
}

// CheckVAT returns an error unless vat is a VAT number of a member state of the European Union, or
// of Northern Ireland: the prefix, the form, and where they are well known the check digits. It is
// written with capital letters and without spaces. A French number ends with the SIREN of its
// company; whether that is the SIREN that the caller expects is not checked.
func CheckVAT(vat string) error {
	if len(vat) < 2 {
		return errNoPrefix
	}
	of, known := countries[vat[:2]]
	switch number := vat[2:]; {
	case !known:
		return errNoPrefix
	case !of.form.MatchString(number):
		return fmt.Errorf("must be %s followed by %s", vat[:2], of.words)
	case of.checks != nil && !of.checks(number):
		return errors.New("has wrong check digits; is a character mistyped?")
	}
	return nil
}

var errNoPrefix = errors.New("must begin with the VAT prefix of a member state of the European Union, such as FR")

// french: after the key comes the SIREN (Code général des impôts, article 286 ter), or for
// companies of Monaco a number that begins with 000. A key of two digits is (12 + 3 * (SIREN mod
// 97)) mod 97. A key with a letter passes: its rule is not published by the administration.
func french(n string) bool {
	siren := n[2:]
	if !strings.HasPrefix(siren, "000") && !luhn(siren) {
		return false
	}
	return !numeric(n[:2]) || (12+3*(value(siren)%97))%97 == value(n[:2])
}

// spanish: a person's number (eight digits, or K, L, M, X, Y or Z first) ends with a letter by
// modulus 23; an organisation's ends with a Luhn digit or the letter that stands for it.
func spanish(n string) bool {
	const people, organisations = "TRWAGMYFPDXBNJZSQVHLCKE", "JABCDEFGHI"
	digits, last := n[1:8], n[8]
	switch first := n[0]; {
	case numeric(n[:1]):
		return last == people[value(n[:8])%23]
	case strings.IndexByte("KLM", first) >= 0:
		return last == people[value(digits)%23]
	case strings.IndexByte("XYZ", first) >= 0:
		return last == people[(int(first-'X')*10_000_000+value(digits))%23]
	case strings.IndexByte("ABCDEFGHJNPQRSUVW", first) >= 0:
		check := (10 - weighted(digits, 2, 1)%10) % 10
		return last == byte('0'+check) || last == organisations[check]
	}
	return false
}

// irish: weights 8 to 2, and 9 for the letter after the check letter. In the form of before 2013
// the second character is not part of the number, and the first digit is its last.
func irish(n string) bool {
	digits, extra := n[:7], 0
	if !numeric(digits) {
		digits = "0" + n[2:7] + n[:1]
	}
	const letters = "WABCDEFGHIJKLMNOPQRSTUV"
	if len(n) == 9 {
		extra = strings.IndexByte(letters, n[8])
	}
	return n[7] == letters[(sum(digits, 8, 7, 6, 5, 4, 3, 2)+9*extra)%23]
}

// dutch: the nine digits of a legal entity have a check digit by modulus 11; the numbers of sole
// traders since 2020 have check digits over the whole by ISO 7064 (MOD 97-10).
func dutch(n string) bool {
	if value(n[:9]) == 0 || value(n[10:]) == 0 {
		return false
	}
	if sum(n[:9], 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0 {
		return true
	}
	const nl, b = "2321", "11"
	rest := 0
	for _, c := range []byte(nl + n[:9] + b + n[10:]) {
		rest = (rest*10 + digit(c)) % 97
	}
	return rest == 1
}

// romanian: weights end at the check digit, so shorter numbers use the last of them.
func romanian(n string) bool {
	weights := []int{7, 5, 3, 2, 1, 7, 5, 3, 2}
	body := n[:len(n)-1]
	return 10*sum(body, weights[len(weights)-len(body):]...)%11%10 == digit(n[len(n)-1])
}

// slovenian: the check digit is 11 less the remainder by 11, 0 for 10. A remainder of 0 has none.
func slovenian(n string) bool {
	rest := sum(n[:7], 8, 7, 6, 5, 4, 3, 2) % 11
	return rest != 0 && (11-rest)%10 == digit(n[7])
}

// mod11and10 is the check of ISO 7064, MOD 11,10.
func mod11and10(n string) bool {
	last := len(n) - 1
	product := 10
	for _, c := range []byte(n[:last]) {
		rest := (product + digit(c)) % 10
		if rest == 0 {
			rest = 10
		}
		product = rest * 2 % 11
	}
	return (product+digit(n[last]))%10 == 1
}

// modulus returns a check of a weighted sum of all digits, which must be 0 by the modulus.
func modulus(by int, weights ...int) func(string) bool {
	return func(n string) bool { return sum(n, weights...)%by == 0 }
}

func sum(digits string, weights ...int) int {
	total := 0
	for i, w := range weights {
		total += w * digit(digits[i])
	}
	return total
}

// weighted sums the digits of the products with two weights that take turns, as Luhn's.
func weighted(digits string, first, second int) int {
	total := 0
	for i, c := range []byte(digits) {
		product := digit(c) * first
		if i%2 == 1 {
			product = digit(c) * second
		}
		total += product/10 + product%10
	}
	return total
}

func digit(c byte) int { return int(c - '0') }

// value returns the number that up to nine digits spell.
func value(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		panic("company: value of " + strconv.Itoa(len(digits)) + " characters that are not all digits")
	}
	return n
}
