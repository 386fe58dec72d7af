package behaviour

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/deferpay/deferpay/tools/eventgen/golden/gen/event"
	"github.com/deferpay/deferpay/tools/eventgen/golden/gen/ordersbus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// handler records the messages that it handles. Its functions decide what it returns.
type handler struct {
	mu      sync.Mutex
	got     []string
	placed  func(*ordersbus.OrderPlacedMessage) error
	noted   func(*ordersbus.NoteMessage) error
	changed chan struct{}
}

func (h *handler) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, fmt.Sprintf(format, args...))
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *handler) OrderPlaced(_ context.Context, m *ordersbus.OrderPlacedMessage) error {
	if h.placed != nil {
		if err := h.placed(m); err != nil {
			return err
		}
	}
	h.note("placed %s at %s/%d@%d", m.Value.OrderRef, m.Topic, m.Partition, m.Offset)
	return nil
}

func (h *handler) OrderShipped(_ context.Context, m *ordersbus.OrderShippedMessage) error {
	h.note("shipped %s %d", m.Key, m.Value.Parcels)
	return nil
}

func (h *handler) Note(_ context.Context, m *ordersbus.NoteMessage) error {
	if h.noted != nil {
		if err := h.noted(m); err != nil {
			return err
		}
	}
	h.note("note %s %s", m.Value.Text, m.Headers["by"])
	return nil
}

// system is a broker, a registry, a publisher and a running router, all in memory.
type system struct {
	t        *testing.T
	broker   *bustest.Broker
	registry *bustest.Registry
	pub      *ordersbus.Publisher
	handler  *handler
	mu       sync.Mutex
	seen     []bus.Observation
}

func start(t *testing.T, h *handler, options ...bus.ReceiveOption) *system {
	t.Helper()
	s := &system{t: t, broker: bustest.NewBroker(), registry: bustest.NewRegistry(ordersbus.Subjects()...), handler: h}
	h.changed = make(chan struct{}, 1)
	s.pub = ordersbus.NewPublisher(s.broker, bus.SendWithRegistry(s.registry), bus.SendWithSource("test"), bus.SendWithTraceparent(func(context.Context) string { return "00-trace" }))
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	options = append([]bus.ReceiveOption{bus.WithRegistry(s.registry), bus.WithDeadLetters(s.broker), bus.WithLogger(slog.New(slog.DiscardHandler)), bus.WithObserver(s.observe)}, options...)
	if err := ordersbus.Register(router, s.broker, h, options...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- router.Run(ctx) }()
	<-router.Running()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.broker.Close()
	})
	return s
}

func (s *system) observe(o bus.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, o)
}

func (s *system) observed(o bus.Outcome) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.seen {
		if x.Outcome == o {
			n++
		}
	}
	return n
}

// await waits until the handler has recorded exactly want, in that order.
func (s *system) await(want ...string) {
	s.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		s.handler.mu.Lock()
		got := strings.Join(s.handler.got, "; ")
		s.handler.mu.Unlock()
		if got == strings.Join(want, "; ") {
			return
		}
		select {
		case <-s.handler.changed:
		case <-deadline:
			s.t.Fatalf("got %s\nwant %s", got, strings.Join(want, "; "))
		}
	}
}

func (s *system) dead(n int) []*message.Message {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	ms, err := s.broker.Await(ctx, ordersbus.DeadTopic, n)
	if err != nil {
		s.t.Fatal(err)
	}
	return ms
}

func headers(id string) ordersbus.EventHeaders {
	return ordersbus.EventHeaders{ID: id, Time: time.Date(2026, 11, 12, 9, 30, 0, 123000, time.UTC)}
}

func (s *system) place(ref string) {
	s.t.Helper()
	if err := s.pub.OrderPlaced(s.t.Context(), ordersbus.OrderKey(ref), event.OrderPlaced{OrderRef: ref, Total: 5}, headers(ref)); err != nil {
		s.t.Fatal(err)
	}
}

