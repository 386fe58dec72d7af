package number

import (
	"math/big"
	"testing"
)

func TestDecimals(t *testing.T) {
	numbers := []string{"0", "-0", "0.0", "1", "1.0", "10e-1", "-1", "2", "9", "10", "1e1", "99", "100", "0.1", "0.10", "1e-1", "0.01", "19.99", "-0.25", "1e9999", "-1e9999", "1e-9999",
		"9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "123456789.125",
		"999999999999999999", "-999999999999999999", "99999999999999999.9", "922337203685477581", "0.00000000000000001", "0.000000000000000001", "-12.50", "0.5", "12345678901234567.8"}
	rat := func(s string) *big.Rat {
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatal(s)
		}
		return r
	}
	for _, a := range numbers {
		d, x := Parse([]byte(a)), rat(a)
		if d.integer() != x.IsInt() {
			t.Errorf("%s: an integer: %t", a, d.integer())
		}
		if IsInteger([]byte(a)) != x.IsInt() {
			t.Errorf("%s: an integer: %t", a, !x.IsInt())
		}
		if n, ok := d.Int(64); ok != (x.IsInt() && x.Num().IsInt64()) || ok && n != x.Num().Int64() {
			t.Errorf("%s: %d %t", a, n, ok)
		}
		for _, b := range numbers {
			e, y := Parse([]byte(b)), rat(b)
			if d.compare(e) != x.Cmp(y) {
				t.Errorf("%s and %s: %d", a, b, d.compare(e))
			}
			if Compare([]byte(a), []byte(b)) != x.Cmp(y) {
				t.Errorf("%s and %s: %d", a, b, Compare([]byte(a), []byte(b)))
			}
			if y.Sign() != 0 {
				if want := new(big.Rat).Quo(x, y).IsInt(); MultipleOf([]byte(a), []byte(b)) != want {
					t.Errorf("%s is a multiple of %s: %t", a, b, !want)
				}
				if want := new(big.Rat).Quo(x, y).IsInt(); d.multipleOf(e) != want {
					t.Errorf("%s is a multiple of %s: %t", a, b, !want)
				}
			}
		}
	}
}

// The generator refuses a schema with multipleOf: 0. If it did not, the check must not panic.
func TestMultiplesOfZero(t *testing.T) {
	for _, zero := range []string{"0", "0.0", "-0", "0e1"} {
		if MultipleOf([]byte("1"), []byte(zero)) {
			t.Errorf("1 is a multiple of %s", zero)
		}
	}
}
