package currency

import (
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	for _, tt := range []struct {
		amount int64
		code   string
		want   string
	}{
		{600, "EUR", "6.00 EUR"},
		{5, "EUR", "0.05 EUR"},
		{0, "EUR", "0.00 EUR"},
		{-5, "EUR", "-0.05 EUR"},
		{-120000, "EUR", "-1200.00 EUR"},
		{600, "JPY", "600 JPY"},
		{0, "JPY", "0 JPY"},
		{-1, "JPY", "-1 JPY"},
		{1234, "BHD", "1.234 BHD"},
		{4, "BHD", "0.004 BHD"},
		{12345, "CLF", "1.2345 CLF"},
		{math.MaxInt64, "EUR", "92233720368547758.07 EUR"},
		{math.MinInt64, "EUR", "-92233720368547758.08 EUR"},
		{math.MinInt64, "JPY", "-9223372036854775808 JPY"},
		{600, "ZZZ", "600 minor units of ZZZ"},
	} {
		if got := Format(tt.amount, tt.code); got != tt.want {
			t.Errorf("Format(%d, %s) = %q, want %q", tt.amount, tt.code, got, tt.want)
		}
	}
}

func TestDecimals(t *testing.T) {
	for code, want := range map[string]int{
		"EUR": 2, "USD": 2, "JPY": 0, "KRW": 0, "BHD": 3, "IQD": 3, "CLF": 4, "UYW": 4, "HUF": 2, "ISK": 0,
		"XCG": 2, "ZWG": 2, "SLE": 2, "VES": 2, // younger than the data of golang.org/x/text
	} {
		if got, ok := Decimals(code); !ok || got != want {
			t.Errorf("%s has %d decimals, %v; want %d", code, got, ok, want)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := Check("EUR"); err != nil {
		t.Errorf("EUR: %v", err)
	}
	for _, code := range []string{
		"", "eur", "EU", "EURO", " EUR", "€", "ZZZ",
		"XXX", "XTS", "XAU", // codes of the standard that are no currencies
		"DEM", "HRK", "BGN", // withdrawn
	} {
		if Check(code) == nil {
			t.Errorf("%q passes", code)
		}
	}
}

// FuzzFormat holds what Format writes to the value it was given.
func FuzzFormat(f *testing.F) {
	f.Add(int64(math.MinInt64), "BHD")
	f.Add(int64(-1), "EUR")
	f.Add(int64(7), "")
	f.Fuzz(func(t *testing.T, amount int64, code string) {
		decimals, ok := Decimals(code)
		text := Format(amount, code)
		if !ok {
			return
		}
		number, unit, _ := strings.Cut(text, " ")
		_, fraction, _ := strings.Cut(number, ".")
		if unit != code || len(fraction) != decimals {
			t.Fatalf("%q: want %d decimals and the currency", text, decimals)
		}
		back, isNumber := new(big.Int).SetString(strings.Replace(number, ".", "", 1), 10)
		if !isNumber || !back.IsInt64() || back.Int64() != amount {
			t.Fatalf("%q does not read back as %d", text, amount)
		}
	})
}
