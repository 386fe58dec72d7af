package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
)

// park writes an impossible record about a contract: one that takes in a version that is known. It
// takes a program whose fold checks nothing.
func (s *system) park(ref string) {
	s.t.Helper()
	stream := journal.Stream("contract/" + ref)
	type none = struct{}
	careless, err := ledger.New(store.Log, ledger.Domain[billing.Event, none, none]{
		Codec:   effect.Codec(),
		Streams: func(billing.Event) []journal.Stream { return []journal.Stream{stream} },
		Key:     func(billing.Event) string { return ref },
		Fold:    func(*ledger.View, billing.Event, time.Time) error { return nil },
		After:   func(*ledger.View, billing.Event) (n none) { return n },
		Answer:  func(billing.Event, none) (n none) { return n },
		Project: func(ledger.Applied[billing.Event, none]) {}, Reset: func() {}, NoEffect: billing.ErrNoEffect,
	}, ledger.Config{Writer: "careless", ClientOptions: s.options, Now: s.now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() { _ = careless.Run(ctx); close(ended) }()
	s.t.Cleanup(func() { cancel(); <-ended })
	s.until("ready", func() bool { return careless.Ready() == nil })
	_, err = careless.Decide(s.t.Context(), nil, []journal.Stream{stream}, func(*ledger.View) (billing.Event, error) {
		return billing.ContractObserved{Contract: billing.Contract{Ref: ref, Version: 1, ValidFrom: start}, OccurredAt: start}, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestParkedCustomerWaits bills a month in which the contracts of two customers are held back: one
// by an impossible record, one by a fact that cannot be read.
func TestParkedCustomerWaits(t *testing.T) {
	s := newSystem(t)
	one, two := s.instance("billing-1"), s.instance("billing-2")
	for n, customer := range []string{"CE-A", "CE-A", "CE-B", "CE-C"} {
		one.contract(n+1, 1, func(c *billing.Contract) { c.CustomerRef = customer })
		one.post("/operations", purchase(fmt.Sprint("CTR-", n+1), 100)).want(t, 201)
	}
	s.park("CTR-2")
	if err := one.store.Unreadable(t.Context(), billing.NoteUnreadable{ContractRef: "CTR-3", Source: billing.Source{Topic: "contract.facts.v1"}, Error: "broken"}); err != nil {
		t.Fatal(err)
	}
	one.post("/operations", purchase("CTR-2", 1)).problem(t, 503, "stream-parked")
	one.post("/operations", purchase("CTR-3", 1)).problem(t, 503, "contract-unreadable")
	one.post("/operations", purchase("CTR-1", 1)).want(t, 201)

	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	waits := []string{"invoiced", "1", "notInvoiced", "2",
		"lines.0.customerRef", "CE-A", "lines.0.outcome", "NOT_POSSIBLE", "lines.0.reason", "stream parked: CTR-2 waits for a correction by an operator",
		"lines.1.customerRef", "CE-B", "lines.1.outcome", "NOT_POSSIBLE", "lines.1.reason", "newest state of the contract could not be read: CTR-3"}
	one.post("/billing-runs", `{"period":"2026-03","dryRun":true}`).want(t, 200, slices.Concat(waits, []string{"lines.2.outcome", "TO_INVOICE"})...)
	one.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, slices.Concat(waits, []string{"status", "COMPLETED", "lines.2.invoiceRef", "BIL-2026-000001"})...)
	two.catchUp(one)
	before := s.records()
	s.billers(one, two)
	time.Sleep(20 * time.Millisecond) // ten looks: what does not happen cannot be waited for
	if after := s.records(); after != before {
		t.Errorf("customers that wait made records: %d, then %d", before, after)
	}

	// A newer version is read: the customer is billed by itself, and the other one still waits.
	one.contract(3, 2, func(c *billing.Contract) { c.CustomerRef = "CE-B" })
	s.until("billed", func() bool { return two.get("/invoices").at("total") == "2" })
	two.get("/invoices").want(t, 200, "items.1.customerRef", "CE-B")
	two.get("/billing-runs/2026-03").want(t, 200, "invoiced", "2", "notInvoiced", "1", "lines.0.reason", "stream parked: CTR-2 waits for a correction by an operator")
}

// TestHundredContractsOnOneInvoice closes a month of a customer with a hundred contracts.
func TestHundredContractsOnOneInvoice(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	const contracts = 100
	for n := 1; n <= contracts; n++ {
		i.contract(n, 1, nil)
		i.post("/operations", purchase(fmt.Sprint("CTR-", n), int64(n))).want(t, 201)
	}
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	began := time.Now()
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "status", "COMPLETED", "invoiced", "1", "notInvoiced", "0")
	t.Logf("closed a hundred contracts in %s", time.Since(began))
	i.get("/invoices/BIL-2026-000001").want(t, 200, "total.amount", "5050", "lineCount", "100", "parts.99.contractRef", "CTR-100", "parts.99.total.amount", "100", "parts.100", "<none>")
	i.get("/operations?invoiceRef=BIL-2026-000001").want(t, 200, "total", "100")
	i.post("/invoices/BIL-2026-000001/settlement", `{"outcome":"PRESENTED"}`).problem(t, 400, "invalid-request", "errors.0.pointer", "/contractRef")
	i.post("/invoices/BIL-2026-000001/settlement", `{"outcome":"PRESENTED","contractRef":"CTR-100"}`).want(t, 200, "status", "PRESENTED", "parts.99.presentations", "1")
	again := s.instance("billing-2")
	again.get("/eligibility/CE-ACME").want(t, 200, "sums.0.outstanding.notSettled.amount", "5050", "contracts.99.outstanding.notSettled.amount", "100")
}
