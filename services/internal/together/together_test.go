package together

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// recorder records its calls, and fails for the messages called bad.
type recorder struct {
	calls []string
	then  func() // is called after each call if it is not nil
}

func (r *recorder) Publish(topic string, messages ...*message.Message) error {
	call, errs, failed := topic, make([]error, len(messages)), false
	for i, m := range messages {
		call += " " + m.UUID
		if m.UUID == "bad" {
			errs[i], failed = errors.New("refused"), true
		}
	}
	r.calls = append(r.calls, call)
	if r.then != nil {
		r.then()
	}
	if failed {
		return &bus.PublishError{Errors: errs}
	}
	return nil
}

func (*recorder) Close() error { return nil }

func send(t *testing.T, p message.Publisher, ctx context.Context, topic, id string) {
	t.Helper()
	if err := p.Publish(topic, message.NewMessageWithContext(ctx, id, nil)); err != nil {
		t.Fatal(err)
	}
}

func TestFirstOfEachPartTogether(t *testing.T) {
	r := new(recorder)
	p := Publisher(r)
	parts := make([]Part, 6)
	for i, ids := range [][]string{{"a1", "a2", "a3"}, {"b1"}, {}, {"bad", "d2"}, {"e1"}, {"f1"}} {
		for _, id := range ids {
			send(t, p, parts[i].In(t.Context()), "events", id)
		}
	}
	send(t, p, parts[4].In(t.Context()), "others", "e2")
	parts[5].Fail(errors.New("no key"))
	if n := parts[0].Len(); n != 3 {
		t.Errorf("the first part keeps %d messages", n)
	}
	send(t, p, t.Context(), "letters", "alone")
	if fmt.Sprint(r.calls) != "[letters alone]" {
		t.Errorf("published before its time: %v", r.calls)
	}
	outcomes := make([]string, len(parts))
	after := make([]int, len(parts))
	Publish(t.Context(), parts, func(i int, err error) {
		outcomes[i] += fmt.Sprint(err)
		after[i] = len(r.calls)
	})
	if got := fmt.Sprint(r.calls[1:]); got != "[events a1 b1 bad e1 events a2 others e2 events a3]" {
		t.Errorf("the calls are %s", got)
	}
	if got := fmt.Sprint(outcomes); got != "[<nil> <nil> <nil> refused <nil> no key]" {
		t.Errorf("the outcomes are %s", got)
	}
	if got := fmt.Sprint(after); got != "[5 2 1 2 4 1]" {
		t.Errorf("the parts are done after %s calls", got)
	}
}

// TestErrorOfAllFailsEachPart publishes through a publisher that returns one error for a call.
func TestErrorOfAllFailsEachPart(t *testing.T) {
	p := Publisher(broken{})
	parts := make([]Part, 2)
	for i := range parts {
		send(t, p, parts[i].In(t.Context()), "events", "m")
	}
	failed := 0
	Publish(t.Context(), parts, func(_ int, err error) {
		if err != nil {
			failed++
		}
	})
	if failed != 2 {
		t.Errorf("%d of 2 parts failed", failed)
	}
}

type broken struct{ message.Publisher }

func (broken) Publish(string, ...*message.Message) error { return errors.New("away") }

// TestNothingSentAfterEnd ends the context during the first call.
func TestNothingSentAfterEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{then: cancel}
	p := Publisher(r)
	parts := make([]Part, 2)
	send(t, p, parts[0].In(ctx), "events", "a1")
	send(t, p, parts[0].In(ctx), "events", "a2")
	send(t, p, parts[1].In(ctx), "events", "b1")
	outcomes := make([]error, len(parts))
	Publish(ctx, parts, func(i int, err error) { outcomes[i] = err })
	if got := fmt.Sprint(r.calls); got != "[events a1 b1]" {
		t.Errorf("the calls are %s", got)
	}
	if !errors.Is(outcomes[0], context.Canceled) || outcomes[1] != nil {
		t.Errorf("the outcomes are %v, want an error of the part that was not sent", outcomes)
	}
}
