package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
)

// contract is one that billing knows, made for a test.
type contract struct {
	ref, customer string
	ceiling       int64
}

// purchase is one intention: a request that is sent, with its key, until it is decided.
type purchase struct {
	key      string
	contract *contract
	amount   int64

	mu       sync.Mutex
	called   time.Duration // when it was sent first, since the system began; 0: never
	returned time.Duration // when its verdict came; 0: none yet
	verdict  verdict
	body     string // of the verdict
	replayed bool   // an earlier request had been decided, and nobody had heard of it
	sent     int
}

// verdict is what an answer decides.
type verdict struct {
	Accepted     bool
	OperationRef string
	Outstanding  int64 // after it, as it says
	Reasons      []string
}

func (p *purchase) request() map[string]any {
	return map[string]any{"type": "PURCHASE", "contractRef": p.contract.ref, "orderRef": "ORD-" + p.key,
		"amount": map[string]any{"amount": p.amount, "currency": "EUR"}}
}

// verdictOf reads an answer; false when it decides nothing.
func verdictOf(a answer) (v verdict, decided bool) {
	type judgement struct {
		Outstanding struct{ Amount int64 }
		Reasons     []string
	}
	var b struct {
		judgement // of a refusal
		Code      string
		Ref       string `json:"operationRef"`
		Judgement judgement
	}
	if json.Unmarshal([]byte(a.body), &b) != nil {
		return v, false
	}
	switch {
	case a.status == http.StatusCreated:
		return verdict{true, b.Ref, b.Judgement.Outstanding.Amount, b.Judgement.Reasons}, true
	case a.status == http.StatusUnprocessableEntity && b.Code == "purchase-refused":
		return verdict{false, b.Ref, b.Outstanding.Amount, b.Reasons}, true
	}
	return v, false
}

// traffic counts what was asked and what came of it. Unsent are those of unknown that reached
// nobody, as no connection was taken.
type traffic struct{ sent, decided, unknown, unsent, notReady atomic.Int64 }

// attempt sends a purchase once and keeps what comes. It is true when it was decided.
func (s *system) attempt(to *cluster.Service, p *purchase, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	p.mu.Lock()
	p.sent++
	if p.called == 0 {
		p.called = s.since()
	}
	p.mu.Unlock()
	s.sent.Add(1)
	a, err := s.sendIn(ctx, to, "POST", "/billing/v1/operations", p.key, "", p.request())
	now := s.since()
	v, decided := verdictOf(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil && decided:
		p.decide(s.t, to, v, a, now)
		s.decided.Add(1)
		return true
	case err != nil || a.text("code") == "outcome-unknown":
		s.unknown.Add(1)
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			s.unsent.Add(1)
		}
	case a.status == http.StatusServiceUnavailable || a.text("code") == "request-in-progress":
		s.notReady.Add(1)
	default:
		s.t.Errorf("%s on %s: %d %s", p.key, to.Name(), a.status, a.body)
	}
	return false
}

// decide keeps the first verdict, and holds each later one to it.
func (p *purchase) decide(t *testing.T, from *cluster.Service, v verdict, a answer, now time.Duration) {
	if p.returned == 0 {
		p.returned, p.verdict, p.body, p.replayed = now, v, a.body, a.header.Get("Idempotent-Replayed") == "true"
		return
	}
	if a.body != p.body {
		t.Errorf("%s changed its answer on %s:\nfirst %s\nnow   %d %s", p.key, from.Name(), p.body, a.status, a.body)
	}
}

func (p *purchase) isDecided() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.returned != 0
}

// insist sends a purchase until it is decided, each time to the instance that next names.
func (s *system) insist(p *purchase, next func() (to *cluster.Service, limit time.Duration)) {
	for deadline := time.Now().Add(recoverIn); ; time.Sleep(20 * time.Millisecond) { // as long as a client waits before it asks again
		to, limit := next()
		if s.attempt(to, p, limit) || s.t.Failed() {
			return
		}
		if time.Now().After(deadline) {
			s.t.Errorf("%s was not decided in %v", p.key, recoverIn)
			return
		}
	}
}

// everywhere sends every purchase again to every instance: each answers, and as before.
func (s *system) everywhere(all []*purchase) {
	var asking sync.WaitGroup
	lanes := make(chan struct{}, buyers)
	for _, p := range all {
		for _, to := range s.Billing {
			lanes <- struct{}{}
			asking.Go(func() {
				defer func() { <-lanes }()
				s.insist(p, func() (*cluster.Service, time.Duration) { return to, patience })
			})
		}
	}
	asking.Wait()
}

// contracts makes contracts that every billing instance knows, each with a ceiling of its own.
func (s *system) contracts(name string, ceilings ...int64) []*contract {
	s.t.Helper()
	all := make([]*contract, len(ceilings))
	for n, ceiling := range ceilings {
		all[n] = s.subscribe(fmt.Sprintf("%s-%d", name, n), ceiling)
	}
	for _, c := range all {
		for _, b := range s.Billing {
			s.shows(b, c, "ACTIVE")
		}
	}
	return all
}

// shows waits until an instance knows a contract in a status.
func (s *system) shows(on *cluster.Service, c *contract, status string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s is %s on %s", c.ref, status, on.Name()), func() error {
		got, err := s.eligibility(on, c)
		if err == nil && got.Status != status {
			err = fmt.Errorf("it is %s", got.Status)
		}
		return err
	})
}

type eligibility struct {
	Status      string
	Outstanding struct{ Total struct{ Amount int64 } }
}

func (s *system) eligibility(on *cluster.Service, c *contract) (eligibility, error) {
	a, err := s.send(on, "GET", "/billing/v1/eligibility/"+c.customer, "", "", nil)
	var e struct{ Contracts []eligibility }
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &e)
	}
	if err != nil || len(e.Contracts) != 1 {
		return eligibility{}, fmt.Errorf("status %d, %s, error %v", a.status, a.body, err)
	}
	return e.Contracts[0], nil
}
