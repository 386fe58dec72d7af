// Package billing is the billing service: it decides purchases on deferred payment from its own
// copy of the contracts, bills months and follows the collection of invoices. Its Run starts
// everything; its command's main calls Main. Otherwise only the command journal imports it, for
// OpenLog.
package billing

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"time"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/services/billing/internal/api"
	"github.com/deferpay/deferpay/services/billing/internal/bus"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/runs"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/codes/currency"
	"github.com/deferpay/deferpay/services/internal/instance"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/metrics"
	"github.com/deferpay/deferpay/services/internal/serve"
	"github.com/deferpay/deferpay/services/internal/settings"
)

const about = `The billing service: accepts purchases and refunds on deferred payment, answers who may still buy, bills each month and follows the
collection of its invoices. It learns of contracts from contract.facts.v1 and publishes on billing.events.v1.`

// Config configures the service.
type Config struct {
	settings.Common
	// how long after its end a month is billed automatically; 0: only on request
	RunAfter  time.Duration
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
	set := settings.New("billing", about)
	cfg.Register(set, "127.0.0.1:8082")
	set.Duration(&cfg.RunAfter, "run-after", "RUN_AFTER", time.Hour, "how long after its end a month is billed by itself, as a `duration`; 0: only by POST /billing-runs")
	return settings.Serve(set, args, getenv, stdout, stderr, cfg.Check, func() error { return Run(ctx, cfg) })
}

// Run runs the service until ctx ends. It then answers the requests in flight and returns nil.
// While the broker is away it keeps trying and is not ready. An error is returned if it cannot
// start, or if the configuration of a topic is not what specs/billing requires.
func Run(ctx context.Context, cfg Config) error {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return fmt.Errorf("billing periods need time zones: %w", err)
	}
	i, err := instance.New(instance.Config{
		Service: "billing", Settings: cfg.Common, LogOutput: cfg.LogOutput, Spans: cfg.Spans, Around: cfg.Around,
		Listening: cfg.Listening, Admin: cfg.Admin, Hangup: cfg.Hangup,
		Topics: slices.Concat(billinginternal.Topics(), billingbus.Topics()), Log: store.Log,
		Groups: []string{store.PublicationGroup, billingbus.OnContractFactsGroup},
	})
	if err != nil {
		return err
	}
	log, err := store.New(store.Config{Config: ledger.Config{Writer: cfg.Writer, ClientOptions: i.Client, Now: i.Now, AllowUnverified: cfg.AllowUnverifiedTopics, SnapshotEvery: cfg.SnapshotEvery, Logger: i.Logger, Tracer: i.Tracer}, Paris: paris})
	if err != nil {
		return err
	}
	ready := i.Ready(log)
	if err := handleMessages(i, log); err != nil {
		return err
	}
	i.Metrics.PackedOperations(log.Packed)
	i.Metrics.Outstanding(func() []metrics.Owed { return outstanding(ready, log.Outstanding) })
	i.Metrics.Runs(ready, log.LeftOut, log.OldestRun)
	runner := &runs.Runner{Store: log, Ready: ready, Paris: paris, Now: i.Now, Logger: i.Logger, After: cfg.RunAfter}
	handler, err := api.New(api.Config{Config: i.HTTP(log), Store: log, Runs: runner})
	if err != nil {
		return err
	}
	return i.Run(ctx, log, handler, serve.Task{Name: "billing runs", Run: runner.Run})
}

// outstanding returns what contracts owe, nil if the instance is not ready before the amounts are
// summed or after that. The sums of a log that is only read in part are wrong.
func outstanding(ready func() error, sum func() []effect.Owed) (all []metrics.Owed) {
	if ready() != nil {
		return nil
	}
	sums := sum()
	if ready() != nil {
		return nil
	}
	for _, sum := range sums {
		decimals, _ := currency.Decimals(sum.Currency)
		unit := math.Pow10(decimals)
		all = append(all,
			metrics.Owed{Currency: sum.Currency, Part: "not_invoiced", Amount: sum.NotInvoiced / unit},
			metrics.Owed{Currency: sum.Currency, Part: "not_settled", Amount: sum.NotSettled / unit})
	}
	return all
}

// handleMessages adds the handlers that publish events and ingest contract facts.
func handleMessages(i *instance.Instance, log *store.Store) error {
	m := i.Messages
	applied, err := log.Publication()
	if err != nil {
		return err
	}
	facts, err := m.Subscriber(billingbus.OnContractFactsGroup)
	if err != nil {
		return err
	}
	i.Metrics.Publication(applied.Position, log.Position)
	bus.Publish(m.Router, applied, billingbus.NewPublisher(m.Publisher, m.Sending("billing")...))
	options, err := i.Receiving(log, facts, billinginternal.RedriveTopic)
	if err != nil {
		return err
	}
	in := &bus.Ingester{Memory: log, Logger: i.Logger, TopicID: i.TopicID}
	i.Metrics.Counter("facts_behind_total", "Facts decided after the known state of their contract, and with a lower version.", in.Behind)
	return in.Register(m.Router, facts, options...)
}
