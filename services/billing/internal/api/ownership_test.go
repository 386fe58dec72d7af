package api_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/billing/internal/api"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/runs"
	"github.com/deferpay/deferpay/services/internal/access/accesstest"
	"github.com/deferpay/deferpay/services/internal/logapi"
)

// gated is an instance with an invoice of CE-ACME and a contract of another customer, and an
// interface to it that asks for credentials.
func gated(t *testing.T) (*instance, *accesstest.Gate, http.Handler) {
	t.Helper()
	s := newSystem(t)
	i := s.instance("billing-1")
	i.contract(7, 1, nil)
	i.contract(8, 1, func(c *billing.Contract) { c.CustomerRef = accesstest.Others })
	i.post("/operations", purchase("CTR-7", 1000)).want(t, 201, "operationRef", "BOP-7-1")
	i.post("/operations", purchase("CTR-8", 1000)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "lines.0.invoiceRef", "BIL-2026-000001", "lines.0.customerRef", accesstest.Mine)
	gate, logger := accesstest.New(t), slog.New(slog.NewTextHandler(io.Discard, nil))
	h, err := api.New(api.Config{Config: logapi.Config{Ready: i.store.Ready, Access: gate.Access, Logger: logger}, Store: i.store, Runs: &runs.Runner{Store: i.store, Paris: paris, Now: s.now, Logger: logger}})
	if err != nil {
		t.Fatal(err)
	}
	return i, gate, h
}

func TestWhoGetsIn(t *testing.T) {
	_, gate, h := gated(t)
	requests := map[string]accesstest.Request{
		"createOperation":   {Method: "POST", Path: "/operations", Body: purchase("CTR-7", 1)},
		"listOperations":    {Method: "GET", Path: "/operations?customerRef=CE-ACME"},
		"getOperation":      {Method: "GET", Path: "/operations/BOP-7-1"},
		"cancelOperation":   {Method: "POST", Path: "/operations/BOP-7-1/cancellation", Body: `{}`},
		"listSubscriptions": {Method: "GET", Path: "/subscriptions?contractRef=CTR-7"},
		"getSubscription":   {Method: "GET", Path: "/subscriptions/SUB-7"},
		"getEligibility":    {Method: "GET", Path: "/eligibility/CE-ACME"},
		"startBillingRun":   {Method: "POST", Path: "/billing-runs", Body: `{"period":"2026-03","dryRun":true}`},
		"getBillingRun":     {Method: "GET", Path: "/billing-runs/2026-03"},
		"listInvoices":      {Method: "GET", Path: "/invoices?period=2026-03&customerRef=CE-ACME"},
		"getInvoice":        {Method: "GET", Path: "/invoices/BIL-2026-000001"},
		"settleInvoice":     {Method: "POST", Path: "/invoices/BIL-2026-000001/settlement", Body: `{"outcome":"COLLECTED"}`},
	}
	for id, r := range requests {
		r.Path = api.Prefix + r.Path
		requests[id] = r
	}
	gate.Walk(t, "billing", openAPI, h, requests)
}

// A bound credential cannot find out what there is of others: the answer about something of another
// customer is that about nothing, and lists do not count it.
func TestForeignIsAnsweredLikeMissing(t *testing.T) {
	i, gate, h := gated(t)
	ask := func(method, path, body string) string { return gate.AsCustomer(t, h, method, api.Prefix+path, body) }
	for name, c := range map[string]struct{ method, path, body, foreign, missing string }{
		"operation":    {"GET", "/operations/#", "", "BOP-8-1", "BOP-9-1"},
		"cancellation": {"POST", "/operations/#/cancellation", `{}`, "BOP-8-1", "BOP-9-1"},
		"subscription": {"GET", "/subscriptions/#", "", "SUB-8", "SUB-9"},
		"invoice":      {"GET", "/invoices/#", "", "BIL-2026-000002", "BIL-2026-000009"},
		"settlement":   {"POST", "/invoices/#/settlement", `{"outcome":"PRESENTED"}`, "BIL-2026-000002", "BIL-2026-000009"},
		"purchase":     {"POST", "/operations", order("#", "O-1", 1), "CTR-8", "CTR-9"},
		"refund":       {"POST", "/operations", refund("#", 1), "BOP-8-1", "BOP-9-1"},
	} {
		of := func(ref string) string {
			return strings.ReplaceAll(ask(c.method, strings.ReplaceAll(c.path, "#", ref), strings.ReplaceAll(c.body, "#", ref)), ref, "#")
		}
		if foreign, missing := of(c.foreign), of(c.missing); foreign != missing || !strings.HasPrefix(foreign, "4") {
			t.Errorf("%s:\nof another customer %s\nmissing             %s", name, foreign, missing)
		}
	}
	for _, list := range []string{"/operations", "/subscriptions", "/invoices", "/operations?contractRef=CTR-8", "/invoices?customerRef=CE-OTHER"} {
		a := ask("GET", list, "")
		if strings.Contains(a, accesstest.Others) || strings.Contains(a, "CTR-8") || strings.Contains(list, "?") != strings.Contains(a, `"total":0`) {
			t.Errorf("%s: %s", list, a)
		}
	}
	if before := i.get("/operations").at("total"); before != "2" {
		t.Errorf("%s operations after what was refused", before)
	}
}
