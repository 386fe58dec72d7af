package trace

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ogen-go/ogen/middleware"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// recording returns a tracer, and what returns the spans that have ended.
func recording() (*Tracer, func() tracetest.SpanStubs) {
	all := tracetest.NewInMemoryExporter()
	return NewTracer(sdk.NewTracerProvider(sdk.WithSyncer(all))), all.GetSpans
}

func attributeOf(t *testing.T, s tracetest.SpanStub, name string) string {
	t.Helper()
	i := slices.IndexFunc(s.Attributes, func(a attribute.KeyValue) bool { return string(a.Key) == name })
	if i < 0 {
		t.Errorf("%s has no attribute %s", s.Name, name)
		return ""
	}
	return s.Attributes[i].Value.String()
}

func TestRequestSpan(t *testing.T) {
	tracer, spans := recording()
	var inside string
	h := tracer.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside = From(r.Context())
		_, _ = Operation(middleware.Request{Context: r.Context(), OperationID: "createOperation"}, func(middleware.Request) (middleware.Response, error) {
			return middleware.Response{}, nil
		})
		Problem(r.Context(), "not-ready")
		w.WriteHeader(503)
	}))
	r := httptest.NewRequest("BREW", "/operations?iban=FR76", nil)
	r.Header.Set(Header, given)
	h.ServeHTTP(httptest.NewRecorder(), r)
	s := spans()[0]
	if s.Name != "createOperation" || s.Parent.SpanID().String() != given[36:52] || !s.Parent.IsRemote() || s.SpanContext.TraceID().String() != given[3:35] {
		t.Errorf("%s below %v in %v", s.Name, s.Parent.SpanID(), s.SpanContext.TraceID())
	}
	if want := "00-" + given[3:35] + "-" + s.SpanContext.SpanID().String() + "-01"; inside != want {
		t.Errorf("a handler passes %s on, want %s", inside, want)
	}
	for name, want := range map[string]string{"http.request.method": "_OTHER", "oas.operation": "createOperation", "http.response.status_code": "503", "error.type": "not-ready"} {
		if got := attributeOf(t, s, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if s.Status.Description != "Service Unavailable" || s.SpanKind != trace.SpanKindServer {
		t.Errorf("%+v %v", s.Status, s.SpanKind)
	}
}

func TestUnsampledIsPassedOn(t *testing.T) {
	tracer, spans := recording()
	ctx, span := tracer.Start(With(t.Context(), given[:53]+"00"), Internal, "step")
	span.End()
	if got := From(ctx); len(spans()) != 0 || got[3:35] != given[3:35] || got[53:] != "00" {
		t.Errorf("%d spans, %s", len(spans()), got)
	}
}

func TestPhases(t *testing.T) {
	tracer, spans := recording()
	_, span := tracer.Start(t.Context(), Internal, "decide")
	from := time.Unix(1_700_000_000, 0)
	span.Phase("append", from, from.Add(time.Second))
	span.Phase("apply", from, time.Time{})
	span.End()
	all := spans()
	if len(all) != 2 || all[0].Name != "append" || all[0].Parent.SpanID() != all[1].SpanContext.SpanID() || all[0].EndTime.Sub(all[0].StartTime) != time.Second {
		t.Errorf("%+v", all)
	}
}

type publishing func(topic string, messages ...*message.Message) error

func (p publishing) Publish(topic string, messages ...*message.Message) error {
	return p(topic, messages...)
}
func (publishing) Close() error { return nil }

func TestMessageSpans(t *testing.T) {
	tracer, spans := recording()
	carried := map[string]string{}
	p := tracer.Publisher(publishing(func(topic string, messages ...*message.Message) error {
		for _, m := range messages {
			carried[topic] = m.Metadata[Header]
		}
		if topic == "closed" {
			return errors.New("the text of an error")
		}
		return nil
	}))
	for _, topic := range []string{"events", "closed", "letters"} {
		m := message.NewMessageWithContext(With(t.Context(), given), "id", nil)
		m.Metadata[Header] = given
		if topic == "letters" {
			m.Metadata[bus.DeadLetterTopic] = "events"
		}
		_ = p.Publish(topic, m)
	}
	all := spans()
	if sent := all[0]; sent.Name != "send events" || sent.SpanKind != trace.SpanKindProducer || sent.Parent.SpanID().String() != given[36:52] ||
		carried["events"] != format(sent.SpanContext) {
		t.Errorf("%+v; the message carries %s", sent, carried["events"])
	}
	if all[1].Status.Description != "not published" {
		t.Errorf("%+v", all[1].Status)
	}
	if carried["letters"] != given {
		t.Errorf("a dead letter has another traceparent than its message: %s", carried["letters"])
	}
}

// TestSpanOfOneThatFailed publishes two messages in a call, of which the second fails.
func TestSpanOfOneThatFailed(t *testing.T) {
	tracer, spans := recording()
	p := tracer.Publisher(publishing(func(string, ...*message.Message) error {
		return &bus.PublishError{Errors: []error{nil, errors.New("too large")}}
	}))
	_ = p.Publish("events", message.NewMessage("a", nil), message.NewMessage("b", nil))
	all := spans()
	if len(all) != 2 || all[0].Status.Description != "" || all[1].Status.Description != "not published" {
		t.Errorf("the spans are %+v", all)
	}
}

func TestReceivedMessageSpan(t *testing.T) {
	tracer, spans := recording()
	m := message.NewMessage("id", nil)
	for name, value := range map[string]string{metadata.Topic: "events", metadata.Partition: "3", metadata.Offset: "17", Header: given} {
		m.Metadata[name] = value
	}
	var inside string
	handle := tracer.Messages(func(m *message.Message) ([]*message.Message, error) {
		inside = From(m.Context())
		return nil, errors.New("the text of an error")
	})
	if _, err := handle(m); err == nil {
		t.Error("the error of the handler is lost")
	}
	s := spans()[0]
	if s.Name != "process events" || s.SpanKind != trace.SpanKindConsumer || s.Parent.SpanID().String() != given[36:52] || inside != format(s.SpanContext) {
		t.Errorf("%+v; the handler has %s", s, inside)
	}
	if attributeOf(t, s, "messaging.kafka.offset") != "17" || attributeOf(t, s, "messaging.destination.partition.id") != "3" || s.Status.Description != "not handled" {
		t.Errorf("%+v", s)
	}
}

// TestOffPassesOn checks that without spans the trace context of a request and of a message reaches
// the handlers as it is.
func TestOffPassesOn(t *testing.T) {
	var off *Tracer
	m := message.NewMessage("id", nil)
	m.Metadata[metadata.Topic], m.Metadata[Header] = "events", given
	_, err := off.Messages(func(m *message.Message) ([]*message.Message, error) {
		if got := From(m.Context()); got != given {
			t.Errorf("the handler has %q", got)
		}
		return nil, nil
	})(m)
	if err != nil {
		t.Error(err)
	}
}

// TestOffCostsNothing checks that spans that are not recorded do not allocate.
func TestOffCostsNothing(t *testing.T) {
	var off *Tracer
	ctx := With(context.Background(), given)
	if n := testing.AllocsPerRun(100, func() {
		inside, span := off.Start(ctx, Internal, "decide")
		span.SetInt("journal.appends", 1)
		Problem(inside, "not-ready")
		if From(inside) != given {
			t.Error("the context is another one")
		}
		span.End()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
