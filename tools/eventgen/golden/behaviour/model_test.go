package behaviour

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/deferpay/deferpay/tools/eventgen/golden/model/gen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/golden/model/gen/modelbus"
	"github.com/deferpay/deferpay/tools/eventgen/golden/model/gen/modelclient"
	"github.com/deferpay/deferpay/tools/eventgen/golden/model/gen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
)

// pubsub returns a gochannel. Until the test ends, a router runs what register adds to it.
func pubsub(t *testing.T, register func(*message.Router, *gochannel.GoChannel) error) *gochannel.GoChannel {
	t.Helper()
	ch := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 16}, watermill.NopLogger{})
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	if err := register(router, ch); err != nil {
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
	return ch
}

var quiet = bus.WithLogger(slog.New(slog.DiscardHandler))

// oracle answers questions. It refuses some and does not answer others.
type oracle struct{}

func (oracle) Ask(_ context.Context, m *modelbus.AskMessage) (modelbus.OnAskAnswer, error) {
	switch m.Value.Question {
	case "why":
		return modelbus.OnAskWithRefusal(payload.Refusal{Reason: "no reason"}, payload.TracedHeaders{}), nil
	case "nothing":
		return modelbus.OnAskAnswer{}, nil
	}
	return modelbus.OnAskWithAnswer(payload.Answer{Answer: m.Value.Question + "!"}, payload.TracedHeaders{Trace: &payload.AskHeadersTrace{Hops: jsonvalue.Ptr(int64(1))}}), nil
}

