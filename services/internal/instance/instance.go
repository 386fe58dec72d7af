// Package instance provides what every instance of a service has, whatever it decides: its logger,
// clock and keys, the checks of its topics and groups, its message handlers, and the order in which
// all that starts and stops. The front packages of the services import it.
package instance

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/clock"
	"github.com/deferpay/deferpay/services/internal/groupcheck"
	"github.com/deferpay/deferpay/services/internal/intake"
	"github.com/deferpay/deferpay/services/internal/livefile"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/metrics"
	"github.com/deferpay/deferpay/services/internal/serve"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/services/internal/together"
	"github.com/deferpay/deferpay/services/internal/topiccheck"
	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/services/internal/trace/export"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// Config describes the service, and how this instance of it is set up.
type Config struct {
	Service   string
	Settings  settings.Common
	LogOutput io.Writer      // nil: nothing is logged
	Spans     io.Writer      // where the spans of the console go; nil: standard output
	Listening func(net.Addr) // unless nil, called with the address of the listener
	Admin     func(net.Addr) // the same for the address of health and metrics
	Hangup    <-chan os.Signal
	Topics    []topics.Topic // as the contracts declare them
	Log       string         // which of Topics is the log of the service
	Groups    []string       // the consumer groups of the instance
	Around    Surroundings
}

// Surroundings are how an instance reaches others, and how it is reached. The zero value is the
// network. Tests that run in virtual time set the fields.
type Surroundings struct {
	// Listen is net.Listen if it is nil.
	Listen func(network, address string) (net.Listener, error)
	// Kafka are further options of the clients of the log, such as a dialer.
	Kafka []kgo.Opt
	// Messages returns what carries messages; by default that is watermill-kafka.
	Messages func(*slog.Logger) (*kafkabus.Messages, error)
}

// Instance is one instance of a service. Making one does not touch the network; Run does.
type Instance struct {
	Logger   *slog.Logger
	Now      func() time.Time // the domain's clock
	Client   []kgo.Opt        // how the log is reached
	Access   *access.Control
	Messages *kafkabus.Messages // handlers are added before Run
	Metrics  *metrics.Metrics
	Progress *bus.Progress // of the messages that are received
	Tracer   *trace.Tracer // nil if no spans are recorded
	// TopicID returns the id of a topic whose messages are received, "" if it is not known. It is
	// set by Receiving.
	TopicID func(topic string, partition int32) string

	cfg    Config
	spans  *export.Provider
	tls    *serve.Certificate
	topics *topiccheck.Check
	groups *groupcheck.Check
	intake []serve.Task
}

// New returns an error for settings that contradict each other, keys that cannot be read, and a
// registry without a URL.
func New(cfg Config) (*Instance, error) {
	s := cfg.Settings
	if err := s.Check(); err != nil {
		return nil, err
	}
	logger := serve.Logger(cfg.LogOutput, s.LogLevel, cfg.Service, s.Writer)
	security, err := s.KafkaSecurity.Open()
	if err != nil {
		return nil, err
	}
	caller, err := s.RegistrySecurity.HTTPClient()
	if err != nil {
		return nil, err
	}
	client := slices.Concat(security.Options(), []kgo.Opt{kgo.SeedBrokers(s.Brokers...), kgo.ClientID(s.Writer)}, cfg.Around.Kafka)
	shown := metrics.New()
	control, err := openAccess(cfg, logger, shown)
	if err != nil {
		return nil, err
	}
	certificate, err := serve.OpenCertificate(s.TLSCert, s.TLSKey, logger)
	if err != nil {
		return nil, err
	}
	carried := cfg.Around.Messages
	if carried == nil {
		carried = func(logger *slog.Logger) (*kafkabus.Messages, error) {
			return kafkabus.NewMessages(kafkabus.Config{Brokers: s.Brokers, ClientID: s.Writer, Logger: logger, Security: security}, s.Registry, sr.HTTPClient(caller))
		}
	}
	messages, err := carried(logger)
	if err != nil {
		return nil, err
	}
	spans, err := openTraces(cfg, logger)
	if err != nil {
		return nil, err
	}
	tracer := spans.Tracing()
	messages.Router.AddMiddleware(shown.Ages, tracer.Messages)
	messages.Publisher = together.Publisher(tracer.Publisher(messages.Publisher))
	return &Instance{
		Metrics: shown, Logger: logger, Now: clock.Of(s.ClockOffsetFile, logger), Client: client, Access: control, Messages: messages,
		Progress: new(bus.Progress), Tracer: tracer, cfg: cfg, tls: certificate, spans: spans,
		topics: topiccheck.New(topiccheck.Config{Client: client, Topics: cfg.Topics, Log: cfg.Log, Lax: s.AllowUnverifiedTopics, Explain: security.Explain, Logger: logger}),
		groups: groupcheck.New(client, cfg.Groups, security.Explain, logger),
	}, nil
}

// holdRefusals is for how long a refusal is held back at least: see access.Config. The credentials
// of a connection are refused at most four times a second then.
const holdRefusals = 250 * time.Millisecond

