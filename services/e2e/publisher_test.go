package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/observer"
)

const contractFacts = "contract.facts.v1"

// versionOn returns the version of a contract on an instance of the contract service.
func (s *system) versionOn(on *cluster.Service, c *contract) (int64, error) {
	a, err := s.send(on, "GET", "/refcontract/v1/contracts/"+c.ref, "", "", nil)
	if err == nil && a.status != 200 {
		err = fmt.Errorf("%d %s", a.status, a.body)
	}
	var body struct{ Version int64 }
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &body)
	}
	return body.Version, err
}

// toggle suspends an active contract or reinstates a suspended one. A request without an answer is
// repeated and may take effect twice.
func (s *system) toggle(on func() *cluster.Service, c *contract, key string, limit time.Duration) {
	tries := 0
	s.until("change "+c.ref, func() error {
		tries++ // a new key each time, because the action depends on the present status
		x := on()
		ctx, cancel := context.WithTimeout(s.t.Context(), limit)
		defer cancel()
		a, err := s.sendIn(ctx, x, "GET", "/refcontract/v1/contracts/"+c.ref, "", "", nil)
		if err != nil {
			return err
		}
		action := map[string]string{"ACTIVE": "SUSPEND", "SUSPENDED": "REINSTATE"}[a.text("status")]
		a, err = s.sendIn(ctx, x, "PATCH", "/refcontract/v1/contracts/"+c.ref, fmt.Sprint(key, "-", tries), a.header.Get("ETag"), map[string]any{"action": action, "reason": "a dispute"})
		if err == nil && a.status != 200 {
			err = fmt.Errorf("%d %s", a.status, a.body)
		}
		return err
	})
}

// of returns the records of a topic by key.
func of(records []observer.Record, topic string) map[string][]observer.Record {
	all := map[string][]observer.Record{}
	for _, r := range records {
		if r.Topic == topic {
			all[r.Key] = append(all[r.Key], r)
		}
	}
	return all
}

// firsts returns the records without those that repeat an earlier ce_id.
func firsts(records []observer.Record) (out []observer.Record) {
	seen := map[string]bool{}
	for _, r := range records {
		if id := r.Headers["ce_id"]; !seen[id] {
			seen[id] = true
			out = append(out, r)
		}
	}
	return out
}

// newestLast waits until the last fact of each contract on the topic is its newest.
func (s *system) newestLast(o *observer.Observer, on *cluster.Service, contracts []*contract) {
	s.t.Helper()
	s.until("the last fact of each contract is its newest", func() error {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		defer cancel()
		if err := o.Sync(ctx); err != nil {
			return err
		}
		facts := of(o.Since(0), contractFacts)
		for _, c := range contracts {
			want, err := s.versionOn(on, c)
			if err != nil {
				return err
			}
			if all := facts[c.ref]; len(all) == 0 || versionOf(all[len(all)-1]) != want {
				return fmt.Errorf("%s has version %d, the last of its %d facts has another one", c.ref, want, len(all))
			}
		}
		return nil
	})
}

// The publishing instance is frozen, another one takes over, and the first one resumes. It may
// publish records again, but nothing else. Without the repeated records, the facts of each contract
// are in the order of its versions and its events are in the order of the log. The last fact of
// each contract is the newest, so that new readers get the present state.
func TestP19FrozenPublisherWakes(t *testing.T) {
	fulltest.Only(t, "it waits for sessions to end, and TestP19OldFactComesLast takes less time")
	const limit = 2 * time.Second // a frozen instance does not answer
	s := start(t, setup{contracts: 2, topics: []string{contractFacts, billingEvents}})
	changed, bought := s.contracts("changed", repeat(1000, 8)...), s.contracts("bought", repeat(1_000_000, 8)...)
	var over atomic.Bool
	var asked atomic.Int32 // index of the instances that get the requests
	var busy sync.WaitGroup
	purchases := make([][]*purchase, len(bought))
	for n := range bought {
		busy.Go(func() {
			for i := 0; !over.Load() && !t.Failed(); i++ {
				s.toggle(func() *cluster.Service { return s.Contracts[asked.Load()] }, changed[n], fmt.Sprintf("toggle-%d-%d", n, i), limit)
			}
		})
		busy.Go(func() {
			for i := 0; !over.Load() && !t.Failed(); i++ {
				p := &purchase{key: fmt.Sprintf("wakes-%d-%d", n, i), contract: bought[n], amount: 1}
				purchases[n] = append(purchases[n], p)
				s.insist(p, func() (*cluster.Service, time.Duration) { return s.Billing[asked.Load()], limit })
			}
		})
	}
	const some = 50
	for victim := range 2 { // one of the two is the publishing instance
		asked.Store(int32(victim))
		s.more(some)
		frozen := []*cluster.Service{s.Contracts[victim], s.Billing[victim]}
		for _, x := range frozen {
			s.signal(x.Process, syscall.SIGSTOP)
		}
		asked.Store(int32(1 - victim))
		s.publishes(some)
		for _, x := range frozen {
			s.signal(x.Process, syscall.SIGCONT)
		}
		s.more(some)
	}
	over.Store(true)
	busy.Wait()
	all := slices.Concat(purchases...)
	s.everywhere(all)
	s.verify(0, bought, all, nil)
	s.published(0, all)
	s.newestLast(s.topics, s.Contract, changed)
	s.inOrder(changed, bought)
}

