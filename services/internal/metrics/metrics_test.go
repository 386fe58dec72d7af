package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// full returns the metrics of an instance, each with a value.
func full(t *testing.T) *Metrics {
	t.Helper()
	m := New()
	m.Ready(func() error { return errors.New("starting") })
	m.Groups(func() bool { return true })
	m.Counter("facts_repaired_total", "Repaired.", func() int64 { return 3 })
	m.Publication(func() (int64, bool) { return 5, true }, func() int64 { return 9 })
	m.PackedOperations(func() (int, int64) { return 128, 9000 })
	m.Runs(func() error { return nil }, func() int { return 3 }, func() time.Duration { return time.Minute })
	m.Intake(new(bus.Progress), func() []kafkabus.Position { return []kafkabus.Position{{Lag: 4}, {Lag: 2}} })
	m.Outstanding(func() []Owed { return []Owed{{"EUR", "not_invoiced", 12.5}} })
	m.Log(func() journal.Stats { return journal.Stats{Applied: 7, Packed: 12, PackedBytes: 340} }, func() int64 { return 9 })
	m.Answered("createOperation", "purchase-refused")
	m.Observe(bus.Observation{Operation: "receive", Message: "M", Outcome: bus.DeadLettered})
	old := message.NewMessage("1", nil)
	old.Metadata[metadata.Topic], old.Metadata[metadata.Timestamp] = "facts", time.Now().Add(-time.Hour).Format(time.RFC3339Nano)
	soon := message.NewMessage("2", nil) // its clock is ahead
	soon.Metadata[metadata.Topic], soon.Metadata[metadata.Timestamp] = "facts", time.Now().Add(time.Hour).Format(time.RFC3339Nano)
	for _, msg := range []*message.Message{old, soon, message.NewMessage("of the log", nil)} {
		if _, err := m.Ages(func(*message.Message) ([]*message.Message, error) { return nil, nil })(msg); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func shown(m *Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// Nobody is left out while the log is read, although the records read so far say so.
func TestRunsOnceReady(t *testing.T) {
	var starting error
	m := New()
	m.Runs(func() error { return starting }, func() int { return 3 }, func() time.Duration { return time.Minute })
	for want, reason := range map[string]error{"0": errors.New("starting"), "3": nil} {
		if starting = reason; !strings.Contains(shown(m), "deferpay_customers_left_out "+want+"\n") {
			t.Errorf("readiness %v does not show %s", reason, want)
		}
	}
}

// never counts that answers are not held back.
func never(ctx context.Context) (context.Context, func() time.Duration) {
	return ctx, func() time.Duration { return 0 }
}

// TestHeldTimeIsLeftOut answers at once, after a time for which the answer is said to be held back.
func TestHeldTimeIsLeftOut(t *testing.T) {
	const hold = 20 * time.Millisecond
	type key struct{}
	m := full(t)
	answer := m.Requests(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		time.Sleep(hold)
		*r.Context().Value(key{}).(*time.Duration) = hold + time.Hour
	}), func(ctx context.Context) (context.Context, func() time.Duration) {
		held := new(time.Duration)
		return context.WithValue(ctx, key{}, held), func() time.Duration { return *held }
	})
	answer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if text := shown(m); !strings.Contains(text, `deferpay_request_seconds_sum{code="200",method="get"} -3`) {
		t.Error("the time for which an answer was held back was counted")
	}
}

func TestValues(t *testing.T) {
	m := full(t)
	answer := m.Requests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }), never)
	for _, method := range []string{"GET", "BREW-1", "BREW-2"} {
		answer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/contracts/CTR-1", nil))
	}
	text := shown(m)
	for _, line := range []string{
		`deferpay_ready 0`, `deferpay_groups_denied 1`, `deferpay_facts_repaired_total 3`, `deferpay_messages_behind 6`, `deferpay_messages_laid_aside 0`, `deferpay_publishes 1`, `deferpay_publication_lag_records 5`,
		`deferpay_outstanding{currency="EUR",part="not_invoiced"} 12.5`,
		`deferpay_answers_total{operation="createOperation",outcome="purchase-refused"} 1`,
		`deferpay_log_applied_total 7`, `deferpay_log_position 9`, `deferpay_log_packed_streams 12`, `deferpay_log_packed_bytes 340`,
		`deferpay_customers_left_out 3`, `deferpay_billing_run_seconds 60`, `deferpay_operations_packed 128`, `deferpay_operations_packed_bytes 9000`, `deferpay_messages_total{message="M",operation="receive",outcome="dead-lettered"} 1`,
		`deferpay_message_age_seconds_count{topic="facts"} 2`, `deferpay_message_age_seconds_bucket{topic="facts",le="0.01"} 1`,
		`deferpay_message_age_seconds_bucket{topic="facts",le="300"} 1`, `deferpay_request_seconds_count{code="418",method="get"} 1`,
		// a method that a client made up
		`deferpay_request_seconds_count{code="418",method="unknown"} 2`,
	} {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("there is no line %s", line)
		}
	}
	if strings.Contains(text, "CTR-1") || strings.Contains(text, "BREW") {
		t.Error("a client can create metrics")
	}
}

// TestPublicationLag checks that an instance that does not publish is not behind.
func TestPublicationLag(t *testing.T) {
	m := New()
	m.Publication(func() (int64, bool) { return -1, false }, func() int64 { return 9 })
	if text := shown(m); !strings.Contains(text, "deferpay_publication_lag_records 0\n") || !strings.Contains(text, "deferpay_publishes 0\n") {
		t.Error("an instance that does not publish is behind")
	}
}

// TestConventions checks names, units and help texts by the conventions of Prometheus.
func TestConventions(t *testing.T) {
	families, err := full(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, prefix) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}
