package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
)

const (
	buyers     = 64
	unanswered = 32 // minimum when the instance is killed
)

// A billing instance is killed with SIGKILL while it is handling 64 purchases, at a random moment
// at which at least 32 of them are unanswered. Each purchase is then repeated with its key on
// either instance.
func TestP1KilledDuringPurchases(t *testing.T) {
	rounds := length{1, 4, 20}.take()
	// A burst that was answered before the kill has tested nothing and is replaced by another one.
	// No burst is left out because of its outcome.
	const tries = 3
	s := start(t, setup{})
	random := rand.New(rand.NewPCG(*seed, 0))
	contracts := s.contracts("k", repeat(2000, 4*rounds*tries)...)
	began, pending, lost, counted := time.Now(), 0, 0, 0
	for n := 0; counted < rounds && n < rounds*tries; n++ {
		r := s.round(fmt.Sprintf("k%d", n), contracts[4*n:4*n+4], n%tries, random)
		if t.Failed() {
			return
		}
		if r.pending < unanswered {
			continue
		}
		counted, pending, lost = counted+1, pending+r.pending, lost+r.inLog
		t.Logf("kill %d of %d: %d of %d unanswered, %d of those in the log", counted, rounds, r.pending, buyers, r.inLog)
	}
	if counted < rounds {
		t.Fatalf("only %d of %d bursts had %d unanswered purchases when the instance was killed", counted, rounds, unanswered)
	}
	// A member that was killed stays in its group until its session times out, and would delay the
	// stop of the others.
	s.settled()
	t.Logf("%d kills in %.1f s: on average %d of %d unanswered, %d of those in the log", rounds, time.Since(began).Seconds(), pending/rounds, buyers, lost/rounds)
}

func repeat(ceiling int64, n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = ceiling
	}
	return all
}

type result struct{ pending, inLog int }

// round kills an instance once, during a burst of 64 purchases on four contracts. About two thirds
// of them fit under the ceilings.
func (s *system) round(name string, contracts []*contract, eager int, random *rand.Rand) (r result) {
	s.t.Helper()
	var all []*purchase
	for n := range buyers {
		all = append(all, &purchase{key: fmt.Sprintf("%s-%d", name, n), contract: contracts[n%4], amount: 100 + random.Int64N(200)})
	}
	victim := s.Billing[random.IntN(len(s.Billing))]
	mark := s.topics.Mark()
	answered, moment := random.IntN(buyers-unanswered), time.Duration(random.IntN(2000))*time.Microsecond
	// the first answers may come together with all others, so they are not waited for
	if eager > 0 {
		answered, moment = 0, moment/time.Duration(eager)
	}
	r.pending = s.burst(victim, all, answered, moment)
	s.sync()
	before := judge(s.topics.Since(0), mark, nil)
	for _, p := range all {
		if _, there := before.keys[p.key]; there && !p.isDecided() {
			r.inLog++
		}
	}
	s.retry(victim, all, random)
	s.everywhere(all)
	j := s.verify(mark, contracts, all, nil)
	for _, c := range contracts {
		if j.outstanding(c.ref) == 0 {
			s.t.Errorf("nothing was accepted on %s", c.ref)
		}
	}
	return r
}

// burst sends all purchases at once and kills the instance some time after the given number of them
// has been answered. It returns the number of purchases that were not answered.
func (s *system) burst(victim *cluster.Service, all []*purchase, answered int, moment time.Duration) (pending int) {
	s.t.Helper()
	var got atomic.Int64
	var buying sync.WaitGroup
	reached := make(chan struct{})
	var once sync.Once
	begin := make(chan struct{})
	for _, p := range all {
		buying.Go(func() {
			<-begin
			if s.attempt(victim, p, patience) && got.Add(1) >= int64(answered) {
				once.Do(func() { close(reached) })
			}
		})
	}
	close(begin)
	if answered > 0 {
		select {
		case <-reached:
		case <-time.After(patience): // only bounds the wait
			s.t.Fatal("no answers")
		}
	}
	time.Sleep(moment) // chooses the moment of the kill
	if err := victim.Kill(); err != nil {
		s.t.Fatal(err)
	}
	buying.Wait()
	return buyers - int(got.Load())
}

// retry repeats every purchase, answered or not, on a random instance. The killed one is restarted
// meanwhile.
func (s *system) retry(victim *cluster.Service, all []*purchase, random *rand.Rand) {
	s.t.Helper()
	var retrying sync.WaitGroup
	retrying.Go(func() { s.restart(victim.Process) })
	for _, p := range all {
		to := s.Billing[random.IntN(len(s.Billing))]
		retrying.Go(func() { s.insist(p, func() (*cluster.Service, time.Duration) { return to, patience }) })
	}
	retrying.Wait()
}
