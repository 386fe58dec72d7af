// Package billing is the billing service: it decides purchases on deferred payment from its own copy of the contracts,
// bills months and follows the collection of invoices. Its Run starts everything; its command's main calls Main. Nothing
// else imports it.
package billing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/services/billing/internal/api"
	"github.com/deferpay/deferpay/services/billing/internal/bus"
	"github.com/deferpay/deferpay/services/billing/internal/runs"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/clock"
	"github.com/deferpay/deferpay/services/internal/kafkabus"
	"github.com/deferpay/deferpay/services/internal/serve"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/services/internal/topiccheck"
	runtimebus "github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

const about = `The billing service: accepts purchases and refunds on deferred payment, tells who may still buy, bills each month and follows the
collection of its invoices. It learns of contracts from contract.facts.v1 and publishes on billing.events.v1.`

// Config is what the service needs to know.
type Config struct {
	settings.Common
	RunAfter  time.Duration  // how long after its end a month is billed by itself; 0: only by request
	LogOutput io.Writer      // nil: nothing is logged
	Listening func(net.Addr) // when not nil, called with the address that is listened on
}

// Main reads flags and environment and runs the service until ctx ends. It returns the exit status of the process: 0 after
// an orderly end, 1 after a failure, 2 for wrong usage.
func Main(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cfg := Config{LogOutput: stderr}
	set := settings.New("billing", about)
	cfg.Register(set, "127.0.0.1:8082")
	set.Flags().DurationVar(&cfg.RunAfter, "run-after", time.Hour, "how long after its end a month is billed by itself; 0: only by POST /billing-runs")
	err := set.Parse(args, getenv, stdout)
	if err == nil {
		err = cfg.Check()
	}
	switch {
	case errors.Is(err, settings.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "billing:", err)
		return 2
	}
	if err := Run(ctx, cfg); err != nil {
		fmt.Fprintln(stderr, "billing:", err)
		return 1
	}
	return 0
}

// Run runs the service until ctx ends; then it answers what is under way and returns nil. While the broker is away it keeps
// trying and is not ready. It returns an error when it cannot start, or when a topic is configured otherwise than
// specs/billing says.
func Run(ctx context.Context, cfg Config) error {
	if cfg.LogOutput == nil {
		cfg.LogOutput = io.Discard
	}
	logger := serve.Logger(cfg.LogOutput, cfg.LogLevel, "billing", cfg.Writer)
	now := clock.System
	if cfg.ClockOffsetFile != "" {
		now = clock.WithOffset(cfg.ClockOffsetFile, logger)
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return fmt.Errorf("billing periods need time zones: %w", err)
	}
	client := []kgo.Opt{kgo.SeedBrokers(cfg.Brokers...), kgo.ClientID(cfg.Writer)}
	log, err := store.Open(store.Config{Writer: cfg.Writer, ClientOptions: client, Paris: paris, Now: now, AllowUnverified: cfg.AllowUnverifiedTopics, Logger: logger})
	if err != nil {
		return err
	}
	runner := &runs.Runner{Store: log, Paris: paris, Now: now, Logger: logger, After: cfg.RunAfter}
	handler, err := httpHandler(cfg, log, runner, logger)
	if err != nil {
		return err
	}
	router, err := newRouter(cfg, log, logger)
	if err != nil {
		return err
	}
	checked := &topiccheck.Check{
		Client: client, Topics: slices.Concat(billinginternal.Topics(), billingbus.Topics()), Log: store.Log, Lax: cfg.AllowUnverifiedTopics, Logger: logger,
	}
	return serve.Group(ctx, logger,
		serve.Task{Name: "topics", Run: checked.Run},
		serve.Task{Name: "journal", Run: log.Run},
		serve.Task{Name: "billing runs", Run: runner.Run},
		serve.Task{Name: "messages", Run: func(ctx context.Context) error { return runRouter(ctx, log, router) }},
		serve.HTTP(serve.HTTPConfig{
			Addr: cfg.HTTPAddr, Handler: handler, Logger: logger, Listening: cfg.Listening,
			Checks: []serve.Check{{Name: "topics", Ready: checked.Ready}, {Name: "journal", Ready: log.Ready}},
		}),
	)
}

func httpHandler(cfg Config, log *store.Store, runner *runs.Runner, logger *slog.Logger) (http.Handler, error) {
	keys := access.Insecure()
	if !cfg.InsecureDev {
		var err error
		if keys, err = access.Load(cfg.Credentials); err != nil {
			return nil, err
		}
	}
	return api.New(api.Config{Store: log, Runs: runner, Keys: keys, Logger: logger})
}

// newRouter wires the handlers of messages: the taking in of contract facts, and the publication of events.
func newRouter(cfg Config, log *store.Store, logger *slog.Logger) (*message.Router, error) {
	kafka := kafkabus.Config{Brokers: cfg.Brokers, ClientID: cfg.Writer, Logger: logger}
	publisher, err := kafkabus.NewPublisher(kafka)
	if err != nil {
		return nil, err
	}
	facts, err := kafkabus.NewSubscriber(kafka, billingbus.OnContractFactsGroup)
	if err != nil {
		return nil, err
	}
	applied, err := log.Subscriber("publication")
	if err != nil {
		return nil, err
	}
	schemas, err := registry.NewClient(cfg.Registry)
	if err != nil {
		return nil, err
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 10 * time.Second}, kafkabus.NewLogger(logger))
	if err != nil {
		return nil, err
	}
	bus.Publish(router, applied, billingbus.NewPublisher(publisher, runtimebus.SendWithRegistry(schemas), runtimebus.SendWithSource("billing")))
	err = bus.Ingest(router, facts, log,
		runtimebus.WithRegistry(schemas), runtimebus.WithDeadLetters(publisher), runtimebus.WithLogger(logger),
		runtimebus.AlsoFrom(billinginternal.RedriveTopic))
	return router, err
}

// runRouter starts the handlers once the log is read, since before that they could decide nothing.
func runRouter(ctx context.Context, log *store.Store, router *message.Router) error {
	for log.Ready() != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
	return router.Run(ctx)
}
