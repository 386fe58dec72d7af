// Package story plays the interaction of the two services on processes, from the subscription of a
// works council to its last invoice. It checks the answers, the records and the read models of
// every step. The demo, the contract tests and the recorder of old logs import it.
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
	"github.com/deferpay/deferpay/tools/demo/story/internal/flow"
	"github.com/deferpay/deferpay/tools/demo/story/internal/screen"
	"github.com/deferpay/deferpay/tools/observer"
	"github.com/deferpay/deferpay/tools/process"
)

// Addresses are the addresses of the system while the story is played.
type Addresses struct {
	Brokers  []string
	Registry string
	Contract string   // base URL such as http://127.0.0.1:8081
	Billing  []string // base URLs of the instances
}

// Options describe how to play the story. The zero value plays it on an embedded broker and prints
// nothing.
type Options struct {
	Out io.Writer // receives the printed story; may be nil
	// Transport is used for every request to the services. If it is nil, http.DefaultTransport is
	// used.
	Transport http.RoundTripper
	// BeforeStop, if not nil, is called after the last step, while everything is running. Play
	// returns its error.
	BeforeStop func(ctx context.Context, a Addresses) error
	// Started, if not nil, is called when everything is ready, before the first step.
	Started func(ctx context.Context, c *cluster.Cluster) error
	// OnStep, if not nil, is called when a step begins and when it has ended.
	OnStep func(Progress)
	// Shared is set if others use the system at the same time. Records that a step does not expect
	// are not an error then, but every other check is made.
	Shared bool
	// OnStop, if not nil, is called before the system is stopped.
	OnStop func()
	// View is the address of a page that shows the system, printed with the other addresses.
	View string
	// Access is passed on to the system that is started, see cluster.Options. Transport has to send
	// the credentials then.
	Access []string
	// Link is passed on to the system that is started, see cluster.Options.
	Link func(instance string, brokers []string, registry string) ([]string, string, error)
	// Brokers and Registry are the addresses of a running broker and registry. If they are empty,
	// devkafka is started.
	Brokers  []string
	Registry string
	// directory of the contracts, with the schemas of the logs; if empty, that of the clone
	Specs string
	// directory for binaries, logs and data; if empty, a temporary one, kept after an error
	Dir  string
	Bin  string // directory of the binaries; if empty, they are built
	Keep bool   // leave everything running after the last step until the context ends
}

// Play starts the system, plays the story and stops the system. It stops the system after an error,
// too. The error names the step that failed and the directory of the logs.
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
			} else { // the logs are kept
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
	show := &screen.Screen{Out: o.Out}
	c, err := cluster.Start(ctx, cluster.Options{Dir: o.Dir, Bin: o.Bin, Brokers: o.Brokers, Registry: o.Registry, Link: o.Link, Access: o.Access, Progress: show.Progress})
	if err != nil {
		return err
	}
	defer func() {
		if o.OnStop != nil {
			o.OnStop()
		}
		err = errors.Join(err, c.Stop())
	}()
	for _, s := range append([]*cluster.Service{c.Contract}, c.Billing...) {
		show.Progress("%s is ready on %s", s.Name(), s.URL)
	}
	show.Progress("all ready after %.1f s", time.Since(began).Seconds())
	if o.Started != nil {
		if err := o.Started(ctx, c); err != nil {
			return err
		}
	}
	played := time.Now()
	r, err := newRun(ctx, o, c, show)
	if err != nil {
		return err
	}
	defer r.seen.Close()
	if err := r.play(ctx, steps()); err != nil {
		return err
	}
	show.Line("")
	show.Line("%d steps, %d checks, all good. Played in %.1f s, %.1f s in all.", len(steps()), r.checks, time.Since(played).Seconds(), time.Since(began).Seconds())
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
	r.screen.Line("")
	r.screen.Line("Everything is left running until Ctrl-C (any API key is accepted):")
	r.screen.Line("  broker    %s", strings.Join(r.c.Brokers, ","))
	r.screen.Line("  registry  %s", r.c.Registry)
	r.screen.Line("  contract  %s/refcontract/v1", r.c.Contract.URL)
	for _, b := range r.c.Billing {
		r.screen.Line("  %s %s/billing/v1", b.Name(), b.URL)
	}
	if o.View != "" {
		r.screen.Line("  live view %s", o.View)
	}
	r.screen.Line("  clock     %s", filepath.Join(o.Dir, "clock-offset"))
	r.screen.Line("  logs      %s", filepath.Join(o.Dir, "logs"))
	<-ctx.Done()
	return nil
}

