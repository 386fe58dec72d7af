package store_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/numbers"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// TestDecisionsPassLists decides a purchase while a long list is being made.
func TestDecisionsPassLists(t *testing.T) {
	w := newWriter(t)
	w.write(5)
	s, _, stop := w.open("one")
	defer stop()
	const entries = 20_000
	begun, listed := make(chan struct{}), make(chan store.List[int], 1)
	begin := sync.OnceFunc(func() { close(begun) })
	var looked atomic.Int64
	var decided atomic.Bool
	go func() {
		l, _ := s.ListOf(entries, func() {
			begin()
			looked.Add(1)
			if !decided.Load() {
				time.Sleep(50 * time.Microsecond)
			}
		})
		listed <- l
	}()
	<-begun
	if _, _, err := s.Operate(t.Context(), request("beside"), purchase(0, "beside")); err != nil {
		t.Fatal(err)
	}
	decided.Store(true)
	if n := looked.Load(); n == entries {
		t.Error("a purchase waited for the end of a list")
	}
	if l := <-listed; l.Total != entries || len(l.Items) != 10 {
		t.Errorf("a list of %d has %d of %d", entries, len(l.Items), l.Total)
	}
}

// TestPagesOfOperations compares pages with the whole list, by filters that one list of the model
// answers and by others.
func TestPagesOfOperations(t *testing.T) {
	w := newWriter(t)
	w.write(600) // two contracts
	first, _, stop := w.open("one")
	defer stop()
	w.cancelSome(first)
	w.refundSome(first)
	w.pack = true
	s, _, stopPacked := w.open("two")
	defer stopPacked()
	everything := s.Operations(store.OperationFilter{}, store.Page{Limit: 1000}).Items
	same(t, "operations", everything, first.Operations(store.OperationFilter{}, store.Page{Limit: 1000}).Items)
	march := billing.Period{Year: 2026, Month: 3}
	for _, f := range []store.OperationFilter{
		{}, {ContractRef: "CTR-2"}, {CustomerRef: "CE-1"}, {InvoiceRef: "BIL-2026-000003"}, {OrderRef: "ORD-1-000007"},
		{ContractRef: "CTR-2", OrderRef: "ORD-1-000007"}, {ContractRef: "CTR-1", OrderRef: "ORD-1-000007"}, {Status: billing.OperationAccepted},
		{Status: billing.OperationRefused}, {ContractRef: "CTR-1", Period: march}, {ContractRef: "CTR-9"}, {OrderRef: "none"},
		{InvoiceRef: "BIL-2026-000003", Status: billing.OperationRefused}, {InvoiceRef: "BIL-2026-000003", ContractRef: "CTR-1"}, {Of: store.Customers{}},
		{Of: store.Customers{"CE-1", "CE-2", "CE-1"}}, {OrderRef: "LATE-4"}, {OrderRef: "ORD-4-000003", Of: store.Customers{"CE-9", "CE-2"}},
		{Status: billing.OperationCancelled}, {Period: march}, {Period: billing.Period{Year: 2026, Month: 6}, Status: billing.OperationCancelled},
		{Status: billing.OperationAccepted, Of: store.Customers{"CE-2"}}, {Status: billing.OperationRefused, CustomerRef: "CE-1"}, {Period: march, Status: billing.OperationAccepted},
	} {
		whole := s.Operations(f, store.Page{Limit: 1000})
		if want := matching(everything, f); whole.Total != len(want) || !slices.Equal(refs(whole.Items), want) {
			t.Errorf("%+v: %d of %d, want %d", f, len(whole.Items), whole.Total, len(want))
		}
		for _, page := range []store.Page{{Limit: 7}, {Limit: 7, Offset: 5}, {Limit: 1000, Offset: 119}, {Limit: 3, Offset: 10_000}} {
			got := s.Operations(f, page)
			from := min(page.Offset, whole.Total)
			want := whole.Items[from:min(from+page.Limit, whole.Total)]
			if got.Total != whole.Total || fmt.Sprint(refs(got.Items)) != fmt.Sprint(refs(want)) {
				t.Errorf("%+v, %+v: %v of %d, want %v of %d", f, page, refs(got.Items), got.Total, refs(want), whole.Total)
			}
		}
	}
}

