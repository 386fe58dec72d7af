package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
)

// invoiced bills March with purchases of 100.00 EUR on two contracts. BOP-7-2 is refused, BOP-7-3
// cancelled, and BOP-7-4 is a refund by credit note.
func invoiced(s *system, i *instance) {
	for n := 7; n <= 8; n++ {
		i.contract(n, 1, nil)
		i.post("/operations", purchase(fmt.Sprint("CTR-", n), 10000)).want(s.t, 201)
	}
	i.post("/operations", purchase("CTR-7", 1000000)).want(s.t, 422)
	i.post("/operations", purchase("CTR-7", 500)).want(s.t, 201)
	i.post("/operations/BOP-7-3/cancellation", `{}`).want(s.t, 200)
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/billing-runs", `{"period":"2026-03"}`).want(s.t, 200, "invoiced", "1")
	i.post("/operations", refund("BOP-7-1", 4000)).want(s.t, 201, "creditNoteRef", "AVO-2026-000001")
}

// TestRefusedStepsRecordNothing asks for what the state does not allow, once the month is invoiced.
func TestRefusedStepsRecordNothing(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	invoiced(s, i)
	const settlement, issued = "/invoices/BIL-2026-000001/settlement", `["PRESENTED","SETTLED_OTHERWISE"]`
	type request struct {
		name, path, body string
		status           int
		code             string
		members          []string
	}
	step := func(contract, outcome, more string) string {
		return fmt.Sprintf(`{"outcome":%q,"contractRef":%q%s}`, outcome, contract, more)
	}
	check := func(requests ...request) {
		t.Helper()
		before := s.records()
		for _, r := range requests {
			t.Run(r.name, func(t *testing.T) { i.post(r.path, r.body).problem(t, r.status, r.code, r.members...) })
		}
		if after := s.records(); after != before {
			t.Errorf("%d records before, %d after", before, after)
		}
	}
	check(
		request{"credit note over what is left", "/operations", refund("BOP-7-1", 6001), 422, "refund-exceeds-purchase",
			[]string{"available.amount", "6000", "detail", "60.01 EUR is asked back and 60.00 EUR is left of BOP-7-1"}},
		request{"refund of a cancelled purchase", "/operations", refund("BOP-7-3", 1), 409, "refund-not-possible",
			[]string{"detail", "only an accepted purchase can be refunded: BOP-7-3 was cancelled"}},
		request{"refund of a refused purchase", "/operations", refund("BOP-7-2", 1), 409, "refund-not-possible",
			[]string{"detail", "only an accepted purchase can be refunded: BOP-7-2 was refused"}},
		request{"refund of a credit note", "/operations", refund("BOP-7-4", 1), 409, "refund-not-possible",
			[]string{"detail", "only an accepted purchase can be refunded: BOP-7-4 is a refund"}},
		request{"refund of a foreign purchase", "/operations", refund("BOP-9-1", 1), 404, "operation-not-found", nil},
		request{"blank label", "/operations", strings.Replace(purchase("CTR-7", 1), "Lisbon", "\u00a0 ", 1), 400, "invalid-request",
			[]string{"errors.0.pointer", "/label", "errors.0.message", "must not be blank"}},
		request{"refund with a blank reason", "/operations", strings.Replace(refund("BOP-7-1", 1), "ill", "  ", 1), 400, "invalid-request",
			[]string{"errors.0.pointer", "/reason", "errors.0.message", "must not be blank"}},
		request{"cancelled with a blank reason", "/operations/BOP-7-1/cancellation", `{"reason":"\u3000"}`, 400, "invalid-request",
			[]string{"errors.0.pointer", "/reason", "errors.0.message", "must not be blank"}},
		request{"cancelled twice", "/operations/BOP-7-3/cancellation", `{}`, 409, "transition-forbidden", []string{"detail", "BOP-7-3 is cancelled already"}},
		request{"cancelled though invoiced", "/operations/BOP-7-1/cancellation", `{}`, 409, "transition-forbidden",
			[]string{"detail", "BOP-7-1 is on invoice BIL-2026-000001", "available.amount", "6000", "operationRef", "BOP-7-1"}},
		request{"invoiced, nothing refunded", "/operations/BOP-8-1/cancellation", `{}`, 409, "transition-forbidden",
			[]string{"detail", "BOP-8-1 is on invoice BIL-2026-000001", "available.amount", "10000"}},
		request{"credit note cancelled", "/operations/BOP-7-4/cancellation", `{}`, 409, "transition-forbidden", nil},
		request{"collected first", settlement, step("CTR-7", "COLLECTED", ""), 409, "transition-forbidden", []string{"allowed", issued}},
		request{"rejected first", settlement, step("CTR-7", "REJECTED", `,"reason":"AM04"`), 409, "transition-forbidden", []string{"allowed", issued}},
		request{"returned first", settlement, step("CTR-7", "RETURNED", `,"reason":"MD06"`), 409, "transition-forbidden", []string{"allowed", issued}},
		request{"no such part", settlement, step("CTR-9", "PRESENTED", ""), 400, "invalid-request",
			[]string{"detail", "invoice BIL-2026-000001 has no part of CTR-9; it has parts of CTR-7, CTR-8", "errors.0.pointer", "/contractRef"}},
		request{"no such reason", settlement, step("CTR-7", "REJECTED", `,"reason":"ZZ99"`), 400, "invalid-request", []string{"errors.0.pointer", "/reason"}},
		request{"reason of a return", settlement, step("CTR-7", "REJECTED", `,"reason":"MD06"`), 400, "invalid-request", []string{"errors.0.pointer", "/reason"}},
		request{"blank reference", settlement, step("CTR-7", "SETTLED_OTHERWISE", `,"reference":"  "`), 400, "invalid-request",
			[]string{"errors.0.pointer", "/reference", "errors.0.message", "must not be blank"}},
		request{"reference left out", settlement, step("CTR-7", "SETTLED_OTHERWISE", ""), 400, "invalid-request", nil},
	)
	i.post(settlement, step("CTR-7", "PRESENTED", "")).want(t, 200, "parts.0.status", "PRESENTED")
	check(
		request{"presented twice", settlement, step("CTR-7", "PRESENTED", ""), 409, "transition-forbidden", []string{"allowed", `["COLLECTED","REJECTED"]`}},
		request{"transfer while presented", settlement, step("CTR-7", "SETTLED_OTHERWISE", `,"reference":"V"`), 409, "transition-forbidden", []string{"allowed", `["COLLECTED","REJECTED"]`}},
	)
	i.post(settlement, step("CTR-7", "COLLECTED", "")).want(t, 200, "parts.0.status", "SETTLED", "parts.0.collected.amount", "6000")
	check(
		request{"collected twice", settlement, step("CTR-7", "COLLECTED", ""), 409, "transition-forbidden", []string{"allowed", `["RETURNED"]`}},
		request{"rejected after collection", settlement, step("CTR-7", "REJECTED", `,"reason":"AM04"`), 409, "transition-forbidden", []string{"allowed", `["RETURNED"]`}},
		request{"settled twice", settlement, step("CTR-7", "SETTLED_OTHERWISE", `,"reference":"V"`), 409, "transition-forbidden", []string{"allowed", `["RETURNED"]`}},
	)
	i.contract(8, 2, func(c *billing.Contract) { c.Mandate.RevokedAt = start.Truncate(1e9) })
	check(request{"presented under a revoked mandate", settlement, step("CTR-8", "PRESENTED", ""), 409, "mandate-not-valid",
		[]string{"detail", "the mandate of CTR-8 was revoked at 2026-03-14T09:00:00Z", "reasons", `["MANDATE_NOT_VALID"]`}})
}