// The topics that the story observes.
const (
	contractLog   = "contract.log.v1"
	contractFacts = "contract.facts.v1"
	billingLog    = "billing.log.v1"
	billingEvents = "billing.events.v1"
	contractDead  = "contract.dlq.v1"
	billingDead   = "billing.dlq.v1"
)

// step is one step of the story: a title, what it demonstrates, and the code that plays it.
type step struct {
	title string
	why   string
	play  func(*run) error
}

// stepIn limits the time of a step. It is longer than the session timeout of the consumer groups,
// so that a step can wait until a killed member is replaced.
const stepIn = 40 * time.Second

func newRun(ctx context.Context, o Options, c *cluster.Cluster, show *screen.Screen) (*run, error) {
	specs := o.Specs
	if specs == "" {
		root, err := process.Root()
		if err != nil {
			return nil, err
		}
		specs = filepath.Join(root, "specs")
	}
	seen, err := observer.Open(c.Brokers, c.Registry, specs,
		contractLog, contractFacts, billingLog, billingEvents, contractDead, billingDead)
	if err != nil {
		return nil, err
	}
	r := &run{c: c, screen: show, seen: seen, client: &http.Client{Transport: o.Transport, Timeout: 15 * time.Second}, customer: "CE-ACME",
		shared: o.Shared, onStep: o.OnStep}
	if len(o.Brokers) > 0 { // the topics may have records of earlier runs
		r.suffix = "-" + time.Now().UTC().Format("20060102150405")
		r.customer += r.suffix
	}
	if err := seen.Sync(ctx); err != nil {
		seen.Close()
		return nil, err
	}
	r.flow = flow.New(seen)
	return r, nil
}

func (r *run) play(ctx context.Context, all []step) error {
	r.screen.Legend()
	for i, s := range all {
		if err := r.playOne(ctx, i+1, s); err != nil {
			return err
		}
	}
	if complaints := r.c.Complaints(); len(complaints) > 0 {
		return fmt.Errorf("the services logged errors:\n%s", strings.Join(complaints, "\n"))
	}
	return nil
}

// playOne shows a step's title and plays it.
func (r *run) playOne(ctx context.Context, number int, s step) error {
	report := r.onStep
	if report == nil {
		report = func(Progress) {}
	}
	r.screen.Title(number, s.title, s.why)
	report(Progress{Number: number})
	if err := r.scene(ctx, s); err != nil {
		err = fmt.Errorf("step %d, %s: %w", number, s.title, err)
		report(Progress{Number: number, Ended: true, Err: err})
		return err
	}
	report(Progress{Number: number, Ended: true})
	return nil
}

func (r *run) scene(ctx context.Context, s step) (err error) {
	ctx, cancel := context.WithTimeout(ctx, stepIn)
	defer cancel()
	r.ctx = ctx
	before, began := r.checks, time.Now()
	defer func() { // a failed check panics
		switch p := recover().(type) {
		case nil:
		case failed:
			r.screen.Records(r.flow.Waiting(), r.flow.Again)
			err = p.error
		default:
			panic(p)
		}
		if err == nil {
			r.screen.Line("    ok, %d checks, %.2f s", r.checks-before, time.Since(began).Seconds())
		}
	}()
	err = s.play(r)
	if r.goesOn = errors.Is(err, errGoesOn); r.goesOn {
		return nil
	}
	if err != nil {
		return err
	}
	return r.nothingElse()
}
