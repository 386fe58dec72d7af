// Command kafka runs Apache Kafka or Apicurio Registry in the foreground on the local JVM, from
// Maven artifacts. See --help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
	"github.com/deferpay/deferpay/tools/kafka/acls"
	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/kafka/engine"
	"github.com/deferpay/deferpay/tools/process"
)

const usage = `kafka: the real engines on the local JVM, in the foreground until Ctrl-C.

  kafka broker     runs Apache Kafka, one broker or a cluster
  kafka registry   runs Apicurio Registry, which keeps its schemas on that Kafka
  kafka fetch      downloads both, so that they start without a network later
  kafka acls       prints who may do what on a broker, compares a broker with it, applies it
  kafka user       creates a user on a broker, or changes the password of one

Each has --help. Downloads are kept in the user's cache folder, or in DEFERPAY_CACHE.
`

// errUsage is a mistake on the command line.
var errUsage = errors.New("see kafka --help")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == "acls":
		return runner{stdout: stdout, stderr: stderr}.acls(ctx, args[1:])
	case len(args) > 0 && args[0] == "user":
		return runner{stdout: stdout, stderr: stderr}.user(ctx, args[1:])
	}
	cache, err := artifacts.Open(func(format string, args ...any) { fmt.Fprintf(stdout, "kafka: "+format+"\n", args...) })
	if err != nil {
		return err
	}
	r := runner{cache: cache, stdout: stdout, stderr: stderr}
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errUsage
	}
	switch args[0] {
	case "broker":
		return r.broker(ctx, args[1:])
	case "registry":
		return r.registry(ctx, args[1:])
	case "fetch":
		return r.fetch(ctx, args[1:])
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	}
	return fmt.Errorf("there is no command %q: %w", args[0], errUsage)
}

type runner struct {
	cache          artifacts.Cache
	stdout, stderr io.Writer
}

// gate passes on what an engine logs while it is up. While brokers look for each other, and while
// they leave, they warn of that again and again. The log files have everything, and the error of an
// engine that does not start has its last lines.
type gate struct {
	to   io.Writer
	open atomic.Bool
}

func (g *gate) Write(p []byte) (int, error) {
	if g.open.Load() {
		return g.to.Write(p)
	}
	return len(p), nil
}

// newGate returns a gate that is open from the start if the user asked for more than warnings.
func (r runner) newGate(level string) *gate {
	g := &gate{to: r.stderr}
	g.open.Store(!slices.Contains([]string{"warn", "error", "off"}, level))
	return g
}

// parse reads a command's flags. The flag package reports mistakes among them.
func (r runner) parse(flags *flag.FlagSet, args []string, about string) error {
	flags.SetOutput(r.stderr)
	flags.Usage = func() {
		fmt.Fprintf(r.stderr, "%s: %s\n\n", flags.Name(), about)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: %w", flags.Arg(0), errUsage)
	}
	return nil
}

