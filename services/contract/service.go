// Package contract is the contract service: the master of deferred-payment contracts. Its Run
// starts everything; its command's main calls Main. Otherwise only the command journal imports it,
// for OpenLog.
package contract

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/services/contract/internal/api"
	"github.com/deferpay/deferpay/services/contract/internal/bus"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/instance"
	"github.com/deferpay/deferpay/services/internal/serve"
	"github.com/deferpay/deferpay/services/internal/settings"
)

const about = `The contract service: subscribes customers to deferred-payment contracts, keeps their mandates, activates, suspends,
reinstates, amends and terminates them, and publishes every change on contract.facts.v1.`

// Config is what the service needs to know.
type Config struct {
	settings.Common
	Tick      time.Duration  // how often it looks for contracts to activate or to expire; 0: 500 ms
	Forget    time.Duration  // how often it looks for keys of erased personal data; 0: 10 s
	LogOutput io.Writer      // nil: nothing is logged
	Spans     io.Writer      // where the spans of -traces console go; nil: standard output
	Listening func(net.Addr) // if not nil, called with the listening address
	Admin     func(net.Addr) // the same for the address of health and metrics
	Hangup    <-chan os.Signal
	Around    instance.Surroundings
}

// Main reads flags and environment and runs the service until ctx ends; see settings.Main. What
// arrives on hangup has credentials and certificates read again.
func Main(ctx context.Context, hangup <-chan os.Signal, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cfg := Config{LogOutput: stderr, Spans: stdout, Hangup: hangup}
	set := settings.New("contract", about)
	cfg.Register(set, "127.0.0.1:8081")
	set.Duration(&cfg.Tick, "tick", "TICK", defaultTick, "how often to look for contracts that are due to become active or to expire, as a `duration`")
	return settings.Serve(set, args, getenv, stdout, stderr, cfg.Check, func() error { return Run(ctx, cfg) })
}

// Run runs the service until ctx ends; then it answers what is under way and returns nil. While the
// broker is away it keeps trying and is not ready. It returns an error when it cannot start, or
// when a topic is configured otherwise than specs/contract says.
func Run(ctx context.Context, cfg Config) error {
	i, err := instance.New(instance.Config{
		Service: "contract", Settings: cfg.Common, LogOutput: cfg.LogOutput, Spans: cfg.Spans, Around: cfg.Around,
		Listening: cfg.Listening, Admin: cfg.Admin, Hangup: cfg.Hangup,
		Topics: slices.Concat(contractinternal.Topics(), contractbus.Topics()), Log: store.Log,
		Groups: []string{store.PublicationGroup, contractbus.OnBillingEventsGroup},
	})
	if err != nil {
		return err
	}
	log, err := store.New(store.Config{Writer: cfg.Writer, ClientOptions: i.Client, Now: i.Now, AllowUnverified: cfg.AllowUnverifiedTopics, SnapshotEvery: cfg.SnapshotEvery, Logger: i.Logger, Tracer: i.Tracer})
	if err != nil {
		return err
	}
	ready := i.Ready(log)
	repair, err := handleMessages(i, log)
	if err != nil {
		return err
	}
	handler, err := api.New(api.Config{Config: i.HTTP(log), Store: log})
	if err != nil {
		return err
	}
	return i.Run(ctx, log, handler, serve.Task{Name: "repair of public facts", Run: repair.Run}, serve.Task{Name: "what falls due", Run: func(ctx context.Context) error {
		return advance(ctx, log, ready, i.Now, cfg.Tick, i.Logger)
	}}, serve.Task{Name: "erasure of personal data", Run: func(ctx context.Context) error {
		return forgetErased(ctx, log, ready, cfg.Forget, i.Logger)
	}})
}

// handleMessages adds the publication of facts, and the reaction to billing's events. It returns
// what repairs the publication.
func handleMessages(i *instance.Instance, log *store.Store) (*bus.Repair, error) {
	m := i.Messages
	applied, err := log.Publication()
	if err != nil {
		return nil, err
	}
	events, err := m.Subscriber(contractbus.OnBillingEventsGroup)
	if err != nil {
		return nil, err
	}
	facts := contractbus.NewPublisher(m.Publisher, m.Sending("contract")...)
	bus.Publish(m.Router, applied, facts)
	repair := &bus.Repair{Client: i.Client, Store: log, Facts: facts, Publishing: applied.Position, Logger: i.Logger}
	i.Metrics.Publication(applied.Position, log.Position)
	i.Metrics.Counter("facts_repaired_total", "Facts published again because an older one was the last of its contract.", repair.Repaired)
	options, err := i.Receiving(log, events, contractinternal.RedriveTopic)
	if err != nil {
		return nil, err
	}
	return repair, bus.React(m.Router, events, log, options...)
}

const (
	defaultTick   = 500 * time.Millisecond
	defaultForget = 10 * time.Second
)

// advance proposes, at every tick, the changes of contracts that are due. Every instance does; the
// first proposal to be applied counts and the others have no effect.
func advance(ctx context.Context, log *store.Store, ready func() error, now func() time.Time, every time.Duration, logger *slog.Logger) error {
	ticker := time.NewTicker(cmp.Or(every, defaultTick))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if ready() != nil {
			continue
		}
		for _, ref := range log.Due(now()) {
			attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
			if err := log.Advance(attempt, ref); err != nil && ctx.Err() == nil {
				logger.WarnContext(ctx, "a change that is due was not made, trying again at the next tick", "contract", ref, "error", err.Error())
			}
			cancel()
		}
	}
}

// forgetErased looks at every tick for keys of personal data that was erased, and destroys them.
// Every instance does: the one that recorded the erasure may have ended before it destroyed them.
func forgetErased(ctx context.Context, log *store.Store, ready func() error, every time.Duration, logger *slog.Logger) error {
	ticker := time.NewTicker(cmp.Or(every, defaultForget))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if ready() != nil || !log.KeysToForget() {
			continue
		}
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		if _, err := log.ForgetErased(attempt); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "keys of erased personal data may be left, trying again at the next tick", "error", err.Error())
		}
		cancel()
	}
}
