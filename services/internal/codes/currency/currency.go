// Package currency knows the currencies of ISO 4217 and writes amounts in them. The HTTP edges of
// the services import it; see package codes for why the domain does not.
//
// The list is that of github.com/bojanz/currency (MIT), which is generated from the list one of the
// ISO 4217 maintenance agency and CLDR 48.1 and follows each amendment of the standard. It holds
// the current currencies and funds, and none of the codes without a number of decimals (gold, XTS,
// XXX). golang.org/x/text/currency was not taken: its data is that of CLDR 32 of 2017, without SLE,
// XCG and ZWG, and with the decimals people use instead of those of the standard (0 for IQD).
package currency

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bojanz/currency"
)

// Check returns an error unless code is the alphabetic code of a current currency.
func Check(code string) error {
	if _, ok := Decimals(code); !ok {
		return errors.New("must be a currency code of ISO 4217, such as EUR")
	}
	return nil
}

// Decimals returns how many digits an amount in the currency has after the point: 2 for EUR, 0 for
// JPY, 3 for BHD. It reports whether the currency is in the list.
func Decimals(code string) (int, bool) {
	digits, ok := currency.GetDigits(code)
	return int(digits), ok
}

// Format writes an amount in minor units for people: 600 is "6.00 EUR", "600 JPY" and "0.600 BHD".
// An amount in a currency that is not in the list, or no longer, is written as a number of minor
// units.
func Format(amount int64, code string) string {
	decimals, ok := Decimals(code)
	if !ok {
		return fmt.Sprintf("%d minor units of %s", amount, code)
	}
	sign, magnitude := "", uint64(amount)
	if amount < 0 {
		sign, magnitude = "-", -magnitude
	}
	digits := fmt.Sprintf("%0*d", decimals+1, magnitude)
	whole, fraction := digits[:len(digits)-decimals], digits[len(digits)-decimals:]
	return sign + strings.TrimSuffix(whole+"."+fraction, ".") + " " + code
}
