package behaviour

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/deferpay/deferpay/tools/eventgen/golden/payments/gen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/golden/payments/gen/paymentsbus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// cashier records the messages that it handles.
type cashier struct {
	mu      sync.Mutex
	taken   []payload.Taken
	refused []payload.PaymentRefused
	rates   []payload.Rates
	got     chan struct{}
}

func (c *cashier) note(add func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	add()
	c.got <- struct{}{}
	return nil
}

func (c *cashier) PaymentTaken(_ context.Context, m *paymentsbus.PaymentTakenMessage) error {
	return c.note(func() { c.taken = append(c.taken, m.Value) })
}

func (c *cashier) PaymentRefused(_ context.Context, m *paymentsbus.PaymentRefusedMessage) error {
	return c.note(func() { c.refused = append(c.refused, m.Value) })
}

func (c *cashier) Rates(_ context.Context, m *paymentsbus.RatesMessage) error {
	return c.note(func() { c.rates = append(c.rates, m.Value) })
}

// TestJSON sends JSON payloads. They are checked, distinguished and decoded; one that does not
// conform to its schema is dead-lettered with the path of the fault.
func TestJSONPayloads(t *testing.T) {
	broker := bustest.NewBroker()
	c := &cashier{got: make(chan struct{}, 10)}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	if err := paymentsbus.Register(router, broker, c, bus.WithDeadLetters(broker), bus.WithLogger(slog.New(slog.DiscardHandler))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	done := make(chan error)
	go func() { done <- router.Run(ctx) }()
	<-router.Running()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	}()
	pub := paymentsbus.NewPublisher(broker)
	example := paymentsbus.ExamplePaymentTaken()
	key := paymentsbus.PaymentKey(example.PaymentID.String())
	if err := pub.PaymentTaken(ctx, key, example, paymentsbus.EventHeaders{}); err != nil {
		t.Fatal(err)
	}
	if err := pub.PaymentRefused(ctx, "p", payload.PaymentRefused{PaymentID: "p", Reason: payload.PaymentRefusedReasonNoFunds}, paymentsbus.EventHeaders{}); err != nil {
		t.Fatal(err)
	}
	if err := pub.Rates(ctx, payload.Rates{Value: []payload.Rate{{Currency: payload.RateCurrencyChf, Rate: 0.93}}}, bus.Headers{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		select {
		case <-c.got:
		case <-ctx.Done():
			t.Fatal("not all messages arrived")
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if card, ok := c.taken[0].Means.(*payload.Card); !ok || card.LastFour != "4242" || *c.taken[0].Currency != "EUR" || !c.taken[0].Note.Set || c.taken[0].Note.Value != nil {
		t.Errorf("taken: %+v", c.taken[0])
	}
	if c.refused[0].Reason != payload.PaymentRefusedReasonNoFunds || c.rates[0].Value[0].Rate != 0.93 {
		t.Errorf("refused: %+v, rates: %+v", c.refused[0], c.rates[0])
	}

	err = pub.PaymentTaken(ctx, key, payload.Taken{PaymentID: example.PaymentID, Amount: -1, Means: &payload.Card{LastFour: "4242"}}, paymentsbus.EventHeaders{})
	if !bus.IsPermanent(err) || !strings.Contains(err.Error(), "amount: -1 is below 0") {
		t.Errorf("an invalid payload: got %v", err)
	}
	if err := pub.PaymentTaken(ctx, key, payload.Taken{PaymentID: uuid.New(), Means: &payload.Card{LastFour: "4242"}}, paymentsbus.EventHeaders{}); !bus.IsPermanent(err) {
		t.Errorf("a key that differs from the payload: got %v", err)
	}
	bad := message.NewMessage("1", []byte(`{"paymentId":"p","reason":"whim"}`))
	bad.Metadata.Set("ce_type", "PaymentRefused")
	bad.Metadata.Set(metadata.Key, "p")
	if err := broker.Publish(paymentsbus.PaymentsTopic, bad); err != nil {
		t.Fatal(err)
	}
	dead, err := broker.Await(ctx, "payments.dlq.v1", 1)
	if err != nil {
		t.Fatal(err)
	}
	if why := dead[0].Metadata.Get(bus.DeadLetterError); !strings.Contains(why, `reason: is not one of ["no-funds","LIMIT"]`) {
		t.Errorf("dead-lettered because of %s", why)
	}
}
