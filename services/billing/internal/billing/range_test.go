package billing

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// TestAmountsStayInRange purchases and refunds amounts at the ends of what fits.
func TestAmountsStayInRange(t *testing.T) {
	at := date("2026-03-14")
	b := newBook()
	for n, ceiling := range map[string]int64{"CTR-7": math.MaxInt64, "CTR-8": MaxAmount} {
		c := contract()
		c.Ref, c.Ceiling.Amount = n, ceiling
		b.must(t, date("2026-01-06"), Observe{ContractObserved: ContractObserved{Contract: c}})
	}
	purchase := func(ref string, amount int64) (Event, error) {
		return b.decides(Purchase{ContractRef: ref, OrderRef: fmt.Sprint("O-", len(b.log)), Amount: eur(amount)}, at)
	}
	// Whatever the ceiling, a period holds what an invoice can.
	for _, amount := range []int64{math.MaxInt64, MaxAmount + 1} {
		if _, err := purchase("CTR-7", amount); !errors.Is(err, ErrPeriodFull) {
			t.Errorf("%d: %v", amount, err)
		}
	}
	b.buy(t, at, "CTR-7", MaxAmount)
	if _, err := purchase("CTR-7", 1); !errors.Is(err, ErrPeriodFull) {
		t.Errorf("one more: %v", err)
	}
	b.must(t, at, Refund{PurchaseRef: "BOP-7-1", Amount: eur(MaxAmount)})
	if _, err := purchase("CTR-7", 1); !errors.Is(err, ErrPeriodFull) {
		t.Errorf("one more after a refund: %v", err)
	}
	b.buy(t, at, "CTR-8", MaxAmount)
	for _, amount := range []int64{1, MaxAmount, math.MaxInt64} {
		if e, err := purchase("CTR-8", amount); fmt.Sprintf("%T", e) != "billing.PurchaseRefused" || err != nil {
			t.Errorf("%d above the ceiling: %+v, %v", amount, e, err)
		}
	}
	if got := SumsOf([]Account{b.accounts["CTR-7"], b.accounts["CTR-8"]})[0]; got.Outstanding() != MaxAmount || got.Ceiling != MaxAmount || got.Available != MaxAmount {
		t.Errorf("sums %+v", got)
	}
}

// TestInvoiceStaysInRange closes a month whose contracts do not fit on one invoice.
func TestInvoiceStaysInRange(t *testing.T) {
	b := newBook()
	for _, ref := range []string{"CTR-7", "CTR-8", "CTR-9"} {
		c := contract()
		c.Ref, c.Ceiling.Amount = ref, MaxAmount
		b.must(t, date("2026-01-06"), Observe{ContractObserved: ContractObserved{Contract: c}})
		b.buy(t, date("2026-03-14"), ref, MaxAmount-5)
		b.must(t, date("2026-03-14"), Refund{PurchaseRef: OperationRef(ref, 1), Amount: eur(MaxAmount - 10)})
	}
	at := date("2026-04-01")
	for n := 1; n <= 3; n++ {
		if e := b.must(t, at, Close{Customer: acme, Period: march}).(PeriodClosed); len(e.Parts) != 1 || e.Total != eur(5) {
			t.Errorf("closing %d: %d parts, %s", n, len(e.Parts), e.Total)
		}
	}
	if _, err := b.closes(march, at); !errors.Is(err, ErrPeriodClosed) {
		t.Errorf("closed: %v", err)
	}
	// Credit: everything is collected, then refunded by credit notes.
	for n := 1; n <= 3; n++ {
		i := b.invoices[fmt.Sprintf("BIL-2026-%06d", n)]
		b.must(t, at, SettleOtherwise{Collecting{InvoiceRef: i.Ref}, "VIR"})
		b.must(t, at, Refund{PurchaseRef: OperationRef(i.Parts[0].ContractRef, 1), Amount: eur(5)})
		if i = b.invoices[i.Ref]; i.Purchases() != MaxAmount-5 || i.CreditDue() != 5 || i.OpenAmount() != 0 {
			t.Errorf("%s: %+v", i.Ref, i)
		}
	}
}
