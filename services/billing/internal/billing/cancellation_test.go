package billing

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCancel(t *testing.T) {
	march := Period{2026, time.March}
	bought := Operation{Ref: "BOP-7-1", Kind: KindPurchase, Status: OperationAccepted, ContractRef: "CTR-7", OrderRef: "O-1", Amount: eur(1000), Period: march}
	refused, refund, refunded, again := bought, bought, bought, bought
	refused.Status, refund.Kind, refunded.Refunded, again.Status = OperationRefused, KindRefund, 1, OperationCancelled
	for name, tt := range map[string]struct {
		purchase Operation
		closed   Period
		want     string // in the error; empty: cancelled
	}{
		"accepted":  {bought, Period{}, ""},
		"refused":   {refused, Period{}, "was refused"},
		"a refund":  {refund, Period{}, "is a refund"},
		"refunded":  {refunded, Period{}, "1 minor units of EUR of BOP-7-1 was refunded"},
		"cancelled": {again, Period{}, "is cancelled already"},
		"invoiced":  {bought, march, "is on invoice"},
	} {
		b, now := opened(t), date("2026-03-15")
		if tt.closed != (Period{}) {
			b, now = invoiced(t)
		}
		b.operations["BOP-7-1"] = tt.purchase
		e, err := b.decides(Cancel{PurchaseRef: "BOP-7-1", Reason: "booked twice"}, now)
		var refusal *CancelError
		if ok := errors.As(err, &refusal); ok != (tt.want != "") || ok && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if want := (PurchaseCancelled{"BOP-7-1", "CTR-7", "O-1", "booked twice"}); err == nil && e != want {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if _, err := opened(t).decides(Cancel{PurchaseRef: "BOP-7-9"}, date("2026-03-15")); !errors.Is(err, ErrOperationUnknown) {
		t.Errorf("unknown: %v", err)
	}
}

// A cancelled purchase frees its amount and is on no invoice. A month in which all is cancelled has
// none.
func TestCancelledLeavesPeriod(t *testing.T) {
	b, march := opened(t), Period{2026, time.March}
	bought := date("2026-03-14")
	b.buy(t, bought, "CTR-7", 1000)
	b.buy(t, bought, "CTR-7", 200)
	before, _ := b.accounts["CTR-7"].OpenPeriod(march)
	b.must(t, bought, Cancel{PurchaseRef: "BOP-7-1"})
	open, _ := b.accounts["CTR-7"].OpenPeriod(march)
	if open.Lines != 1 || open.Total() != 200 || open.Hash == before.Hash || b.accounts["CTR-7"].Outstanding() != eur(200) {
		t.Errorf("one of two cancelled: %+v", open)
	}
	if o := b.operations["BOP-7-1"]; o.Status != OperationCancelled {
		t.Errorf("%+v", o)
	}
	b.must(t, bought, Cancel{PurchaseRef: "BOP-7-2"})
	if _, err := b.closes(march, date("2026-04-01")); !errors.Is(err, ErrNothingToClose) {
		t.Errorf("a month without lines: %v", err)
	}
	if got := b.accounts["CTR-7"].Outstanding(); got != eur(0) {
		t.Errorf("outstanding %s", got)
	}
}
