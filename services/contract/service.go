// Package contract is the contract service: the master of deferred-payment contracts. Its Run starts everything; its
// command's main calls Main. Nothing else imports it.
package contract

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

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/services/contract/internal/api"
	"github.com/deferpay/deferpay/services/contract/internal/bus"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/clock"
	"github.com/deferpay/deferpay/services/internal/journal"
	"github.com/deferpay/deferpay/services/internal/kafkabus"
	"github.com/deferpay/deferpay/services/internal/serve"
	"github.com/deferpay/deferpay/services/internal/settings"
	runtimebus "github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

const about = `The contract service: subscribes customers to deferred-payment contracts, keeps their mandates, activates, suspends,
reinstates, amends and terminates them, and publishes every change on contract.facts.v1.`

// Config is what the service needs to know.
type Config struct {
	settings.Common
	Tick      time.Duration  // how often it looks for contracts to activate; 0: 500 ms
	LogOutput io.Writer      // nil: nothing is logged
	Listening func(net.Addr) // when not nil, called with the address that is listened on
}

// Main reads flags and environment and runs the service until ctx ends. It returns the exit status of the process: 0 after
// an orderly end, 1 after a failure, 2 for wrong usage.
func Main(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cfg := Config{LogOutput: stderr}
	set := settings.New("contract", about)
	cfg.Register(set, "127.0.0.1:8081")
	set.Flags().DurationVar(&cfg.Tick, "tick", 0, "how often to look for contracts that are due to become active; 0 is 500ms")
	err := set.Parse(args, getenv, stdout)
	if err == nil {
		err = cfg.Check()
	}
	switch {
	case errors.Is(err, settings.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "contract:", err)
		return 2
	}
	if err := Run(ctx, cfg); err != nil {
		fmt.Fprintln(stderr, "contract:", err)
		return 1
	}
	return 0
}

// Run runs the service until ctx ends; then it answers what is under way and returns nil. While the broker is away it keeps
// trying and is not ready. It returns an error when it cannot start, or when a topic is configured otherwise than
// specs/contract says.
func Run(ctx context.Context, cfg Config) error {
	if cfg.LogOutput == nil {
		cfg.LogOutput = io.Discard
	}
	logger := serve.Logger(cfg.LogOutput, cfg.LogLevel, "contract", cfg.Writer)
	now := clock.System
	if cfg.ClockOffsetFile != "" {
		now = clock.WithOffset(cfg.ClockOffsetFile, logger)
	}
	client := []kgo.Opt{kgo.SeedBrokers(cfg.Brokers...), kgo.ClientID(cfg.Writer)}
	log, err := store.New(store.Config{
		Topic: contractinternal.LogTopic, Writer: cfg.Writer, ClientOptions: client, Now: now, Traceparent: api.Traceparent,
		AllowUnverified: cfg.AllowUnverifiedTopics, Logger: logger,
	})
	if err != nil {
		return err
	}
	handler, err := httpHandler(cfg, log, logger)
	if err != nil {
		return err
	}
	m, err := newMessages(cfg, log, logger)
	if err != nil {
		return err
	}
	checked := newTopicCheck(client, cfg.AllowUnverifiedTopics, logger)
	return serve.Group(ctx, logger,
		serve.Task{Name: "topics", Run: checked.run},
		serve.Task{Name: "journal", Run: log.Run},
		serve.Task{Name: "activation", Run: func(ctx context.Context) error { return activate(ctx, log, now, cfg.tick(), logger) }},
		serve.Task{Name: "messages", Run: func(ctx context.Context) error { return m.run(ctx, log.Ready, checked.ready) }},
		serve.HTTP(serve.HTTPConfig{
			Addr: cfg.HTTPAddr, Handler: handler, Logger: logger, Listening: cfg.Listening,
			Checks: []serve.Check{{Name: "topics", Ready: checked.ready}, {Name: "journal", Ready: log.Ready}},
		}),
	)
}

func (c Config) tick() time.Duration {
	if c.Tick > 0 {
		return c.Tick
	}
	return 500 * time.Millisecond
}

func httpHandler(cfg Config, log *store.Store, logger *slog.Logger) (http.Handler, error) {
	keys := access.Insecure()
	if !cfg.InsecureDev {
		var err error
		if keys, err = access.Load(cfg.Credentials); err != nil {
			return nil, err
		}
	}
	return api.New(log, keys, logger)
}

// messages is what publishes facts and reacts to billing's events.
type messages struct {
	router    *message.Router
	publisher message.Publisher
}

func newMessages(cfg Config, log *store.Store, logger *slog.Logger) (*messages, error) {
	kafka := kafkabus.Config{Brokers: cfg.Brokers, ClientID: cfg.Writer, Logger: logger}
	publisher, err := kafkabus.NewPublisher(kafka)
	if err != nil {
		return nil, err
	}
	events, err := kafkabus.NewSubscriber(kafka, contractbus.OnBillingEventsGroup)
	if err != nil {
		return nil, err
	}
	applied, err := log.Subscriber(journal.SubscriberConfig{Name: "publication", Positions: contractinternal.PositionsTopic, Group: "contract.publication"})
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
	facts := contractbus.NewPublisher(publisher, runtimebus.SendWithRegistry(schemas), runtimebus.SendWithSource("contract"))
	bus.Publish(router, applied, log.Topic(), facts)
	err = bus.React(router, events, log,
		runtimebus.WithRegistry(schemas), runtimebus.WithDeadLetters(publisher), runtimebus.WithLogger(logger),
		runtimebus.AlsoFrom(contractinternal.RedriveTopic))
	return &messages{router, publisher}, err
}

// run starts the handlers once all is ready, since before that they could decide and publish nothing.
func (m *messages) run(ctx context.Context, ready ...func() error) error {
	waiting := func(r func() error) bool { return r() != nil }
	for slices.ContainsFunc(ready, waiting) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.Join(m.router.Run(ctx), m.publisher.Close())
}

// activate proposes, at every tick, to activate the contracts that are due. Every instance does; the first proposal to be
// applied counts and the others have no effect.
func activate(ctx context.Context, log *store.Store, now func() time.Time, every time.Duration, logger *slog.Logger) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if log.Ready() != nil {
			continue
		}
		for _, ref := range log.Due(now()) {
			attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
			if err := log.Activate(attempt, ref); err != nil && ctx.Err() == nil {
				logger.WarnContext(ctx, "contract not activated, trying again at the next tick", "contract", ref, "error", err.Error())
			}
			cancel()
		}
	}
}