func TestPublishAndHandle(t *testing.T) {
	priority, test, weight := int64(3), true, 1.5
	want := headers("id-1")
	want.XPriority, want.XTest, want.XWeight, want.XRegion = &priority, &test, &weight, "EU"
	var got ordersbus.OrderPlacedMessage
	h := &handler{placed: func(m *ordersbus.OrderPlacedMessage) error { got = *m; return nil }}
	s := start(t, h)
	value := ordersbus.ExampleOrderPlaced()
	if err := s.pub.OrderPlaced(t.Context(), "O-1", value, want); err != nil {
		t.Fatal(err)
	}
	if err := s.pub.OrderShipped(t.Context(), "O-2", event.OrderShipped{OrderRef: "O-2", Parcels: 7}, headers("id-2")); err != nil {
		t.Fatal(err)
	}
	s.await("placed O-1 at orders.v1/0@0", "shipped O-2 7")
	if fmt.Sprint(got.Value) != fmt.Sprint(value) || got.Key != "O-1" || got.Attempt != 1 || got.Time.IsZero() {
		t.Errorf("got %+v", got)
	}
	hd := got.Headers
	if hd.ID != "id-1" || hd.Type != "shop.event.OrderPlaced" || hd.Subject != "O-1" || hd.Source != "test" || !hd.Time.Equal(want.Time) || hd.Traceparent != "00-trace" ||
		*hd.XPriority != 3 || !*hd.XTest || *hd.XWeight != 1.5 || hd.XRegion != "EU" {
		t.Errorf("got headers %+v", hd)
	}
	raw := s.broker.Messages(ordersbus.OrdersTopic)[0]
	if raw.UUID != "id-1" || raw.Metadata["ce_specversion"] != "1.0" || raw.Metadata["content-type"] != "application/vnd.apache.avro" || raw.Metadata[metadata.Key] != "O-1" {
		t.Errorf("got the message %s with the metadata %v", raw.UUID, raw.Metadata)
	}
	if raw.Payload[0] != 0 || raw.Payload[4] != 1 {
		t.Errorf("the payload begins with % x, not with the Confluent header of schema 1", raw.Payload[:5])
	}
}

func TestSendChecksContract(t *testing.T) {
	s := start(t, &handler{})
	ctx, ok := t.Context(), event.OrderPlaced{OrderRef: "O-1"}
	bad := headers("x")
	bad.XRegion = "MARS"
	cases := []struct {
		name, want string
		err        error
	}{
		{"key against its pattern", `key is "K-1", which does not match ^O-[0-9]+$`, s.pub.OrderPlaced(ctx, "K-1", ok, headers("x"))},
		{"empty key", "key is empty", s.pub.OrderPlaced(ctx, "", ok, headers("x"))},
		{"key that differs from the payload", `key "O-2" differs from the payload's orderRef "O-1"`, s.pub.OrderPlaced(ctx, "O-2", ok, headers("x"))},
		{"no id", "header ce_id is missing", s.pub.OrderPlaced(ctx, "O-1", ok, ordersbus.EventHeaders{Time: time.Now()})},
		{"no time", "header ce_time is missing", s.pub.OrderPlaced(ctx, "O-1", ok, ordersbus.EventHeaders{ID: "x"})},
		{"a value that is not of the enum", `header x-region is "MARS"`, s.pub.OrderPlaced(ctx, "O-1", ok, bad)},
		{"reserved header", "header kafka_key is a reserved name", s.pub.Note(ctx, event.Note{}, bus.Headers{"kafka_key": "x"})},
	}
	for _, c := range cases {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || !bus.IsPermanent(c.err) || !errors.Is(c.err, bus.ErrInvalid) {
			t.Errorf("%s: got %v", c.name, c.err)
		}
	}
	if n := len(s.broker.Messages(ordersbus.OrdersTopic)); n != 0 {
		t.Errorf("%d messages were published", n)
	}
}

// TestAnyKey reads a message that was written when the channel had another key.
func TestAnyKey(t *testing.T) {
	s := start(t, &handler{}, bus.AnyKey())
	s.place("O-1")
	former := s.broker.Messages(ordersbus.OrdersTopic)[0].Copy()
	former.Metadata[metadata.Key] = "O-7"
	if err := s.broker.Publish(ordersbus.OrdersTopic, former); err != nil {
		t.Fatal(err)
	}
	s.place("O-2")
	s.await("placed O-1 at orders.v1/0@0", "placed O-1 at orders.v1/0@1", "placed O-2 at orders.v1/0@2")
}

