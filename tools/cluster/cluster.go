// Package cluster starts the whole system as processes: broker and registry, topics and schemas,
// the contract service and any number of billing instances. The demo, the contract tests and the
// system tests drive it; services never import it.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/kafka/engine"
	"github.com/deferpay/deferpay/tools/process"
)

// Options say what to start. The zero value starts an embedded broker that keeps its data on disk,
// contract, and two billing instances.
type Options struct {
	// Dir is the work folder, for binaries, logs and data. It must exist.
	Dir string
	// Bin is a folder with binaries that are built already; without it they are built into Dir/bin.
	Bin string
	// Race builds them with the race detector.
	Race bool
	// Brokers and Registry name running ones; without them devkafka is started, or what Engine
	// says.
	Brokers  []string
	Registry string
	// Engine is EngineKafka for Apache Kafka and, unless Registry names a running one, Apicurio
	// Registry, on the local JVM. What they need must have been fetched: artifacts.Cache.Missing
	// tells. KafkaBrokers is how many; 0 is one.
	Engine       string
	KafkaBrokers int
	// Front, when not nil, is asked before the start for an address that leads to the one a broker
	// or the registry will listen on. It is what everybody is told.
	Front func(addr string) (string, error)
	// Data is where the one broker keeps its records; a folder in Dir without it.
	Data string
	// Billing is how many instances; 0 is two. Contracts likewise; 0 is one.
	Billing, Contracts int
	// LogLevel of the services; "info" without it.
	LogLevel string
	// Progress, when not nil, is told what is going on, a line at a time.
	Progress func(format string, args ...any)
}

// Service is a process with an HTTP address.
type Service struct {
	*process.Process
	URL string // http://host:port
}

// EngineKafka is Apache Kafka rather than the embedded broker.
const EngineKafka = "kafka"

// Cluster is the running system.
type Cluster struct {
	Dir       string
	Brokers   []string
	Registry  string
	Kafka     *process.Process   // nil when the broker is not ours; the first of several
	Nodes     []*process.Process // the brokers, when they are ours
	Contract  *Service           // the first instance
	Contracts []*Service
	Billing   []*Service

	clock    string // the file with the offset
	brokers  *engine.Brokers
	registry *engine.Registry
}

// commands are what is built; devkafka only when the broker is ours.
var commands = []string{"./services/contract/cmd/contract", "./services/billing/cmd/billing", "./tools/devkafka"}

const (
	readyIn = 30 * time.Second
	stopIn  = 15 * time.Second
)

// Start returns when every process is ready. On an error everything that was started is stopped.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	if o.Billing == 0 {
		o.Billing = 2
	}
	if o.Contracts == 0 {
		o.Contracts = 1
	}
	if o.LogLevel == "" {
		o.LogLevel = "info"
	}
	if err := o.build(ctx); err != nil {
		return nil, err
	}
	c := &Cluster{Dir: o.Dir, Brokers: o.Brokers, Registry: o.Registry, clock: filepath.Join(o.Dir, "clock-offset")}
	if err := c.start(ctx, o); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (o *Options) build(ctx context.Context) error {
	if o.Bin != "" {
		return nil
	}
	root, err := process.Root()
	if err != nil {
		return err
	}
	o.Bin = filepath.Join(o.Dir, "bin")
	began := time.Now()
	slow := time.AfterFunc(2*time.Second, func() { o.Progress("building the services; the first time this takes a while") })
	defer slow.Stop()
	build := commands
	if len(o.Brokers) > 0 || o.Engine == EngineKafka {
		build = commands[:2]
	}
	if err := process.Build(ctx, root, o.Bin, o.Race, build...); err != nil {
		return err
	}
	o.Progress("built %d programs in %.1f s", len(build), time.Since(began).Seconds())
	return nil
}

func (c *Cluster) start(ctx context.Context, o Options) error {
	logs := filepath.Join(o.Dir, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	if len(c.Brokers) == 0 {
		start := c.startKafka
		if o.Engine == EngineKafka {
			start = c.startEngines
		}
		if err := start(ctx, o, logs); err != nil {
			return err
		}
		o.Progress("broker %s and schema registry %s are up", strings.Join(c.Brokers, ","), c.Registry)
	}
	topics, subjects, err := Deploy(ctx, c.Brokers, c.Registry)
	if err != nil {
		return err
	}
	o.Progress("%d topics are there, %d schemas are registered", topics, subjects)
	ports, err := process.FreePorts(o.Contracts + o.Billing)
	if err != nil {
		return err
	}
	for i, port := range ports[:o.Contracts] {
		c.Contracts = append(c.Contracts, c.service(o, logs, "contract", fmt.Sprintf("contract-%d", i+1), port))
	}
	c.Contract = c.Contracts[0]
	for i, port := range ports[o.Contracts:] {
		c.Billing = append(c.Billing, c.service(o, logs, "billing", fmt.Sprintf("billing-%d", i+1), port))
	}
	var g errgroup.Group
	for _, s := range slices.Concat(c.Contracts, c.Billing) {
		g.Go(func() error { return StartReady(ctx, s.Process) })
	}
	return g.Wait()
}

// StartReady starts a process and waits a bounded time until it is ready.
func StartReady(ctx context.Context, p *process.Process) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	return p.Start(ctx)
}

