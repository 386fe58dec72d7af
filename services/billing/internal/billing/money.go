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

// String returns the amount for logs. What is written for people has the decimals of its currency,
// which this package does not know; the edge writes it.
func (m Money) String() string {
	return fmt.Sprintf("%d minor units of %s", m.Amount, m.Currency)
}

// MaxAmount is the largest amount that an answer or an event can hold: numbers of JSON are exact up
// to it.
const MaxAmount = 1<<53 - 1

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
