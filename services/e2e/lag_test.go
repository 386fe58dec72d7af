package e2e

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/observer"
)

// While 64 callers make purchases, the public events follow the decisions. The test logs how long
// after the last purchase the last event came; the aim is two seconds on a quiet machine. It fails
// only if events are missing, because a time on a busy machine says nothing about the services.
func TestPublicationKeepsUp(t *testing.T) {
	fulltest.Only(t, "it buys for some time")
	const callers, contracts = 64, 8
	long := time.Duration(length{1, 2, 10}.take()) * time.Second
	s := start(t, setup{topics: []string{"billing.events.v1"}})
	all := s.contracts("lag", repeat(1_000_000_000, contracts)...)
	mark := s.topics.Mark()
	var bought atomic.Int64
	var buying sync.WaitGroup
	end := time.Now().Add(long)
	for c := range callers {
		buying.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				p := &purchase{key: fmt.Sprint("lag-", c, "-", n), contract: all[c%contracts], amount: 1}
				s.insist(p, func() (*cluster.Service, time.Duration) { return s.Billing[c%len(s.Billing)], patience })
				if !p.isDecided() {
					return
				}
				bought.Add(1)
			}
		})
	}
	buying.Wait()
	stopped := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last time.Time // when the last event was produced, whenever the observer read it
	events, read := int64(0), 0
	err := s.topics.Wait(ctx, mark, func(records []observer.Record) bool {
		for _, r := range records[read:] {
			if r.Type == "OperationAccepted" {
				events, last = events+1, r.Time
			}
		}
		read = len(records)
		return events >= bought.Load()
	})
	if err != nil {
		t.Fatalf("%d of %d events: %v", events, bought.Load(), err)
	}
	lag := max(0, last.Sub(stopped))
	t.Logf("%d purchases in %v, %.0f per second; the last event came %v after the last purchase", bought.Load(), long, float64(bought.Load())/long.Seconds(), lag.Round(time.Millisecond))
}
