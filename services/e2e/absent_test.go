package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
)

const billingEvents = "billing.events.v1"

// services returns the instances of both services.
func (s *system) services() []*cluster.Service { return slices.Concat(s.Billing, s.Contracts) }

// stopServices stops every instance with SIGTERM.
func (s *system) stopServices() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for _, x := range s.services() {
		if err := x.Stop(ctx); err != nil {
			s.t.Error(err)
		}
	}
}

// waitReady waits until an instance is ready.
func (s *system) waitReady(x *cluster.Service) {
	s.t.Helper()
	s.until(x.Name()+" ready", func() error { return s.readiness(x) })
}

// readiness returns nil if an instance is ready, and the answer of /readyz otherwise.
func (s *system) readiness(x *cluster.Service) error {
	a, err := s.send(x, "GET", "/readyz", "", "", nil)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%d %s", a.status, strings.TrimSpace(a.body))
	}
	return err
}

// unready waits until /readyz returns a reason that contains all of the words, and logs the reason.
func (s *system) unready(x *cluster.Service, words ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s is not ready because of %q", x.Name(), words), func() error {
		err := s.readiness(x)
		if err == nil {
			return fmt.Errorf("it is ready")
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				return err
			}
		}
		s.t.Logf("%s: /readyz %v", x.Name(), err)
		return nil
	})
}

// logged waits for a line at level WARN or ERROR in the log of an instance that contains all of the
// words, and logs the line.
func (s *system) logged(x *cluster.Service, words ...string) {
	s.t.Helper()
	s.anyLogged([]*cluster.Service{x}, words...)
}

// anyLogged is like logged, but accepts a line of any of several instances.
func (s *system) anyLogged(any []*cluster.Service, words ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q in a log", words), func() error {
		for _, x := range any {
			for line := range strings.Lines(x.Log()) {
				var entry struct{ Level, Msg, Topic, Error string }
				if json.Unmarshal([]byte(line), &entry) != nil || entry.Level != "WARN" && entry.Level != "ERROR" {
					continue
				}
				if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
					s.t.Logf("%s: %s %s: %s %s", x.Name(), entry.Level, entry.Msg, entry.Topic, entry.Error)
					return nil
				}
			}
		}
		return fmt.Errorf("no such line")
	})
}

// buy sends n purchases of one minor unit each on a contract and waits until they are decided.
func (s *system) buy(name string, c *contract, n int) []*purchase {
	var all []*purchase
	for i := range n {
		p := &purchase{key: fmt.Sprintf("%s-%d", name, i), contract: c, amount: 1}
		s.insist(p, s.anyOf())
		all = append(all, p)
	}
	return all
}

// published waits until every accepted purchase has its event.
func (s *system) published(mark int, all []*purchase) {
	s.t.Helper()
	s.until("every accepted purchase is published", func() error {
		events := map[string]bool{}
		for _, r := range s.topics.Since(mark) {
			if r.Topic == billingEvents && r.Type == "OperationAccepted" {
				events[fmt.Sprint(r.Value["operationRef"])] = true
			}
		}
		for _, p := range all {
			if p.verdict.Accepted && !events[p.verdict.OperationRef] {
				return fmt.Errorf("%s is not published", p.verdict.OperationRef)
			}
		}
		return nil
	})
}

