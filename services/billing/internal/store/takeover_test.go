package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/journaltest"
)

// publisher is an instance that acknowledges at once what it is to publish.
type publisher struct {
	*store.Store
	applied *store.Publication
	stop    func()

	mu        sync.Mutex
	operation string // that it published last
}

func (w *writer) openPublisher(name string) *publisher {
	w.tb.Helper()
	s, _, stop := w.open(name)
	return w.publisher(s, stop)
}

// publisher makes an instance that runs one that publishes. stop stops the instance.
func (w *writer) publisher(s *store.Store, stop func()) *publisher {
	w.tb.Helper()
	applied, err := s.Publication()
	if err != nil {
		w.tb.Fatal(err)
	}
	messages, err := applied.Subscribe(context.Background(), "")
	if err != nil {
		w.tb.Fatal(err)
	}
	p := &publisher{Store: s, applied: applied, stop: func() { _ = applied.Close(); stop() }}
	go p.acknowledge(messages)
	return p
}

func (p *publisher) acknowledge(messages <-chan *message.Message) {
	for m := range messages {
		if e, _, ok := journal.FromMessage[ledger.State, ledger.Body[billing.Event]](m); ok && e.Body.Taken == nil {
			p.mu.Lock()
			p.operation = e.Body.Event.About().Operation
			p.mu.Unlock()
		}
		m.Ack()
	}
}

func (p *publisher) published(operation string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.operation == operation
}

// BenchmarkTakeover writes a log and then measures takeovers of its publication.
func BenchmarkTakeover(b *testing.B) {
	w := newWriter(b)
	w.write(*closedOperations)
	current := w.openPublisher("publisher")
	var slowest time.Duration
	for n := range b.N {
		next := w.openPublisher(fmt.Sprint("next", n))
		slowest = max(slowest, w.takeover(b, current, next, n))
		current = next
	}
	current.stop()
	b.ReportMetric(slowest.Seconds(), "s/slowest-takeover")
	b.ReportMetric(0, "ns/op")
}

// takeover returns how long nobody publishes when the instance that does is stopped: from then
// until another one, which waits, delivers a purchase that it decided at once.
func (w *writer) takeover(b *testing.B, current, next *publisher, n int) time.Duration {
	b.Helper()
	client, err := kgo.NewClient(w.options...)
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	waiting := func() bool { // another instance is in the group, and not the one that was chosen
		groups, err := kadm.NewClient(client).DescribeGroups(b.Context(), store.PublicationGroup)
		if err != nil {
			b.Fatal(err)
		}
		g := groups[store.PublicationGroup]
		return len(g.Members) == 2 && g.State == "Stable"
	}
	journaltest.Eventually(b, "one publishes and one waits", func() error {
		if at, delivers := current.applied.Position(); !waiting() || !delivers || at <= current.Store.Position() {
			return fmt.Errorf("published up to %d, delivers: %t", at, delivers)
		}
		return nil
	})
	began := time.Now()
	go current.stop()
	key := fmt.Sprint("takeover-", n)
	o, _, err := next.Operate(b.Context(), request(key), purchase(n, key))
	if err != nil {
		b.Fatal(err)
	}
	journaltest.Eventually(b, "the other publishes", func() error {
		if !next.published(o.Ref) {
			return fmt.Errorf("%s is not published", o.Ref)
		}
		return nil
	})
	return time.Since(began)
}
