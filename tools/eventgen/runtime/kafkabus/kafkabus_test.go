package kafkabus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

const patience = 20 * time.Second

var quiet = slog.New(slog.DiscardHandler)

func broker(t *testing.T, opts ...kfake.Opt) []string {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

func publisherOf(t *testing.T, brokers []string) message.Publisher {
	t.Helper()
	p, err := NewPublisher(Config{Brokers: brokers, ClientID: "test", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func subscriberOf(t *testing.T, brokers []string, group string) message.Subscriber {
	t.Helper()
	s, err := NewSubscriber(Config{Brokers: brokers, ClientID: "test", Logger: quiet}, group)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func subscribe(t *testing.T, s message.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	in, err := s.Subscribe(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func next(t *testing.T, in <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-in:
		if !ok {
			t.Fatal("the subscription ended")
		}
		return m
	case <-time.After(patience):
		t.Fatal("no message")
	}
	return nil
}

func TestRoundTrip(t *testing.T) {
	brokers := broker(t, kfake.SeedTopics(1, "facts"))
	pub := publisherOf(t, brokers)
	full := message.NewMessage("ignored", []byte("body"))
	full.Metadata = message.Metadata{metadata.Key: "CTR-7", metadata.Offset: "999", "ce_id": "a-0", "ce_type": "ContractSuspended"}
	tombstone := message.NewMessage("", nil)
	tombstone.Metadata = message.Metadata{metadata.Key: ""}
	empty := message.NewMessage("", []byte{})
	if err := pub.Publish("facts", full, tombstone, empty); err != nil {
		t.Fatal(err)
	}

	// subscribe after publishing, because a new group starts at the oldest message
	in := subscribe(t, subscriberOf(t, brokers, "g"), "facts")
	got := next(t, in)
	if got.UUID != "a-0" || string(got.Payload) != "body" {
		t.Errorf("message %s %q", got.UUID, got.Payload)
	}
	for name, want := range map[string]string{metadata.Key: "CTR-7", metadata.Topic: "facts", metadata.Partition: "0", metadata.Offset: "0", "ce_type": "ContractSuspended"} {
		if got.Metadata[name] != want {
			t.Errorf("metadata %s = %q, want %q", name, got.Metadata[name], want)
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, got.Metadata[metadata.Timestamp]); err != nil || time.Since(at) > time.Minute {
		t.Errorf("timestamp %q", got.Metadata[metadata.Timestamp])
	}
	if len(got.Metadata) != 7 {
		t.Errorf("metadata %v", got.Metadata)
	}
	got.Ack()

	got = next(t, in)
	if key, ok := got.Metadata[metadata.Key]; got.Payload != nil || !ok || key != "" || got.UUID != "facts/0/1" {
		t.Errorf("tombstone: payload %#v, key %q %v, id %s", got.Payload, key, ok, got.UUID)
	}
	got.Nack()
	got = next(t, in)
	if got.Payload != nil || got.Metadata[metadata.Offset] != "1" {
		t.Errorf("tombstone after a nack: payload %#v at %s", got.Payload, got.Metadata[metadata.Offset])
	}
	got.Ack()

	got = next(t, in)
	if _, ok := got.Metadata[metadata.Key]; got.Payload == nil || len(got.Payload) != 0 || ok {
		t.Errorf("empty: payload %#v, has a key: %v", got.Payload, ok)
	}
	got.Ack()
}

func TestReservedHeaders(t *testing.T) {
	brokers := broker(t, kfake.SeedTopics(1, "facts"))
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	forged := &kgo.Record{Topic: "facts", Value: []byte("x"), Headers: []kgo.RecordHeader{{Key: metadata.Key, Value: []byte("CTR-1")}, {Key: metadata.Offset, Value: []byte("7")}}}
	if err := client.ProduceSync(t.Context(), forged).FirstErr(); err != nil {
		t.Fatal(err)
	}
	got := next(t, subscribe(t, subscriberOf(t, brokers, "g"), "facts"))
	if _, ok := got.Metadata[metadata.Key]; ok || got.Metadata[metadata.Offset] != "0" {
		t.Errorf("metadata %v", got.Metadata)
	}
	got.Ack()
}

func TestPartitionOfOtherClients(t *testing.T) {
	brokers := broker(t, kfake.SeedTopics(7, "ours", "theirs"))
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics("ours"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	pub := publisherOf(t, brokers)
	want := map[string]int32{}
	for i := range 40 {
		key := fmt.Sprintf("CTR-%d", i)
		m := message.NewMessage("", []byte("x"))
		m.Metadata = message.Metadata{metadata.Key: key}
		if err := pub.Publish("ours", m); err != nil {
			t.Fatal(err)
		}
		r, err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "theirs", Key: []byte(key)}).First()
		if err != nil {
			t.Fatal(err)
		}
		want[key] = r.Partition
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(want) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Partition != want[string(r.Key)] {
				t.Errorf("%s is on partition %d, kgo puts it on %d", r.Key, r.Partition, want[string(r.Key)])
			}
			delete(want, string(r.Key))
		})
	}
}

func TestAckedIsNotDeliveredAgain(t *testing.T) {
	brokers := broker(t, kfake.SeedTopics(1, "facts"))
	pub := publisherOf(t, brokers)
	for i := range 3 {
		if err := pub.Publish("facts", message.NewMessage("", []byte(strconv.Itoa(i)))); err != nil {
			t.Fatal(err)
		}
	}
	first := subscriberOf(t, brokers, "g")
	in := subscribe(t, first, "facts")
	next(t, in).Ack()
	next(t, in).Ack()
	next(t, in) // being given the third says that the second's ack arrived
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got := next(t, subscribe(t, subscriberOf(t, brokers, "g"), "facts")); string(got.Payload) != "2" {
		t.Errorf("the group's next member got %q, want the first that was not acked", got.Payload)
	}
}

func TestNoTopicIsCreated(t *testing.T) {
	brokers := broker(t, kfake.AllowAutoTopicCreation())
	if err := publisherOf(t, brokers).Publish("typo", message.NewMessage("", []byte("x"))); err == nil {
		t.Error("publishing to a topic that does not exist succeeded")
	}
	_, _ = subscriberOf(t, brokers, "g").Subscribe(t.Context(), "typo")
	time.Sleep(500 * time.Millisecond) // long enough for a subscription to ask for its topic
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if topics.Has("typo") {
		t.Error("the topic was created")
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestBrokerLateAndAway(t *testing.T) {
	port, dir := freePort(t), t.TempDir()
	brokers := []string{fmt.Sprintf("127.0.0.1:%d", port)}
	start := func() *kfake.Cluster {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), kfake.SeedTopics(1, "facts"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	pub, sub := publisherOf(t, brokers), subscriberOf(t, brokers, "g")
	in := subscribe(t, sub, "facts")
	if err := pub.Publish("facts", message.NewMessage("", []byte("early"))); err == nil || !strings.Contains(err.Error(), brokers[0]) {
		t.Fatalf("publishing without a broker: %v", err)
	}
	publish := func(text string) {
		deadline := time.Now().Add(patience)
		for {
			err := pub.Publish("facts", message.NewMessage("", []byte(text)))
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("publish %s: %v", text, err)
			}
			// the broker is away for a while, and the caller publishes again
			time.Sleep(50 * time.Millisecond)
		}
	}
	expect := func(text string) { // duplicates of what came before are allowed
		for {
			m := next(t, in)
			m.Ack()
			if string(m.Payload) == text {
				return
			}
		}
	}
	c := start()
	publish("one")
	expect("one")
	c.Close()
	c = start()
	defer c.Close()
	publish("two")
	expect("two")
}

func TestCloseWithoutConnection(t *testing.T) {
	sub := subscriberOf(t, []string{fmt.Sprintf("127.0.0.1:%d", freePort(t))}, "g")
	in := subscribe(t, sub, "facts")
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case m, ok := <-in:
		if ok {
			t.Fatalf("got %v", m)
		}
	case <-time.After(patience):
		t.Fatal("still open")
	}
}

func TestLoggerIsQuiet(t *testing.T) {
	var log bytes.Buffer
	l := NewLogger(slog.New(slog.NewTextHandler(&log, nil))).With(map[string]any{"topic": "facts"})
	l.Info("Subscribing", nil)
	l.Debug("step", nil)
	l.Trace("step", nil)
	for range 5 {
		l.Error("cannot connect", errors.New("refused"), nil)
	}
	l.Error("cannot connect", errors.New("other"), nil)
	l.Error("no error given", nil, nil)
	if n := strings.Count(log.String(), "\n"); n != 3 || strings.Count(log.String(), "level=WARN") != 3 || strings.Count(log.String(), "topic=facts") != 3 {
		t.Errorf("logged:\n%s", log.String())
	}
}

// TestLeastConfig creates a publisher and a subscriber of which only the brokers are given.
func TestLeastConfig(t *testing.T) {
	c := Config{Brokers: []string{"127.0.0.1:1"}}
	p, err := NewPublisher(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSubscriber(c, "g")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := NewPublisher(Config{}); err == nil || !strings.Contains(err.Error(), "no Kafka brokers") {
		t.Errorf("without brokers: %v", err)
	}
}