// The services are started while the broker is down. Once it is up, they become ready by
// themselves, and every purchase that was acknowledged before is still there.
func TestBrokerAbsentThenPresent(t *testing.T) {
	fulltest.Only(t, "TestABrokerThatComesLate of billing takes less time")
	s := start(t, setup{topics: []string{billingEvents}})
	c := s.contracts("absent", 1000)
	before := s.buy("before", c[0], 20)
	s.stopServices()
	if err := s.Kafka.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, x := range s.services() {
		if err := x.Launch(); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range s.services() {
		s.unready(x, "topics", "journal", "refused")
		s.logged(x, "topics not checked yet", "refused")
	}
	if s.attempt(s.Billing[0], &purchase{key: "meanwhile", contract: c[0], amount: 1}, patience) {
		t.Error("a purchase was decided without a broker")
	}
	s.restart(s.Kafka)
	for _, x := range s.services() {
		s.waitReady(x)
	}
	after := append(before, s.buy("after", c[0], 20)...)
	s.everywhere(after)
	s.verify(0, c, after, nil)
	s.published(0, after)
}

// The services are started while the registry is down. They become ready and decide purchases.
// Publishing and receiving wait for the registry.
func TestRegistryAbsentThenPresent(t *testing.T) {
	fulltest.Only(t, "it waits for attempts that are seconds apart")
	s := start(t, setup{proxies: true, topics: []string{billingEvents, "billing.dlq.v1", "contract.dlq.v1"}})
	c := s.contracts("registry", 1000)
	s.stopServices()
	registry := s.proxies[len(s.proxies)-1]
	registry.leave()
	for _, x := range s.services() {
		s.restart(x.Process)
	}
	mark := s.topics.Mark()
	all := s.buy("meanwhile", c[0], 20)
	late := s.subscribe("late", "CE-late", 1000)
	s.logged(s.Contract, "schema registry")
	for _, x := range s.services() {
		if err := s.readiness(x); err != nil {
			t.Errorf("%s: %v", x.Name(), err)
		}
	}
	registry.back()
	for _, b := range s.Billing {
		s.shows(b, late, "ACTIVE")
	}
	s.published(mark, all)
	s.everywhere(all)
	s.verify(mark, c, all, nil)
	s.noDeadLetters()
}

func (s *system) noDeadLetters() {
	s.t.Helper()
	s.sync()
	for _, r := range s.topics.Since(0) {
		if strings.HasSuffix(r.Topic, ".dlq.v1") {
			s.t.Errorf("dead letter on %s: %s %v", r.Topic, r.Key, r.Headers)
		}
	}
}

// delete deletes a topic.
func (s *system) delete(topic string) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).DeleteTopic(s.t.Context(), topic); err != nil {
		s.t.Fatal(err)
	}
}

// deploy creates the topics that are missing.
func (s *system) deploy() {
	s.t.Helper()
	s.until("topics deployed", func() error {
		_, _, err := cluster.Deploy(s.t.Context(), s.Brokers, s.Registry)
		return err
	})
}

// A public topic is deleted while purchases are being made. They are still decided, and events that
// had not been published are published once the topic has been created again.
func TestPublicTopicDeleted(t *testing.T) {
	fulltest.Only(t, "it waits for a topic that comes back")
	s := start(t, setup{})
	c := s.contracts("deleted", 1000)
	all := s.buy("before", c[0], 5)
	s.delete(billingEvents)
	after := s.buy("after", c[0], 20)
	s.anyLogged(s.Billing, billingEvents)
	s.deploy()
	o := s.observe(billingEvents)
	s.until("purchases without the topic are published", func() error {
		events := map[string]bool{}
		for _, r := range o.Since(0) {
			events[fmt.Sprint(r.Value["operationRef"])] = true
		}
		for _, p := range after {
			if !events[p.verdict.OperationRef] {
				return fmt.Errorf("%s is not published", p.verdict.OperationRef)
			}
		}
		return nil
	})
	all = append(all, after...)
	s.everywhere(all)
	s.verify(0, c, all, nil)
}

// The log is deleted, from which the system cannot recover by itself. No instance answers from its
// memory or decides anything, and /readyz returns the reason until an operator restores the log.
func TestLogDeleted(t *testing.T) {
	fulltest.Only(t, "TestDataLossDiscardsTheState of the journal takes less time")
	s := start(t, setup{})
	c := s.contracts("gone", 1000)
	s.buy("before", c[0], 5)
	s.delete(billingLog)
	for _, b := range s.Billing {
		s.unready(b, billingLog)
		s.logged(b, billingLog, "lost records")
		if s.attempt(b, &purchase{key: "meanwhile", contract: c[0], amount: 1}, patience) {
			t.Errorf("%s decided a purchase without a log", b.Name())
		}
		if a, err := s.send(b, "GET", "/billing/v1/eligibility/"+c[0].customer, "", "", nil); err != nil || a.status != http.StatusServiceUnavailable {
			t.Errorf("%s answers %d %s %v", b.Name(), a.status, a.body, err)
		}
		if !b.Running() {
			t.Errorf("%s has ended", b.Name())
		}
	}
	if err := s.readiness(s.Contract); err != nil {
		t.Errorf("contract: %v", err)
	}
}