// TestConditionOfEachWrite sends each write with a condition that it does not have. It is refused
// unless its key was answered before.
func TestConditionOfEachWrite(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	invoiced(s, i)
	i.post("/operations", purchase("CTR-7", 100)).want(t, 201, "operationRef", "BOP-7-5")
	for n, write := range [][2]string{
		{"/operations", purchase("CTR-7", 1)}, {"/operations", refund("BOP-7-1", 1)}, {"/operations/BOP-7-5/cancellation", `{}`},
		{"/invoices/BIL-2026-000001/settlement", `{"outcome":"PRESENTED","contractRef":"CTR-7"}`}, {"/billing-runs", `{"period":"2026-04"}`},
	} {
		if write[0] == "/billing-runs" {
			s.offset.Store(int64(start.AddDate(0, 2, 0).Sub(start)))
		}
		key, before := fmt.Sprint("former-", n), s.records()
		i.do("POST", write[0], key, write[1], "If-None-Match", "*").problem(t, 400, "invalid-request", "errors.0.pointer", "header:If-None-Match")
		if after := s.records(); after != before {
			t.Errorf("%s: %d records before, %d after", write[0], before, after)
		}
		first := i.do("POST", write[0], key, write[1])
		if first.status >= 300 {
			t.Fatalf("%s: %d %s", write[0], first.status, first.text)
		}
		again := i.do("POST", write[0], key, write[1], "If-None-Match", "*")
		again.want(t, first.status)
		if again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: decided again: %s", write[0], again.text)
		}
	}
	i.do("POST", "/billing-runs", "dry", `{"period":"2026-03","dryRun":true}`, "If-None-Match", "*").problem(t, 400, "invalid-request")
}

