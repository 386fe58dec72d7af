package ledger

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/services/journal"
)

// Applied is a record that was applied to the log, and what the service keeps right after it.
type Applied[E, S any] struct {
	journal.Entry[Body[E]]
	After S
}

// Event returns what the record decided.
func (a Applied[E, S]) Event() E { return a.Body.Event }

// EventID returns the ce_id of a public event: the record's attempt, and the index of the event
// among those of the record, from 0. It is the same whenever the event is published again.
func (a Applied[E, S]) EventID(index int) string {
	return a.Attempt.String() + "-" + strconv.Itoa(index)
}

// Publication delivers every applied record at least once, in order for each key; see
// journal.Subscriber.
type Publication[E, S any] struct {
	*journal.Subscriber[State, Body[E]]
	topic  string
	after  func(*View, E) S
	tracer *trace.Tracer
}

// Publication returns the delivery of applied records on one instance, which the consumer group
// chooses. Its position is kept on the topic positions.
func (l *Ledger[E, S, A]) Publication(positions, group string) (*Publication[E, S], error) {
	s, err := l.journal.Subscriber(journal.SubscriberConfig{Name: "publication", Positions: positions, Group: group})
	if err != nil {
		return nil, err
	}
	return &Publication[E, S]{s, l.Topic(), l.domain.After, l.tracer}, nil
}

// Handle adds a handler to a router that publishes each applied record. A record is acknowledged
// when publish returns nil; after an error it is delivered again.
func (p *Publication[E, S]) Handle(router *message.Router, name string, publish func(context.Context, Applied[E, S]) error) {
	router.AddConsumerHandler(name, p.topic, p, func(m *message.Message) error {
		e, after, ok := journal.FromMessage[State, Body[E]](m)
		if !ok {
			return fmt.Errorf("message %s is not from %s", m.UUID, p.topic)
		}
		if e.Body.Taken != nil {
			return nil
		}
		ctx, span := p.tracer.Start(trace.With(m.Context(), e.Traceparent), trace.Internal, "publish "+e.Kind)
		defer span.End()
		if span != nil {
			span.SetInt("journal.offset", e.Offset)
			e.Traceparent = trace.From(ctx)
		}
		err := publish(ctx, Applied[E, S]{e, p.after(after, e.Body.Event)})
		if err != nil {
			span.Fail("not published")
		}
		return err
	})
}
