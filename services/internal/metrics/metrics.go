// Package metrics provides the metrics of an instance on GET /metrics, in the format of Prometheus.
// docs/deployment.md describes each of them and when to look at it; a test compares the two. The
// front packages of the services import it.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

const prefix = "deferpay_"

// Metrics are the metrics of one instance. All methods may be called at the same time.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	answers  *prometheus.CounterVec
	messages *prometheus.CounterVec
	age      *prometheus.HistogramVec
}

// New returns the metrics that every instance has: requests, messages, and those of the Go runtime
// and the process.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + "request_seconds", Help: "Time to answer a request, without that for which a refusal is held back.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}}, []string{"method", "code"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "answers_total", Help: "Requests answered, by what became of them: done, or the code of the problem."},
			[]string{"operation", "outcome"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "messages_total", Help: "Messages received, by what became of an attempt."},
			[]string{"operation", "message", "outcome"}),
		age: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + "message_age_seconds", Help: "How old the messages that the service handles were when they were taken up.",
			Buckets: []float64{.01, .05, .1, .5, 1, 2, 5, 10, 30, 60, 300, 3600, 86400}}, []string{"topic"}),
	}
	m.registry.MustRegister(m.requests, m.answers, m.messages, m.age, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Requests returns a handler that measures how long next takes to answer, without the time for
// which an answer is held back. Metered returns a context that counts that time, and a function
// that returns it.
func (m *Metrics) Requests(next http.Handler, metered func(context.Context) (context.Context, func() time.Duration)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		answered := recorder{ResponseWriter: w, status: http.StatusOK}
		ctx, held := metered(r.Context())
		next.ServeHTTP(&answered, r.WithContext(ctx))
		took := time.Since(start) - held()
		m.requests.WithLabelValues(method(r.Method), status(answered.status)).Observe(took.Seconds())
	})
}

// recorder keeps the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// method returns the method of a request as a label, unknown for one that a client made up.
func method(m string) string {
	switch m {
	case http.MethodGet:
		return "get"
	case http.MethodPost:
		return "post"
	case http.MethodPut:
		return "put"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		return "delete"
	case http.MethodHead:
		return "head"
	case http.MethodOptions:
		return "options"
	}
	return "unknown"
}

// statuses are the labels of all statuses.
var statuses = func() (all [600]string) {
	for i := range all {
		all[i] = strconv.Itoa(i)
	}
	return all
}()

func status(s int) string {
	if s < 0 || s >= len(statuses) {
		return "unknown"
	}
	return statuses[s]
}

// Answered counts a request by its operation, "" if that is not known, and its outcome.
func (m *Metrics) Answered(operation, outcome string) {
	m.answers.WithLabelValues(operation, outcome).Inc()
}

// Observe counts an attempt to handle a message by its outcome.
func (m *Metrics) Observe(o bus.Observation) {
	m.messages.WithLabelValues(o.Operation, o.Message, string(o.Outcome)).Inc()
}

// Ages is a middleware of message handlers that records the age of each message. Messages that are
// not Kafka records have no age.
func (m *Metrics) Ages(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		written := msg.Metadata[metadata.Timestamp]
		if written == "" {
			return next(msg)
		}
		if at, err := time.Parse(time.RFC3339Nano, written); err == nil {
			m.age.WithLabelValues(msg.Metadata[metadata.Topic]).Observe(max(0, time.Since(at)).Seconds())
		}
		return next(msg)
	}
}

// Ready adds whether the instance is ready.
func (m *Metrics) Ready(ready func() error) {
	m.gauge("ready", "1 when /readyz is 200.", func() float64 { return truth(ready() == nil) })
}

// Groups adds whether the instance lacks the right to one of its consumer groups.
func (m *Metrics) Groups(denied func() bool) {
	m.gauge("groups_denied", "1 while the right to one of the consumer groups is missing.", func() float64 { return truth(denied()) })
}

