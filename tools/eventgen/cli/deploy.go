package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// verb returns the word after topics, schemas or versions, and the other arguments.
func verb(args []string, verbs ...string) (string, []string, error) {
	if len(args) > 0 {
		for _, v := range verbs {
			if args[0] == v {
				return v, args[1:], nil
			}
		}
	}
	return "", args, errors.New("write " + strings.Join(verbs, " or ") + " after it")
}

// contract returns the model of the documents without generating.
func (c *command) contract(docs []string, reads reading) (*model.Model, bool) {
	config, cancel := reads.config(docs, c.limits)
	defer cancel()
	config.ImportPath = "contract"
	m, _, ds := generate.Model(disk{}, config)
	return m, !c.tell(ds)
}

func (c *command) topics(args []string) int {
	what, args, err := verb(args, "apply", "diff")
	if err != nil && !asksHelp(args) {
		return c.wrong("topics: %v", err)
	}
	f := c.flags("topics apply|diff", "-brokers HOST:PORT[,...] [-replicas N] DOCUMENT...")
	brokers := f.String("brokers", "", "addresses of the brokers, separated by commas")
	replicas := f.Int("replicas", 0, "replicas of every topic instead of what the documents say; min.insync.replicas is not more than that")
	timeout := f.Duration("timeout", 30*time.Second, "time after which to give up")
	reads := readingFlags(f)
	var security secure.Kafka
	declared := secure.NewFlags(f, os.Getenv)
	security.Declare(declared)
	docs, status, ok := c.parse(f, args)
	switch {
	case !ok:
		return status
	case declared.Err() != nil:
		return c.wrong("%v", declared.Err())
	case *brokers == "":
		return c.wrong("topics needs -brokers")
	case *replicas < 0 || *replicas > math.MaxInt16:
		return c.wrong("-replicas is a number of brokers, not %d", *replicas)
	}
	m, ok := c.contract(docs, reads)
	if !ok {
		return fault
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	broker, err := security.Open()
	if err != nil {
		return c.wrong("%v", err)
	}
	cl, err := kgo.NewClient(append(broker.Options(), kgo.SeedBrokers(strings.Split(*brokers, ",")...))...)
	if err != nil {
		return c.failed(err)
	}
	defer cl.Close()
	want := replicated(m.Topics(), *replicas)
	if what == "apply" {
		return c.applyTopics(ctx, cl, want, broker.Explain)
	}
	drift, err := topics.Diff(ctx, cl, want)
	if err != nil {
		return c.failed(broker.Explain(err))
	}
	for _, d := range drift {
		fmt.Fprintln(c.stdout, d)
	}
	if len(drift) > 0 {
		return fault
	}
	return done
}

// replicated returns topics with another number of replicas, unless it is 0. No topic requires more
// replicas in sync than it has.
func replicated(list []topics.Topic, replicas int) []topics.Topic {
	if replicas == 0 {
		return list
	}
	for i := range list {
		list[i].Replicas = int16(replicas)
		list[i].Configs = slices.Clone(list[i].Configs)
		for j, s := range list[i].Configs {
			if n, err := strconv.Atoi(s.Value); s.Name == "min.insync.replicas" && err == nil && n > replicas {
				list[i].Configs[j].Value = strconv.Itoa(replicas)
			}
		}
	}
	return list
}

func (c *command) applyTopics(ctx context.Context, cl *kgo.Client, want []topics.Topic, explain func(error) error) int {
	changed, err := topics.Apply(ctx, cl, want)
	for _, d := range changed {
		if d.Want == "" {
			fmt.Fprintf(c.stdout, "created topic %s\n", d.Topic)
		} else {
			fmt.Fprintf(c.stdout, "topic %s: set %s to %s (was %s)\n", d.Topic, d.Setting, d.Want, d.Have)
		}
	}
	if err != nil {
		return c.failed(explain(err))
	}
	return done
}

func (c *command) schemas(args []string) int {
	what, args, err := verb(args, "register", "check")
	if err != nil && !asksHelp(args) {
		return c.wrong("schemas: %v", err)
	}
	f := c.flags("schemas register|check", "-registry URL DOCUMENT...")
	url := f.String("registry", "", "`URL` of the schema registry; it may have a path")
	level := f.String("compatibility", "FULL_TRANSITIVE", "level that register sets on every subject")
	timeout := f.Duration("timeout", 30*time.Second, "time after which to give up")
	reads := readingFlags(f)
	var security secure.Registry
	declared := secure.NewFlags(f, os.Getenv)
	security.Declare(declared)
	docs, status, ok := c.parse(f, args)
	switch {
	case !ok:
		return status
	case declared.Err() != nil:
		return c.wrong("%v", declared.Err())
	case *url == "":
		return c.wrong("schemas needs -registry")
	}
	m, ok := c.contract(docs, reads)
	if !ok {
		return fault
	}
	caller, err := security.HTTPClient()
	if err != nil {
		return c.wrong("%v", err)
	}
	cl, err := registry.NewClient(*url, sr.HTTPClient(caller))
	if err != nil {
		return c.wrong("%v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	if what == "register" {
		return c.results(cl.Register(ctx, m.Subjects(), *level))
	}
	return c.results(cl.Check(ctx, m.Subjects()))
}

// results prints the state of the subjects. It returns fault if a subject is new or changed, which
// only check finds.
func (c *command) results(rs []registry.Result, err error) int {
	status := done
	for _, r := range rs {
		switch r.State {
		case "new", "changed":
			status = fault
			fmt.Fprintf(c.stdout, "%-12s %s\n", r.State, r.Subject)
		case "incompatible":
			status = fault
			fmt.Fprintf(c.stdout, "%-12s %s\n  %s\n", r.State, r.Subject, strings.ReplaceAll(strings.TrimSpace(r.Detail), "\n", "\n  "))
		default:
			fmt.Fprintf(c.stdout, "%-12s %s id %d\n", r.State, r.Subject, r.ID)
		}
	}
	if err != nil {
		return c.failed(err)
	}
	return status
}

func asksHelp(args []string) bool {
	for _, a := range args {
		if a == "-h" || a == "-help" || a == "--help" {
			return true
		}
	}
	return false
}