// TestEmptyTexts sends texts that are empty, which are as if they were left out.
func TestEmptyTexts(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	i.contract(7, 1, nil)
	i.post("/operations", strings.Replace(purchase("CTR-7", 100), "Lisbon", "", 1)).want(t, 201, "label", "<none>")
	i.post("/operations", strings.Replace(refund("BOP-7-1", 1), "ill", "", 1)).want(t, 201, "reason", "<none>")
	i.post("/operations", purchase("CTR-7", 100)).want(t, 201)
	i.post("/operations/BOP-7-3/cancellation", `{"reason":""}`).want(t, 200)
}

// TestSameRequestOnTwoInstances sends each request to two instances at the same time.
func TestSameRequestOnTwoInstances(t *testing.T) {
	s := newSystem(t)
	one, two := s.instance("billing-1"), s.instance("billing-2")
	one.contract(7, 1, nil)
	two.get("/subscriptions", "Log-Position", one.get("/subscriptions").header.Get("Log-Position"))
	both := func(path, key, body string, status int) (a answer) {
		t.Helper()
		other := make(chan answer)
		go func() { other <- two.do("POST", path, key, body) }()
		a, b := one.do("POST", path, key, body), <-other
		a.want(t, status)
		if a.text != b.text || b.status != a.status || (a.header.Get("Idempotent-Replayed") == "true") == (b.header.Get("Idempotent-Replayed") == "true") {
			t.Fatalf("one %d %v %s\ntwo %d %v %s", a.status, a.header, a.text, b.status, b.header, b.text)
		}
		return a
	}
	const rounds = 25
	for n := range rounds {
		bought := both("/operations", fmt.Sprint("buy-", n), purchase("CTR-7", 1000), 201)
		both("/operations", fmt.Sprint("much-", n), purchase("CTR-7", 1000000), 422)
		both("/operations", fmt.Sprint("refund-", n), refund(bought.at("operationRef"), 600), 201)
		both("/operations/"+both("/operations", fmt.Sprint("again-", n), purchase("CTR-7", 10), 201).at("operationRef")+"/cancellation", fmt.Sprint("cancel-", n), `{}`, 200)
	}
	one.get("/operations").want(t, 200, "total", fmt.Sprint(4*rounds))
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	one.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "invoiced", "1")
	two.get("/invoices", "Log-Position", one.get("/invoices").header.Get("Log-Position"))
	both("/operations", "credit", refund("BOP-7-1", 400), 201).want(t, 201, "creditNoteRef", "AVO-2026-000001")
	both("/invoices/BIL-2026-000001/settlement", "present", `{"outcome":"PRESENTED"}`, 200)
	one.get("/invoices/BIL-2026-000001").want(t, 200, "total.amount", fmt.Sprint(400*rounds), "due.amount", fmt.Sprint(400*rounds-400), "parts.0.presentations", "1")
	one.get("/eligibility/CE-ACME").want(t, 200, "contracts.0.outstanding.total.amount", fmt.Sprint(400*rounds-400))
}