// startKafka starts devkafka on addresses of its own choice, and again on the same ones should it
// be restarted.
func (c *Cluster) startKafka(ctx context.Context, o Options, logs string) error {
	ports, err := process.FreePorts(2)
	if err != nil {
		return err
	}
	told, err := o.front(ports)
	if err != nil {
		return err
	}
	data := o.Data
	if data == "" {
		data = filepath.Join(o.Dir, "kafka")
	}
	c.Brokers, c.Registry = told[:1], "http://"+told[1]
	c.Kafka = process.New(process.Spec{
		Name: "devkafka", Path: filepath.Join(o.Bin, "devkafka"), LogDir: logs,
		Args:  []string{"-broker", ports[0], "-advertise", told[0], "-registry", ports[1], "-data", data},
		Ready: process.HTTPReady(c.Registry + "/subjects"),
	})
	c.Nodes = []*process.Process{c.Kafka}
	return StartReady(ctx, c.Kafka)
}

// front gives the addresses that everybody is told.
func (o *Options) front(addrs []string) ([]string, error) {
	if o.Front == nil {
		return addrs, nil
	}
	told := make([]string, len(addrs))
	for i, addr := range addrs {
		var err error
		if told[i], err = o.Front(addr); err != nil {
			return nil, err
		}
	}
	return told, nil
}

// startEngines starts Apache Kafka and, unless one is there already, Apicurio Registry.
func (c *Cluster) startEngines(ctx context.Context, o Options, _ string) error {
	cache, err := artifacts.Open(o.Progress)
	if err != nil {
		return err
	}
	addrs, err := process.FreePorts(max(o.KafkaBrokers, 1))
	if err != nil {
		return err
	}
	told, err := o.front(addrs)
	if err != nil {
		return err
	}
	settings := map[string]string{}
	if o.Data != "" {
		settings["log.dirs"] = o.Data
	}
	c.brokers, err = engine.StartBrokers(ctx, engine.BrokersOptions{Cache: cache, Dir: filepath.Join(o.Dir, "kafka"), Count: o.KafkaBrokers, Heap: "256m",
		Addrs: addrs, Advertised: told, Settings: settings})
	if err != nil {
		return err
	}
	c.Brokers, c.Nodes, c.Kafka = c.brokers.Addrs, c.brokers.Nodes, c.brokers.Nodes[0]
	if c.Registry != "" {
		c.Registry, err = o.frontURL(c.Registry)
		return err
	}
	c.registry, err = engine.StartRegistry(ctx, engine.RegistryOptions{Cache: cache, Dir: filepath.Join(o.Dir, "registry"), Brokers: c.Brokers})
	if err != nil {
		return err
	}
	c.Registry, err = o.frontURL(c.registry.URL)
	return err
}

func (o *Options) frontURL(to string) (string, error) {
	u, err := url.Parse(to)
	if err != nil {
		return "", err
	}
	told, err := o.front([]string{u.Host})
	if err != nil {
		return "", err
	}
	u.Host = told[0]
	return u.String(), nil
}

func (c *Cluster) service(o Options, logs, command, name, addr string) *Service {
	base := "http://" + addr
	args := []string{"-http", addr, "-brokers", strings.Join(c.Brokers, ","), "-registry", c.Registry,
		"-insecure-dev", "-clock-offset-file", c.clock, "-writer", name, "-log-level", o.LogLevel}
	if command == "billing" {
		args = append(args, "-run-after", "0") // months are billed when the story says so
	}
	return &Service{URL: base, Process: process.New(process.Spec{
		Name: name, Path: filepath.Join(o.Bin, command), LogDir: logs,
		Args:  args,
		Ready: process.HTTPReady(base + "/readyz"),
	})}
}

// SetClock puts the domain's clock of every service ahead of the system's.
func (c *Cluster) SetClock(ahead time.Duration) error {
	part := c.clock + ".part" // renamed, so that nobody reads half of it
	if err := os.WriteFile(part, []byte(ahead.String()+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(part, c.clock)
}

// Processes are all that were started, in the order in which they stop: those that rely on others
// first.
func (c *Cluster) Processes() []*process.Process {
	var all []*process.Process
	for _, s := range slices.Concat(c.Billing, c.Contracts) {
		all = append(all, s.Process)
	}
	return append(all, c.engines()...)
}

// engines are the registry, when it is a process, and the brokers.
func (c *Cluster) engines() []*process.Process {
	if c.registry == nil {
		return c.Nodes
	}
	return append([]*process.Process{c.registry.Process}, c.Nodes...)
}

// Stop ends every process that is running, the broker last, and kills those that do not end by
// themselves.
func (c *Cluster) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopIn)
	defer cancel()
	services := slices.DeleteFunc(c.Processes(), func(p *process.Process) bool { return slices.Contains(c.engines(), p) })
	errs := make([]error, len(services), len(services)+3)
	var g errgroup.Group
	for i, p := range services {
		g.Go(func() error { errs[i] = p.Stop(ctx); return nil })
	}
	_ = g.Wait()
	return errors.Join(append(errs, c.stopEngines())...)
}

func (c *Cluster) stopEngines() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopIn)
	defer cancel()
	switch {
	case c.registry != nil:
		return errors.Join(c.registry.Stop(ctx), c.brokers.Stop(ctx))
	case c.brokers != nil:
		return c.brokers.Stop(ctx)
	case c.Kafka != nil:
		return c.Kafka.Stop(ctx)
	}
	return nil
}

// Complaints are the lines of the services' logs at level ERROR, each with the name of the file. A
// panic is one too. What engines on the JVM log is their own.
func (c *Cluster) Complaints() []string {
	var out []string
	for _, p := range c.Processes() {
		if c.brokers != nil && slices.Contains(c.engines(), p) {
			continue
		}
		data, err := os.ReadFile(p.LogFile())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			out = append(out, err.Error())
		}
		for line := range strings.Lines(string(data)) {
			var entry struct{ Level string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Level != "ERROR" {
				continue
			}
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, p.Name()+": "+line)
			}
		}
	}
	return slices.Compact(out)
}
