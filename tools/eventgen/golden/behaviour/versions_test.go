package behaviour

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	independent "github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/eventgen/golden/depot/gen/depotbus"
	"github.com/deferpay/deferpay/tools/eventgen/golden/depot/gen/log"
	"github.com/deferpay/deferpay/tools/eventgen/golden/depot/gen/talk"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/singleobject"
)

type object = map[string]any

// versions returns the listed versions of a message of the depot.
func versions(t *testing.T, file string) []json.RawMessage {
	t.Helper()
	data, err := os.ReadFile("../depot/versions/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// written returns a value as an independent codec writes it in the single-object encoding.
func written(t *testing.T, schema string, value any) []byte {
	t.Helper()
	s, err := independent.Parse(schema)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.AppendSingleObject(nil, value)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// movedCases are messages in their former versions, and what they are in the present one.
var movedCases = []struct {
	name    string
	version int
	value   object
	want    log.Moved
}{
	{"first version", 0,
		object{"article": "A-1", "count": int32(3), "reason": "BROKEN", "price": object{"amount": int32(250)}, "note": "gone", "to": "yard", "weight": float32(0.5)},
		log.Moved{Reason: log.ReasonBroken, Article: "A-1", Quantity: 3, Price: log.Price{Amount: 250, Currency: "EUR"}, To: log.MovedToString{Value: "yard"},
			Weight: 0.5, At: time.Unix(0, 0).UTC()}},
	{"first version, a symbol that is gone and null", 0,
		object{"article": "A-2", "count": int32(-1), "reason": "LOST", "price": object{"amount": int32(0)}, "note": "", "to": nil, "weight": float32(2)},
		log.Moved{Reason: log.ReasonUnknown, Article: "A-2", Quantity: -1, Price: log.Price{Currency: "EUR"}, Weight: 2, At: time.Unix(0, 0).UTC()}},
	{"second version", 1,
		object{"article": "A-3", "quantity": int64(1) << 40, "reason": "SOLD", "price": object{"amount": int64(7), "currency": "CHF"}, "to": object{"row": int32(4)},
			"parts": []any{object{"amount": int64(1), "currency": "USD"}}, "weight": 1.25},
		log.Moved{Reason: log.ReasonSold, Article: "A-3", Quantity: 1 << 40, Price: log.Price{Amount: 7, Currency: "CHF"}, To: &log.Shelf{Row: 4}, Weight: 1.25,
			Parts: []log.Price{{Amount: 1, Currency: "USD"}}, At: time.Unix(0, 0).UTC()}},
}

func TestFormerVersions(t *testing.T) {
	list := versions(t, "Moved.json")
	for _, c := range movedCases {
		t.Run(c.name, func(t *testing.T) {
			data := written(t, string(list[c.version]), c.value)
			got, err := depotbus.DecodeLog(data)
			if err != nil {
				t.Fatal(err)
			}
			moved, ok := got.(*log.Moved)
			if !ok {
				t.Fatalf("decoded as %T", got)
			}
			if !reflect.DeepEqual(*moved, c.want) {
				t.Errorf("got  %+v\nwant %+v", *moved, c.want)
			}
			for i := range data {
				if got, err := depotbus.DecodeLog(data[:i]); err == nil {
					t.Errorf("%d of %d bytes decode as %v", i, len(data), got)
				}
			}
		})
	}
}

func TestFormerVersionInDocument(t *testing.T) {
	m, err := depotbus.DecodeMark(written(t, `{"type": "record", "name": "Mark", "namespace": "depot.log", "fields": [{"name": "at", "type": "int"}]}`, object{"at": int32(7)}))
	if err != nil || m.At != 7 {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestPresentVersionIsWritten(t *testing.T) {
	in := &log.Counted{Article: "A-1", Label: avrobin.Ptr("spring")}
	b, err := depotbus.EncodeLog(in)
	if err != nil {
		t.Fatal(err)
	}
	if fp, _, err := avrobin.CutSingleObject(b); fp != log.FingerprintOfCounted || err != nil {
		t.Errorf("written with the fingerprint %016x, %v", fp, err)
	}
	if got, err := depotbus.DecodeLog(b); err != nil || !reflect.DeepEqual(got, depotbus.Log(in)) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestUnknownVersion(t *testing.T) {
	later := written(t, `{"type": "record", "name": "Counted", "namespace": "depot.log", "fields": [{"name": "article", "type": "string"}, {"name": "later", "type": "int"}]}`,
		object{"article": "A-1", "later": int32(1)})
	if got, err := depotbus.DecodeLog(later); !errors.Is(err, singleobject.ErrUnknown) || got != nil {
		t.Errorf("a later version: got %v, %v", got, err)
	}
	if got, err := depotbus.DecodeMark(later); !errors.Is(err, singleobject.ErrUnknown) || got != nil {
		t.Errorf("another message: got %v, %v", got, err)
	}
	damaged := written(t, string(versions(t, "Moved.json")[0]), movedCases[0].value)
	if _, err := depotbus.DecodeLog(damaged[:12]); err == nil || errors.Is(err, singleobject.ErrUnknown) || !errors.Is(err, avrobin.ErrMalformed) {
		t.Errorf("a damaged message: got %v", err)
	}
}

// depot notes what a handler of the depot gets.
type depot struct {
	moved chan log.Moved
	said  chan talk.Announced
}

func (d *depot) Moved(_ context.Context, m *depotbus.MovedMessage) error {
	d.moved <- m.Value
	return nil
}

func (d *depot) Announced(_ context.Context, m *depotbus.AnnouncedMessage) error {
	d.said <- m.Value
	return nil
}

// TestFormerVersionsOnTheBus sends messages of former versions to an operation.
func TestFormerVersionsOnTheBus(t *testing.T) {
	broker, schemas := bustest.NewBroker(), bustest.NewRegistry(depotbus.Subjects()...)
	former := string(versions(t, "Announced.json")[0])
	id := schemas.Add(registry.Subject{Name: "depot.announcements.v1-depot.event.Announced", Schema: former})
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	d := &depot{make(chan log.Moved, 1), make(chan talk.Announced, 1)}
	if err := depotbus.Register(router, broker, d, bus.WithRegistry(schemas), bus.WithDeadLetters(broker), bus.WithLogger(slog.New(slog.DiscardHandler))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan error)
	go func() { done <- router.Run(ctx) }()
	<-router.Running()
	send := func(topic string, payload []byte) {
		if err := broker.Publish(topic, message.NewMessage("", payload)); err != nil {
			t.Fatal(err)
		}
	}
	send(depotbus.MovesTopic, written(t, string(versions(t, "Moved.json")[1]), movedCases[2].value))
	send(depotbus.AnnouncementsTopic, avrobin.AppendString(avrobin.AppendConfluentHeader(nil, uint32(id)), "closed today"))
	select {
	case got := <-d.moved:
		if !reflect.DeepEqual(got, movedCases[2].want) {
			t.Errorf("got  %+v\nwant %+v", got, movedCases[2].want)
		}
	case <-ctx.Done():
		t.Error("the move was not handled")
	}
	select {
	case got := <-d.said:
		if got.Text != "closed today" || got.Loud {
			t.Errorf("got %+v", got)
		}
	case <-ctx.Done():
		t.Error("the announcement, whose record had another name, was not handled")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	broker.Close()
}

// TestUnknownIsNotWritten: generated with -refuse-unknown, the default symbol of an enum is read
// and not written.
func TestUnknownIsNotWritten(t *testing.T) {
	for reason, ok := range map[log.Reason]bool{log.ReasonUnknown: false, log.ReasonSold: true, "OTHER": false} {
		if err := reason.Validate(); (err == nil) != ok {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