// cancelSome buys on both contracts, cancels every third purchase, latest first, and has others
// refused.
func (w *writer) cancelSome(s *store.Store) {
	w.tb.Helper()
	var made []string
	for i := range 12 {
		p := purchase(i%2, fmt.Sprint("LATE-", i))
		if i%4 == 3 {
			p.Amount.Amount = 1 << 41 // above the ceiling
		}
		o, _, err := s.Operate(w.tb.Context(), request(fmt.Sprint("late-", i)), p)
		if err != nil {
			w.tb.Fatal(err)
		}
		if o.Status == billing.OperationAccepted {
			made = append(made, o.Ref)
		}
	}
	for i := len(made) - 1; i >= 0; i -= 3 {
		if _, _, err := s.Operate(w.tb.Context(), request("cancel-"+made[i]), billing.Cancel{PurchaseRef: made[i], Reason: "ill"}); err != nil {
			w.tb.Fatal(err)
		}
	}
}

// A list of cancelled purchases does not change while it is being made, even if an earlier one is
// cancelled.
func TestCancelledWhileListed(t *testing.T) {
	w := newWriter(t)
	w.write(0)
	s, _, stop := w.open("one")
	defer stop()
	var made []string
	for i := range 9 {
		o, _, err := s.Operate(t.Context(), request(fmt.Sprint("buy-", i)), purchase(0, fmt.Sprint("LATE-", i)))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, o.Ref)
	}
	for i := len(made) - 1; i >= 0; i-- {
		listed := s.Candidates(store.OperationFilter{Status: billing.OperationCancelled})
		before, _ := numbers.Page(0, 10, listed...)
		if _, _, err := s.Operate(t.Context(), request("cancel-"+made[i]), billing.Cancel{PurchaseRef: made[i], Reason: "ill"}); err != nil {
			t.Fatal(err)
		}
		after, _ := numbers.Page(0, 10, listed...)
		if len(before) != len(made)-1-i || !slices.Equal(after, before) {
			t.Fatalf("the list of %d has changed", len(before))
		}
	}
}

// refundSome refunds purchases of orders of all months, so that some are packed and invoiced.
func (w *writer) refundSome(s *store.Store) {
	w.tb.Helper()
	for i, o := range s.Operations(store.OperationFilter{Status: billing.OperationAccepted}, store.Page{Limit: 1000}).Items {
		if i%9 != 0 {
			continue
		}
		for n := range 1 + i%2 {
			r := billing.Refund{PurchaseRef: o.Ref, Amount: billing.Money{Amount: 1_00, Currency: "EUR"}, Reason: "rain"}
			if _, _, err := s.Operate(w.tb.Context(), request(fmt.Sprint("refund-", i, "-", n)), r); err != nil {
				w.tb.Fatal(err)
			}
		}
	}
}

// Lists that are made beside purchases, refunds and cancellations hold what their filters select.
func TestListsBesidePurchases(t *testing.T) {
	w := newWriter(t)
	w.pack = true
	w.write(500)
	s, _, stop := w.open("one")
	defer stop()
	var readers sync.WaitGroup
	var bought atomic.Bool
	for _, f := range []store.OperationFilter{
		{}, {ContractRef: "CTR-1", Status: billing.OperationAccepted}, {CustomerRef: "CE-1"}, {OrderRef: "LATE-4"}, {Status: billing.OperationCancelled}, {InvoiceRef: "BIL-2026-000001"},
	} {
		readers.Go(func() {
			for !bought.Load() {
				l := s.Operations(f, store.Page{Limit: 1000})
				if got := matching(l.Items, f); len(got) != len(l.Items) || !slices.Equal(got, refs(l.Items)) {
					t.Errorf("%+v: %d of %d match", f, len(got), len(l.Items))
				}
				if !fulltest.Requested() {
					time.Sleep(time.Millisecond) // without it, readers take most of the processors
				}
			}
		})
	}
	w.cancelSome(s)
	w.refundSome(s)
	bought.Store(true)
	readers.Wait()
}