func TestRequestAndReply(t *testing.T) {
	ch := pubsub(t, func(r *message.Router, ch *gochannel.GoChannel) error {
		if err := modelbus.Register(r, ch, oracle{}); err == nil || !strings.Contains(err.Error(), "bus.WithAnswers") {
			t.Errorf("without a publisher of answers: got %v", err)
		}
		return modelbus.Register(r, ch, oracle{}, bus.WithAnswers(ch), quiet)
	})
	r := modelclient.NewRequester(ch, ch, bus.SendWithReplyTo("answers.of.this.test"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	results := make(chan string)
	for i := range 8 { // concurrently: each gets its own answer
		go func() {
			a, err := r.OnAsk(ctx, payload.Ask{Question: fmt.Sprint(i)}, payload.AskHeaders{Urgent: jsonvalue.Ptr(true)})
			if err != nil || a.Answer == nil {
				results <- fmt.Sprint(a, err)
				return
			}
			results <- fmt.Sprintf("%d %s %d", i, a.Answer.Value.Answer, *a.Answer.Headers.Trace.Hops)
		}()
	}
	var got []string
	for range 8 {
		got = append(got, <-results)
	}
	slices.Sort(got)
	if want := "0 0! 1,1 1! 1,2 2! 1,3 3! 1,4 4! 1,5 5! 1,6 6! 1,7 7! 1"; strings.Join(got, ",") != want {
		t.Errorf("got %v", got)
	}
	// The requester may set the reply address and the id itself.
	a, err := r.OnAsk(ctx, payload.Ask{Question: "why"}, payload.AskHeaders{ReplyTo: jsonvalue.Ptr("elsewhere"), Trace: &payload.AskHeadersTrace{ID: jsonvalue.Ptr("mine")}})
	if err != nil || a.Refusal == nil || a.Refusal.Value.Reason != "no reason" || a.Refusal.Topic != "elsewhere" || *a.Refusal.Headers.Trace.ID != "mine" {
		t.Errorf("got %+v, %v", a, err)
	}
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := r.OnAsk(short, payload.Ask{Question: "nothing"}, payload.AskHeaders{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without an answer: got %v", err)
	}
	if _, err := r.OnAsk(ctx, payload.Ask{}, payload.AskHeaders{}); !bus.IsPermanent(err) {
		t.Errorf("an invalid question: got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.OnAsk(ctx, payload.Ask{Question: "late"}, payload.AskHeaders{}); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
	nowhere := modelclient.NewRequester(ch, ch)
	defer nowhere.Close()
	if _, err := nowhere.OnAsk(ctx, payload.Ask{Question: "where"}, payload.AskHeaders{}); err == nil || !strings.Contains(err.Error(), "bus.SendWithReplyTo") {
		t.Errorf("without a reply address: got %v", err)
	}
}

// notes handles every message that the owner sends, and describes it.
type notes chan string

func (n notes) Measured(_ context.Context, m *modelclient.MeasuredMessage) error {
	at, err := modelclient.ParseLightsParams(m.Topic)
	n <- fmt.Sprintf("measured %d at %s %s %v", m.Value.Lumens, at.Street, at.Kind, err)
	return nil
}

func (n notes) NoteAnywhere(_ context.Context, m *modelclient.NoteAnywhereMessage) error {
	n <- "note " + m.Value.Value + " on " + m.Topic
	return nil
}

func (n notes) Red(_ context.Context, m *modelclient.RedMessage) error {
	n <- "red " + m.Value.Red
	return nil
}

func (n notes) Blue(_ context.Context, m *modelclient.BlueMessage) error {
	n <- fmt.Sprint("blue ", m.Value.Blue)
	return nil
}

func (n notes) Ping(context.Context, *modelclient.PingMessage) error {
	n <- "ping"
	return nil
}

func (n notes) Numbered(_ context.Context, m *modelclient.NumberedMessage) error {
	n <- fmt.Sprint("numbered ", m.Key+1, " ", m.Value.Value)
	return nil
}

func (n notes) Placed(_ context.Context, m *modelclient.PlacedMessage) error {
	n <- fmt.Sprint("placed ", m.Key.X, " ", m.Key.Y, " ", m.Value.Value)
	return nil
}

func (n notes) Recorded(_ context.Context, m *modelclient.RecordedMessage) error {
	n <- fmt.Sprint("recorded ", m.Key.ID, " ", m.Value.N)
	return nil
}

func TestAddressesKeysAndDispatch(t *testing.T) {
	got := make(notes, 16)
	schemas := bustest.NewRegistry(modelbus.Subjects()...)
	outcomes, watch := observer()
	ch := pubsub(t, func(r *message.Router, ch *gochannel.GoChannel) error {
		options := []bus.ReceiveOption{quiet, bus.WithRegistry(schemas), watch}
		if err := modelclient.RegisterWrite(r, ch, nil, got, options...); err == nil {
			t.Error("an operation was registered without a topic")
		}
		return errors.Join(
			modelclient.RegisterMeasure(r, ch, []string{"lights/Main/lamp", "lights/Main/sign"}, got, options...),
			modelclient.RegisterWrite(r, ch, []string{"notes"}, got, options...),
			modelclient.RegisterMix(r, ch, got, options...),
			modelclient.RegisterKey(r, ch, got, options...))
	})
	p, ctx := modelbus.NewPublisher(ch, bus.SendWithRegistry(schemas)), t.Context()
	for _, c := range []struct {
		send func() error
		want string // empty: it is refused
	}{
		{func() error {
			return p.Measured(ctx, modelbus.LightsParams{}, payload.Measured{Street: "Main", Lumens: 7}, nil)
		}, "measured 7 at Main lamp <nil>"},
		{func() error {
			return p.Measured(ctx, modelbus.LightsParams{Street: "Main", Kind: modelbus.LightsKindSign}, payload.Measured{Street: "Other", Lumens: 8}, nil)
		}, "measured 8 at Main sign <nil>"},
		{func() error {
			return p.Measured(ctx, modelbus.LightsParams{Kind: "bulb"}, payload.Measured{Street: "Main"}, nil)
		}, ""},
		{func() error { return p.Measured(ctx, modelbus.LightsParams{}, payload.Measured{}, nil) }, ""},
		{func() error {
			return p.NoteAnywhere(ctx, "notes", payload.Note{Value: "hello"})
		}, "note hello on notes"},
		{func() error { return p.NoteAnywhere(ctx, "", payload.Note{Value: "hello"}) }, ""},
		{func() error { return p.Red(ctx, payload.Red{Red: "r"}, nil) }, "red r"},
		{func() error { return p.Blue(ctx, payload.Blue{Blue: 3}, nil) }, "blue 3"},
		{func() error { return p.Ping(ctx, nil) }, "ping"},
		{func() error { return p.Numbered(ctx, 41, payload.Numbered{Value: "x"}, nil) }, "numbered 42 x"},
		{func() error { return p.Placed(ctx, payload.PlacedKey{X: 1, Y: -2}, payload.Placed{Value: 5}, nil) }, "placed 1 -2 5"},
		{func() error { return p.Recorded(ctx, avro.RecordedKey{ID: 9}, avro.Recorded{N: 4}, nil) }, "recorded 9 4"},
	} {
		err := c.send()
		if c.want == "" {
			if !bus.IsPermanent(err) {
				t.Errorf("it was not refused: got %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		if s := <-got; s != c.want {
			t.Errorf("got %s, want %s", s, c.want)
		}
		if o := <-outcomes; o.Outcome != bus.Handled {
			t.Errorf("%s: %+v", c.want, o)
		}
	}
	body := message.Payload(`{"red":"r","blue":1}`)
	if err := ch.Publish("mixed", message.NewMessage("both", body)); err != nil {
		t.Fatal(err)
	}
	if o := <-outcomes; !errors.Is(o.Err, bus.ErrUnknownMessage) || !strings.Contains(o.Err.Error(), "it can be both Red and Blue") {
		t.Errorf("a message that is two: got %+v", o)
	}
}

func (n notes) NoteStreets(_ context.Context, m *modelclient.NoteStreetsMessage) error {
	n <- "note " + m.Value.Value + " on " + m.Topic
	return nil
}

func (n notes) Warm(_ context.Context, m *modelclient.WarmMessage) error {
	n <- fmt.Sprint("warm ", m.Headers.Station, " ", m.Value.Degrees)
	return nil
}

func (n notes) Cold(_ context.Context, m *modelclient.ColdMessage) error {
	n <- fmt.Sprint("cold ", m.Headers.Kind, " ", m.Value.Degrees)
	return nil
}

func (n notes) Windy(_ context.Context, m *modelclient.WindyMessage) error {
	n <- fmt.Sprint("windy ", m.Headers.Kind, " ", m.Value.Degrees)
	return nil
}

// TestConstantsDeepInside distinguishes messages of one schema by constants in parts of an allOf
// and in objects inside a header.
func TestConstantsDeepInside(t *testing.T) {
	got := make(notes, 16)
	outcomes, watch := observer()
	ch := pubsub(t, func(r *message.Router, ch *gochannel.GoChannel) error {
		return modelclient.RegisterTell(r, ch, got, quiet, watch)
	})
	p, ctx := modelbus.NewPublisher(ch), t.Context()
	for want, err := range map[string]error{
		"warm s-1 30":    p.Warm(ctx, payload.Degrees{Degrees: 30}, payload.WarmHeaders{Station: "s-1"}),
		"cold cold -1":   p.Cold(ctx, payload.Degrees{Degrees: -1}, payload.ColdHeaders{Station: "s-1", Kind: payload.ColdHeadersKindCold}),
		"windy cold -2":  p.Windy(ctx, payload.Degrees{Degrees: -2}, payload.Blowing{Kind: payload.BlowingKindCold}),
		"windy windy -3": p.Windy(ctx, payload.Degrees{Degrees: -3}, payload.Blowing{Kind: payload.BlowingKindWindy}),
	} {
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
	}
	var all []string
	for range 4 {
		all = append(all, take(t, got))
		take(t, outcomes)
	}
	slices.Sort(all)
	if s := strings.Join(all, ","); s != "cold cold -1,warm s-1 30,windy cold -2,windy windy -3" {
		t.Errorf("got %s", s)
	}
	neither := message.NewMessage("x", []byte(`{"degrees":1}`))
	neither.Metadata["kind"], neither.Metadata["about"] = "cold", `{"what":{"wind":"some"}}`
	if err := ch.Publish(modelclient.ToldTopic, neither); err != nil {
		t.Fatal(err)
	}
	if o := take(t, outcomes); !errors.Is(o.Err, bus.ErrUnknownMessage) {
		t.Errorf("a message that is neither: got %+v", o)
	}
}

// TestTopicsOfAddresses: the topics of an address are known if each of its parameters has an
// enum.
func TestTopicsOfAddresses(t *testing.T) {
	var names []string
	for _, topic := range modelbus.Topics() {
		names = append(names, topic.Name)
		if at, err := modelbus.ParseStreetsParams(topic.Name); err == nil {
			if same, err := at.Topic(); err != nil || same != topic.Name || topic.Partitions != 2 || len(topic.Configs) != 1 {
				t.Errorf("%+v: %s, %v", topic, same, err)
			}
		}
	}
	if want := "questions mixed streets.paris.lamp streets.paris.sign streets.lyon.lamp streets.lyon.sign told keyed"; strings.Join(names, " ") != want {
		t.Errorf("got %s", names)
	}
}

func TestServers(t *testing.T) {
	s := modelbus.Servers()
	for i, want := range []string{"kafka.eu.example.com:9092", "mqtt.example.com/v1"} {
		if got, err := s[i].Address(nil); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if got, err := s[0].Address(map[string]string{"zone": "us"}); err != nil || got != "kafka.us.example.com:9092" {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := s[0].Address(map[string]string{"zone": "mars"}); err == nil {
		t.Error("a value that is not in the enum was accepted")
	}
	if s[0].Registry != "https://registry.example.com" || s[0].Vendor != "apicurio" {
		t.Errorf("got %+v", s[0])
	}
}

// TestConstantHeaders sends a message whose only header has one value. The caller does not name it,
// and it is sent.
func TestConstantHeaders(t *testing.T) {
	broker := bustest.NewBroker()
	defer broker.Close()
	if err := modelbus.NewPublisher(broker).NoteAnywhere(t.Context(), "notes", payload.Note{Value: "hello"}); err != nil {
		t.Fatal(err)
	}
	if m := broker.Messages("notes"); len(m) != 1 || m[0].Metadata["kind"] != "note" {
		t.Errorf("got %v", m)
	}
}
