package effect

import (
	"testing"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
)

// TestTotalBeyondInt64 sums what so many contracts owe that int64 does not hold it, and has all of
// them but one pay.
func TestTotalBeyondInt64(t *testing.T) {
	const contracts, each = 3000, 1<<53 - 1
	m := &Model{}
	owing := billing.Account{Currency: "EUR", NotInvoiced: each, NotSettled: each - 1}
	for n := range uint32(contracts) {
		m.totals.add(n)
		m.totals.set(n, owing)
	}
	m.stale = nil
	got, more := m.Sum(nil, 0)
	if want := float64(contracts) * each; more || len(got) != 1 || got[0].NotInvoiced != want || got[0].NotSettled > want || got[0].NotSettled < want*0.99 {
		t.Fatalf("%+v, want about %g each", got, want)
	}
	for n := range uint32(contracts - 1) {
		m.totals.set(n, billing.Account{Currency: "EUR"})
	}
	if got, _ := m.Sum(nil, 0); got[0] != (Owed{"EUR", each, each - 1}) {
		t.Errorf("%+v is owed once all but one have paid", got)
	}
}