func TestPoisonIsDeadLettered(t *testing.T) {
	h := &handler{placed: func(m *ordersbus.OrderPlacedMessage) error {
		if m.Value.OrderRef == "O-13" {
			return bus.Permanentf("thirteen is not for us")
		}
		return nil
	}}
	var failures []bus.Failure
	s := start(t, h, bus.OnDeadLetter(func(_ context.Context, f bus.Failure) error { failures = append(failures, f); return nil }))
	good := message.NewMessage("", nil)
	s.place("O-1")
	*good = *s.broker.Messages(ordersbus.OrdersTopic)[0].Copy()
	publish := func(change func(*message.Message)) {
		m := good.Copy()
		m.Payload = append([]byte(nil), m.Payload...)
		change(m)
		if err := s.broker.Publish(ordersbus.OrdersTopic, m); err != nil {
			t.Fatal(err)
		}
	}
	publish(func(m *message.Message) { m.Payload = []byte{} })
	publish(func(m *message.Message) { m.Payload = []byte("hello, world") })
	publish(func(m *message.Message) { m.Payload = m.Payload[:len(m.Payload)-1] })
	publish(func(m *message.Message) { m.Payload = append(m.Payload, 0) })
	publish(func(m *message.Message) { delete(m.Metadata, "ce_id") })
	publish(func(m *message.Message) { m.Metadata[metadata.Key] = "O-7" })
	publish(func(m *message.Message) { delete(m.Metadata, metadata.Key) })
	publish(func(m *message.Message) { m.Metadata["x-priority"] = "high" })
	s.place("O-13")
	s.place("O-2")
	dead := s.dead(9)
	s.await("placed O-1 at orders.v1/0@0", "placed O-2 at orders.v1/0@10")
	wants := []struct {
		err  string
		kind error
	}{
		{"cannot be decoded", bus.ErrUndecodable}, {"no Confluent header", bus.ErrUndecodable}, {"cannot be decoded as shop.event.OrderPlaced", bus.ErrUndecodable},
		{"cannot be decoded", bus.ErrUndecodable}, {"header ce_id is missing", bus.ErrInvalid}, {`key "O-7" differs from the payload's`, bus.ErrInvalid}, {"key is empty", bus.ErrInvalid},
		{`header x-priority is "high", not an integer`, bus.ErrInvalid}, {"thirteen is not for us", nil},
	}
	original := s.broker.Messages(ordersbus.OrdersTopic)
	for i, w := range wants {
		m := dead[i]
		if got := m.Metadata[bus.DeadLetterError]; !strings.Contains(got, w.err) {
			t.Errorf("dead letter %d: error %q, want %q", i, got, w.err)
		}
		if w.kind != nil && !errors.Is(failures[i].Err, w.kind) {
			t.Errorf("dead letter %d: %v is not %v", i, failures[i].Err, w.kind)
		}
		if m.Metadata[bus.DeadLetterTopic] != "orders.v1" || m.Metadata[bus.DeadLetterPartition] != "0" || m.Metadata[bus.DeadLetterOffset] != fmt.Sprint(i+1) ||
			m.Metadata[bus.DeadLetterAttempts] != "1" || m.Metadata[bus.DeadLetterTime] == "" {
			t.Errorf("dead letter %d has the metadata %v", i, m.Metadata)
		}
		o := original[i+1]
		if string(m.Payload) != string(o.Payload) || m.Metadata[metadata.Key] != o.Metadata[metadata.Key] || m.Metadata["ce_type"] != o.Metadata["ce_type"] {
			t.Errorf("dead letter %d is not the original: %v", i, m)
		}
	}
	if f := failures[8]; f.Message != "OrderPlaced" || f.Key != "O-13" || f.Offset != 9 || f.Attempts != 1 {
		t.Errorf("the hook got %+v", f)
	}
	if n := s.observed(bus.DeadLettered); n != 9 {
		t.Errorf("%d dead letters were observed", n)
	}
}

func TestTransientErrorsAreRetried(t *testing.T) {
	h := &handler{placed: func(m *ordersbus.OrderPlacedMessage) error {
		if m.Value.OrderRef == "O-1" && m.Attempt < 20 {
			return errors.New("not yet")
		}
		return nil
	}}
	s := start(t, h)
	s.place("O-1")
	s.place("O-2")
	s.await("placed O-1 at orders.v1/0@0", "placed O-2 at orders.v1/0@1")
	if n := s.observed(bus.Retrying); n != 19 {
		t.Errorf("%d retries were observed, want 19", n)
	}
	if len(s.broker.Messages(ordersbus.DeadTopic)) != 0 {
		t.Error("there is a dead letter after a transient error")
	}
}

