package kafkatest

import (
	"fmt"
	"strings"
	"testing"
)

// judged returns every fault that the tests of a consumer find.
func judged(t *testing.T, s *Session) (faults []string) {
	t.Helper()
	ctx := t.Context()
	ship, orders := s.contract.Operation("ship"), s.contract.Channel("shop.orders.v1")
	of := func(v Verdict, err error) {
		if err != nil {
			faults = append(faults, err.Error())
		}
		faults = append(faults, v.Violations...)
	}
	order := func(n int) Sample { return Sample{Change: map[string]any{"orderId": fmt.Sprint("O-", n)}} }
	r, err := s.Record(ctx, orders, orders.Message("OrderPlaced"), order(1001))
	if err != nil {
		t.Fatal(err)
	}
	shipment := Want{Topic: "shop.shipments.v1", Message: "ShipmentPlanned", Match: func(v Verdict) bool { return v.Payload.(map[string]any)["orderId"] == "O-1001" }}
	of(s.Exchange(ctx, r, shipment))
	again, err := s.Record(ctx, orders, orders.Message("OrderPlaced"), order(1002))
	if err != nil {
		t.Fatal(err)
	}
	shipment.Match = func(v Verdict) bool { return v.Payload.(map[string]any)["orderId"] == "O-1002" }
	once, err := s.Once(ctx, ship, again, shipment)
	of(Verdict{}, err)
	if len(once) > 1 {
		faults = append(faults, fmt.Sprintf("an order that came twice has %d shipments", len(once)))
	}
	of(s.Request(ctx, s.contract.Operation("quote"), "PriceRequest", Sample{}))
	outcomes, err := s.Hostile(ctx, ship, "OrderPlaced", func(_ *Message, n int) Sample { return order(n + 1) })
	of(Verdict{}, err)
	for _, o := range outcomes {
		for _, f := range o.Faults {
			faults = append(faults, o.Kind+": "+f)
		}
	}
	return faults
}

func TestFaultyConsumers(t *testing.T) {
	for fault, want := range map[string]string{
		"":                                    "",
		"blocks at what it cannot read":       "empty value: the group shipping does not get past it in 4s: it blocks its partition",
		"drops what it cannot read":           "cut short: it has no dead letter on shop.dlq.v1",
		"dead letter without its reason":      "missing property 'dl_error'",
		"dead letter without the frame":       "its dead letter has another value",
		"dead letter under another key":       `its dead letter has the key "dead" instead of`,
		"two dead letters":                    "hostile length: it has 2 dead letters",
		"dead letter of every second order":   "it became a dead letter: dl_topic=shop.orders.v1, dl_error=it is an odd one",
		"dead letter of what it may ignore":   "message that the operation does not name: OrderCancelled: it became a dead letter",
		"reads its own version alone":         "version 1 of OrderPlaced: it became a dead letter",
		"ships nothing":                       "no ShipmentPlanned came within 4s",
		"ships under another key":             `key "O-0", but orderId is O-1001`,
		"ships without an id":                 "headers: ",
		"ships twice":                         "an order that came twice has 2 shipments",
		"replies elsewhere":                   "no reply with the correlation id",
		"replies with another correlation id": "no such reply with the correlation id",
		"replies with a text for a number":    "payload: ",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			broker, registry := places(t)
			open(t, broker, registry, fault)
			found := strings.Join(judged(t, session(t, broker, registry)), "\n")
			if want == "" && found != "" || !strings.Contains(found, want) {
				t.Errorf("found:\n%s\nwant: %s", found, want)
			}
		})
	}
}

