package trace

import (
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// Messages is a middleware of message handlers that adds the trace context of a message to its
// context, and records a span of its handling. A message that is laid aside is handled further
// after the span has ended. Messages that are not Kafka records are passed on as they are.
func (t *Tracer) Messages(next message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		topic := m.Metadata[metadata.Topic]
		if topic == "" {
			return next(m)
		}
		ctx, span := t.Start(With(m.Context(), m.Metadata[Header]), Consumer, "process "+topic)
		defer span.End()
		m.SetContext(ctx)
		if t != nil {
			described(span, "process", topic, m)
			number(span, "messaging.kafka.offset", m.Metadata[metadata.Offset])
			span.Set("messaging.destination.partition.id", m.Metadata[metadata.Partition])
		}
		out, err := next(m)
		if err != nil {
			span.Fail("not handled")
		}
		return out, err
	}
}

func number(span *Span, name, text string) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		span.SetInt(name, n)
	}
}

// described adds what the messages of Kafka have by the conventions of OpenTelemetry.
func described(span *Span, operation, topic string, m *message.Message) {
	span.Set("messaging.system", "kafka")
	span.Set("messaging.operation.type", operation)
	span.Set("messaging.destination.name", topic)
	span.Set("messaging.message.id", m.UUID)
	span.Set("cloudevents.event_type", m.Metadata["ce_type"])
}

// Publisher returns a publisher that records a span of each message that inner publishes. The
// message carries the context of that span, unless it is a dead letter, whose headers are those of
// the message that it was. A nil tracer returns inner.
func (t *Tracer) Publisher(inner message.Publisher) message.Publisher {
	if t == nil {
		return inner
	}
	return publisher{inner, t}
}

type publisher struct {
	message.Publisher
	tracer *Tracer
}

// Publish implements message.Publisher.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	spans := make([]*Span, len(messages))
	for i, m := range messages {
		ctx, span := p.tracer.Start(m.Context(), Producer, "send "+topic)
		described(span, "send", topic, m)
		if m.Metadata[bus.DeadLetterTopic] == "" {
			m.Metadata[Header] = From(ctx)
		}
		spans[i] = span
	}
	err := p.Publisher.Publish(topic, messages...)
	for i, span := range spans {
		if bus.PublishedError(err, i) != nil {
			span.Fail("not published")
		}
		span.End()
	}
	return err
}
