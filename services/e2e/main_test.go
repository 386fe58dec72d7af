package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	_ "github.com/deferpay/deferpay/services/billing" // built and started here: with another one, go test keeps no old result
	_ "github.com/deferpay/deferpay/services/contract"
	"github.com/deferpay/deferpay/tools/cluster"
	_ "github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/kafka/engine"
	"github.com/deferpay/deferpay/tools/process"
)

var (
	full = flag.Bool("e2e.full", false, "run every test at its full length")
	seed = flag.Uint64("e2e.seed", 0, "seed of what the tests choose at random; 0 takes a new one and prints it")
)

// binaries is where TestMain built the processes.
var binaries string

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano() % 1_000_000)
	}
	fmt.Printf("e2e: -e2e.seed %d repeats what is chosen at random\n", *seed)
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

// engines is what BROKER=kafka adds to every test's options: a broker of its own, and a registry
// that the tests share, as it takes long to start. What it registers once is the same for all of
// them.
var engines cluster.Options

// onKafka prepares for tests on Apache Kafka when BROKER asks for it.
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