func TestStopDoesNotWaitForRetries(t *testing.T) {
	broker := bustest.NewBroker()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	tried := make(chan struct{}, 100)
	h := &handler{placed: func(*ordersbus.OrderPlacedMessage) error { tried <- struct{}{}; return errors.New("never") }}
	reg := bustest.NewRegistry(ordersbus.Subjects()...)
	if err := ordersbus.RegisterOnOrders(router, broker, h, bus.WithRegistry(reg), bus.WithDeadLetters(broker), bus.WithLogger(slog.New(slog.DiscardHandler))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- router.Run(ctx) }()
	<-router.Running()
	s := &system{t: t, pub: ordersbus.NewPublisher(broker, bus.SendWithRegistry(reg), bus.SendWithSource("test"))}
	s.place("O-1")
	<-tried
	begin := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if n := len(broker.Messages(ordersbus.DeadTopic)); n != 0 {
		t.Errorf("there are %d dead letters after stopping", n)
	}
}

func TestMaxAttemptsThenDeadLetter(t *testing.T) {
	h := &handler{noted: func(m *ordersbus.NoteMessage) error {
		if m.Value.Text == "bad" {
			return errors.New("always")
		}
		return nil
	}}
	s := start(t, h)
	for _, text := range []string{"bad", "good"} {
		if err := s.pub.Note(t.Context(), event.Note{Text: text}, bus.Headers{"by": "me"}); err != nil {
			t.Fatal(err)
		}
	}
	m := s.dead(1)[0]
	if m.Metadata[bus.DeadLetterAttempts] != "3" || !strings.Contains(m.Metadata[bus.DeadLetterError], "given up after 3 attempts: always") {
		t.Errorf("got %v", m.Metadata)
	}
	s.await("note good me")
}

