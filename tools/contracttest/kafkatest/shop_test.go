package kafkatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/devkafka/embedded"
)

// shop is a shipping and a pricing service that keep their contract but for one fault.
type shop struct {
	fault    string
	registry *sr.Client
	own      *avro.Schema // of OrderPlaced
	shipment *avro.Schema
	id       int // of shipment
	shipped  map[string]bool
	seen     int
}

// places returns the addresses of a broker with the topics of the shop: of a running one if
// KAFKATEST_BROKER and KAFKATEST_REGISTRY name it, whose topics are created again, and else of an
// embedded one.
func places(t *testing.T) (broker, registry string) {
	t.Helper()
	broker, registry = os.Getenv("KAFKATEST_BROKER"), os.Getenv("KAFKATEST_REGISTRY")
	if broker == "" {
		k, err := embedded.Start(t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = k.Close() })
		broker, registry = k.Broker, k.Registry
	} else {
		serially(t)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	admin := kadm.NewClient(client)
	topics := []string{"shop.orders.v1", "shop.shipments.v1", "shop.dlq.v1", "shop.prices.v1", "shop.answers.v1"}
	if os.Getenv("KAFKATEST_BROKER") != "" {
		again(t, admin, topics)
	}
	for i, topic := range topics {
		partitions := int32(1)
		if i == 0 {
			partitions = 2
		}
		if _, err := admin.CreateTopic(t.Context(), partitions, 1, nil, topic); err != nil {
			t.Fatal(err)
		}
	}
	return broker, registry
}

