package e2e

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// private are the topics of the services themselves, without their logs.
var private = []string{
	"billing.positions.v1", "billing.snapshots.v1", "billing.redrive.v1", "billing.dlq.v1",
	"contract.positions.v1", "contract.snapshots.v1", "contract.redrive.v1", "contract.dlq.v1", "contract.keys.v1",
}

// garbage returns records that belong on none of the private topics. Each also has the keys that
// are in use, except for those of personal data: a value behind one of these would replace it.
func (s *system) garbage() (all []*kgo.Record) {
	present := s.raw()
	for _, topic := range private {
		keys := [][]byte{nil, {}, []byte("CTR-1"), bytes.Repeat([]byte("k"), 500_000), {0xff, 0}}
		for _, r := range present[topic] {
			if topic != "contract.keys.v1" {
				keys = append(keys, r.Key)
			}
		}
		for _, key := range keys {
			for _, value := range [][]byte{nil, {}, []byte("nonsense"), bytes.Repeat([]byte("x"), 500_000), {0xc3, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9}} {
				all = append(all, &kgo.Record{Topic: topic, Key: key, Value: value})
			}
		}
	}
	return all
}

// goesOn checks that purchases, a suspension and a signature have their effect, and that they are
// published.
func (s *system) goesOn(name string, all *[]*purchase) {
	s.t.Helper()
	mark := s.topics.Mark()
	c := s.contracts(name, 1000, 1000)
	more := s.buy(name, c[0], 5)
	*all = append(*all, more...)
	s.toggle(func() *cluster.Service { return s.Contract }, c[1], name+"-suspend", patience)
	for _, b := range s.Billing {
		s.shows(b, c[1], "SUSPENDED")
	}
	s.published(mark, more)
}

// Garbage on the topics of the services themselves, and the loss of those that can be made again,
// stop nothing: neither the instances that run nor those that start.
func TestPrivateTopicsSpoiled(t *testing.T) {
	fulltest.Only(t, "it restarts every instance twice")
	s := start(t, setup{topics: []string{billingEvents}})
	var all []*purchase
	s.goesOn("before", &all)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.ProducerBatchMaxBytes(1_048_588))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, r := range s.garbage() {
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil && !strings.Contains(err.Error(), "INVALID_RECORD") {
			t.Fatal(err)
		}
	}
	s.goesOn("garbage", &all)
	s.again("garbage-restarted", &all)

	for _, topic := range private {
		if strings.Contains(topic, ".positions.") || strings.Contains(topic, ".snapshots.") {
			s.delete(topic)
		}
	}
	c := s.contracts("deleted", 1000)
	all = append(all, s.buy("deleted", c[0], 5)...)
	s.deploy()
	s.goesOn("created", &all)
	s.again("created-restarted", &all)
	s.everywhere(all)
}

// again restarts every instance, one after the other, and checks that everything goes on.
func (s *system) again(name string, all *[]*purchase) {
	s.t.Helper()
	for _, x := range s.services() {
		s.stopped(x)
		s.restart(x.Process)
		s.waitReady(x)
		s.t.Logf("%s: %s is ready", name, x.Name())
	}
	s.goesOn(name, all)
}
