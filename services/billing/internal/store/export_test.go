package store

import "github.com/deferpay/deferpay/services/billing/internal/billing"

// ListOf lists n entries and calls match for each, as the lists of operations do.
func (s *Store) ListOf(n int, match func()) List[int] {
	return list(s, func() []int { return make([]int, n) }, Page{Limit: 10, Offset: 5}, func(billing.States, int) bool {
		match()
		return true
	}, func(_ billing.States, i int) int { return i })
}