func (r runner) broker(ctx context.Context, args []string) error {
	o := engine.BrokersOptions{Cache: r.cache}
	flags := flag.NewFlagSet("kafka broker", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:9092", "`addresses` to listen on, separated by commas; one address for several brokers has the first of consecutive ports; port 0 chooses free ones")
	flags.IntVar(&o.Count, "brokers", 1, "`number` of brokers; with three, topics have three replicas of which two must be in sync")
	flags.StringVar(&o.Dir, "data", "", "`folder` for data, configuration and logs; by default a temporary one, which is removed at the end")
	flags.StringVar(&o.Heap, "heap", "384m", "most `memory` that a broker uses for objects")
	flags.StringVar(&o.LogLevel, "log-level", "warn", "lowest `level` that Kafka logs, on standard error and in the folder: trace, debug, info, warn, error, off")
	secured := flags.Bool("secure", false, "TLS with an authority of its own, a login for each user, and the rights that kafka acls print lists; passwords and certificates are in the data folder")
	if err := r.parse(flags, args, "Apache Kafka "+artifacts.KafkaVersion+" (KRaft, each broker is a controller too). Topics are not created on use."); err != nil {
		return err
	}
	if o.Count < 1 {
		return fmt.Errorf("-brokers %d: %w", o.Count, errUsage)
	}
	var err error
	if o.Addrs, err = addresses(*addr, o.Count); err != nil {
		return errors.Join(err, errUsage)
	}
	if *secured {
		o.Users = acls.Users()
	}
	return r.inFolder(o.Dir, func(dir string) error {
		log := r.newGate(o.LogLevel)
		o.Dir, o.Tee = dir, log
		began := r.starting("Apache Kafka "+artifacts.KafkaVersion, dir)
		b, err := engine.StartBrokers(ctx, o)
		if err != nil {
			return r.notStarted(ctx, err)
		}
		if *secured {
			if err := r.protect(ctx, b); err != nil {
				return errors.Join(err, b.Kill())
			}
		}
		fmt.Fprintf(r.stdout, "kafka: Apache Kafka %s listens on %s (%s, data and logs in %s, up in %.1f s); Ctrl-C stops it\n",
			artifacts.KafkaVersion, strings.Join(b.Addrs, ","), replication(o.Count), dir, time.Since(began).Seconds())
		return r.until(ctx, log, b.Nodes, b.Stop)
	})
}

func replication(brokers int) string {
	switch {
	case brokers == 1:
		return "1 broker"
	case brokers == 2:
		return "2 brokers, 2 replicas"
	}
	return fmt.Sprintf("%d brokers, 3 replicas, 2 in sync", brokers)
}

func (r runner) registry(ctx context.Context, args []string) error {
	o := engine.RegistryOptions{Cache: r.cache}
	flags := flag.NewFlagSet("kafka registry", flag.ContinueOnError)
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:8085", "`address` to listen on; port 0 chooses a free one")
	brokers := flags.String("brokers", "127.0.0.1:9092", "`addresses` of the Kafka that keeps the schemas, separated by commas")
	declared := secure.NewFlags(flags, os.Getenv)
	o.Security.Declare(declared)
	flags.StringVar(&o.Dir, "data", "", "`folder` for logs and temporary files; by default a temporary one, which is removed at the end")
	flags.StringVar(&o.Heap, "heap", "256m", "most `memory` that it uses for objects")
	flags.StringVar(&o.LogLevel, "log-level", "warn", "lowest `level` that it logs: debug, info, warn, error, off")
	if err := r.parse(flags, args, "Apicurio Registry "+artifacts.RegistryVersion+", which answers as Confluent's registry does and keeps its schemas on Kafka."); err != nil {
		return err
	}
	if err := declared.Err(); err != nil {
		return errors.Join(err, errUsage)
	}
	o.Brokers = strings.Split(*brokers, ",")
	if strings.HasSuffix(o.Addr, ":0") {
		o.Addr = ""
	}
	if err := engine.Reachable(ctx, o.Brokers); err != nil {
		return fmt.Errorf("%w\nthe registry keeps its schemas on Kafka: start it first, with `make kafka`, or name its address with -brokers", err)
	}
	return r.inFolder(o.Dir, func(dir string) error {
		log := r.newGate(o.LogLevel)
		o.Dir, o.Tee = dir, log
		began := r.starting("Apicurio Registry "+artifacts.RegistryVersion, dir)
		s, err := engine.StartRegistry(ctx, o)
		if err != nil {
			return r.notStarted(ctx, err)
		}
		fmt.Fprintf(r.stdout, "kafka: Apicurio Registry %s answers as Confluent's on %s (schemas on Kafka at %s, logs in %s, up in %.1f s); Ctrl-C stops it\n",
			artifacts.RegistryVersion, s.URL, strings.Join(o.Brokers, ","), dir, time.Since(began).Seconds())
		return r.until(ctx, log, []*process.Process{s.Process}, s.Stop)
	})
}

func (r runner) fetch(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("kafka fetch", flag.ContinueOnError)
	if err := r.parse(flags, args, "downloads Apache Kafka "+artifacts.KafkaVersion+", Apicurio Registry "+artifacts.RegistryVersion+" and the Java that they need, unless they are in the cache."); err != nil {
		return err
	}
	began := time.Now()
	for _, get := range []func() error{
		func() error { _, err := r.cache.Kafka(ctx); return err },
		func() error { _, err := r.cache.Registry(ctx); return err },
		func() error { _, err := r.cache.Java(ctx, artifacts.RegistryJava); return err },
	} {
		if err := get(); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.stdout, "kafka: everything is in %s (%.1f s)\n", r.cache.Dir, time.Since(began).Seconds())
	return nil
}

// starting prints that an engine is starting, which takes seconds, on a busy machine up to a
// minute. It returns the time.
func (r runner) starting(what, dir string) time.Time {
	fmt.Fprintf(r.stdout, "kafka: starting %s, its logs are in %s\n", what, filepath.Join(dir, "logs"))
	return time.Now()
}

// notStarted returns the error of a start that failed; nil if the start was interrupted.
func (r runner) notStarted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintln(r.stdout, "kafka: stopped before it was up")
	return nil
}

// inFolder calls do with a folder: dir, or, if that is empty, a temporary one that is removed
// afterwards.
func (r runner) inFolder(dir string, do func(dir string) error) error {
	if dir != "" {
		return do(dir)
	}
	dir, err := os.MkdirTemp("", "deferpay-kafka-")
	if err != nil {
		return err
	}
	return errors.Join(do(dir), os.RemoveAll(dir))
}

// stopIn bounds a clean stop.
const stopIn = 30 * time.Second

// until waits until ctx ends, and then stops the processes; or until the last one has ended by
// itself, which is an error. If one of several ends, the others go on, so that a cluster can be
// tried by killing a broker.
func (r runner) until(ctx context.Context, log *gate, all []*process.Process, stop func(context.Context) error) error {
	shown := log.open.Swap(true)
	ended := make(chan *process.Process, len(all))
	for _, p := range all {
		go func() { <-p.Done(); ended <- p }()
	}
	var err error
	for left := len(all); left > 0 && ctx.Err() == nil; {
		select {
		case <-ctx.Done():
			fmt.Fprintln(r.stdout, "kafka: stopping")
		case p := <-ended:
			left--
			fmt.Fprintf(r.stdout, "kafka: %s has ended by itself, %d of %d left\n", p.Name(), left, len(all))
			err = fmt.Errorf("%s has ended by itself:\n%s", p.Name(), p.Tail(10))
		}
	}
	if ctx.Err() != nil {
		err = nil
	}
	log.open.Store(shown)
	stopping, cancel := context.WithTimeout(context.Background(), stopIn)
	defer cancel()
	return errors.Join(err, stop(stopping))
}

// addresses returns the n addresses that were typed, or n consecutive ports from the one address
// that was typed; nil if its port is 0.
func addresses(typed string, n int) ([]string, error) {
	all := strings.Split(typed, ",")
	if len(all) == n && n > 1 {
		return all, nil
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("-addr names %d addresses for %d brokers", len(all), n)
	}
	host, text, err := net.SplitHostPort(typed)
	if err != nil {
		return nil, fmt.Errorf("-addr %q: want host:port: %w", typed, err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("-addr %q: %q is not a port", typed, text)
	}
	if port == 0 {
		return nil, nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = net.JoinHostPort(host, strconv.FormatUint(port+uint64(i), 10))
	}
	return out, nil
}