// again deletes the topics and groups of a test before.
func again(t *testing.T, admin *kadm.Client, topics []string) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); ; {
		_, _ = admin.DeleteGroups(t.Context(), "shipping", "quoting")
		if _, err := admin.DeleteTopics(t.Context(), topics...); err != nil {
			t.Fatal(err)
		}
		listed, err := admin.ListTopics(t.Context(), topics...)
		groups, gerr := admin.ListGroups(t.Context())
		if err := errors.Join(err, gerr); err != nil || time.Now().After(until) {
			t.Fatal("the topics are still there", err)
		}
		none := true
		for _, topic := range topics {
			none = none && !listed.Has(topic)
		}
		if _, there := groups["shipping"]; none && !there {
			return
		}
		if err := pause(t.Context(), 200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

var turn = make(chan struct{}, 1)

// serially lets one test at a time use the running broker.
func serially(t *testing.T) {
	turn <- struct{}{}
	t.Cleanup(func() { <-turn })
}

func contract(t *testing.T, file string) *Contract {
	t.Helper()
	c, err := Load([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.NotJudged) > 0 {
		t.Fatal(c.NotJudged)
	}
	return c
}

// session returns a session of the documents of the shop.
func session(t *testing.T, broker, registry string) *Session {
	t.Helper()
	s, err := Connect(contract(t, "testdata/shop/asyncapi.yaml"), Config{
		Brokers: []string{broker}, Registry: registry, Patience: 4 * time.Second, Quiet: 400 * time.Millisecond,
		Rules: Rules{ID: "ce_id", Version: "version", Former: []*Contract{contract(t, "testdata/shop/former/asyncapi.yaml")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// open starts the shop, which stops when the test ends.
func open(t *testing.T, broker, registry, fault string) {
	t.Helper()
	c := contract(t, "testdata/shop/asyncapi.yaml")
	of := func(channel, message string) *avroCodec {
		return c.Channel(channel).Message(message).payload.(*avroCodec)
	}
	order, shipment := of("shop.orders.v1", "OrderPlaced"), of("shop.shipments.v1", "ShipmentPlanned")
	s := &shop{fault: fault, own: order.schema, shipment: shipment.schema, shipped: map[string]bool{}}
	var err error
	if s.registry, err = sr.NewClient(sr.URLs(registry)); err != nil {
		t.Fatal(err)
	}
	got, err := s.registry.CreateSchema(t.Context(), "shop.shipments.v1-shop.ShipmentPlanned", sr.Schema{Schema: shipment.text})
	if err != nil {
		t.Fatal(err)
	}
	s.id = got.ID
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	for group, topic := range map[string]string{"shipping": "shop.orders.v1", "quoting": "shop.prices.v1"} {
		client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		handle := s.ship
		if group == "quoting" {
			handle = quote
		}
		go func() {
			defer func() { client.Close(); done <- struct{}{} }()
			s.consume(ctx, client, handle)
		}()
	}
	t.Cleanup(func() { cancel(); <-done; <-done })
}

// errBlocked ends a consumer, as an endless retry would.
var errBlocked = errors.New("blocked")

func (s *shop) consume(ctx context.Context, client *kgo.Client, handle func(*shop, context.Context, *kgo.Client, *kgo.Record) error) {
	for ctx.Err() == nil {
		for it := client.PollFetches(ctx).RecordIter(); !it.Done(); {
			r := it.Next()
			err := handle(s, ctx, client, r)
			switch {
			case errors.Is(err, errBlocked):
				<-ctx.Done()
				return
			case err != nil && s.fault != "drops what it cannot read":
				s.letter(ctx, client, r, err)
			}
			if err := client.CommitRecords(ctx, r); err != nil {
				return
			}
		}
	}
}

// letter publishes a dead letter.
func (s *shop) letter(ctx context.Context, client *kgo.Client, r *kgo.Record, why error) {
	out := &kgo.Record{Topic: "shop.dlq.v1", Key: r.Key, Value: r.Value, Headers: []kgo.RecordHeader{{Key: "dl_topic", Value: []byte(r.Topic)}, {Key: "dl_error", Value: []byte(why.Error())}}}
	switch s.fault {
	case "dead letter without its reason":
		out.Headers = out.Headers[:1]
	case "dead letter without the frame":
		out.Value = out.Value[min(len(out.Value), 5):]
	case "dead letter under another key":
		out.Key = []byte("dead")
	case "two dead letters":
		client.ProduceSync(ctx, &kgo.Record{Topic: out.Topic, Key: out.Key, Value: out.Value, Headers: out.Headers})
	}
	client.ProduceSync(ctx, out)
}

func header(r *kgo.Record, name string) string { return fromKafka(r).Header(name) }

// ship plans a shipment for an order.
func (*shop) ship(s *shop, ctx context.Context, client *kgo.Client, r *kgo.Record) error {
	if header(r, "ce_type") == "shop.OrderCancelled" && s.fault != "dead letter of what it may ignore" {
		return nil
	}
	order, err := s.decode(ctx, r)
	if err != nil && s.fault == "blocks at what it cannot read" {
		return errBlocked
	}
	if err != nil {
		return err
	}
	s.seen++
	if s.fault == "dead letter of every second order" && s.seen%2 == 1 {
		return errors.New("it is an odd one")
	}
	id := header(r, "ce_id")
	if s.shipped[id] && s.fault != "ships twice" || s.fault == "ships nothing" {
		return nil
	}
	s.shipped[id] = true
	return s.plan(ctx, client, order, id)
}

func (s *shop) decode(ctx context.Context, r *kgo.Record) (map[string]any, error) {
	id, ok := frameID(r.Value)
	if !ok || header(r, "ce_type") != "shop.OrderPlaced" {
		return nil, errors.New("it is no order")
	}
	text, err := s.registry.SchemaTextByID(ctx, id)
	if err != nil {
		return nil, err
	}
	writer, err := avro.Parse(text)
	if err != nil {
		return nil, err
	}
	if s.fault == "reads its own version alone" && string(writer.Canonical()) != string(s.own.Canonical()) {
		return nil, errors.New("it is of another version")
	}
	resolved, err := avro.Resolve(writer, s.own)
	if err != nil {
		return nil, err
	}
	var order map[string]any
	rest, err := resolved.Decode(r.Value[5:], &order)
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes follow it")
	}
	return order, err
}

func (s *shop) plan(ctx context.Context, client *kgo.Client, order map[string]any, id string) error {
	body, err := s.shipment.Encode(map[string]any{"orderId": order["orderId"], "parcels": len(order["lines"].([]any))})
	if err != nil {
		return err
	}
	value, err := (&Message{Framing: Confluent}).frame(s.id, body)
	if err != nil {
		return err
	}
	headers := map[string]string{"ce_id": id + "-shipment", "ce_type": "shop.ShipmentPlanned", "ce_source": "shop"}
	out := &kgo.Record{Topic: "shop.shipments.v1", Key: []byte(fmt.Sprint(order["orderId"])), Value: value}
	switch s.fault {
	case "ships under another key":
		out.Key = []byte("O-0")
	case "ships without an id":
		delete(headers, "ce_id")
	case "ships twice":
		out.Value = append(out.Value[:len(out.Value)-1:len(out.Value)-1], byte(2*len(s.shipped)+2*s.seen))
	}
	for name := range maps.Keys(headers) {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: name, Value: []byte(headers[name])})
	}
	return client.ProduceSync(ctx, out).FirstErr()
}

// quote answers a request for a price.
func quote(s *shop, ctx context.Context, client *kgo.Client, r *kgo.Record) error {
	var request struct {
		Article  string
		Quantity int
	}
	if err := json.Unmarshal(r.Value, &request); err != nil || request.Article == "" {
		return errors.New("it is no request")
	}
	out := &kgo.Record{Topic: header(r, "replyTo"), Value: fmt.Appendf(nil, `{"article":%q,"cents":%d}`, request.Article, 625*request.Quantity)}
	id := header(r, "correlationId")
	switch s.fault {
	case "replies elsewhere":
		out.Topic = "shop.answers.v1"
	case "replies with another correlation id":
		id = "7"
	case "replies with a text for a number":
		out.Value = []byte(`{"article":"A-7","cents":"12.50"}`)
	}
	out.Headers = []kgo.RecordHeader{{Key: "correlationId", Value: []byte(id)}}
	if out.Topic == "" {
		return nil
	}
	return client.ProduceSync(ctx, out).FirstErr()
}
