// Package story plays the interaction of the two services on real processes, from the subscription
// of a works council to its last invoice, and checks every step: what was answered, what was
// written to the topics, what can be read afterwards. The demo and the contract tests run it.
package story

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/observer"
	"github.com/deferpay/deferpay/tools/process"
)

// Addresses are where the system listens while the story is played.
type Addresses struct {
	Brokers  []string
	Registry string
	Contract string   // base URL, as http://127.0.0.1:8081
	Billing  []string // base URLs of the instances
}

// Options say how to play. The zero value plays silently on an embedded broker.
type Options struct {
	Out io.Writer // what is shown; nil shows nothing
	// Transport carries every request of the story to either service; nil is http.DefaultTransport.
	Transport http.RoundTripper
	// BeforeStop is called once, after the last step and with everything still running. Its error
	// fails the run.
	BeforeStop func(ctx context.Context, a Addresses) error
	// Brokers and Registry name running ones to play on; without them devkafka is started. All
	// addresses of ours are free ports.
	Brokers  []string
	Registry string
	Dir      string // work folder; a temporary one, removed when all went well, without it
	Bin      string // folder with binaries that are built already
	Keep     bool   // after the last step leave everything running until the context ends
}

// Play starts the system, plays the story and stops what it started, also when a step failed or the
// context ended. The error says which step failed and why, and where the logs are.
func Play(ctx context.Context, o Options) (err error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	began := time.Now()
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "deferpay-demo-"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = os.RemoveAll(o.Dir)
			} else { // what may tell why is kept
				_ = os.RemoveAll(filepath.Join(o.Dir, "bin"))
			}
		}()
	}
	defer func() {
		logs := filepath.Join(o.Dir, "logs")
		if _, none := os.Stat(logs); err != nil && none == nil {
			err = fmt.Errorf("%w\nthe logs are in %s", err, logs)
		}
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("interrupted: %w", err)
		}
	}()
	t := &teller{out: o.Out}
	c, err := cluster.Start(ctx, cluster.Options{Dir: o.Dir, Bin: o.Bin, Brokers: o.Brokers, Registry: o.Registry, Progress: t.progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	for _, s := range append([]*cluster.Service{c.Contract}, c.Billing...) {
		t.progress("%s is ready on %s", s.Name(), s.URL)
	}
	t.progress("all ready after %.1f s", time.Since(began).Seconds())
	played := time.Now()
	r, err := newRun(ctx, o, c, t)
	if err != nil {
		return err
	}
	defer r.seen.Close()
	if err := r.play(ctx, steps()); err != nil {
		return err
	}
	t.line("")
	t.line("%d steps, %d checks, all good. Played in %.1f s, %.1f s in all.", len(steps()), r.checks, time.Since(played).Seconds(), time.Since(began).Seconds())
	return r.finish(ctx, o)
}

func addresses(c *cluster.Cluster) Addresses {
	a := Addresses{Brokers: c.Brokers, Registry: c.Registry, Contract: c.Contract.URL}
	for _, b := range c.Billing {
		a.Billing = append(a.Billing, b.URL)
	}
	return a
}

func (r *run) finish(ctx context.Context, o Options) error {
	if o.BeforeStop != nil {
		if err := o.BeforeStop(ctx, addresses(r.c)); err != nil {
			return err
		}
	}
	if !o.Keep {
		return nil
	}
	r.t.line("")
	r.t.line("Everything is left running until Ctrl-C (any API key will do):")
	r.t.line("  broker    %s", strings.Join(r.c.Brokers, ","))
	r.t.line("  registry  %s", r.c.Registry)
	r.t.line("  contract  %s/refcontract/v1", r.c.Contract.URL)
	for _, b := range r.c.Billing {
		r.t.line("  %s %s/billing/v1", b.Name(), b.URL)
	}
	r.t.line("  clock     %s", filepath.Join(o.Dir, "clock-offset"))
	r.t.line("  logs      %s", filepath.Join(o.Dir, "logs"))
	<-ctx.Done()
	return nil
}

// topics that the story watches, and how they are shown.
const (
	contractLog   = "contract.log.v1"
	contractFacts = "contract.facts.v1"
	billingLog    = "billing.log.v1"
	billingEvents = "billing.events.v1"
	contractDead  = "contract.dlq.v1"
	billingDead   = "billing.dlq.v1"
)

// step is one scene: what happens, and what it shows about the interaction.
type step struct {
	title string
	why   string
	play  func(*run) error
}

// stepIn bounds a step: longer than a consumer group needs to notice that a member was killed.
const stepIn = 40 * time.Second

func newRun(ctx context.Context, o Options, c *cluster.Cluster, t *teller) (*run, error) {
	root, err := process.Root()
	if err != nil {
		return nil, err
	}
	seen, err := observer.Open(c.Brokers, c.Registry, filepath.Join(root, "specs", "avro"),
		contractLog, contractFacts, billingLog, billingEvents, contractDead, billingDead)
	if err != nil {
		return nil, err
	}
	r := &run{c: c, t: t, seen: seen, client: &http.Client{Transport: o.Transport, Timeout: 15 * time.Second}, customer: "CE-ACME",
		ids: map[string]bool{}, twice: map[place]bool{}}
	if len(o.Brokers) > 0 { // what earlier runs left on the topics is not ours
		r.suffix = "-" + time.Now().UTC().Format("20060102150405")
		r.customer += r.suffix
	}
	if err := seen.Sync(ctx); err != nil {
		seen.Close()
		return nil, err
	}
	r.unshown()
	r.waiting = nil // what was there before is not the story's
	return r, nil
}

func (r *run) play(ctx context.Context, all []step) error {
	r.t.legend()
	for i, s := range all {
		r.t.line("")
		r.t.line("%2d  %s", i+1, s.title)
		for _, l := range wrap(s.why, width-4) {
			r.t.line("    %s", l)
		}
		if err := r.scene(ctx, s); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, s.title, err)
		}
	}
	if complaints := r.c.Complaints(); len(complaints) > 0 {
		return fmt.Errorf("the services complained:\n%s", strings.Join(complaints, "\n"))
	}
	return nil
}

func (r *run) scene(ctx context.Context, s step) (err error) {
	ctx, cancel := context.WithTimeout(ctx, stepIn)
	defer cancel()
	r.ctx = ctx
	before, began := r.checks, time.Now()
	defer func() { // checks that fail give up at once, from wherever they are
		switch p := recover().(type) {
		case nil:
		case failed:
			r.show(r.unshown())
			err = p.error
		default:
			panic(p)
		}
		if err == nil {
			r.t.line("    ok, %d checks, %.2f s", r.checks-before, time.Since(began).Seconds())
		}
	}()
	if err := s.play(r); errors.Is(err, errGoesOn) {
		return nil
	} else if err != nil {
		return err
	}
	return r.nothingElse()
}
