package billing

import (
	"errors"
	"testing"
)

func TestOrderHasOnePurchase(t *testing.T) {
	at := date("2026-03-14")
	order := func(contract, ref string, cents int64) Purchase {
		return Purchase{ContractRef: contract, OrderRef: ref, Amount: eur(cents)}
	}
	for name, tt := range map[string]struct {
		before []Command
		p      Purchase
		taken  string // reference of the purchase that has the order
	}{
		"first":               {nil, order("CTR-7", "O-1", 1), ""},
		"second":              {[]Command{order("CTR-7", "O-1", 5)}, order("CTR-7", "O-1", 1), "BOP-7-1"},
		"third":               {[]Command{order("CTR-7", "O-2", 5), order("CTR-7", "O-1", 5)}, order("CTR-7", "O-1", 1), "BOP-7-2"},
		"on another contract": {[]Command{order("CTR-7", "O-1", 5)}, order("CTR-8", "O-1", 1), ""},
		"another order":       {[]Command{order("CTR-7", "O-1", 5)}, order("CTR-7", "O-10", 1), ""},
		"refused before":      {[]Command{order("CTR-7", "O-1", 500001)}, order("CTR-7", "O-1", 1), ""},
		"refunded":            {[]Command{order("CTR-7", "O-1", 5), refund(5)}, order("CTR-7", "O-1", 1), "BOP-7-1"},
		"cancelled":           {[]Command{order("CTR-7", "O-1", 5), Cancel{PurchaseRef: "BOP-7-1"}}, order("CTR-7", "O-1", 1), ""},
		"purchased again": {
			[]Command{order("CTR-7", "O-1", 5), Cancel{PurchaseRef: "BOP-7-1"}, order("CTR-7", "O-1", 5)}, order("CTR-7", "O-1", 1), "BOP-7-2",
		},
		"would be refused": {[]Command{order("CTR-7", "O-1", 5)}, order("CTR-7", "O-1", 500001), "BOP-7-1"},
	} {
		b := newBook()
		b.knows(t, "CTR-7", "CTR-8")
		for _, c := range tt.before {
			b.must(t, at, c)
		}
		_, err := b.decides(tt.p, at)
		var taken *OrderError
		if errors.As(err, &taken) != (tt.taken != "") || err != nil && (taken.PurchaseRef != tt.taken || taken.Order != tt.p.Order()) {
			t.Errorf("%s: %v, want %q", name, err, tt.taken)
		}
	}
}

// Purchases of the former version are not in the states of their orders. The caller names them.
func TestOrderOfOldRecords(t *testing.T) {
	b, at := opened(t), date("2026-03-14")
	for n, ref := range []string{"BOP-7-1", "BOP-7-2"} {
		old := PurchaseAccepted{ref, "CTR-7", "O-1", "", eur(int64(n) + 1), march, 3, false}
		b.do(t, at, old, nil)
	}
	if len(b.orders) != 0 {
		t.Fatalf("a record of the former version takes %v", b.orders)
	}
	p := Purchase{ContractRef: "CTR-7", OrderRef: "O-1", Amount: eur(1), Earlier: []string{"BOP-7-1", "BOP-7-2"}}
	for _, want := range []string{"BOP-7-1", "BOP-7-2"} {
		_, err := b.decides(p, at)
		var taken *OrderError
		if !errors.As(err, &taken) || taken.PurchaseRef != want {
			t.Errorf("%v, want %s", err, want)
		}
		b.must(t, at, Cancel{PurchaseRef: want})
	}
	b.must(t, at, p)
	// Records of the former version that cancel leave the order alone.
	b.do(t, at, PurchaseCancelled{OperationRef: "BOP-7-3", ContractRef: "CTR-7"}, nil)
	if b.orders[p.Order()] != "BOP-7-3" {
		t.Errorf("the order is %q", b.orders[p.Order()])
	}
}

// Two purchases of the former version may share an order. Cancelling one leaves the order to a
// later purchase.
func TestCancelFreesOwnOrder(t *testing.T) {
	b, at := opened(t), date("2026-03-14")
	b.do(t, at, PurchaseAccepted{"BOP-7-1", "CTR-7", "O-1", "", eur(1), march, 3, false}, nil)
	b.do(t, at, PurchaseAccepted{"BOP-7-2", "CTR-7", "O-1", "", eur(1), march, 3, true}, nil)
	b.must(t, at, Cancel{PurchaseRef: "BOP-7-1"})
	if got := b.orders[OrderKey{"CTR-7", "O-1"}]; got != "BOP-7-2" {
		t.Errorf("the order is %q", got)
	}
}
