package ledger

import (
	"context"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/services/internal/together"
	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
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
	limits limits
}

// batch is how many records are published together at most. The consumers of a topic are woken for
// each batch, not for each record.
const batch = 128

// limits bound what records wait for before they are published.
type limits struct {
	// kept is how many messages of several records are held in memory. Those of the record that
	// reaches it are all held.
	kept int
	// asking is how long all records together wait for answers of the schema registry. A record
	// that needs another answer fails then, and the others are published.
	asking time.Duration
}

// Publication returns the delivery of applied records on one instance, which the consumer group
// chooses. Its position is kept on the topic positions.
func (l *Ledger[E, S, A]) Publication(positions, group string) (*Publication[E, S], error) {
	s, err := l.journal.Subscriber(journal.SubscriberConfig{Name: "publication", Positions: positions, Group: group, Batch: batch})
	if err != nil {
		return nil, err
	}
	return &Publication[E, S]{s, l.Topic(), l.domain.After, l.tracer, limits{kept: 1024, asking: 3 * time.Second}}, nil
}

// Handle adds a handler to a router that publishes the applied records, many of them together if
// publish sends through a publisher of package together. A record is acknowledged when publish
// returns nil and what it sent is published; after an error it is delivered again.
func (p *Publication[E, S]) Handle(router *message.Router, name string, publish func(context.Context, Applied[E, S]) error) {
	router.AddConsumerHandler(name, p.topic, p, func(m *message.Message) error {
		batch := journal.Batch[State, Body[E]](m)
		if len(batch) == 0 {
			return fmt.Errorf("message %s is not from %s", m.UUID, p.topic)
		}
		h := handling[E, S]{batch: batch, parts: make([]together.Part, len(batch)), spans: make([]*trace.Span, len(batch))}
		for next := 0; next < len(batch); {
			next = p.publish(m.Context(), &h, next, publish)
		}
		return h.err()
	})
}

// publish publishes the records from the index first on together, until enough messages are kept.
// It returns the index of the next record.
func (p *Publication[E, S]) publish(ctx context.Context, h *handling[E, S], first int, publish func(context.Context, Applied[E, S]) error) int {
	sending := registry.AskUntil(ctx, time.Now().Add(p.limits.asking))
	next := first
	for kept := 0; next < len(h.batch) && kept < p.limits.kept; next++ {
		if err := p.send(sending, h, next, publish); err != nil {
			h.parts[next].Fail(err)
		}
		kept += h.parts[next].Len()
	}
	together.Publish(ctx, h.parts[first:next], func(i int, err error) { h.done(first+i, err) })
	return next
}

// handling is the handling of the records of one message.
type handling[E, S any] struct {
	batch  []journal.Delivered[State, Body[E]]
	parts  []together.Part
	spans  []*trace.Span
	failed int
	first  error
}

// send sends what a record is published as. That is kept in the record's part. A panic of publish
// is an error of this record alone.
func (p *Publication[E, S]) send(ctx context.Context, h *handling[E, S], i int, publish func(context.Context, Applied[E, S]) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	e := h.batch[i].Entry
	if e.Body.Taken != nil {
		return nil
	}
	ctx, span := p.tracer.Start(trace.With(ctx, e.Traceparent), trace.Internal, "publish "+e.Kind)
	if span != nil {
		span.SetInt("journal.offset", e.Offset)
		e.Traceparent = trace.From(ctx)
	}
	h.spans[i] = span
	return publish(h.parts[i].In(ctx), Applied[E, S]{e, p.after(h.batch[i].After, e.Body.Event)})
}

// done ends the handling of a record.
func (h *handling[E, S]) done(i int, err error) {
	if err == nil {
		h.spans[i].End()
		h.batch[i].Ack()
		return
	}
	h.spans[i].Fail("not published")
	h.spans[i].End()
	if h.failed++; h.failed == 1 {
		h.first = err
	}
}

// err returns the first error, and for how many records there is one.
func (h *handling[E, S]) err() error {
	if h.failed > 1 {
		return fmt.Errorf("%d of %d records: %w", h.failed, len(h.batch), h.first)
	}
	return h.first
}