// faultyRecords are faults of a producer: what becomes of a valid order, and what has to be said.
var faultyRecords = map[string]struct {
	want  string
	plant func(*Record)
}{
	"no key":                    {"the record has no key", func(r *Record) { r.Key = nil }},
	"key of another order":      {`key "O-8", but orderId is O-7`, func(r *Record) { r.Key = []byte("O-8") }},
	"key of another form":       {"key: ", func(r *Record) { r.Key = []byte("seven") }},
	"no id":                     {"missing property 'ce_id'", func(r *Record) { r.Headers = r.Headers[1:] }},
	"another source":            {"headers: ", func(r *Record) { set(r, "ce_source", "market") }},
	"unknown type":              {`no message with ce_type "shop.OrderLost"`, func(r *Record) { set(r, "ce_type", "shop.OrderLost") }},
	"type of another message":   {"is not the contract's schema of OrderCancelled", func(r *Record) { set(r, "ce_type", "shop.OrderCancelled") }},
	"no frame":                  {"does not start with magic byte 0", func(r *Record) { r.Value = r.Value[5:] }},
	"unknown schema id":         {"schema id 2147483647: ", func(r *Record) { copy(r.Value[1:], []byte{0x7f, 0xff, 0xff, 0xff}) }},
	"schema of another subject": {"not under shop.orders.v1-shop.OrderPlaced", nil},
	"another time unit":         {"is not the contract's schema of OrderPlaced", nil},
	"cut short":                 {"payload: ", func(r *Record) { r.Value = r.Value[:len(r.Value)-1] }},
	"more bytes":                {"2 bytes follow the payload", func(r *Record) { r.Value = append(r.Value, 1, 2) }},
	"tombstone":                 {"the value is null: a tombstone", func(r *Record) { r.Value = nil }},
	"version goes back":         {"version 1 of O-7 comes after version 3", func(r *Record) { set(r, "ce_id", "new") }},
	"same id, other value":      {"ce_id first is on two records with different values", func(r *Record) { set(r, "ce_id", "first") }},
}

func set(r *Record, name, value string) {
	for i, h := range r.Headers {
		if h.Name == name {
			r.Headers[i].Value = []byte(value)
		}
	}
}

func TestFaultyProducers(t *testing.T) {
	broker, registry := places(t)
	for name, tt := range faultyRecords {
		s := session(t, broker, registry)
		ctx, orders := t.Context(), s.contract.Channel("shop.orders.v1")
		// The topic is observed from here on, with a judge that remembers nothing.
		starts, err := s.ends(ctx, orders.Topic)
		if err != nil {
			t.Fatal(err)
		}
		good, err := s.Inject(ctx, orders, "OrderPlaced", Sample{Change: map[string]any{"orderId": "O-7", "version": Value("3")}, Headers: map[string]string{"ce_id": "first"}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Record(ctx, orders, orders.Message("OrderPlaced"), Sample{Change: map[string]any{"orderId": "O-7", "version": Value("1")}})
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "schema of another subject":
			id, err := s.schemaID(ctx, parsed(t, s, `"precision":12`, `"precision":13`), "shop.elsewhere")
			if err != nil {
				t.Fatal(err)
			}
			r.Value, _ = (&Message{Framing: Confluent}).frame(id, r.Value[5:])
		case "another time unit":
			id, err := s.schemaID(ctx, parsed(t, s, `"timestamp-micros"`, `"timestamp-millis"`), "shop.orders.v1-shop.OrderPlaced")
			if err != nil {
				t.Fatal(err)
			}
			r.Value, _ = (&Message{Framing: Confluent}).frame(id, r.Value[5:])
		default:
			tt.plant(&r)
		}
		if _, err := s.Send(ctx, r); err != nil {
			t.Fatal(err)
		}
		ends, err := s.ends(ctx, orders.Topic)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		err = s.read(ctx, starts, grown(starts, ends), func(r Record) bool {
			v := s.Judge.Judge(ctx, r)
			if r.Offset == good.Offset && r.Partition == good.Partition && len(v.Violations) > 0 {
				t.Errorf("%s: the good record: %q", name, v.Violations)
			}
			found = append(found, v.Violations...)
			return true
		})
		if text := strings.Join(found, "\n"); err != nil || !strings.Contains(text, tt.want) {
			t.Errorf("%s: found %q, want %q, %v", name, text, tt.want, err)
		}
	}
}

// parsed returns the schema of orders with another text in it.
func parsed(t *testing.T, s *Session, from, to string) *avroCodec {
	t.Helper()
	c := s.contract.Channel("shop.orders.v1").Message("OrderPlaced").payload.(*avroCodec)
	out, err := parseAvro(strings.ReplaceAll(c.text, from, to))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
