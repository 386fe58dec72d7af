package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
)

// contract is a contract that was created for a test.
type contract struct {
	ref, customer string
	ceiling       int64
}

// purchase is a purchase that is sent, always with the same key, until it is decided.
type purchase struct {
	key      string
	contract *contract
	amount   int64

	mu       sync.Mutex
	called   time.Duration // time of the first request, since the system began; 0 if none
	returned time.Duration // time of the verdict; 0 if there is none yet
	verdict  verdict
	body     string // body of the verdict
	replayed bool   // the verdict is a replay: an earlier request was decided but not answered
	sent     int
	lost     []string // what became of the requests that were sent and have an unknown outcome
}

// verdict is the decision in an answer.
type verdict struct {
	Accepted     bool
	OperationRef string
	Outstanding  int64 // after the decision, as answered
	Reasons      []string
}

func (p *purchase) request() map[string]any {
	return map[string]any{"type": "PURCHASE", "contractRef": p.contract.ref, "orderRef": "ORD-" + p.key,
		"amount": map[string]any{"amount": p.amount, "currency": "EUR"}}
}

// verdictOf returns the verdict of an answer. It returns false if the answer has none.
func verdictOf(a answer) (v verdict, decided bool) {
	type judgement struct {
		Outstanding struct{ Amount int64 }
		Reasons     []string
	}
	var b struct {
		judgement // members of a refusal
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

// traffic counts requests by their outcome. The requests in unsent are also in unknown: they did
// not get a connection, or one that was reset before an instance accepted it.
type traffic struct{ sent, decided, unknown, unsent, notReady atomic.Int64 }

// attempt sends a purchase once and records the outcome. It reports whether the purchase was
// decided.
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
	reused := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
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
		if undelivered(err, reused) {
			s.unsent.Add(1)
		} else {
			p.lost = append(p.lost, fmt.Sprintf("%s: %d %s %v", to.Name(), a.status, a.body, err))
		}
	case a.status == http.StatusServiceUnavailable || a.text("code") == "request-in-progress":
		s.notReady.Add(1)
	default:
		s.t.Errorf("%s on %s: %d %s", p.key, to.Name(), a.status, a.body)
	}
	return false
}

// undelivered reports whether a request came to no instance: it got no connection, or a new one
// that was reset. The kernel resets those that are established when the listener is closed and that
// the instance has not accepted. An instance that decides such a request has accepted it, and then
// the retry is answered with a replay.
func undelivered(err error, reused bool) bool {
	var op *net.OpError
	reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	return errors.As(err, &op) && op.Op == "dial" || reset && !reused
}

// decide records the first verdict. It reports an error if a later answer differs.
func (p *purchase) decide(t *testing.T, from *cluster.Service, v verdict, a answer, now time.Duration) {
	if p.returned == 0 {
		p.returned, p.verdict, p.body, p.replayed = now, v, a.body, a.header.Get("Idempotent-Replayed") == "true"
		return
	}
	if a.body != p.body {
		t.Errorf("%s was answered differently by %s:\nfirst %s\nnow   %d %s", p.key, from.Name(), p.body, a.status, a.body)
	}
}

func (p *purchase) isDecided() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.returned != 0
}

// insist sends a purchase until it is decided, each time to the instance that next returns.
func (s *system) insist(p *purchase, next func() (to *cluster.Service, limit time.Duration)) {
	s.persist(p.key, next, func(to *cluster.Service, limit time.Duration) bool { return s.attempt(to, p, limit) })
}

// persist calls attempt with what next returns until it reports that the request with the key is
// decided, or the test has failed. It reports whether the request was decided. The test fails if it
// is not within recoverIn.
func (s *system) persist(key string, next func() (*cluster.Service, time.Duration), attempt func(*cluster.Service, time.Duration) bool) bool {
	// the pause of a client between attempts
	for deadline := time.Now().Add(recoverIn); !s.t.Failed(); time.Sleep(20 * time.Millisecond) {
		if attempt(next()) {
			return true
		}
		if time.Now().After(deadline) {
			s.t.Errorf("%s was not decided in %v", key, recoverIn)
		}
	}
	return false
}

// everywhere repeats every purchase on every instance. Each answer must be equal to the first one.
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

// contracts creates one contract per ceiling, two for each customer, and waits until every billing
// instance shows them.
func (s *system) contracts(name string, ceilings ...int64) []*contract {
	s.t.Helper()
	all := make([]*contract, len(ceilings))
	for n, ceiling := range ceilings {
		all[n] = s.subscribe(fmt.Sprintf("%s-%d", name, n), fmt.Sprintf("CE-%s-%d", name, n/2), ceiling)
	}
	for _, c := range all {
		for _, b := range s.Billing {
			s.shows(b, c, "ACTIVE")
		}
	}
	return all
}

// shows waits until an instance of billing shows a contract in a status.
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
	ContractRef string
	Status      string
	Outstanding struct{ Total struct{ Amount int64 } }
}

func (s *system) eligibility(on *cluster.Service, c *contract) (eligibility, error) {
	a, err := s.send(on, "GET", "/billing/v1/eligibility/"+c.customer, "", "", nil)
	var e struct{ Contracts []eligibility }
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &e)
	}
	if err != nil {
		return eligibility{}, fmt.Errorf("status %d, %s: %w", a.status, a.body, err)
	}
	at := slices.IndexFunc(e.Contracts, func(of eligibility) bool { return of.ContractRef == c.ref })
	if at < 0 {
		return eligibility{}, fmt.Errorf("status %d, %s: no %s", a.status, a.body, c.ref)
	}
	return e.Contracts[at], nil
}