func TestUnknownMessages(t *testing.T) {
	foreign := registry.Subject{Name: "orders.v1-shop.event.Strange", Schema: `{"type":"record","name":"Strange","namespace":"shop.event","fields":[]}`}
	send := func(s *system) {
		id := s.registry.Add(foreign)
		m := message.NewMessage("x", []byte{0, 0, 0, 0, byte(id)})
		m.Metadata[metadata.Key] = "O-9"
		if err := s.broker.Publish(ordersbus.OrdersTopic, m); err != nil {
			t.Fatal(err)
		}
		s.place("O-2")
	}
	t.Run("dead letter unless said otherwise", func(t *testing.T) {
		var f bus.Failure
		s := start(t, &handler{}, bus.OnDeadLetter(func(_ context.Context, x bus.Failure) error { f = x; return nil }))
		send(s)
		s.dead(1)
		s.await("placed O-2 at orders.v1/0@1")
		if !errors.Is(f.Err, bus.ErrUnknownMessage) || !strings.Contains(f.Err.Error(), "shop.event.Strange") {
			t.Errorf("got %v", f.Err)
		}
	})
	t.Run("passed over when told so", func(t *testing.T) {
		s := start(t, &handler{}, bus.OnUnknown(bus.Ack))
		send(s)
		s.await("placed O-2 at orders.v1/0@1")
		if n := len(s.broker.Messages(ordersbus.DeadTopic)); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
	t.Run("a message of the channel that the operation does not take", func(t *testing.T) {
		s := start(t, &handler{})
		if err := s.pub.Other(t.Context(), "O-1", event.Other{OrderRef: "O-1"}, headers("x")); err != nil {
			t.Fatal(err)
		}
		s.place("O-2")
		s.await("placed O-2 at orders.v1/0@1")
		if len(s.broker.Messages(ordersbus.DeadTopic)) != 0 || s.observed(bus.Ignored) != 1 {
			t.Error("it was not acknowledged")
		}
	})
}

func TestTombstones(t *testing.T) {
	var keys []string
	s := start(t, &handler{}, bus.OnTombstone(func(_ context.Context, key string) error { keys = append(keys, key); return nil }))
	if err := bus.SendTombstone(t.Context(), bus.NewSender(s.broker), ordersbus.OrdersTopic, ordersbus.OrderKey("O-5")); err != nil {
		t.Fatal(err)
	}
	s.place("O-2")
	// not compacted
	if err := s.broker.Publish(ordersbus.NotesTopic, message.NewMessage("x", nil)); err != nil {
		t.Fatal(err)
	}
	s.dead(1)
	s.await("placed O-2 at orders.v1/0@1")
	if fmt.Sprint(keys) != "[O-5]" {
		t.Errorf("got tombstones %v", keys)
	}
}

func TestRegistryOutOfOrder(t *testing.T) {
	s := start(t, &handler{})
	down := errors.New("connection refused")
	s.registry.Fail(down)
	if err := s.pub.OrderPlaced(t.Context(), "O-1", event.OrderPlaced{OrderRef: "O-1"}, headers("x")); !errors.Is(err, down) || bus.IsPermanent(err) {
		t.Fatalf("got %v", err)
	}
	s.registry.Fail(nil)
	s.place("O-1")
	s.await("placed O-1 at orders.v1/0@0")
	s.registry.Fail(down) // the registry is not asked for a known schema again
	m := s.broker.Messages(ordersbus.OrdersTopic)[0]
	if err := s.broker.Publish(ordersbus.OrdersTopic, m); err != nil {
		t.Fatal(err)
	}
	s.await("placed O-1 at orders.v1/0@0", "placed O-1 at orders.v1/0@1")
	// A message with an unknown id waits for the registry; it is not dead-lettered.
	other := m.Copy()
	other.Payload = append([]byte{0, 0, 0, 0, 2}, 6, 'O', '-', '3', 4)
	other.Metadata[metadata.Key], other.Metadata["ce_type"] = "O-3", "shop.event.OrderShipped"
	if err := s.broker.Publish(ordersbus.OrdersTopic, other); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); s.observed(bus.Retrying) < 3; {
		if time.Now().After(deadline) {
			t.Fatal("it was not retried")
		}
		time.Sleep(time.Millisecond) // the observer cannot be waited for
	}
	s.registry.Fail(nil)
	s.await("placed O-1 at orders.v1/0@0", "placed O-1 at orders.v1/0@1", "shipped O-3 2")
	if n := len(s.broker.Messages(ordersbus.DeadTopic)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestUnknownSchemaIDExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &handler{})
		s.place("O-1")
		begin := time.Now()
		m := s.broker.Messages(ordersbus.OrdersTopic)[0].Copy()
		m.Payload = []byte{0, 0, 0, 9, 9}
		if err := s.broker.Publish(ordersbus.OrdersTopic, m); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		ms, err := s.broker.Await(t.Context(), ordersbus.DeadTopic, 1)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < time.Minute || took > 61*time.Second {
			t.Errorf("it was dead-lettered after %s", took)
		}
		if e := ms[0].Metadata[bus.DeadLetterError]; !strings.Contains(e, "does not know the id 2313") {
			t.Errorf("got %s", e)
		}
	})
}

// orderPlaced returns another version of the schema of OrderPlaced.
func orderPlaced(fields string) registry.Subject {
	return registry.Subject{Name: "orders.v1-shop.event.OrderPlaced", Schema: `{"type":"record","name":"OrderPlaced","namespace":"shop.event","fields":[` + fields + `]}`}
}

