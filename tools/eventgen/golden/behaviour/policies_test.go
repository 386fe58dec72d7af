package behaviour

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
	"github.com/deferpay/deferpay/tools/eventgen/golden/policies/gen/event"
	"github.com/deferpay/deferpay/tools/eventgen/golden/policies/gen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/golden/policies/gen/policiesbus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// watcher sends a description of each message on a channel.
type watcher struct{ got chan string }

func (w watcher) say(format string, args ...any) error {
	w.got <- fmt.Sprintf(format, args...)
	return nil
}

func (w watcher) Tick(_ context.Context, m *policiesbus.TickMessage) error {
	return w.say("tick %s %d", m.Key, m.Value.N)
}

func (w watcher) TickPassed(_ context.Context, m *policiesbus.TickPassedMessage) error {
	return w.say("tick %s %d", m.Key, m.Value.N)
}

func (w watcher) TickBuried(_ context.Context, m *policiesbus.TickBuriedMessage) error {
	if m.Value.N == 13 {
		return bus.Permanentf("thirteen is not for us")
	}
	return w.say("tick %s %d at %s/%d@%d", m.Key, m.Value.N, m.Topic, m.Partition, m.Offset)
}

func (w watcher) Wide(_ context.Context, m *policiesbus.WideMessage) error {
	return w.say("wide %s", m.Value.A)
}

func (w watcher) Narrow(_ context.Context, m *policiesbus.NarrowMessage) error {
	return w.say("narrow %s %d", m.Value.A, m.Value.B)
}

func (w watcher) Opened(_ context.Context, m *policiesbus.OpenedMessage) error {
	return w.say("opened %s by %s with %s at %s/%d@%d", m.Value.Door, m.Headers.By, m.Headers.How, m.Topic, m.Partition, m.Offset)
}

func (w watcher) Closed(_ context.Context, m *policiesbus.ClosedMessage) error {
	return w.say("closed %s %s at %s/%d@%d", m.Value.Door, bus.FieldText(&m.Value.Reason), m.Topic, m.Partition, m.Offset)
}

// runRouter runs a router with what register adds until the test ends.
func runRouter(t *testing.T, register func(*message.Router) error) {
	t.Helper()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	if err := register(router); err != nil {
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
	})
}

// take returns the next value of a channel.
func take[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(20 * time.Second):
		t.Fatal("there is no next value")
	}
	return v
}

// observer sends what is observed on a channel. It never blocks, because a message that is retried
// for ever, or redelivered during shutdown, is observed more often than a test receives.
func observer() (<-chan bus.Observation, bus.ReceiveOption) {
	seen := make(chan bus.Observation, 100)
	return seen, bus.WithObserver(func(o bus.Observation) {
		select {
		case seen <- o:
		default:
		}
	})
}

// policies returns a broker and a registry in memory, with all operations of the document running.
type policies struct {
	broker   *bustest.Broker
	registry *bustest.Registry
	pub      *policiesbus.Publisher
	watcher  watcher
	seen     <-chan bus.Observation
}

func startPolicies(t *testing.T) *policies {
	t.Helper()
	seen, watch := observer()
	p := &policies{bustest.NewBroker(), bustest.NewRegistry(policiesbus.Subjects()...), nil, watcher{make(chan string, 100)}, seen}
	p.pub = policiesbus.NewPublisher(p.broker, bus.SendWithRegistry(p.registry))
	t.Cleanup(func() { _ = p.broker.Close() })
	runRouter(t, func(r *message.Router) error {
		return policiesbus.Register(r, p.broker, p.watcher, bus.WithRegistry(p.registry), bus.WithDeadLetters(p.broker), quiet, watch)
	})
	return p
}

// stranger publishes a message whose schema is not in the document.
func (p *policies) stranger(t *testing.T, topic string) {
	t.Helper()
	id := p.registry.Add(registry.Subject{Name: "strange", Schema: `{"type":"record","name":"Strange","namespace":"policies.event","fields":[]}`})
	m := message.NewMessage("x", []byte{0, 0, 0, 0, byte(id)})
	m.Metadata[metadata.Key] = "c"
	if err := p.broker.Publish(topic, m); err != nil {
		t.Fatal(err)
	}
}