// openAccess returns who is let in. The audit is written whatever the level of the log is.
func openAccess(cfg Config, logger *slog.Logger, shown *metrics.Metrics) (*access.Control, error) {
	s := cfg.Settings
	tokens := access.Tokens(s.Tokens)
	if tokens.Customers == "-" {
		tokens.Customers = ""
	}
	return access.Open(access.Config{
		File: s.Credentials, Tokens: tokens, Insecure: s.InsecureDev, Rate: s.Rate, UnderWay: s.MaxUnderWay, Hold: holdRefusals, Warn: s.ExpiryWarning, Logger: logger,
		Audit: serve.Logger(cfg.LogOutput, slog.LevelInfo, cfg.Service, s.Writer), Answered: shown.Answered,
	})
}

// openTraces returns where the spans of the instance go.
func openTraces(cfg Config, logger *slog.Logger) (*export.Provider, error) {
	out := cfg.Spans
	if out == nil {
		out = os.Stdout
	}
	return export.Open(context.Background(), export.Config{
		Exporter: cfg.Settings.Traces, Service: cfg.Service, Writer: cfg.Settings.Writer, Getenv: os.Getenv, Output: out, Logger: logger,
	})
}

// Log is what the service decides on.
type Log interface {
	Run(context.Context) error
	Ready() error
	Position() int64
	Stats() journal.Stats
}

// Receiving returns the options of a generated receiver that takes messages into the log; see
// kafkabus.Messages. The log says how far that has come. Call it once, before Run.
func (i *Instance) Receiving(log intake.Log, from kafkabus.GroupSubscriber, redrive string) ([]bus.ReceiveOption, error) {
	in, err := intake.New(log, from, i.Client, i.Logger)
	if err != nil {
		return nil, err
	}
	i.intake = []serve.Task{{Name: "intake", Run: in.Run}}
	i.TopicID = in.TopicID
	i.Metrics.Intake(i.Progress, from.Positions)
	observe := func(o bus.Observation) {
		i.Metrics.Observe(o)
		in.Observe(o)
	}
	options := append(i.Messages.Receiving(redrive), bus.WithObserver(observe), bus.WithProgress(i.Progress))
	if i.Tracer.On() {
		options = append(options, bus.EachMessage()) // each has a span
	}
	return options, nil
}

func (i *Instance) checks(log Log) []serve.Check {
	return []serve.Check{{Name: "topics", Ready: i.topics.Ready}, {Name: "journal", Ready: log.Ready}, {Name: "groups", Ready: i.groups.Ready}}
}

// Ready returns the condition under which the instance serves: its topics are as the contracts say,
// the log is read, and it was allowed into its groups.
func (i *Instance) Ready(log Log) func() error { return serve.Ready(i.checks(log)) }

// HTTP returns the common configuration of the service's HTTP interface.
func (i *Instance) HTTP(log Log) logapi.Config {
	return logapi.Config{Ready: i.Ready(log), Access: i.Access, Logger: i.Logger, Tracer: i.Tracer}
}

// Run runs all parts and the service's own tasks until ctx ends. Then it answers the requests under
// way and returns nil. While the broker is away, the instance keeps trying and is not ready. Run
// returns an error if a part fails, or if a topic is not configured as it is declared. Each part
// may rely on those before it until its own end.
func (i *Instance) Run(ctx context.Context, log Log, handler http.Handler, own ...serve.Task) error {
	i.Metrics.Ready(i.Ready(log))
	i.Metrics.Log(log.Stats, log.Position)
	i.Metrics.Groups(i.groups.Denied)
	admin, err := i.cfg.Settings.Admin()
	if err != nil {
		return err
	}
	state := serve.NewState(i.checks(log))
	connections := serve.NewConnections(i.cfg.Settings.MaxConnections, i.cfg.Settings.MaxPerAddress, i.Logger)
	i.Metrics.Connections(connections.Open, connections.Refused)
	first := []serve.Task{
		{Name: "traces", Run: i.spans.Run},
		serve.Admin(serve.AdminConfig{
			Addr: admin, State: state, Metrics: i.Metrics.Handler(), Logger: i.Logger, Listen: i.cfg.Around.Listen, Listening: i.cfg.Admin,
		}),
		{Name: "credentials", Run: i.reread},
		{Name: "topics", Run: i.topics.Run}, {Name: "journal", Run: log.Run}, {Name: "groups", Run: i.groups.Run},
	}
	last := []serve.Task{
		{Name: "messages", Run: func(ctx context.Context) error { return i.Messages.Run(ctx, i.Ready(log)) }},
		serve.HTTP(serve.HTTPConfig{
			Addr: i.cfg.Settings.HTTPAddr, TLS: i.tls, Handler: i.Metrics.Requests(handler, access.Metered), State: state, Logger: i.Logger, Connections: connections, HoldEarly: i.Access.HoldEarly,
			Listen: i.cfg.Around.Listen, Listening: i.cfg.Listening,
		}),
	}
	return serve.Group(ctx, i.Logger, slices.Concat(first, i.intake, own, last)...)
}

// reread keeps the credentials and the certificate up to date until ctx ends.
func (i *Instance) reread(ctx context.Context) error {
	var checks []func()
	if !i.cfg.Settings.InsecureDev {
		checks = append(checks, i.Access.Check)
	}
	if i.tls != nil {
		checks = append(checks, i.tls.Check)
	}
	return livefile.Run(ctx, i.cfg.Hangup, checks...)
}
