package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/hold"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// member is a subscriber of the group g to the topic events.
func member(t *testing.T, brokers []string, start func(context.Context, string, int32) (int64, error)) (*Subscriber, <-chan *message.Message) {
	t.Helper()
	s, err := NewSubscriber(Config{Brokers: brokers, ClientID: "test", Logger: quiet}, "g")
	if err != nil {
		t.Fatal(err)
	}
	if start != nil {
		s.StartFrom(start)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, subscribe(t, s, "events")
}

// accept acknowledges the next message and requires it to be at an offset.
func accept(t *testing.T, in <-chan *message.Message, offset int) *message.Message {
	t.Helper()
	m := next(t, in)
	if got := m.Metadata[metadata.Offset]; got != fmt.Sprint(offset) {
		t.Fatalf("the message at %s came, want that at %d", got, offset)
	}
	m.Ack()
	return m
}

func position(t *testing.T, s *Subscriber, want int64) {
	t.Helper()
	var all []Position
	// the transport is told of an acknowledgement a moment later
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if all = s.Positions(); len(all) == 1 && all[0].Offset == want {
			return
		}
	}
	t.Fatalf("positions %v, want %d", all, want)
}

func filled(t *testing.T, n int) (brokers []string) {
	t.Helper()
	brokers = broker(t, kfake.SeedTopics(1, "events"))
	p := publisherOf(t, brokers)
	for i := range n {
		if err := p.Publish("events", message.NewMessage(fmt.Sprint(i), message.Payload(fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
	}
	return brokers
}

// A message that is acknowledged and held is delivered again to another member, with those behind
// it, until it is released.
func TestHeldMessageComesAgain(t *testing.T) {
	brokers := filled(t, 4)
	one, in := member(t, brokers, nil)
	accept(t, in, 0)
	second := next(t, in)
	release := hold.Of(second.Context())()
	second.Ack()
	accept(t, in, 2)
	position(t, one, 1)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	release() // too late: another member has it

	two, in := member(t, brokers, nil)
	second = next(t, in)
	if second.Metadata[metadata.Offset] != "1" {
		t.Fatalf("the message at %s came again", second.Metadata[metadata.Offset])
	}
	release = hold.Of(second.Context())()
	second.Ack()
	accept(t, in, 2)
	release()
	position(t, two, 3)
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	_, in = member(t, brokers, nil)
	accept(t, in, 3)
}

// A consumer that keeps its own account is read from there, whatever the group has committed: from
// an earlier offset, from a later one, and again after Restart.
func TestStartFromOwnAccount(t *testing.T) {
	brokers := filled(t, 5)
	one, in := member(t, brokers, nil)
	for i := range 5 {
		accept(t, in, i)
	}
	position(t, one, 5)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	var at atomic.Int64
	at.Store(2)
	unknown := errors.New("not known yet")
	asked := 0
	two, in := member(t, brokers, func(_ context.Context, topic string, partition int32) (int64, error) {
		if asked++; asked == 1 {
			return 0, unknown
		}
		if topic != "events" || partition != 0 {
			t.Errorf("asked for %s/%d", topic, partition)
		}
		return at.Load(), nil
	})
	accept(t, in, 2)
	accept(t, in, 3)
	for _, start := range []int64{0, 4} {
		at.Store(start)
		two.Restart()
		for came := ""; came != fmt.Sprint(start); { // another one may be on its way
			m := next(t, in)
			came = m.Metadata[metadata.Offset]
			m.Ack()
		}
	}
}

// A message that is on its way when the subscriber is restarted can still be held. Positions leaves
// out the session that ends.
func TestHeldDuringRestart(t *testing.T) {
	var c claims
	c.init(Config{}, quiet)
	w := &window{session: session{ctx: t.Context()}, claim: claim{}, next: 3, held: map[int64]int{}, restart: make(chan struct{})}
	c.open[partition{"events", 0}] = w
	if all := c.positions(); len(all) != 1 || all[0].Offset != 3 {
		t.Fatalf("positions %v", all)
	}
	c.restart()
	c.restart() // the session has not ended yet
	m := message.NewMessage("", nil)
	m.Metadata = message.Metadata{metadata.Topic: "events", metadata.Partition: "0", metadata.Offset: "3"}
	c.holdable(m)
	take := hold.Of(m.Context())
	if take == nil {
		t.Fatal("the message cannot be held")
	}
	release := take()
	w.acknowledged(3)
	if at := w.position(); at != 3 {
		t.Errorf("position %d, want that of the message that is held", at)
	}
	release()
	if all := c.positions(); len(all) != 0 {
		t.Errorf("positions %v of a session that ends", all)
	}
}

// Records that are passed over are not delivered. What is committed goes on behind them, but not
// before what was delivered in front of them is acknowledged.
func TestPassedOver(t *testing.T) {
	brokers := filled(t, 8)
	s, err := NewSubscriber(Config{Brokers: brokers, ClientID: "test", Logger: quiet}, "g")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	passed := make(chan int64, 8)
	s.Skip("others", func(*bus.Record) bool { return true })
	s.Skip("events", func(r *bus.Record) bool {
		if string(r.Value) != fmt.Sprint(r.Offset) || r.Topic != "events" || r.Partition != 0 {
			t.Errorf("record %+v", r)
		}
		over := r.Offset != 2 && r.Offset != 5
		if over {
			passed <- r.Offset
		}
		return over
	})
	in := subscribe(t, s, "events")
	first := next(t, in)
	for range 4 { // 0, 1, 3, 4
		<-passed
	}
	position(t, s, 2)
	first.Ack()
	second := next(t, in)
	if second.Metadata[metadata.Offset] != "5" {
		t.Fatalf("the message at %s came", second.Metadata[metadata.Offset])
	}
	<-passed
	<-passed
	position(t, s, 5)
	second.Ack()
	position(t, s, 8)
}

// A record is passed over if every function for its topic says so. Functions are added while
// another topic is read.
func TestSkipNeedsAll(t *testing.T) {
	s, err := NewSubscriber(Config{Brokers: []string{"127.0.0.1:1"}, ClientID: "test", Logger: quiet}, "g")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	over := s.claims.skips("events")
	record := func(value string) *bus.Record { return &bus.Record{Topic: "events", Value: []byte(value)} }
	if over(record("a")) {
		t.Error("passed over without a function")
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for range 100 {
			over(record("a"))
		}
	})
	s.Skip("others", func(*bus.Record) bool { return true })
	s.Skip("events", func(r *bus.Record) bool { return string(r.Value) != "first" })
	s.Skip("events", func(r *bus.Record) bool { return string(r.Value) != "second" })
	reading.Wait()
	for value, want := range map[string]bool{"first": false, "second": false, "neither": true} {
		if got := over(record(value)); got != want {
			t.Errorf("%s: passed over: %t, want %t", value, got, want)
		}
	}
}

// The header ce_type that counts is that of Marshaler.
func TestTypeOfRecord(t *testing.T) {
	for want, headers := range map[string][]*sarama.RecordHeader{
		"":  {nil, {Key: []byte("type"), Value: []byte("a")}},
		"b": {{Key: []byte("ce_type"), Value: []byte("a")}, {Key: []byte("ce_type"), Value: []byte("b")}},
	} {
		r := &sarama.ConsumerMessage{Headers: headers}
		m, err := Marshaler{}.Unmarshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := recordOf(r).Type; got != want || m.Metadata["ce_type"] != want {
			t.Errorf("type %q, of the message %q, want %q", got, m.Metadata["ce_type"], want)
		}
	}
}

// A message keeps nothing of what was fetched with its record. A null value stays null, and an
// empty one empty.
func TestMessageHasItsOwnMemory(t *testing.T) {
	fetched := []byte("one two three")
	m, err := Marshaler{}.Unmarshal(&sarama.ConsumerMessage{Value: fetched[4:7]})
	if err != nil {
		t.Fatal(err)
	}
	clear(fetched)
	if string(m.Payload) != "two" {
		t.Errorf("%q is in the memory of what was fetched", m.Payload)
	}
	for _, value := range [][]byte{nil, {}} {
		if m, err = (Marshaler{}).Unmarshal(&sarama.ConsumerMessage{Value: value}); err != nil || len(m.Payload) > 0 || (m.Payload == nil) != (value == nil) {
			t.Errorf("%#v became %#v, %v", value, m.Payload, err)
		}
	}
}

// A session that ends before it is known where its partition is read from is no error, and marks
// nothing. Otherwise the member would leave its group, and the partitions be assigned twice.
func TestSessionEndsDuringSetup(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	asked := 0
	var c claims
	c.init(Config{}, quiet)
	c.start = func(context.Context, string, int32) (int64, error) {
		if asked++; asked == 2 {
			end()
		}
		return 0, errors.New("not known yet")
	}
	h := &groupHandler{setUp{}, &c}
	if err := h.Setup(session{ctx: ctx, marked: func(offset int64) { t.Errorf("marked %d", offset) }}); err != nil {
		t.Error(err)
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

type setUp struct{ sarama.ConsumerGroupHandler }

func (setUp) Setup(sarama.ConsumerGroupSession) error { return nil }

// session and claim are what a window and a handler need of sarama's.
type session struct {
	sarama.ConsumerGroupSession
	ctx    context.Context
	marked func(offset int64) // may be nil
}

func (s session) Context() context.Context { return s.ctx }

func (session) Claims() map[string][]int32 { return map[string][]int32{"events": {0}} }

func (s session) MarkOffset(_ string, _ int32, offset int64, _ string) {
	if s.marked != nil {
		s.marked(offset)
	}
}

func (s session) ResetOffset(topic string, id int32, offset int64, metadata string) {
	s.MarkOffset(topic, id, offset, metadata)
}

type claim struct{ sarama.ConsumerGroupClaim }

func (claim) Topic() string              { return "events" }
func (claim) Partition() int32           { return 0 }
func (claim) HighWaterMarkOffset() int64 { return 5 }

// A message that is larger than the topic or the client takes is an error that says so.
func TestPublishTooLarge(t *testing.T) {
	brokers := broker(t, kfake.SeedTopics(1, "events"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "100000"}))
	p := publisherOf(t, brokers)
	for _, size := range []int{2 << 20, 200_000} {
		err := p.Publish("events", message.NewMessage("large", message.Payload(strings.Repeat("x", size))))
		if !errors.Is(err, bus.ErrTooLarge) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if err := p.Publish("events", message.NewMessage("small", message.Payload("x"))); err != nil {
		t.Error(err)
	}
}
