package billing_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/billing"
	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/observer"
)

const (
	factsTopic = "contract.facts.v1"
	logTopic   = "billing.log.v1"
	factsGroup = "billing.contract-facts"
)

// stoppable is an instance that the test stops.
type stoppable struct {
	url  string
	stop func()
}

func (s *system) launch(writer string) stoppable {
	s.t.Helper()
	cfg := s.config(writer)
	listening, ended := make(chan net.Addr, 1), make(chan error, 1)
	cfg.Listening = func(a net.Addr) { listening <- a }
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- billing.Run(ctx, cfg) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("%s ended with %v", writer, err)
		}
	}
	s.t.Cleanup(stop)
	return stoppable{"http://" + (<-listening).String(), stop}
}

func (s *system) client(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.kafka.Broker))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// end returns the end of a topic.
func (s *system) end(topic string) int64 {
	s.t.Helper()
	ends, err := kadm.NewClient(s.client()).ListEndOffsets(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	return end.Offset
}

// dump returns the values of a log.
func (s *system) dump() (values []*kgo.Record) {
	s.t.Helper()
	c := s.client(kgo.ConsumeTopics(logTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for next, end := int64(0), s.end(logTopic); next < end; {
		fetches := c.PollFetches(s.t.Context())
		if err := fetches.Err(); err != nil {
			s.t.Fatal(err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			next = r.Offset + 1
			values = append(values, &kgo.Record{Topic: logTopic, Key: r.Key, Value: r.Value})
		}
	}
	return values
}

// recreate deletes topics and creates them again, empty.
func (s *system) recreate(topics ...string) {
	s.t.Helper()
	if _, err := kadm.NewClient(s.client()).DeleteTopics(s.t.Context(), topics...); err != nil {
		s.t.Fatal(err)
	}
	s.until("created again", func() error {
		_, _, err := cluster.Deploy(s.t.Context(), []string{s.kafka.Broker}, s.kafka.Registry)
		return err
	})
	s.publish() // an idempotent producer of the former topic would go on with its numbers
}

// restore puts an older dump in place of the log.
func (s *system) restore(values []*kgo.Record) {
	s.t.Helper()
	s.topics.Close() // kgo asks for a topic that was deleted again and again, without a pause
	s.recreate(logTopic)
	if err := s.client().ProduceSync(s.t.Context(), values...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
	s.observe()
}

// refused waits until a purchase on a contract is refused because it is not active.
func (s *system) refused(url, ref string) {
	s.t.Helper()
	s.until(ref+" is suspended", func() error {
		if a := s.buy(url, ref, 100); a.status != 422 {
			return fmt.Errorf("%d %s", a.status, a.text)
		}
		return nil
	})
}

// Whatever happens to the log, the topics and the offsets of the group, a suspension that was
// published is taken in by itself.
func TestTakenInAgain(t *testing.T) {
	s := start(t)
	one := s.launch("billing-1")
	for _, ref := range []string{"CTR-1", "CTR-2"} {
		s.activated(ref, 1)
		s.knows(one.url, ref, 1)
	}
	// after a dead letter the log says how far billing is
	s.raw("CTR-9", []byte("nonsense"))
	s.wait(func(r observer.Record) bool { return r.Type == "TakenIn" && fmt.Sprint(r.Value["offset"]) == "3" }, 1)
	old := s.dump()
	s.suspended("CTR-1", 2)
	s.refused(one.url, "CTR-1")
	// the group commits each second
	committed := func() error {
		offsets, err := kadm.NewClient(s.client()).FetchOffsets(t.Context(), factsGroup)
		if err != nil {
			return err
		}
		if o, ok := offsets.Lookup(factsTopic, 0); !ok || o.At != 4 {
			return fmt.Errorf("committed %v", o.At)
		}
		return nil
	}
	s.until("the group has committed", committed)
	one.stop()
	// may be two: the members of an instance join the group one after another
	dead := s.end("billing.dlq.v1")

	step := func(name string, do func()) {
		t.Log(name)
		do()
	}
	step("older log restored", func() {
		s.restore(old)
		one = s.launch("billing-1")
		s.refused(one.url, "CTR-1")
		if n := s.end("billing.dlq.v1"); n != dead {
			t.Errorf("%d dead letters, %d before: what is below the offset in the log was read again", n, dead)
		}
	})
	step("log cut and grown again while it runs", func() {
		s.restore(old)
		s.refused(one.url, "CTR-1")
		one.stop()
	})
	step("offsets of the group lost", func() {
		s.until("deleted", func() error {
			_, err := kadm.NewClient(s.client()).DeleteGroup(t.Context(), factsGroup)
			return err
		})
		s.suspended("CTR-2", 2)
		one = s.launch("billing-1")
		s.refused(one.url, "CTR-2")
	})
	step("topic created again while it runs", func() {
		s.activated("CTR-3", 1)
		s.knows(one.url, "CTR-3", 1)
		s.recreate(factsTopic)
		for n := range 6 { // past the offset that was read to
			s.activated(fmt.Sprint("CTR-", 10+n), 1)
		}
		s.suspended("CTR-3", 2)
		s.refused(one.url, "CTR-3")
		s.knows(one.url, "CTR-10", 1)
		one.stop()
	})
	step("topic created again while it does not run", func() {
		s.recreate(factsTopic)
		s.suspended("CTR-10", 2)
		for n := range 20 {
			s.activated(fmt.Sprint("CTR-", 30+n), 1)
		}
		one = s.launch("billing-1")
		s.refused(one.url, "CTR-10")
	})
}