// matching returns what a filter selects.
func matching(all []store.Operation, f store.OperationFilter) (out []string) {
	for _, o := range all {
		if (f.ContractRef == "" || o.ContractRef == f.ContractRef) && (f.CustomerRef == "" || o.CustomerRef == f.CustomerRef) &&
			(f.InvoiceRef == "" || o.InvoiceRef == f.InvoiceRef) && (f.OrderRef == "" || o.OrderRef == f.OrderRef) &&
			(f.Period == billing.Period{} || o.Period == f.Period) && (f.Status == "" || o.Status == f.Status) &&
			(f.Of == nil || slices.Contains(f.Of, o.CustomerRef)) {
			out = append(out, o.Ref)
		}
	}
	return out
}

// A page of invoices that a list of the model has looks at no others. A search by status looks at
// all of them.
func TestPageCostsWhatItShows(t *testing.T) {
	w := newWriter(t)
	w.write(500) // two contracts, five months
	s, _, stop := w.open("one")
	defer stop()
	const all = 10
	for _, c := range []struct {
		filter store.InvoiceFilter
		page   store.Page
		looked int
		total  int
	}{
		{store.InvoiceFilter{}, store.Page{Limit: 3}, 3, all},
		{store.InvoiceFilter{}, store.Page{Limit: 3, Offset: 4}, 3, all},
		{store.InvoiceFilter{CustomerRef: "CE-1"}, store.Page{Limit: 3, Offset: 4}, 1, all / 2},
		{store.InvoiceFilter{CustomerRef: "CE-1", Of: store.Customers{"CE-1", "CE-2"}}, store.Page{Limit: 2}, 2, all / 2},
		{store.InvoiceFilter{Status: billing.InvoiceSettled}, store.Page{Limit: 3}, all, 0},
	} {
		if looked, total := s.InvoiceEntries(c.filter, c.page); looked != c.looked || total != c.total {
			t.Errorf("%+v, %+v: looks at %d invoices of %d, want %d of %d", c.filter, c.page, looked, total, c.looked, c.total)
		}
		want := max(c.total, all/2)
		if c.total == 0 {
			want = all
		}
		l := s.Invoices(c.filter, c.page)
		if shown := min(c.page.Limit, want-c.page.Offset); len(l.Items) != shown || l.Total != want {
			t.Errorf("%+v, %+v: shows %d invoices of %d, want %d of %d", c.filter, c.page, len(l.Items), l.Total, shown, want)
		}
	}
}

// What was chosen in one generation of the read model is not looked up in another one, where its
// numbers are those of others.
func TestListsOfADiscardedModel(t *testing.T) {
	w := newWriter(t)
	w.write(5)
	s, _, stop := w.open("one")
	defer stop()
	if !s.Picks(func() {}) || !s.Finishes(func() {}) {
		t.Error("operations of the model are not completed")
	}
	const entries = 1000
	looked := 0
	if l, ok := s.ListOf(entries, func() { looked++ }); !ok || looked != entries || l.Total != entries {
		t.Errorf("a list of %d looked at %d (%v)", l.Total, looked, ok)
	}
	looked = 0
	if _, ok := s.ListOf(entries, func() {
		if looked++; looked == 1 {
			s.Discard()
		}
	}); ok || looked > entries/2 {
		t.Errorf("a list of a discarded model looked at %d entries (%v)", looked, ok)
	}
	if s.Finishes(s.Discard) {
		t.Error("operations are completed that were picked in another generation")
	}
	if s.Picks(s.Discard) {
		t.Error("operations are picked whose numbers are of another generation")
	}
}

// BenchmarkPages reports how long a page of operations takes by several filters.
func BenchmarkPages(b *testing.B) {
	w := newWriter(b)
	w.write(*closedOperations)
	s, _, stop := w.open("one")
	defer stop()
	w.cancelSome(s)
	for name, f := range map[string]store.OperationFilter{
		"all": {}, "accepted": {Status: billing.OperationAccepted}, "refused": {Status: billing.OperationRefused}, "cancelled": {Status: billing.OperationCancelled},
		"month": {Period: billing.Period{Year: 2026, Month: 3}}, "contract in month": {Period: billing.Period{Year: 2026, Month: 3}, ContractRef: "CTR-1"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.Operations(f, store.Page{Limit: 20})
			}
		})
	}
}

func refs(operations []store.Operation) (out []string) {
	for _, o := range operations {
		out = append(out, o.Ref)
	}
	return out
}
