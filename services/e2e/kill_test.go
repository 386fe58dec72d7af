package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/observer"
)

const (
	buyers     = 64
	unanswered = 32 // at least so many when the instance dies
)

// purchase is one request, with every answer it ever got.
type purchase struct {
	key, contract string
	amount        int64
	first         answer // status 0: none before the kill
}

func (p *purchase) body() map[string]any {
	return map[string]any{"type": "PURCHASE", "contractRef": p.contract, "orderRef": "ORD-" + p.key, "amount": map[string]any{"amount": p.amount, "currency": "EUR"}}
}

// decided says whether an answer is a verdict: accepted, or refused by the rules.
func decided(a answer) bool {
	return a.status == http.StatusCreated || a.status == http.StatusUnprocessableEntity && a.text("code") == "purchase-refused"
}

// A billing instance is killed with SIGKILL while 64 purchases are under way on it, at a moment chosen by the seed with at
// least 32 of them unanswered. Each is then sent again with its key, to either instance. Judged by the log alone: every
// acknowledged purchase is there, none twice, no verdict changed, and no ceiling was ever exceeded.
func TestKilledDuringPurchases(t *testing.T) {
	rounds := 4
	if *full {
		rounds = 20
	}
	s := start(t)
	random := rand.New(rand.NewPCG(uint64(*seed), 0))
	began, pending, lost := time.Now(), 0, 0
	for round := range rounds {
		r := s.round(fmt.Sprintf("%d-%d", *seed, round), random)
		pending, lost = pending+r.pending, lost+r.inLog
		if t.Failed() {
			return
		}
	}
	s.settled() // a join that the embedded broker holds back would hold up the end
	t.Logf("%d kills in %.1f s: on average %d of %d unanswered, %d of those in the log all the same", rounds, time.Since(began).Seconds(), pending/rounds, buyers, lost/rounds)
}

type result struct{ pending, inLog int }

// round kills an instance once, in a burst with enough unanswered requests; bursts that were over too soon are not counted.
func (s *system) round(name string, random *rand.Rand) result {
	s.t.Helper()
	for try := range 20 {
		victim, other := s.Billing[random.IntN(2)], s.Billing[0]
		if victim == other {
			other = s.Billing[1]
		}
		all := s.orders(fmt.Sprintf("%s-%d", name, try), random)
		mark := s.topics.Mark()
		pending := s.burst(victim, all, random.IntN(buyers-unanswered)/(try+1), time.Duration(random.IntN(2000))*time.Microsecond/time.Duration(try+1))
		inLog := s.applied(mark, all)
		s.retry(victim, other, all, random)
		s.judge(mark, all)
		if pending >= unanswered || s.t.Failed() {
			return result{pending, inLog}
		}
	}
	s.t.Fatalf("round %s: every burst was answered before the kill", name)
	return result{}
}

// orders makes 64 purchases on four new contracts, of which about two thirds fit under the ceilings.
func (s *system) orders(name string, random *rand.Rand) []*purchase {
	s.t.Helper()
	var all []*purchase
	var contracts []string
	for n := range 4 {
		contracts = append(contracts, s.subscribe(fmt.Sprintf("%s-%d", name, n), ceiling))
	}
	s.settled()
	for n := range 4 {
		s.known(fmt.Sprintf("%s-%d", name, n))
	}
	for n := range buyers {
		all = append(all, &purchase{key: fmt.Sprintf("%s-%d", name, n), contract: contracts[n%4], amount: 100 + random.Int64N(200)})
	}
	return all
}

const ceiling = 2000

// burst sends all purchases at once and kills the instance when so many are answered and a moment has passed. It gives how
// many were unanswered when the instance was gone.
func (s *system) burst(victim *cluster.Service, all []*purchase, answered int, moment time.Duration) (pending int) {
	s.t.Helper()
	var got atomic.Int64
	var buying sync.WaitGroup
	reached := make(chan struct{})
	var once sync.Once
	if answered == 0 {
		once.Do(func() { close(reached) })
	}
	begin := make(chan struct{})
	for _, p := range all {
		buying.Go(func() {
			<-begin
			a, err := s.send(victim, "POST", "/billing/v1/operations", p.key, "", p.body())
			if err != nil {
				return
			}
			p.first = a
			if got.Add(1) >= int64(answered) {
				once.Do(func() { close(reached) })
			}
		})
	}
	close(begin)
	select {
	case <-reached:
	case <-time.After(patience):
		s.t.Fatal("no answers")
	}
	time.Sleep(moment)
	if err := victim.Kill(); err != nil {
		s.t.Fatal(err)
	}
	buying.Wait()
	return buyers - int(got.Load())
}

