package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	// The services and the broker are built and started by TestMain. They are imported so that go
	// test does not reuse a cached result after they have changed.
	_ "github.com/deferpay/deferpay/services/billing"
	_ "github.com/deferpay/deferpay/services/contract"
	"github.com/deferpay/deferpay/tools/cluster"
	_ "github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/kafka/engine"
	"github.com/deferpay/deferpay/tools/process"
)

var (
	full = flag.Bool("e2e.full", false, "run every test at its whole length")
	seed = flag.Uint64("e2e.seed", 0, "seed of the random choices; 0 chooses a new one and prints it")
)

// length is how long a test runs, such as a number of rounds: in the short form, in the full form
// (see fulltest), and with -e2e.full.
type length struct{ short, full, whole int }

func (l length) take() int {
	if *full {
		return l.whole
	}
	return fulltest.Choose(l.short, l.full)
}

// binaries is the directory of the commands that TestMain has built.
var binaries string

func TestMain(m *testing.M) {
	flag.Parse()
	if *full { // it is longer than the full form, and no part of it is the short one
		os.Setenv(fulltest.Variable, "1")
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano() % 1_000_000)
	}
	fmt.Printf("e2e: -e2e.seed %d repeats the random choices\n", *seed)
	status, err := func() (int, error) {
		root, err := process.Root()
		if err != nil {
			return 1, err
		}
		if binaries, err = os.MkdirTemp("", "deferpay-e2e"); err != nil {
			return 1, err
		}
		defer os.RemoveAll(binaries)
		err = process.Build(context.Background(), root, binaries, false, "./services/contract/cmd/contract", "./services/billing/cmd/billing", "./tools/devkafka")
		if err != nil {
			return 1, err
		}
		stop, err := onKafka()
		if err != nil {
			return 1, err
		}
		return m.Run(), stop()
	}()
	if err != nil {
		status = max(status, 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// engines has the options that BROKER=kafka adds to those of each test: every test has its own
// broker, and all share one registry, because it takes long to start.
var engines cluster.Options

// embeddedOnly skips a test on Apache Kafka, where it would show what it shows on the embedded
// broker.
func embeddedOnly(t *testing.T, why string) {
	t.Helper()
	if engines.Engine == cluster.EngineKafka {
		t.Skipf("%s: it runs on the embedded broker", why)
	}
}

// onKafka prepares for tests on Apache Kafka if BROKER is kafka.
func onKafka() (stop func() error, err error) {
	stop = func() error { return nil }
	switch broker := os.Getenv("BROKER"); broker {
	case "", "embedded":
		return stop, nil
	case cluster.EngineKafka:
	default:
		return stop, fmt.Errorf("BROKER=%s: want embedded or kafka", broker)
	}
	cache, err := artifacts.Open(nil)
	if err != nil {
		return stop, err
	}
	if missing := cache.Missing(context.Background(), true); missing != "" {
		return stop, errors.New("BROKER=kafka: " + missing)
	}
	dir, err := os.MkdirTemp("", "deferpay-registry")
	if err != nil {
		return stop, err
	}
	registry, err := engine.StartRegistry(context.Background(), engine.RegistryOptions{Cache: cache, Dir: dir})
	if err != nil {
		return stop, errors.Join(err, os.RemoveAll(dir))
	}
	engines = cluster.Options{Engine: cluster.EngineKafka, Registry: registry.URL}
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return errors.Join(registry.Stop(ctx), os.RemoveAll(dir))
	}, nil
}
