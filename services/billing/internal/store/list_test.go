package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
)

// TestDecisionsPassLists decides a purchase while a long list is being made.
func TestDecisionsPassLists(t *testing.T) {
	w := newWriter(t)
	s, _, stop := w.open("one")
	defer stop()
	w.write(s, 5)
	const entries = 20_000
	begun, listed := make(chan struct{}), make(chan store.List[int], 1)
	begin := sync.OnceFunc(func() { close(begun) })
	var looked atomic.Int64
	var decided atomic.Bool
	go func() {
		listed <- s.ListOf(entries, func() {
			begin()
			looked.Add(1)
			if !decided.Load() {
				time.Sleep(50 * time.Microsecond)
			}
		})
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
	s, _, stop := w.open("one")
	defer stop()
	w.write(s, 600) // two contracts
	for _, f := range []store.OperationFilter{
		{}, {ContractRef: "CTR-2"}, {CustomerRef: "CE-1"}, {InvoiceRef: "BIL-2026-000003"}, {OrderRef: "ORD-1-000007"},
		{ContractRef: "CTR-2", OrderRef: "ORD-1-000007"}, {ContractRef: "CTR-1", OrderRef: "ORD-1-000007"}, {Status: billing.OperationAccepted},
		{Status: billing.OperationRefused}, {ContractRef: "CTR-1", Period: billing.Period{Year: 2026, Month: 3}}, {ContractRef: "CTR-9"},
	} {
		whole := s.Operations(f, store.Page{Limit: 1000})
		if whole.Total != len(whole.Items) {
			t.Errorf("%+v: %d of %d", f, len(whole.Items), whole.Total)
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

func refs(operations []store.Operation) (out []string) {
	for _, o := range operations {
		out = append(out, o.Ref)
	}
	return out
}
