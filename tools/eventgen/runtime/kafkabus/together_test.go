package kafkabus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// keyed returns a message with a key, whose payload is its name.
func keyed(key, name string) *message.Message {
	m := message.NewMessage(name, []byte(name))
	m.Metadata[metadata.Key] = key
	return m
}

// names returns the payloads of a topic's next messages.
func names(t *testing.T, in <-chan *message.Message, n int) []string {
	t.Helper()
	var out []string
	for range n {
		m := next(t, in)
		out = append(out, string(m.Payload[:min(len(m.Payload), 20)]))
		m.Ack()
	}
	return out
}

// TestDifferentKeysLeaveTogether publishes 100 messages in one call. They are on the topic in their
// order, and the broker had them in a few requests.
func TestDifferentKeysLeaveTogether(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "facts"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var requests atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		requests.Add(1)
		return nil, nil, false
	})
	var all []*message.Message
	var want []string
	for i := range 100 {
		all = append(all, keyed(fmt.Sprint("k", i), fmt.Sprint("m", i)))
		want = append(want, fmt.Sprint("m", i))
	}
	if err := publisherOf(t, c.ListenAddrs()).Publish("facts", all...); err != nil {
		t.Fatal(err)
	}
	if got := names(t, subscribe(t, subscriberOf(t, c.ListenAddrs(), "g"), "facts"), 100); !slices.Equal(got, want) {
		t.Errorf("the topic has %v", got)
	}
	if n := requests.Load(); n > 30 {
		t.Errorf("100 messages took %d requests", n)
	}
}

// TestSameKeyWaits publishes a message that is too large before another of its key. Those of other
// keys are published, and that other one is not.
func TestSameKeyWaits(t *testing.T) {
	brokers := broker(t, kfake.SeedTopics(1, "facts"))
	large := keyed("a", "large")
	large.Payload = make([]byte, 2<<20)
	call := []*message.Message{keyed("b", "b1"), large, keyed("c", "c1"), keyed("a", "a2"), keyed("d", "d1")}
	err := publisherOf(t, brokers).Publish("facts", call...)
	if !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("the error is %v", err)
	}
	for i, want := range []bool{true, false, true, false, false} {
		if err := bus.PublishedError(err, i); (err == nil) != want {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if err := bus.PublishedError(err, 3); errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("the message behind the large one has its error: %v", err)
	}
	if err := publisherOf(t, brokers).Publish("facts", keyed("e", "last")); err != nil {
		t.Fatal(err)
	}
	got := names(t, subscribe(t, subscriberOf(t, brokers, "g"), "facts"), 3)
	if !slices.Equal(got, []string{"b1", "c1", "last"}) {
		t.Errorf("the topic has %v", got)
	}
}

// TestTooLargeTogether publishes messages that are small, but not together, to a topic with a small
// limit, and one among them that is too large itself.
func TestTooLargeTogether(t *testing.T) {
	brokers := broker(t, kfake.SeedTopics(1, "facts"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "2000"}))
	var call []*message.Message
	var want []string
	for i := range 40 {
		name := fmt.Sprintf("m%019d", i)
		m := keyed(fmt.Sprint("k", i), name+strings.Repeat(".", 100))
		if i == 20 {
			m.Payload = make([]byte, 3000)
		} else {
			want = append(want, name)
		}
		call = append(call, m)
	}
	err := publisherOf(t, brokers).Publish("facts", call...)
	for i := range call {
		if err := bus.PublishedError(err, i); errors.Is(err, bus.ErrTooLarge) != (i == 20) || i != 20 && err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	got := names(t, subscribe(t, subscriberOf(t, brokers, "g"), "facts"), len(want))
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("the topic has %v", got)
	}
	if err := publisherOf(t, brokers).Publish("facts", call[:20]...); err != nil {
		t.Errorf("small messages without the large one: %v", err)
	}
}

// TestUnknownTopicFailsAll publishes several messages to a topic that does not exist.
func TestUnknownTopicFailsAll(t *testing.T) {
	err := publisherOf(t, broker(t)).Publish("none", keyed("a", "a1"), keyed("b", "b1"))
	for i := range 2 {
		if bus.PublishedError(err, i) == nil {
			t.Errorf("message %d is published: %v", i, err)
		}
	}
}