// Counter adds a value that only grows.
func (m *Metrics) Counter(name, help string, value func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: prefix + name, Help: help}, func() float64 { return float64(value()) }))
}

func (m *Metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help}, value))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Connections adds how many connections for HTTP are open, and how many were refused.
func (m *Metrics) Connections(open, refused func() int64) {
	m.gauge("connections", "Connections for HTTP that are open.", func() float64 { return float64(open()) })
	m.Counter("connections_refused_total", "Connections for HTTP that were closed at once, because too many were open.", refused)
}

// Publication adds how far publication is behind the log. Only the instance that publishes can be
// behind.
func (m *Metrics) Publication(position func() (offset int64, publishes bool), log func() int64) {
	m.gauge("publishes", "1 on the instance that publishes.", func() float64 {
		_, publishes := position()
		return truth(publishes)
	})
	m.gauge("publication_lag_records", "Records of the log that are not published yet; 0 on an instance that does not publish.", func() float64 {
		at, publishes := position()
		if !publishes {
			return 0
		}
		return float64(max(0, log()+1-at))
	})
}

// Intake adds whether the messages of other services are taken in: those that are under way, and
// those of the partitions that this instance is assigned.
func (m *Metrics) Intake(p *bus.Progress, assigned func() []kafkabus.Position) {
	m.gauge("messages_laid_aside", "Messages that are tried again beside those behind them.", func() float64 { return float64(p.LaidAside()) })
	m.gauge("messages_oldest_seconds", "For how long the oldest message that is not finished was tried.", func() float64 { return p.Oldest().Seconds() })
	m.gauge("messages_blocked_seconds", "For how long a message kept its partition from moving on.", func() float64 { return p.Blocked().Seconds() })
	m.gauge("messages_behind", "Messages of the partitions assigned to this instance that are not finished.", func() float64 {
		var n int64
		for _, a := range assigned() {
			n += a.Lag
		}
		return float64(n)
	})
}

// Owed is a part of what all contracts owe in one currency, in units of it: 12.5 is 12.50 EUR.
type Owed struct {
	Currency, Part string
	Amount         float64
}

// Outstanding adds what all contracts owe together. It has no label for the customer: there are
// many of them, and metrics are read without credentials. Nothing is exposed while read returns
// nil.
func (m *Metrics) Outstanding(read func() []Owed) {
	m.registry.MustRegister(outstanding{read})
}

type outstanding struct{ read func() []Owed }

var outstandingDesc = prometheus.NewDesc(prefix+"outstanding", "What all contracts owe, in units of the currency, by part: not_invoiced or not_settled.", []string{"currency", "part"}, nil)

// Describe implements prometheus.Collector.
func (outstanding) Describe(out chan<- *prometheus.Desc) { out <- outstandingDesc }

// Collect implements prometheus.Collector.
func (o outstanding) Collect(out chan<- prometheus.Metric) {
	for _, owed := range o.read() {
		out <- prometheus.MustNewConstMetric(outstandingDesc, prometheus.GaugeValue, owed.Amount, owed.Currency, owed.Part)
	}
}

// PackedOperations adds how many operations are kept compressed in memory, and how much they take.
func (m *Metrics) PackedOperations(read func() (operations int, bytes int64)) {
	m.gauge("operations_packed", "Operations that are kept compressed in memory.", func() float64 {
		operations, _ := read()
		return float64(operations)
	})
	m.gauge("operations_packed_bytes", "Memory that packed operations take, with what finds them.", func() float64 {
		_, bytes := read()
		return float64(bytes)
	})
}

// Runs adds what keeps customers from getting their invoices: how many the runs left out, and how
// old a run is that is not completed. Both are 0 while the instance is not ready, because in a log
// that is only read in part, runs are going on that were completed later.
func (m *Metrics) Runs(ready func() error, leftOut func() int, oldest func() time.Duration) {
	shown := func(v float64) float64 { return v * truth(ready() == nil) }
	m.gauge("customers_left_out", "Customers that billing runs left out, once for each month, and that are not billed for it yet.", func() float64 { return shown(float64(leftOut())) })
	m.gauge("billing_run_seconds", "For how long the oldest billing run that is not completed has been going on.", func() float64 { return shown(oldest().Seconds()) })
}

