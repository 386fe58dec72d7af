package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// Two billing instances are stopped and started again, one after the other, while clients make
// purchases on both. A client turns to the other instance if one is not there. A stopping instance
// answers the requests that it has accepted: only requests that no instance accepted have an
// unknown outcome, and no purchase is decided without an answer. Each purchase is in the log once
// and is published.
func TestRollingRestart(t *testing.T) {
	fulltest.Only(t, "it buys at full speed, and TestStopAnswersNewConnections of serve takes less time")
	const callers, between = 32, 200 // purchases decided between two stops
	rounds := length{1, 2, 10}.take()
	s := start(t, setup{topics: []string{billingEvents}})
	contracts := s.contracts("roll", repeat(1_000_000, 8)...)
	mark, before := s.topics.Mark(), s.counts()
	var over atomic.Bool
	var buying sync.WaitGroup
	bought := make([][]*purchase, callers)
	for c := range callers {
		buying.Go(func() {
			next := c
			for n := 0; !over.Load() && !t.Failed(); n++ {
				p := &purchase{key: fmt.Sprintf("roll-%d-%d", c, n), contract: contracts[c%len(contracts)], amount: 1}
				bought[c] = append(bought[c], p)
				s.insist(p, func() (*cluster.Service, time.Duration) { next++; return s.Billing[next%len(s.Billing)], patience })
			}
		})
	}
	began, stops := time.Now(), []time.Duration(nil)
	for range rounds {
		for _, b := range s.Billing {
			s.more(between)
			stops = append(stops, s.stopped(b))
			s.more(between) // on the other instance alone
			s.restart(b.Process)
		}
	}
	s.more(between)
	took := time.Since(began)
	over.Store(true)
	buying.Wait()
	all := slices.Concat(bought...)
	c := s.counts().less(before)
	t.Logf("%d restarts in %.1f s under load: %d purchases; %d requests, %d without a connection, %d answered not ready, %d others with an unknown outcome; the longest stop took %v; the longest time without a decision was %v",
		len(stops), took.Seconds(), len(all), c.sent, c.unsent, c.notReady, c.unknown-c.unsent, slices.Max(stops).Round(time.Millisecond), longestGap(all).Round(time.Millisecond))
	if left := c.unknown - c.unsent; left != 0 {
		t.Errorf("%d accepted requests were not answered", left)
	}
	for _, p := range all {
		for _, what := range p.lost {
			t.Logf("%s: %s", p.key, what)
		}
		if p.replayed {
			t.Errorf("%s was decided by an instance that stopped without answering", p.key)
		}
	}
	s.everywhere(all)
	s.verify(mark, contracts, all, nil)
	s.published(mark, all)
}

// more waits until n more purchases are decided.
func (s *system) more(n int64) {
	s.t.Helper()
	enough := s.decided.Load() + n
	s.until(fmt.Sprint(n, " more purchases"), func() error {
		if at := s.decided.Load(); at < enough {
			return fmt.Errorf("%d are missing", enough-at)
		}
		return nil
	})
}

// stopped stops an instance and returns how long that took.
func (s *system) stopped(b *cluster.Service) time.Duration {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	began := time.Now()
	if err := b.Stop(ctx); err != nil {
		s.t.Errorf("%s: %v", b.Name(), err)
	}
	return time.Since(began)
}

// longestGap returns the longest time between two verdicts.
func longestGap(all []*purchase) (longest time.Duration) {
	var at []time.Duration
	for _, p := range all {
		at = append(at, p.returned)
	}
	slices.Sort(at)
	for i := 1; i < len(at); i++ {
		longest = max(longest, at[i]-at[i-1])
	}
	return longest
}
