package behaviour

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/deferpay/deferpay/tools/eventgen/golden/desks/gen/desksbus"
	"github.com/deferpay/deferpay/tools/eventgen/golden/desks/gen/desksclient"
	"github.com/deferpay/deferpay/tools/eventgen/golden/desks/gen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// clerk answers with the topic of the question.
type clerk struct{}

func (clerk) Ask(_ context.Context, m *desksbus.AskMessage) (desksbus.OnAskAnswer, error) {
	return desksbus.OnAskWithTold(payload.Told{A: m.Value.Q + " on " + m.Topic}, nil), nil
}

func (clerk) Wish(_ context.Context, m *desksbus.WishMessage) (desksbus.OnWishAnswer, error) {
	return desksbus.OnWishWithGranted(payload.Granted{Value: m.Value.W}, nil), nil
}

func (clerk) Ring(_ context.Context, m *desksbus.RingMessage) (desksbus.OnRingAnswer, error) {
	return desksbus.OnRingWithEcho(payload.Echo{Value: m.Value.Value + m.Value.Value}, nil), nil
}

// TestReplyWithoutAddress rings. The document has no address for the answer, so each requester has
// its own, which the request contains.
func TestReplyWithoutAddress(t *testing.T) {
	ch := pubsub(t, func(r *message.Router, ch *gochannel.GoChannel) error {
		return desksbus.RegisterOnRing(r, ch, clerk{}, bus.WithAnswers(ch), quiet)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, own := range []string{"echo.of.one", "echo.of.two"} {
		r := desksclient.NewRequester(ch, ch, bus.SendWithReplyTo(own))
		defer r.Close()
		echo, err := r.OnRing(ctx, payload.Ring{Value: "ding"}, nil)
		if err != nil || echo.Value.Value != "dingding" || echo.Topic != own {
			t.Errorf("%s: %+v, %v", own, echo, err)
		}
	}
	nowhere := desksclient.NewRequester(ch, ch)
	defer nowhere.Close()
	if _, err := nowhere.OnRing(ctx, payload.Ring{Value: "ding"}, nil); !bus.IsPermanent(err) {
		t.Errorf("a request without an address for its answer: %v", err)
	}
}

// TestReplyOnParametrisedAddress asks at several desks. Each answer is on the topic of its
// question, or on that of another channel with a parameter of the question.
func TestReplyOnParametrisedAddress(t *testing.T) {
	topics := []string{"desk.a.ground", "desk.b.first"}
	ch := pubsub(t, func(r *message.Router, ch *gochannel.GoChannel) error {
		if err := desksbus.RegisterOnAsk(r, ch, topics, clerk{}, bus.WithAnswers(ch), quiet); err != nil {
			return err
		}
		return desksbus.RegisterOnWish(r, ch, topics, clerk{}, bus.WithAnswers(ch), quiet)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := desksclient.NewRequester(ch, ch)
	defer r.Close()
	for _, at := range []desksclient.DeskParams{{ID: "a", Floor: desksclient.DeskFloorGround}, {ID: "b", Floor: desksclient.DeskFloorFirst}} {
		topic := fmt.Sprintf("desk.%s.%s", at.ID, at.Floor)
		told, err := r.OnAsk(ctx, at, payload.Ask{Q: "when"}, nil)
		if err != nil || told.Value.A != "when on "+topic || told.Topic != topic {
			t.Errorf("asked at %s: %+v, %v", topic, told, err)
		}
		granted, err := r.OnWish(ctx, at, payload.Wish{W: "peace"}, nil)
		if err != nil || granted.Value.Value != "peace" || granted.Topic != "granted."+at.ID {
			t.Errorf("wished at %s: %+v, %v", topic, granted, err)
		}
	}
	if _, err := r.OnAsk(ctx, desksclient.DeskParams{ID: "c", Floor: "second"}, payload.Ask{Q: "when"}, nil); err == nil {
		t.Error("a question went to a floor that there is not")
	}
}
