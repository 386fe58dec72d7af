package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/store"
)

// owed returns what the accounts of a store add up to.
func owed(s *store.Store) []effect.Owed {
	sums := map[string]effect.Owed{}
	for _, a := range s.Subscriptions(store.SubscriptionFilter{}, store.Page{Limit: 1000}).Items {
		sum := sums[a.Currency]
		sums[a.Currency] = effect.Owed{Currency: a.Currency, NotInvoiced: sum.NotInvoiced + float64(a.NotInvoiced), NotSettled: sum.NotSettled + float64(a.NotSettled)}
	}
	all := []effect.Owed{}
	for _, sum := range sums {
		all = append(all, sum)
	}
	slices.SortFunc(all, func(a, b effect.Owed) int { return strings.Compare(a.Currency, b.Currency) })
	return all
}

// TestOutstanding compares the sums of what is owed with the accounts after each step, on the
// instance that decides and on one that starts from a snapshot. Two contracts are of one customer,
// who gets one invoice, and one is in another currency.
func TestOutstanding(t *testing.T) {
	w := newWriter(t)
	w.snapshots = 5
	s, _, stop := w.open("one")
	defer stop()
	try := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	january := time.Date(2026, time.January, 15, 9, 0, 0, 0, time.UTC)
	w.clock.Store(january.UnixMicro())
	steps := []struct {
		name string
		do   func()
		want string
	}{
		{"nothing is bought", func() {
			for i := range 600 { // more than are looked at in one go
				c := contract(i)
				if i == 1 {
					c.CustomerRef = "CE-1"
				} else if i == 2 {
					c.Ceiling.Currency = "JPY"
				}
				try(nil, s.Observe(t.Context(), billing.Observe{ContractObserved: billing.ContractObserved{Contract: c, OccurredAt: january}}))
			}
		}, "[{EUR 0 0} {JPY 0 0}]"},
		{"bought", func() {
			for i := range 4 {
				p := purchase(i, "ORD")
				if i == 2 {
					p.Amount = billing.Money{Amount: 7000, Currency: "JPY"}
				}
				_, _, err := s.Operate(t.Context(), request(fmt.Sprint("buy-", i)), p)
				try(nil, err)
			}
		}, "[{EUR 36000 0} {JPY 7000 0}]"},
		{"cancelled and given back", func() {
			_, _, err := s.Operate(t.Context(), request("cancel"), billing.Cancel{PurchaseRef: "BOP-4-1"})
			try(nil, err)
			_, _, err = s.Operate(t.Context(), request("refund"), billing.Refund{PurchaseRef: "BOP-2-1", Amount: billing.Money{Amount: 100, Currency: "EUR"}, Reason: "rain"})
			try(nil, err)
		}, "[{EUR 23900 0} {JPY 7000 0}]"},
		{"invoiced", func() {
			w.clock.Store(january.AddDate(0, 1, 0).UnixMicro())
			due, _ := s.ToClose(billing.PeriodOf(january, w.paris))
			for _, c := range due {
				try(s.Decide(t.Context(), nil, c))
			}
		}, "[{EUR 0 23900} {JPY 0 7000}]"},
		{"one part is collected", func() {
			i := s.Invoices(store.InvoiceFilter{ContractRef: "CTR-2"}, store.Page{Limit: 1}).Items[0]
			c := billing.Collecting{InvoiceRef: i.Ref, ContractRef: "CTR-2"}
			_, _, err := s.Settle(t.Context(), request("present"), billing.Present{Collecting: c})
			try(nil, err)
			_, _, err = s.Settle(t.Context(), request("collect"), billing.Collect{Collecting: c})
			try(nil, err)
		}, "[{EUR 0 12000} {JPY 0 7000}]"},
	}
	for _, step := range steps {
		step.do()
		for range 2 { // nothing changes by being asked
			if got := s.Outstanding(); fmt.Sprint(got) != step.want || !slices.Equal(got, owed(s)) {
				t.Errorf("%s: %v is outstanding, want %s; the accounts have %v", step.name, got, step.want, owed(s))
			}
		}
	}
	_, err := s.Snapshot(t.Context())
	try(nil, err)
	short, _, stopShort := w.open("two")
	defer stopShort()
	if got := short.Outstanding(); short.Stats().SnapshotAt < 0 || !slices.Equal(got, s.Outstanding()) {
		t.Errorf("an instance that starts from a snapshot has %v outstanding, want %v", got, s.Outstanding())
	}
}
