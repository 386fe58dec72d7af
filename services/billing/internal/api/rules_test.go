package api_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
)

// TestDryRunIsWhatARunDoes compares dry runs with the runs after them: of a month whose former one
// is open, of the month before, and of both again once they are billed.
func TestDryRunIsWhatARunDoes(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	for n := 1; n <= 3; n++ {
		i.contract(n, 1, func(c *billing.Contract) { c.CustomerRef = fmt.Sprint("CE-", n) })
	}
	i.post("/operations", purchase("CTR-1", 100)).want(t, 201)
	i.post("/operations", purchase("CTR-2", 50)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/operations", purchase("CTR-1", 200)).want(t, 201)
	i.post("/operations", purchase("CTR-3", 30)).want(t, 201)
	i.post("/billing-runs", `{"period":"2026-04","dryRun":true}`).want(t, 200, "notInvoiced", "1", "invoiced", "1")
	s.offset.Store(int64(start.AddDate(0, 2, 0).Sub(start)))
	for _, step := range []struct {
		month string
		lines []string // how each line ends; the first customers first
		done  []string // the same after a run
	}{
		{"2026-05", nil, nil},
		{"2026-04", []string{"NOT_POSSIBLE 200", "TO_INVOICE 30"}, []string{"NOT_POSSIBLE 200", "INVOICED 30"}},
		{"2026-03", []string{"TO_INVOICE 100", "TO_INVOICE 50"}, []string{"INVOICED 100", "INVOICED 50"}},
		{"2026-04", []string{"TO_INVOICE 200", "INVOICED 30"}, []string{"INVOICED 200", "INVOICED 30"}},
		{"2026-04", []string{"INVOICED 200", "INVOICED 30"}, []string{"INVOICED 200", "INVOICED 30"}},
	} {
		before := s.records()
		check := func(a answer, status string, want []string) {
			t.Helper()
			open := 0
			for n, line := range want {
				at := fmt.Sprint("lines.", n, ".")
				if got := a.at(at+"outcome") + " " + a.at(at+"total.amount"); got != line {
					t.Errorf("%s %s, line %d: %s, want %s", status, step.month, n, got, line)
				}
				if a.at(at+"outcome") == "NOT_POSSIBLE" {
					open++
				}
			}
			a.want(t, 200, "status", status, "notInvoiced", fmt.Sprint(open), "invoiced", fmt.Sprint(len(want)-open), fmt.Sprint("lines.", len(want)), "<none>")
		}
		check(i.post("/billing-runs", fmt.Sprintf(`{"period":%q,"dryRun":true}`, step.month)), "DRY_RUN", step.lines)
		if after := s.records(); after != before {
			t.Errorf("a dry run of %s recorded something", step.month)
		}
		if step.month != "2026-05" {
			check(i.post("/billing-runs", fmt.Sprintf(`{"period":%q}`, step.month)), "COMPLETED", step.done)
		}
	}
}

// TestBoundsOfValidity buys at the first and the last instant of a contract, and beside them.
func TestBoundsOfValidity(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	from, until := start.Add(time.Hour), start.Add(2*time.Hour)
	i.contract(1, 1, func(c *billing.Contract) { c.ValidFrom, c.ValidUntil = from, until })
	for _, tt := range []struct {
		at     time.Time
		reason string // "": accepted
	}{
		{from.Add(-time.Microsecond), "CONTRACT_NOT_STARTED"}, {from, ""}, {until.Add(-time.Microsecond), ""}, {until, "CONTRACT_EXPIRED"},
	} {
		s.offset.Store(int64(tt.at.Sub(start)))
		a := i.post("/operations", purchase("CTR-1", 100))
		if tt.reason == "" {
			a.want(t, 201)
			continue
		}
		a.problem(t, 422, "purchase-refused", "reasons", `["`+tt.reason+`"]`)
		i.get("/eligibility/CE-ACME").want(t, 200, "contracts.0.eligible", "false", "contracts.0.reasons", `["`+tt.reason+`"]`)
	}
}

// TestDebtWithoutMandate settles what a contract owes that has ended and whose mandate is revoked:
// by a transfer, or under another mandate.
func TestDebtWithoutMandate(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	for n := 1; n <= 2; n++ {
		i.contract(n, 1, func(c *billing.Contract) { c.CustomerRef = fmt.Sprint("CE-", n) })
		i.post("/operations", purchase(fmt.Sprint("CTR-", n), 100)).want(t, 201)
		i.contract(n, 2, func(c *billing.Contract) {
			c.CustomerRef, c.Mandate.RevokedAt, c.Status = fmt.Sprint("CE-", n), start, billing.StatusTerminated
		})
	}
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "invoiced", "2", "notInvoiced", "0")
	one, two := "/invoices/BIL-2026-000001/settlement", "/invoices/BIL-2026-000002/settlement"
	for _, path := range []string{one, two} {
		i.post(path, `{"outcome":"PRESENTED"}`).problem(t, 409, "mandate-not-valid")
	}
	i.post(one, `{"outcome":"SETTLED_OTHERWISE","reference":"VIR-1"}`).want(t, 200, "status", "SETTLED")
	i.contract(2, 3, func(c *billing.Contract) {
		c.CustomerRef, c.Mandate.RUM, c.Status = "CE-2", "RUM-2", billing.StatusTerminated
	})
	i.post(two, `{"outcome":"PRESENTED"}`).want(t, 200, "status", "PRESENTED", "parts.0.rum", "RUM-2")
	i.post(two, `{"outcome":"COLLECTED"}`).want(t, 200, "status", "SETTLED")
	for n := 1; n <= 2; n++ {
		i.get(fmt.Sprint("/eligibility/CE-", n)).want(t, 200, "contracts.0.outstanding.total.amount", "0")
	}
}
