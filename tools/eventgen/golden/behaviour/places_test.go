package behaviour

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/google/uuid"

	"github.com/deferpay/deferpay/tools/eventgen/golden/places/gen/envelope"
	"github.com/deferpay/deferpay/tools/eventgen/golden/places/gen/event"
	"github.com/deferpay/deferpay/tools/eventgen/golden/places/gen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/golden/places/gen/placesbus"
	"github.com/deferpay/deferpay/tools/eventgen/golden/places/gen/placesclient"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
)

// responder answers every message. The runtime sets the ids of the answers.
type responder struct{}

func (responder) Ask(_ context.Context, m *placesbus.AskMessage) (placesbus.OnAskAnswer, error) {
	return placesbus.OnAskWithAnswer(payload.Answer{Text: m.Value.Question + "!"}, nil), nil
}

func (responder) Count(_ context.Context, m *placesbus.CountMessage) (placesbus.OnCountAnswer, error) {
	return placesbus.OnCountWithCounted(event.Counted{Total: int32(len(m.Value.What))}, nil), nil
}

func (responder) Look(_ context.Context, m *placesbus.LookMessage) (placesbus.OnLookAnswer, error) {
	return placesbus.OnLookWithSeen(payload.Seen{Value: m.Value.Value == "even"}, payload.SeenHeaders{}), nil
}

func respond(t *testing.T, options ...bus.ReceiveOption) *gochannel.GoChannel {
	return pubsub(t, func(r *message.Router, ch *gochannel.GoChannel) error {
		return placesbus.Register(r, ch, responder{}, append(options, bus.WithAnswers(ch), quiet)...)
	})
}

// atOnce calls f eight times concurrently and returns the results, sorted.
func atOnce(f func(i int) string) string {
	out := make([]string, 8)
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() { out[i] = f(i) })
	}
	wg.Wait()
	slices.Sort(out)
	return strings.Join(out, ",")
}

