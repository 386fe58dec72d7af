package trace

import (
	"context"
	"encoding/hex"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Tracer records spans. A nil one records nothing.
type Tracer struct{ inner trace.Tracer }

// NewTracer returns a tracer whose spans a provider gets.
func NewTracer(p trace.TracerProvider) *Tracer {
	return &Tracer{p.Tracer("github.com/deferpay/deferpay/services")}
}

// Kind is which side of an exchange a span is about.
type Kind int

// The kinds of spans.
const (
	Internal = Kind(trace.SpanKindInternal)
	Server   = Kind(trace.SpanKindServer)
	Producer = Kind(trace.SpanKindProducer)
	Consumer = Kind(trace.SpanKindConsumer)
)

// Span is one step of a trace. The methods of a nil span do nothing.
type Span struct {
	inner       trace.Span
	tracer      *Tracer
	traceparent string
}

// On reports whether spans are recorded.
func (t *Tracer) On() bool { return t != nil }

// Start begins a span below the one that ctx carries, or below its trace context. Without either
// the span begins a trace. The context returned carries the span. A nil tracer returns ctx and a
// nil span.
func (t *Tracer) Start(ctx context.Context, kind Kind, name string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	return t.begin(ctx, name, trace.WithSpanKind(trace.SpanKind(kind)))
}

func (t *Tracer) begin(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, *Span) {
	_, inner := t.inner.Start(above(ctx), name, options...)
	s := &Span{inner, t, format(inner.SpanContext())}
	return context.WithValue(ctx, contextKey{}, s), s
}

// above returns a context with the span that ctx carries, as OpenTelemetry has it.
func above(ctx context.Context) context.Context {
	switch carried := ctx.Value(contextKey{}).(type) {
	case *Span:
		return trace.ContextWithSpan(context.Background(), carried.inner)
	case string:
		return trace.ContextWithRemoteSpanContext(context.Background(), parse(carried))
	}
	return context.Background()
}

func parse(traceparent string) trace.SpanContext {
	var c trace.SpanContextConfig
	var flags [1]byte
	_, _ = hex.Decode(c.TraceID[:], []byte(traceparent[3:35])) // it is valid
	_, _ = hex.Decode(c.SpanID[:], []byte(traceparent[36:52]))
	_, _ = hex.Decode(flags[:], []byte(traceparent[53:]))
	c.TraceFlags = trace.TraceFlags(flags[0])
	return trace.NewSpanContext(c)
}

func format(c trace.SpanContext) string {
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-" + c.TraceFlags().String()
}

// Current returns the span that ctx carries, nil if there is none.
func Current(ctx context.Context) *Span {
	s, _ := ctx.Value(contextKey{}).(*Span)
	return s
}

// Rename sets the name of a span.
func (s *Span) Rename(name string) {
	if s != nil {
		s.inner.SetName(name)
	}
}

// Set adds an attribute. The value is a fixed word or a reference.
func (s *Span) Set(name, value string) {
	if s != nil {
		s.inner.SetAttributes(attribute.String(name, value))
	}
}

// SetInt adds an attribute that is a number.
func (s *Span) SetInt(name string, value int64) {
	if s != nil {
		s.inner.SetAttributes(attribute.Int64(name, value))
	}
}

// Fail marks a span as failed. The cause is a fixed word, because the text of an error may repeat
// what a caller sent.
func (s *Span) Fail(cause string) {
	if s != nil {
		s.inner.SetStatus(codes.Error, cause)
	}
}

// End ends a span.
func (s *Span) End() {
	if s != nil {
		s.inner.End()
	}
}

// Phase adds a span below s, with the times given. It adds none if one of them is not known.
func (s *Span) Phase(name string, from, to time.Time) {
	if s == nil || from.IsZero() || to.IsZero() {
		return
	}
	_, phase := s.tracer.inner.Start(trace.ContextWithSpan(context.Background(), s.inner), name, trace.WithTimestamp(from))
	phase.End(trace.WithTimestamp(to))
}