// publishes waits until n more facts and n more events are published.
func (s *system) publishes(n int) {
	s.t.Helper()
	s.sync()
	mark := s.topics.Mark()
	s.until("an instance publishes", func() error {
		count := map[string]int{}
		for _, r := range s.topics.Since(mark) {
			count[r.Topic]++
		}
		if count[contractFacts] < n || count[billingEvents] < n {
			return fmt.Errorf("%d facts, %d events", count[contractFacts], count[billingEvents])
		}
		return nil
	})
}

// inOrder checks the published records, without repetitions, against the versions of the contracts
// and the order of billing's log: the events of a customer are in the order of the records of all
// its contracts.
func (s *system) inOrder(changed, bought []*contract) {
	s.t.Helper()
	s.sync()
	records := s.topics.Since(0)
	facts, events := of(records, contractFacts), of(records, billingEvents)
	twice, back := 0, 0
	for _, c := range changed {
		once := firsts(facts[c.ref])
		twice += len(facts[c.ref]) - len(once)
		for i, r := range once {
			if fmt.Sprint(r.Value["version"]) != fmt.Sprint(i+1) {
				s.t.Fatalf("fact %d of %s has version %v", i+1, c.ref, r.Value["version"])
			}
		}
		for i, r := range facts[c.ref][1:] {
			if versionOf(r) < versionOf(facts[c.ref][i]) {
				back++
			}
		}
	}
	customers := map[string]string{} // by contract
	for _, c := range bought {
		customers[c.ref] = c.customer
	}
	log := map[string][]observer.Record{} // by customer
	for _, r := range records {
		if customer, ok := customers[r.Key]; ok && r.Topic == billingLog {
			log[customer] = append(log[customer], r)
		}
	}
	for customer, decided := range log {
		once := firsts(events[customer])
		twice += len(events[customer]) - len(once)
		got, want := refs(once, "OperationAccepted"), refs(decided, "PurchaseAccepted")
		if !slices.Equal(got, want) {
			s.t.Errorf("the %d events of %s are not in the order of its %d records in the log", len(got), customer, len(want))
		}
	}
	if len(log) != len(bought)/2 {
		s.t.Errorf("%d customers bought, want %d", len(log), len(bought)/2)
	}
	s.t.Logf("%d facts and events published again, %d facts published after a newer one", twice, back)
}

func versionOf(r observer.Record) (n int64) {
	_, _ = fmt.Sscan(fmt.Sprint(r.Value["version"]), &n)
	return n
}

// refs returns the operations of the records of one type that are not void.
func refs(records []observer.Record, kind string) (out []string) {
	for _, r := range records {
		if r.Type == kind && !r.Void() {
			out = append(out, fmt.Sprint(r.Value["operationRef"]))
		}
	}
	return out
}

// An old fact becomes the last one of its contract, as a publisher that was frozen could cause:
// first while an instance publishes, then while none does and compaction has left only the old
// fact. In both cases the newest fact is published again. So is that of a contract without any fact
// on the topic.
func TestP19OldFactComesLast(t *testing.T) {
	s := start(t, setup{billing: 1, topics: []string{contractFacts}})
	contracts := s.contracts("old", repeat(1000, 4)...)
	s.newestLast(s.topics, s.Contract, contracts)
	old := s.oldest(contracts)
	s.write(old[:2]) // facts of the other contracts must not be published again
	s.newestLast(s.topics, s.Contract, contracts)
	for i, c := range contracts {
		all := of(s.topics.Since(0), contractFacts)[c.ref]
		if last := all[len(all)-1]; last.Headers["ce_id"] != firsts(all)[len(firsts(all))-1].Headers["ce_id"] {
			t.Errorf("%s was repaired by a fact with another ce_id", c.ref)
		}
		if repaired := len(all) > len(firsts(all)); repaired != (i < 2) {
			t.Errorf("%s has %d facts, %d of them distinct", c.ref, len(all), len(firsts(all)))
		}
	}
	s.stopServices()
	s.delete(contractFacts)
	s.deploy()
	s.write(old[1:])
	s.restart(s.Contract.Process)
	s.newestLast(s.observe(contractFacts), s.Contract, contracts)
}

// oldest returns the first record of each contract on the topic of facts.
func (s *system) oldest(contracts []*contract) (first []*kgo.Record) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.ConsumeTopics(contractFacts), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	found := map[string]*kgo.Record{}
	for len(found) < len(contracts) {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			s.t.Fatal(err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			if found[string(r.Key)] == nil {
				found[string(r.Key)] = r
			}
		})
	}
	for _, c := range contracts {
		first = append(first, found[c.ref])
	}
	return first
}

// write appends copies of records to their topic.
func (s *system) write(records []*kgo.Record) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var copies []*kgo.Record // a record holds the context with which it was fetched
	for _, r := range records {
		copies = append(copies, &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers})
	}
	if err := client.ProduceSync(ctx, copies...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}