func TestOtherVersionsOfASchema(t *testing.T) {
	var got []event.OrderPlaced
	s := start(t, &handler{placed: func(m *ordersbus.OrderPlacedMessage) error { got = append(got, m.Value); return nil }})
	s.place("O-1")
	const ref, lines = `{"name":"orderRef","type":"string"}`, `{"name":"lines","type":{"type":"array","items":"string"}}`
	send := func(schema registry.Subject, body ...byte) {
		m := s.broker.Messages(ordersbus.OrdersTopic)[0].Copy()
		m.Payload = append([]byte{0, 0, 0, 0, byte(s.registry.Add(schema))}, body...)
		if err := s.broker.Publish(ordersbus.OrdersTopic, m); err != nil {
			t.Fatal(err)
		}
	}
	line := `{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[{"name":"article","type":"string"},{"name":"count","type":"int"}]}}}`
	// An older schema has no note, an int as total, and another order of the fields. A newer one
	// has an additional field. The last one cannot be read because lines has another type.
	send(orderPlaced(`{"name":"total","type":"int"},`+ref+`,`+line), 14, 6, 'O', '-', '1', 0)
	send(orderPlaced(ref+`,{"name":"total","type":"long"},{"name":"note","type":["null","string"]},`+line+`,{"name":"extra","type":"double"}`), 6, 'O', '-', '1', 16, 2, 2, 'n', 0, 0, 0, 0, 0, 0, 0, 0, 0)
	send(orderPlaced(ref+`,{"name":"total","type":"long"},`+lines), 6, 'O', '-', '1', 16, 0)
	s.dead(1)
	s.await("placed O-1 at orders.v1/0@0", "placed O-1 at orders.v1/0@1", "placed O-1 at orders.v1/0@2")
	if got[1].Total != 7 || got[1].Note != nil || got[2].Total != 8 || got[2].Note == nil || *got[2].Note != "n" {
		t.Errorf("got %+v", got)
	}
	if e := s.dead(1)[0].Metadata[bus.DeadLetterError]; !strings.Contains(e, "was written with schema") {
		t.Errorf("got %s", e)
	}
}

// failing is a publisher of dead letters whose first calls fail.
type failing struct {
	message.Publisher
	left int
}

func (f *failing) Publish(topic string, ms ...*message.Message) error {
	if f.left--; f.left >= 0 {
		return errors.New("no broker")
	}
	return f.Publisher.Publish(topic, ms...)
}

func TestDeadLetterBeforeAck(t *testing.T) {
	hooks := 0
	h := &handler{}
	f := &failing{left: 3}
	s := start(t, h, bus.WithDeadLetters(f), bus.OnDeadLetter(func(context.Context, bus.Failure) error {
		if hooks++; hooks < 3 {
			return errors.New("cannot record")
		}
		return nil
	}))
	f.Publisher = s.broker
	if err := s.broker.Publish(ordersbus.OrdersTopic, message.NewMessage("x", []byte("bad"))); err != nil {
		t.Fatal(err)
	}
	s.place("O-2")
	s.dead(1)
	s.await("placed O-2 at orders.v1/0@1")
	if hooks != 6 {
		t.Errorf("the hook was called %d times, want 2 failures, then once for each of 4 publications", hooks)
	}
}

func TestRedrivenDeadLetters(t *testing.T) {
	allowed := false
	h := &handler{placed: func(m *ordersbus.OrderPlacedMessage) error {
		if !allowed {
			return bus.Permanentf("no")
		}
		return nil
	}}
	s := start(t, h, bus.AlsoFrom("orders.redrive.v1"))
	s.place("O-1")
	m := s.dead(1)[0]
	allowed = true
	if err := s.broker.Publish("orders.redrive.v1", m); err != nil {
		t.Fatal(err)
	}
	s.await("placed O-1 at orders.redrive.v1/0@0")
}

func TestRegisterNamesMissingOption(t *testing.T) {
	router := message.NewDefaultRouter(watermill.NopLogger{})
	b := bustest.NewBroker()
	for want, options := range map[string][]bus.ReceiveOption{
		"bus.WithDeadLetters": {bus.WithRegistry(bustest.NewRegistry())},
		"bus.WithRegistry":    {bus.WithDeadLetters(b)},
	} {
		if err := ordersbus.Register(router, b, &handler{}, options...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestWithWatermillsGoChannel(t *testing.T) {
	channel := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
	reg := bustest.NewRegistry(ordersbus.Subjects()...)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	h := &handler{}
	if err := ordersbus.RegisterOnOrders(router, channel, h, bus.WithRegistry(reg), bus.WithDeadLetters(channel)); err != nil {
		t.Fatal(err)
	}
	go router.Run(t.Context())
	<-router.Running()
	pub := ordersbus.NewPublisher(channel, bus.SendWithRegistry(reg), bus.SendWithSource("test"))
	if err := pub.OrderPlaced(t.Context(), "O-1", event.OrderPlaced{OrderRef: "O-1"}, headers("x")); err != nil {
		t.Fatal(err)
	}
	if err := router.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "placed O-1 at orders.v1/-1@-1"; len(h.got) != 1 || h.got[0] != want {
		t.Errorf("got %v, want %s", h.got, want)
	}
}
