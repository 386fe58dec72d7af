// Package cluster starts the whole system as processes: a broker, a schema registry, and any number
// of instances of the two services. It also creates the topics and registers the schemas. The demo,
// the contract tests and the system tests import it; services never do.
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
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/kafka/engine"
	"github.com/deferpay/deferpay/tools/process"
)

// Options describe the system to start. With Dir alone, it has an embedded broker that keeps its
// data on disk, one contract instance and two billing instances.
type Options struct {
	// Dir is the directory for binaries, logs and data. It must exist.
	Dir string
	// Bin is a directory with binaries. If it is empty, they are built into Dir/bin.
	Bin string
	// Race builds the binaries with the race detector.
	Race bool
	// Brokers and Registry are the addresses of a running broker and registry. If they are empty,
	// those that Engine selects are started.
	Brokers  []string
	Registry string
	// Engine is empty for devkafka. EngineKafka selects Apache Kafka and, if Registry is empty,
	// Apicurio Registry, on the local JVM. Their artifacts must be in the cache, see
	// artifacts.Cache.Missing. KafkaBrokers is the number of brokers; 0 means one.
	Engine       string
	KafkaBrokers int
	// Front, if not nil, is called before the start with the address on which a broker or the
	// registry will listen. It returns the address that clients are to use instead, such as that of
	// a proxy.
	Front func(addr string) (string, error)
	// Link, if not nil, is called before an instance is created. It returns the addresses of the
	// brokers and the registry that this instance alone is to use, such as those of proxies.
	Link func(instance string, brokers []string, registry string) ([]string, string, error)
	// Data is the directory of the records of the broker. If it is empty, they are kept in Dir.
	Data string
	// Billing is the number of billing instances; 0 means two. Contracts is the number of contract
	// instances; 0 means one.
	Billing, Contracts int
	// LogLevel is the log level of the services. If it is empty, it is "info".
	LogLevel string
	// Access are the settings of the services that say who is let in, see package callers. If it is
	// empty, everybody is.
	Access []string
	// Progress, if not nil, is called with each line of progress.
	Progress func(format string, args ...any)
	// SnapshotEvery is how many records are between two snapshots; 0 is the services' default.
	SnapshotEvery int
}

// Service is a process with an HTTP address.
type Service struct {
	*process.Process
	URL   string // of the API, http://host:port
	Admin string // of health, metrics and profiles, http://host:port
}

// EngineKafka is the Options.Engine that selects Apache Kafka.
const EngineKafka = "kafka"

// Cluster is a running system.
type Cluster struct {
	Dir       string
	Brokers   []string
	Registry  string
	Kafka     *process.Process   // first broker; nil if Options named a running one
	Nodes     []*process.Process // all brokers that were started
	Contract  *Service           // first of Contracts
	Contracts []*Service
	Billing   []*Service

	options  Options
	attached bool
	clock    string       // clock offset file
	ahead    atomic.Int64 // of the clock, in nanoseconds
	brokers  *engine.Brokers
	registry *engine.Registry
}

// commands are the packages to build. The last one is not needed on other brokers than devkafka.
var commands = []string{"./services/contract/cmd/contract", "./services/billing/cmd/billing", "./tools/devkafka"}

const (
	readyIn = 30 * time.Second
	stopIn  = 15 * time.Second
)

// Start returns once every process is ready. If an error is returned, every process that was
// started has been stopped.
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
	c := &Cluster{Dir: o.Dir, Brokers: o.Brokers, Registry: o.Registry, options: o, clock: filepath.Join(o.Dir, "clock-offset")}
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
	o.Progress("%d topics and %d schemas are deployed", topics, subjects)
	ports, err := process.FreePorts(2 * (o.Contracts + o.Billing))
	if err != nil {
		return err
	}
	for i, addrs := range slices.Collect(slices.Chunk(ports, 2)) {
		command, all, n := Contract, &c.Contracts, i+1
		if i >= o.Contracts {
			command, all, n = Billing, &c.Billing, i+1-o.Contracts
		}
		s, err := c.service(o, logs, command, fmt.Sprintf("%s-%d", command, n), addrs)
		if err != nil {
			return err
		}
		*all = append(*all, s)
	}
	c.Contract = c.Contracts[0]
	var g errgroup.Group
	for _, s := range c.Services() {
		g.Go(func() error { return StartReady(ctx, s.Process) })
	}
	return g.Wait()
}

// Names of the services, for Add.
const (
	Contract = "contract"
	Billing  = "billing"
)

