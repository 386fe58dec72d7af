package behaviour

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/golden/registered/gen/event"
	"github.com/deferpay/deferpay/tools/eventgen/golden/registered/gen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/golden/registered/gen/registeredbus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// doorman describes the messages of the document Registered.
type doorman struct{ got chan string }

func (d doorman) say(format string, args ...any) error {
	d.got <- fmt.Sprintf(format, args...)
	return nil
}

func (d doorman) Rang(_ context.Context, m *registeredbus.RangMessage) error {
	return d.say("rang %s", m.Value.Door)
}

func (d doorman) Noted(_ context.Context, m *registeredbus.NotedMessage) error {
	return d.say("noted %s", m.Value.Text)
}

func (d doorman) Counted(_ context.Context, m *registeredbus.CountedMessage) error {
	return d.say("counted %d", m.Value.N)
}

func (d doorman) Note(_ context.Context, m *registeredbus.NoteMessage) error {
	return d.say("note %s", m.Value.Note)
}

// TestFramedJSON sends Avro and JSON with the ids of their schemas on one channel.
func TestFramedJSON(t *testing.T) {
	broker, schemas, d := bustest.NewBroker(), bustest.NewRegistry(registeredbus.Subjects()...), doorman{make(chan string, 10)}
	t.Cleanup(func() { _ = broker.Close() })
	seen, watch := observer()
	runRouter(t, func(r *message.Router) error {
		return registeredbus.Register(r, broker, d, bus.WithRegistry(schemas), bus.WithDeadLetters(broker), quiet, watch)
	})
	pub := registeredbus.NewPublisher(broker, bus.SendWithRegistry(schemas))
	next := func(want string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if got := take(t, d.got); got != want {
			t.Errorf("got %q, not %q", got, want)
		}
		take(t, seen)
	}
	next("rang 3b", pub.Rang(t.Context(), event.Rang{Door: "3b"}, nil))
	next("noted shut", pub.Noted(t.Context(), payload.Noted{Text: "shut"}, nil))
	next("counted 7", pub.Counted(t.Context(), payload.Counted{N: 7}, nil))
	next("note in", pub.Note(t.Context(), payload.Note{Note: "in"}, nil))

	ms := broker.Messages(registeredbus.DoorsTopic)
	if got := string(ms[1].Payload); got != "\x00\x00\x00\x00\x02"+`{"kind":"noted","text":"shut"}` {
		t.Errorf("the payload is %q", got)
	}
	in := broker.Messages(registeredbus.NotesTopic)[0]
	if id, err := metadata.SchemaID(in.Metadata); string(in.Payload) != `{"note":"in"}` || err != nil || id != 4 {
		t.Errorf("the payload is %q with the id %d; %v", in.Payload, id, err)
	}

	foreign := func(schema, body string) error {
		id := schemas.Add(registry.Subject{Name: "x", Schema: schema})
		return broker.Publish(registeredbus.DoorsTopic, message.NewMessage("x", append([]byte{0, 0, 0, 0, byte(id)}, body...)))
	}
	next("noted again", foreign(`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}`, `{"kind":"noted","text":"again","later":1}`))
	next("counted 8", foreign(`{"type":"object"}`, `{"kind":"counted","n":8}`))
	refused := func(why string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if o := take(t, seen); o.Outcome != bus.DeadLettered || !errors.Is(o.Err, bus.ErrUnknownMessage) || !strings.Contains(o.Err.Error(), why) {
			t.Errorf("%+v was observed, not %q", o, why)
		}
	}
	refused("not Noted", foreign(`{"type":"object"}`, `{"kind":"other"}`))
	refused("registered.event.Strange", foreign(`{"type":"record","name":"registered.event.Strange","fields":[]}`, ""))
}

// TestFramedJSONWithoutRegistry reads JSON with an id. It needs no registry, because JSON does not
// need the schema that it was written with.
func TestFramedJSONWithoutRegistry(t *testing.T) {
	broker, d := bustest.NewBroker(), doorman{make(chan string, 10)}
	t.Cleanup(func() { _ = broker.Close() })
	runRouter(t, func(r *message.Router) error {
		return registeredbus.RegisterOnNotes(r, broker, d, bus.WithDeadLetters(broker), quiet)
	})
	m := message.NewMessage("x", []byte(`{"note":"n"}`))
	metadata.SetSchemaID(m.Metadata, 99)
	if err := broker.Publish(registeredbus.NotesTopic, m); err != nil {
		t.Fatal(err)
	}
	if got := take(t, d.got); got != "note n" {
		t.Errorf("got %q", got)
	}
}