// TestUnknownMessagePolicies: the policy of an operation decides what happens to an unknown
// message, and whether the messages after it are handled.
func TestUnknownMessagePolicies(t *testing.T) {
	tick := event.Tick{Clock: "c", N: 1}
	t.Run("ack", func(t *testing.T) {
		p := startPolicies(t)
		p.stranger(t, policiesbus.PassedTopic)
		if err := p.pub.TickPassed(t.Context(), "c", tick, nil); err != nil {
			t.Fatal(err)
		}
		if got := take(t, p.watcher.got); got != "tick c 1" {
			t.Errorf("got %s", got)
		}
		if o := take(t, p.seen); o.Outcome != bus.Ignored {
			t.Errorf("%+v was observed", o)
		}
		if n := len(p.broker.Messages(policiesbus.DeadTopic)); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
	t.Run("dead-letter", func(t *testing.T) {
		p := startPolicies(t)
		p.stranger(t, policiesbus.BuriedTopic)
		if err := p.pub.TickBuried(t.Context(), "c", tick, nil); err != nil {
			t.Fatal(err)
		}
		if got := take(t, p.watcher.got); got != "tick c 1 at policies.buried.v1/0@1" {
			t.Errorf("got %s", got)
		}
		if o := take(t, p.seen); o.Outcome != bus.DeadLettered || o.Attempt != 1 || !errors.Is(o.Err, bus.ErrUnknownMessage) {
			t.Errorf("%+v was observed", o)
		}
		if n := len(p.broker.Messages(policiesbus.DeadTopic)); n != 1 {
			t.Errorf("%d dead letters", n)
		}
	})
	t.Run("error", func(t *testing.T) {
		p := startPolicies(t)
		p.stranger(t, policiesbus.StoppedTopic)
		if err := p.pub.Tick(t.Context(), "c", tick, nil); err != nil {
			t.Fatal(err)
		}
		for attempt := 1; attempt <= 6; attempt++ { // more than maxAttempts of the operation
			if o := take(t, p.seen); o.Outcome != bus.Retrying || o.Attempt != attempt || !strings.Contains(o.Err.Error(), "policies.event.Strange") {
				t.Fatalf("%+v was observed", o)
			}
		}
		if len(p.watcher.got) != 0 || len(p.broker.Messages(policiesbus.DeadTopic)) != 0 {
			t.Error("it was acknowledged or dead-lettered")
		}
	})
}

// TestInOrder: messages that differ in their payloads only are decoded as the first message that
// fits, in the order of the operation, which differs from that of the channel.
func TestDispatchInOrder(t *testing.T) {
	p := startPolicies(t)
	b := int64(2)
	if err := errors.Join(p.pub.Narrow(t.Context(), payload.Narrow{A: "both", B: b}, nil), p.pub.Wide(t.Context(), payload.Wide{A: "one"}, nil),
		p.broker.Publish(policiesbus.OrderedTopic, message.NewMessage("x", []byte(`{"b":1}`))), p.pub.Wide(t.Context(), payload.Wide{A: "last"}, nil)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"narrow both 2", "wide one", "wide last"} {
		if got := take(t, p.watcher.got); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	dead, err := p.broker.Await(t.Context(), policiesbus.DeadTopic, 1)
	if err != nil {
		t.Fatal(err)
	}
	if why := dead[0].Metadata[bus.DeadLetterError]; !strings.Contains(why, "not Narrow: ") || !strings.Contains(why, "not Wide: ") {
		t.Errorf("a message that is neither: got %s", why)
	}
}

// kafka starts an embedded broker with the topics of the document and a registry with its schemas.
func kafka(t *testing.T) (kafkabus.Config, *registry.Client) {
	t.Helper()
	k := embeddedtest.Start(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := topics.Apply(t.Context(), client, policiesbus.Topics()); err != nil {
		t.Fatal(err)
	}
	schemas, err := registry.NewClient(k.Registry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schemas.Register(t.Context(), policiesbus.Subjects(), "FULL_TRANSITIVE"); err != nil {
		t.Fatal(err)
	}
	return kafkabus.Config{Brokers: []string{k.Broker}, ClientID: "test", Logger: slog.New(slog.DiscardHandler)}, schemas
}

func onKafka(t *testing.T, config kafkabus.Config, group string) (message.Publisher, message.Subscriber) {
	t.Helper()
	pub, err := kafkabus.NewPublisher(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pub.Close() })
	sub, err := kafkabus.NewSubscriber(config, group)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Close() })
	return pub, sub
}

// TestPoisonOnABroker: on a broker, a message with a permanent error is dead-lettered with its
// origin, and the message after it is handled.
func TestPoisonOnABroker(t *testing.T) {
	config, schemas := kafka(t)
	pub, sub := onKafka(t, config, policiesbus.OnBuriedGroup)
	ticks := policiesbus.NewPublisher(pub, bus.SendWithRegistry(schemas))
	w := watcher{make(chan string, 100)}
	runRouter(t, func(r *message.Router) error {
		return policiesbus.RegisterOnBuried(r, sub, w, bus.WithRegistry(schemas), bus.WithDeadLetters(pub), quiet)
	})
	_, reader := onKafka(t, config, "reader of dead letters")
	dead, err := reader.Subscribe(t.Context(), policiesbus.DeadTopic)
	if err != nil {
		t.Fatal(err)
	}
	const clock = "c-5" // its partition is not partition 0
	send := func(n int32) {
		if err := ticks.TickBuried(t.Context(), clock, event.Tick{Clock: clock, N: n}, bus.Headers{"by": "me"}); err != nil {
			t.Fatal(err)
		}
	}
	garbage := message.NewMessage("x", []byte("no schema id"))
	garbage.Metadata[metadata.Key], garbage.Metadata["by"] = clock, "them"
	send(1)
	if err := pub.Publish(policiesbus.BuriedTopic, garbage); err != nil {
		t.Fatal(err)
	}
	send(13)
	send(4)
	first := take(t, w.got)
	var place string
	if _, err := fmt.Sscanf(first, "tick c-5 1 at policies.buried.v1/%s", &place); err != nil {
		t.Fatalf("got %s: %v", first, err)
	}
	partition, _, _ := strings.Cut(place, "@")
	if place != partition+"@0" || partition == "0" {
		t.Fatalf("got %s, which is not the beginning of a partition other than 0", first)
	}
	for i, want := range []struct{ err, by, attempts string }{{"no Confluent header", "them", "1"}, {"thirteen is not for us", "me", "1"}} {
		m := take(t, dead)
		m.Ack()
		if !strings.Contains(m.Metadata[bus.DeadLetterError], want.err) || m.Metadata[bus.DeadLetterTopic] != policiesbus.BuriedTopic || m.Metadata[bus.DeadLetterPartition] != partition ||
			m.Metadata[bus.DeadLetterOffset] != fmt.Sprint(i+1) || m.Metadata[metadata.Key] != clock || m.Metadata[bus.DeadLetterAttempts] != want.attempts || m.Metadata["by"] != want.by {
			t.Errorf("dead letter %d: %v", i, m.Metadata)
		}
		if i == 0 && string(m.Payload) != string(garbage.Payload) {
			t.Errorf("the payload is %q", m.Payload)
		}
	}
	if got, want := take(t, w.got), "tick c-5 4 at policies.buried.v1/"+partition+"@3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAvroHeaders: headers whose schema is an Avro record have types, are checked and are filled
// in.
func TestHeadersInAvro(t *testing.T) {
	p := startPolicies(t)
	two := int64(2)
	for want, h := range map[string]policiesbus.DoorHeaders{
		"header by is missing":              {How: "KEY"},
		`header how is "FORCE", not one of`: {By: "me", How: "FORCE"},
		`header pass is "123", not a UUID`:  {By: "me", How: "KEY", Pass: "123"},
	} {
		if err := p.pub.Opened(t.Context(), event.Opened{}, h); !bus.IsPermanent(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := p.pub.Opened(t.Context(), event.Opened{Door: "back"}, policiesbus.DoorHeaders{By: "me", How: "CODE", Attempts: &two, Pass: "123e4567-e89b-12d3-a456-426614174000"}); err != nil {
		t.Fatal(err)
	}
	if got := take(t, p.watcher.got); got != "opened back by me with CODE at policies.tagged.v1/0@0" {
		t.Errorf("got %s", got)
	}
	m := p.broker.Messages(policiesbus.TaggedTopic)[0].Metadata
	if m["attempts"] != "2" || m["pass"] != "123e4567-e89b-12d3-a456-426614174000" || m["ce_type"] != "policies.event.Opened" {
		t.Errorf("got %v", m)
	}
	bad := p.broker.Messages(policiesbus.TaggedTopic)[0].Copy()
	bad.Metadata["attempts"] = "many"
	if err := p.broker.Publish(policiesbus.TaggedTopic, bad); err != nil {
		t.Fatal(err)
	}
	dead, err := p.broker.Await(t.Context(), policiesbus.DeadTopic, 1)
	if err != nil {
		t.Fatal(err)
	}
	if why := dead[0].Metadata[bus.DeadLetterError]; !strings.Contains(why, `header attempts is "many", not an integer`) {
		t.Errorf("dead-lettered because of %s", why)
	}
}

// TestSchemaIDInHeader: the id of the schema is a header of eight bytes, as Apicurio's serializers
// write it, and the payload is the value alone. The id identifies the message and the version of
// its schema.
func TestSchemaIDInHeader(t *testing.T) {
	config, schemas := kafka(t)
	pub, sub := onKafka(t, config, policiesbus.OnTaggedGroup)
	doors := policiesbus.NewPublisher(pub, bus.SendWithRegistry(schemas))
	w := watcher{make(chan string, 100)}
	runRouter(t, func(r *message.Router) error {
		return policiesbus.RegisterOnTagged(r, sub, w, bus.WithRegistry(schemas), bus.WithDeadLetters(pub), quiet)
	})
	_, reader := onKafka(t, config, "reader of everything")
	raw, err := reader.Subscribe(t.Context(), policiesbus.TaggedTopic)
	if err != nil {
		t.Fatal(err)
	}
	reason := "night"
	if err := errors.Join(doors.Opened(t.Context(), event.Opened{Door: "front"}, policiesbus.DoorHeaders{By: "me", How: "KEY"}), doors.Closed(t.Context(), event.Closed{Door: "front", Reason: &reason}, nil)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ subject, schema, got, payload string }{
		{"policies.event.Opened", event.SchemaOfOpened, "opened front by me with KEY at policies.tagged.v1/0@0", "\x0afront"},
		{"policies.event.Closed", event.SchemaOfClosed, "closed front night at policies.tagged.v1/0@1", "\x0afront\x02\x0anight"},
	} {
		if got := take(t, w.got); got != want.got {
			t.Errorf("got %s, want %s", got, want.got)
		}
		id, err := schemas.ID(t.Context(), want.subject, want.schema)
		if err != nil {
			t.Fatal(err)
		}
		m := take(t, raw)
		m.Ack()
		if header := m.Metadata["apicurio.value.contentId"]; header != "\x00\x00\x00\x00\x00\x00\x00"+string(rune(id)) || string(m.Payload) != want.payload {
			t.Errorf("message %d has the header %q and the payload %q, with id %d", i, header, m.Payload, id)
		}
	}
	// The first is written with an older schema, by a serializer that uses the other header; the
	// second has no header.
	older, err := schemas.Register(t.Context(), []registry.Subject{{Name: "policies.event.Closed", Schema: `{"type":"record","name":"Closed","namespace":"policies.event","fields":[{"name":"door","type":"string"}]}`}}, "FULL_TRANSITIVE")
	if err != nil {
		t.Fatal(err)
	}
	foreign := message.NewMessage("x", []byte("\x08back"))
	foreign.Metadata["apicurio.value.globalId"] = "\x00\x00\x00\x00\x00\x00\x00" + string(rune(older[0].ID))
	bare := message.NewMessage("y", []byte("\x08back"))
	if err := pub.Publish(policiesbus.TaggedTopic, foreign, bare); err != nil {
		t.Fatal(err)
	}
	if got, want := take(t, w.got), "closed back  at policies.tagged.v1/0@2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, reader = onKafka(t, config, "reader of dead letters")
	dead, err := reader.Subscribe(t.Context(), policiesbus.DeadTopic)
	if err != nil {
		t.Fatal(err)
	}
	m := take(t, dead)
	m.Ack()
	if !strings.Contains(m.Metadata[bus.DeadLetterError], "header apicurio.value.contentId is missing") || m.Metadata[bus.DeadLetterOffset] != "3" {
		t.Errorf("without an id: got %v", m.Metadata)
	}
}