// TestCorrelationDeepInside: an id deep in a payload or a header is set together with the objects
// around it, and leads each answer to its question. Values that the caller shares are not changed.
func TestCorrelationDeepInside(t *testing.T) {
	ch := respond(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := placesclient.NewRequester(ch, ch)
	defer r.Close()
	meta := &payload.Meta{Answer: &payload.MetaAnswer{To: "answers", Within: 5}}
	got := atOnce(func(i int) string {
		a, err := r.OnAsk(ctx, payload.Ask{Question: fmt.Sprint(i), Meta: meta}, nil)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(a.Value.Text, " on ", a.Topic)
	})
	if want := "0! on answers,1! on answers,2! on answers,3! on answers,4! on answers,5! on answers,6! on answers,7! on answers"; got != want {
		t.Errorf("got %s", got)
	}
	if meta.Trace.Set || meta.Answer.To != "answers" {
		t.Errorf("the value of the caller was changed: %+v", meta)
	}
	// Without a reply address the answer is sent to that of its channel: meta.answer cannot be
	// made, because it has another required member.
	if a, err := r.OnAsk(ctx, payload.Ask{Question: "where"}, nil); err != nil || a.Topic != placesclient.AnswerTopic {
		t.Errorf("got %+v, %v", a, err)
	}
	got = atOnce(func(i int) string {
		a, err := r.OnLook(ctx, payload.Look{Value: []string{"even", "odd"}[i%2]}, payload.LookHeaders{Mq: &payload.LookHeadersMq{Md: &payload.LookHeadersMqMd{Priority: jsonvalue.Ptr(int64(i))}}})
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(i%2, " ", a.Value.Value)
	})
	if want := "0 true,0 true,0 true,0 true,1 false,1 false,1 false,1 false"; got != want {
		t.Errorf("got %s", got)
	}
}

// TestCorrelationByNumber: the caller must set an id that is a number. The answers repeat it.
func TestCorrelationByNumber(t *testing.T) {
	ch := respond(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := placesclient.NewRequester(ch, ch)
	defer r.Close()
	got := atOnce(func(i int) string {
		a, err := r.OnCount(ctx, event.Count{What: strings.Repeat("x", i), Envelope: &envelope.Envelope{IDs: envelope.IDs{Number: int64(i + 1)}}}, nil)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(a.Value.Total, " for ", a.Value.Of.Number)
	})
	if want := "0 for 1,1 for 2,2 for 3,3 for 4,4 for 5,5 for 6,6 for 7,7 for 8"; got != want {
		t.Errorf("got %s", got)
	}
	if _, err := r.OnCount(ctx, event.Count{What: "x"}, nil); !bus.IsPermanent(err) || !strings.Contains(err.Error(), "$message.payload#/envelope/ids/number is not set") {
		t.Errorf("without a number: got %v", err)
	}
}

// TestCorrelationDoesNotFit: if the answer cannot hold the id, an error is observed and no answer
// is sent.
func TestCorrelationDoesNotFit(t *testing.T) {
	seen, watch := observer()
	ch := respond(t, watch)
	short, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	r := placesclient.NewRequester(ch, ch)
	defer r.Close()
	go func() {
		_, err := r.OnAsk(short, payload.Ask{Question: "?", Meta: &payload.Meta{Trace: jsonvalue.Some(&payload.MetaTrace{ID: jsonvalue.Ptr("no UUID")})}}, nil)
		done <- err
	}()
	if o := take(t, seen); o.Outcome != bus.Retrying || !bus.IsPermanent(o.Err) || !strings.Contains(o.Err.Error(), `$message.payload#/to/request is not set, and cannot be set to "no UUID"`) {
		t.Errorf("observed %+v", o)
	}
	cancel()
	if err := take(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// sales receives the parameters of the topic of each message.
type sales chan placesclient.SalesParams

func (s sales) Sold(_ context.Context, m *placesclient.SoldMessage) error {
	at, err := placesclient.ParseSalesParams(m.Topic)
	s <- at
	return err
}

// TestParametersDeepInside: parameters that the caller does not set are read from the payload and
// the headers. A missing one is an error.
func TestParametersDeepInside(t *testing.T) {
	id := uuid.MustParse("123e4567-e89b-12d3-a456-426614174000")
	batch := avrobin.UUID(id)
	got := make(sales, 1)
	ch := pubsub(t, func(r *message.Router, ch *gochannel.GoChannel) error {
		return placesclient.Register(r, ch, []string{"sales.SOUTH.s-1.40." + id.String(), "sales.NORTH.s-2.0.b"}, got, quiet)
	})
	p := placesbus.NewPublisher(ch)
	whole := event.Sold{Batch: &batch, Customer: event.Customer{Size: jsonvalue.Ptr(int64(40)), Address: &event.Address{Region: event.RegionSouth}}}
	shop := func(id string) payload.SoldHeaders {
		return payload.SoldHeaders{Origin: &payload.SoldHeadersOrigin{Shop: &payload.SoldHeadersOriginShop{ID: jsonvalue.Some(&id)}}}
	}
	if err := p.Sold(t.Context(), placesbus.SalesParams{}, whole, shop("s-1")); err != nil {
		t.Fatal(err)
	}
	if at := take(t, got); at != (placesclient.SalesParams{Region: "SOUTH", Shop: "s-1", Size: "40", Batch: id.String()}) {
		t.Errorf("got %+v", at)
	}
	if err := p.Sold(t.Context(), placesbus.SalesParams{Region: "NORTH", Size: "0", Batch: "b"}, whole, shop("s-2")); err != nil {
		t.Fatal(err)
	}
	if at := take(t, got); at.Region != "NORTH" || at.Size != "0" {
		t.Errorf("got %+v", at)
	}
	err := p.Sold(t.Context(), placesbus.SalesParams{}, event.Sold{}, payload.SoldHeaders{})
	for _, name := range []string{"region", "shop", "size", "batch"} {
		if !bus.IsPermanent(err) || !strings.Contains(err.Error(), "parameter "+name+" is empty") {
			t.Errorf("without %s: got %v", name, err)
		}
	}
}