// Log adds the counters of the log's journal.
func (m *Metrics) Log(stats func() journal.Stats, position func() int64) {
	m.registry.MustRegister(&log{stats, position})
}

// log reads the counters of the journal once for all of its metrics.
type log struct {
	stats    func() journal.Stats
	position func() int64
}

var logMetrics = []struct {
	name, help string
	kind       prometheus.ValueType
	value      func(journal.Stats) float64
}{
	{"log_applied_total", "Records applied, of any instance.", prometheus.CounterValue, func(s journal.Stats) float64 { return float64(s.Applied) }},
	{"log_void_total", "Records read without effect, of any instance.", prometheus.CounterValue, func(s journal.Stats) float64 { return float64(s.Void) }},
	{"log_own_void_total", "Of those, this instance's.", prometheus.CounterValue, func(s journal.Stats) float64 { return float64(s.OwnVoid) }},
	{"log_rebuilds_total", "Times the state was discarded and the log read again.", prometheus.CounterValue, func(s journal.Stats) float64 { return float64(s.Rebuilds) }},
	{"log_snapshots_total", "Snapshots taken by this instance.", prometheus.CounterValue, func(s journal.Stats) float64 { return float64(s.Snapshots) }},
	{"log_snapshot_failures_total", "Times a snapshot was due and was not taken.", prometheus.CounterValue, func(s journal.Stats) float64 { return float64(s.SnapshotFailures) }},
	{"log_snapshot_offset", "Offset of the last record in the newest snapshot that this instance knows; -1 if it knows none.", prometheus.GaugeValue, func(s journal.Stats) float64 { return float64(s.SnapshotAt) }},
	{"log_packed_streams", "Streams that are kept compressed in memory, because they have not changed for a while.", prometheus.GaugeValue, func(s journal.Stats) float64 { return float64(s.Packed) }},
	{"log_packed_bytes", "Memory that packed streams take, with what finds them.", prometheus.GaugeValue, func(s journal.Stats) float64 { return float64(s.PackedBytes) }},
	{"decisions_total", "Verdicts given.", prometheus.CounterValue, func(s journal.Stats) float64 { return float64(s.Decided) }},
	{"decisions_unknown_total", "Outcomes left unknown, answered 503 outcome-unknown.", prometheus.CounterValue, func(s journal.Stats) float64 { return float64(s.Unknown) }},
	{"decisions_waiting", "Decisions that wait for a stream.", prometheus.GaugeValue, func(s journal.Stats) float64 { return float64(s.Waiting) }},
	{"appends_in_flight", "Records appended and not read back.", prometheus.GaugeValue, func(s journal.Stats) float64 { return float64(s.InFlight) }},
	{"streams_parked", "Streams held back by an impossible record.", prometheus.GaugeValue, func(s journal.Stats) float64 { return float64(s.Parked) }},
	{"clock_skew_seconds", "The system's clock against the broker's.", prometheus.GaugeValue, func(s journal.Stats) float64 { return s.ClockSkew.Seconds() }},
}

var positionDesc = prometheus.NewDesc(prefix+"log_position", "Offset of the last record read from the log; -1 before the first.", nil, nil)

var logDescs = func() (all []*prometheus.Desc) {
	for _, l := range logMetrics {
		all = append(all, prometheus.NewDesc(prefix+l.name, l.help, nil, nil))
	}
	return all
}()

// Describe implements prometheus.Collector.
func (l *log) Describe(out chan<- *prometheus.Desc) {
	out <- positionDesc
	for _, d := range logDescs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (l *log) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(positionDesc, prometheus.GaugeValue, float64(l.position()))
	stats := l.stats()
	for i, m := range logMetrics {
		out <- prometheus.MustNewConstMetric(logDescs[i], m.kind, m.value(stats))
	}
}