// Add starts another instance of a service, with the binaries in the directory bin, and returns
// once it is ready. Stop stops it with the others.
func (c *Cluster) Add(ctx context.Context, bin, service string) (*Service, error) {
	ports, err := process.FreePorts(2)
	if err != nil {
		return nil, err
	}
	all := &c.Contracts
	if service == Billing {
		all = &c.Billing
	}
	o := c.options
	o.Bin = bin
	s, err := c.service(o, filepath.Join(c.Dir, "logs"), service, fmt.Sprintf("%s-%d", service, len(*all)+1), ports)
	if err != nil {
		return nil, err
	}
	*all = append(*all, s)
	return s, StartReady(ctx, s.Process)
}

// StartReady starts a process and waits until it is ready, but no longer than readyIn.
func StartReady(ctx context.Context, p *process.Process) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	return p.Start(ctx)
}

// startKafka starts devkafka on free ports. It keeps them when it is restarted.
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

// front returns the addresses that clients are to use.
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

// startEngines starts Apache Kafka and, unless Options.Registry is set, Apicurio Registry.
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

// service returns a service on two addresses: of its API, and of health and metrics.
func (c *Cluster) service(o Options, logs, command, name string, addrs []string) (*Service, error) {
	brokers, registry := c.Brokers, c.Registry
	if o.Link != nil {
		var err error
		if brokers, registry, err = o.Link(name, brokers, registry); err != nil {
			return nil, err
		}
	}
	s := &Service{URL: "http://" + addrs[0], Admin: "http://" + addrs[1]}
	args := []string{"-http", addrs[0], "-admin", addrs[1], "-brokers", strings.Join(brokers, ","), "-registry", registry,
		"-clock-offset-file", c.clock, "-writer", name, "-log-level", o.LogLevel}
	if len(o.Access) > 0 {
		args = append(args, o.Access...)
	} else {
		args = append(args, "-insecure-dev")
	}
	if o.SnapshotEvery > 0 {
		args = append(args, "-snapshot-every", strconv.Itoa(o.SnapshotEvery))
	}
	if command == Billing {
		args = append(args, "-run-after", "0") // months are billed only on request
	}
	s.Process = process.New(process.Spec{
		Name: name, Path: filepath.Join(o.Bin, command), LogDir: logs,
		Args:  args,
		Ready: process.HTTPReady(s.Admin + "/readyz"),
	})
	return s, nil
}

// Attach describes a system that others have started. Its processes cannot be started, stopped or
// killed, and its clock cannot be moved. Admins are the addresses for operators of contract and of
// the instances of billing, in that order.
func Attach(brokers []string, registry, contract string, billing, admins []string) *Cluster {
	away := func(name, url, admin string) *Service {
		return &Service{URL: url, Admin: admin, Process: process.New(process.Spec{Name: name})}
	}
	c := &Cluster{Brokers: brokers, Registry: registry, Contract: away("contract-1", contract, admins[0]), attached: true}
	c.Contracts = []*Service{c.Contract}
	for i, url := range billing {
		c.Billing = append(c.Billing, away(fmt.Sprintf("billing-%d", i+1), url, admins[i+1]))
	}
	return c
}

// Attached reports whether the system was started by others.
func (c *Cluster) Attached() bool { return c.attached }

// Services returns all instances, those of contract first.
func (c *Cluster) Services() []*Service { return slices.Concat(c.Contracts, c.Billing) }

// SetClock sets how far the domain clock of every service is ahead of the system clock.
func (c *Cluster) SetClock(ahead time.Duration) error {
	if c.attached {
		return errors.New("the clock of a system that others have started cannot be moved")
	}
	c.ahead.Store(int64(ahead))
	part := c.clock + ".part" // renamed, so that the file is never read half written
	if err := os.WriteFile(part, []byte(ahead.String()+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(part, c.clock)
}

// Ahead returns how far the domain clock of every service is ahead of the system clock.
func (c *Cluster) Ahead() time.Duration { return time.Duration(c.ahead.Load()) }

// Processes returns every process that was started, in the order in which they are to be stopped: a
// process comes before those that it depends on.
func (c *Cluster) Processes() []*process.Process {
	var all []*process.Process
	for _, s := range slices.Concat(c.Billing, c.Contracts) {
		all = append(all, s.Process)
	}
	return append(all, c.engines()...)
}

// engines returns the registry, if it is a process of its own, and the brokers.
func (c *Cluster) engines() []*process.Process {
	if c.registry == nil {
		return c.Nodes
	}
	return append([]*process.Process{c.registry.Process}, c.Nodes...)
}

// Stop stops every running process, the brokers last. Processes that do not end in time are killed.
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

// Complaints returns the lines that the processes logged at level ERROR or after a recovered panic,
// and those that are not JSON, such as a panic, each with the name of the process. Engines on the
// JVM are left out.
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
			var entry struct{ Level, Msg string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Level != "ERROR" && !strings.HasPrefix(entry.Msg, "Panic") {
				continue // the router of messages recovers from panics and logs them at level WARN
			}
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, p.Name()+": "+line)
			}
		}
	}
	return slices.Compact(out)
}
