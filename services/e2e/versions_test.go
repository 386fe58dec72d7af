package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// The gate refuses a changed log body whose former version is not kept, and prints the command that
// keeps it.
func TestUnkeptVersionIsRefused(t *testing.T) {
	e := evolve(t)
	e.must(e.generate())
	e.addBodyField("billing", "PurchaseAccepted")
	status, out := e.generate()
	_, command, found := strings.Cut(out, "hint: run eventgen ")
	if status != 1 || !found || !strings.Contains(out, "the present schema of message PurchaseAccepted is not among its versions") {
		t.Fatalf("exit status %d, want 1 and the command that keeps the version:\n%s", status, out)
	}
	e.must(eventgen(strings.Fields(command)))
	e.must(e.generate())
}

// The next version has an optional field more in a public state and in a body of each log.
//
// On its own it answers the old log as the present version does. Beside the present version, on the
// same logs, it reads everything. The present version reads the changed public facts. It is not
// ready once the log has a record of the next version, and /readyz returns the reason.
func TestNextVersion(t *testing.T) {
	fulltest.Only(t, "it compiles the services again")
	e := evolve(t)
	e.addPublicField("Contract")
	e.addBodyField("contract", "Amended")
	e.addBodyField("billing", "PurchaseAccepted")
	e.must(e.eventgen("versions", "keep"))
	e.must(e.generate())
	began := time.Now()
	t.Logf("%d generated files changed", e.writeOverlay())
	t.Run("old log", func(t *testing.T) {
		e.t = t
		e.goTool("test", "-vet=off", "-count=1", "./services/e2e/oldlog")
	})
	t.Run("side by side", func(t *testing.T) {
		e.t = t
		bin := t.TempDir()
		e.goTool("build", "-ldflags=-s -w", "-o", bin+string(filepath.Separator), "./services/contract/cmd/contract", "./services/billing/cmd/billing")
		t.Logf("compiled after %.1f s", time.Since(began).Seconds())
		sideBySide(t, e, bin)
	})
}

func sideBySide(t *testing.T, e *evolution, bin string) {
	s := start(t, setup{billing: 1})
	c := s.contracts("sides", 1000)[0]
	before := s.buy("before", c, 3)
	e.must(e.eventgen("schemas", "register", "-registry", s.Registry))

	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	add := func(service string) *cluster.Service {
		x, err := s.Add(ctx, bin, service)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	present, presentContract := s.Billing[0], s.Contract
	next, nextContract := add(cluster.Billing), add(cluster.Contract)

	// The record of a suspension has not changed. Its fact has the changed state.
	s.change(nextContract, c, map[string]any{"action": "SUSPEND", "reason": "a dispute"})
	s.shows(present, c, "SUSPENDED")
	s.shows(next, c, "SUSPENDED")
	s.change(nextContract, c, map[string]any{"action": "REINSTATE"})
	s.shows(present, c, "ACTIVE")

	s.change(nextContract, c, map[string]any{"action": "AMEND", "ceiling": map[string]any{"amount": 2000, "currency": "EUR"}})
	s.unready(presentContract, `\"Amended\"`, "run a newer version")
	p := &purchase{key: "next", contract: c, amount: 1}
	s.insist(p, func() (*cluster.Service, time.Duration) { return next, patience })
	s.unready(present, `\"PurchaseAccepted\"`, "run a newer version")
	if s.attempt(present, &purchase{key: "present", contract: c, amount: 1}, patience) {
		t.Error("the present version decided after a record that it cannot read")
	}

	for _, x := range []*cluster.Service{next, nextContract} {
		if err := x.Kill(); err != nil {
			t.Fatal(err)
		}
		s.restart(x.Process) // reads the records of both versions
	}
	s.Billing = []*cluster.Service{next}
	s.everywhere(append(before, p))
	if e, err := s.eligibility(next, c); err != nil || e.Outstanding.Total.Amount != 4 {
		t.Errorf("outstanding %+v, %v, want 4", e, err)
	}
	s.Billing = []*cluster.Service{present, next}
}

// change changes a contract on an instance of the contract service.
func (s *system) change(on *cluster.Service, c *contract, body map[string]any) {
	s.t.Helper()
	path := "/refcontract/v1/contracts/" + c.ref
	a := s.must(on, "GET", path, "", "", nil, 200)
	s.insisted(on, "PATCH", path, fmt.Sprint(body["action"], "-", c.ref), a.header.Get("ETag"), body, 200)
}