// retry sends every purchase again, answered or not, to the instance that lives or to the killed one once it is back.
func (s *system) retry(victim, other *cluster.Service, all []*purchase, random *rand.Rand) {
	s.t.Helper()
	var back sync.WaitGroup
	back.Go(func() {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		defer cancel()
		if err := victim.Start(ctx); err != nil {
			s.t.Errorf("restart %s: %v", victim.Name(), err)
		}
	})
	var retrying sync.WaitGroup
	for _, p := range all {
		to := []*cluster.Service{victim, other}[random.IntN(2)]
		retrying.Go(func() { s.again(to, p) })
	}
	retrying.Wait()
	back.Wait()
	for _, p := range all { // and once more, everything on both
		for _, to := range s.Billing {
			retrying.Go(func() { s.again(to, p) })
		}
	}
	retrying.Wait()
}

// again sends a purchase until it is decided; its verdict must be the one it had.
func (s *system) again(to *cluster.Service, p *purchase) {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		a, err := s.send(to, "POST", "/billing/v1/operations", p.key, "", p.body())
		switch {
		case err == nil && decided(a):
			p.compare(s.t, to, a)
			return
		case err == nil && a.status != http.StatusServiceUnavailable && a.status != http.StatusConflict:
			s.t.Errorf("%s on %s: %d %s", p.key, to.Name(), a.status, a.body)
			return
		case time.Now().After(deadline):
			s.t.Errorf("%s on %s: not decided in time: %d %v %s", p.key, to.Name(), a.status, err, a.body)
			return
		}
	}
}

var answers sync.Mutex

func (p *purchase) compare(t *testing.T, from *cluster.Service, a answer) {
	answers.Lock()
	defer answers.Unlock()
	if p.first.status == 0 || !decided(p.first) {
		p.first = a
		return
	}
	if a.status != p.first.status || a.body != p.first.body {
		t.Errorf("%s changed its answer on %s:\nfirst %d %s\nnow   %d %s", p.key, from.Name(), p.first.status, p.first.body, a.status, a.body)
	}
}

// applied counts how many of the unanswered purchases are in the log.
func (s *system) applied(mark int, all []*purchase) (n int) {
	s.t.Helper()
	s.sync()
	keys := map[string]bool{}
	for _, r := range s.topics.Since(mark) {
		if key := keyOf(r); key != "" && !r.Void() {
			keys[key] = true
		}
	}
	for _, p := range all {
		if p.first.status == 0 && keys[p.key] {
			n++
		}
	}
	return n
}

func (s *system) sync() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.topics.Sync(ctx); err != nil {
		s.t.Fatal(err)
	}
}

func keyOf(r observer.Record) string {
	request, _ := r.Value["request"].(map[string]any)
	key, _ := request["key"].(string)
	return key
}

// judge compares the answers with the log, which it reads directly.
func (s *system) judge(mark int, all []*purchase) {
	s.t.Helper()
	s.sync()
	verdicts := map[string]observer.Record{}
	outstanding := map[string]int64{}
	for _, r := range s.topics.Since(mark) {
		if r.Void() || r.Type != "PurchaseAccepted" && r.Type != "PurchaseRefused" {
			continue
		}
		key := keyOf(r)
		if was, twice := verdicts[key]; twice {
			s.t.Errorf("%s is in the log twice: %s @%d and %s @%d", key, was.Type, was.Offset, r.Type, r.Offset)
		}
		verdicts[key] = r
		if r.Type != "PurchaseAccepted" {
			continue
		}
		contract, amount := fmt.Sprint(r.Value["contractRef"]), amountOf(r)
		if outstanding[contract] += amount; outstanding[contract] > ceiling {
			s.t.Errorf("@%d takes %s to %d, the ceiling is %d", r.Offset, contract, outstanding[contract], ceiling)
		}
	}
	for _, p := range all {
		r, ok := verdicts[p.key]
		want := map[int]string{http.StatusCreated: "PurchaseAccepted", http.StatusUnprocessableEntity: "PurchaseRefused"}[p.first.status]
		if !ok || r.Type != want || fmt.Sprint(r.Value["operationRef"]) != p.first.text("operationRef") || amountOf(r) != p.amount {
			s.t.Errorf("%s was answered %d %s, the log says %q %v", p.key, p.first.status, p.first.body, r.Type, r.Value)
		}
	}
	for _, contract := range []string{all[0].contract, all[1].contract, all[2].contract, all[3].contract} {
		if outstanding[contract] == 0 {
			s.t.Errorf("nothing was accepted on %s", contract)
		}
	}
}

func amountOf(r observer.Record) int64 {
	money, _ := r.Value["amount"].(map[string]any)
	var n int64
	fmt.Sscan(fmt.Sprint(money["amount"]), &n)
	return n
}
