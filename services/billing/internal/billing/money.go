package billing

import (
	"errors"
	"fmt"
	"math"
)

// Money is an amount in minor units of a currency.
type Money struct {
	Amount   int64
	Currency string // ISO 4217
}

// String is for people: 1200.00 EUR.
func (m Money) String() string {
	sign, amount := "", m.Amount
	if amount < 0 {
		sign, amount = "-", -amount
	}
	return fmt.Sprintf("%s%d.%02d %s", sign, amount/100, amount%100, m.Currency)
}

var errOverflow = errors.New("amount out of range")

// sum adds amounts that are not negative.
func sum(a, b int64) (int64, error) {
	if a < 0 || b < 0 {
		return 0, fmt.Errorf("%w: %d + %d", errOverflow, a, b)
	}
	if a > math.MaxInt64-b {
		return 0, fmt.Errorf("%w: %d + %d", errOverflow, a, b)
	}
	return a + b, nil
}

// less takes b from a; neither they nor the result may be negative.
func less(a, b int64) (int64, error) {
	if a < 0 || b < 0 || b > a {
		return 0, fmt.Errorf("%w: %d - %d", errOverflow, a, b)
	}
	return a - b, nil
}
