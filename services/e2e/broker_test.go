package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
)

// The broker is killed with SIGKILL while 64 purchases are under way on two instances, and started again with its data. Judged
// by the log: what was acknowledged is there, nothing is there twice, no verdict changed; and the instances carry on by themselves.
func TestBrokerKilledDuringPurchases(t *testing.T) {
	rounds := 2
	if *full {
		rounds = 10
	}
	s := start(t)
	random := rand.New(rand.NewPCG(uint64(*seed), 1))
	for round := range rounds {
		all := s.orders(fmt.Sprintf("b%d-%d", *seed, round), random)
		mark := s.topics.Mark()
		var buying sync.WaitGroup
		for i, p := range all {
			buying.Go(func() {
				if a, err := s.send(s.Billing[i%2], "POST", "/billing/v1/operations", p.key, "", p.body()); err == nil {
					p.first = a
				}
			})
		}
		time.Sleep(time.Duration(random.IntN(4000)) * time.Microsecond) // chooses what is under way; nothing waits for it
		if err := s.Kafka.Kill(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s.restartBroker()
		up := time.Since(began)
		buying.Wait()
		answered := s.settle(all, random)
		s.judge(mark, all)
		t.Logf("round %d: %d of %d answered by the first request, broker up after %.1f s, every purchase decided %.1f s later", round, answered, buyers,
			up.Seconds(), (time.Since(began) - up).Seconds())
		if t.Failed() {
			return
		}
	}
	s.settled()
}

func (s *system) restartBroker() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	if err := s.Kafka.Start(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// settle sends every purchase again, to any instance and then to both, and says how many had been decided before.
func (s *system) settle(all []*purchase, random *rand.Rand) (answered int) {
	var retrying sync.WaitGroup
	for _, p := range all {
		if decided(p.first) {
			answered++
		}
		to := s.Billing[random.IntN(2)]
		retrying.Go(func() { s.again(to, p) })
	}
	retrying.Wait()
	for _, p := range all {
		for _, to := range []*cluster.Service{s.Billing[0], s.Billing[1]} {
			retrying.Go(func() { s.again(to, p) })
		}
	}
	retrying.Wait()
	return answered
}
