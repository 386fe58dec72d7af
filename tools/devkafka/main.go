// Command devkafka runs a Kafka broker and a Confluent-compatible schema registry in one process,
// for development. It needs neither a JVM nor a container. See --help.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/deferpay/deferpay/internal/heaproom"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	heaproom.Keep(os.Getenv)
	if os.Getenv("GOMAXPROCS") == "" {
		// The broker handles one request at a time. On a second processor its goroutines would
		// only wake each other, and take it from the services.
		runtime.GOMAXPROCS(1)
	}
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); errors.Is(err, flag.ErrHelp) {
		return
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "devkafka:", err)
		os.Exit(1)
	}
}

// Ready is the only line on standard output. It is written once broker and registry answer.
type Ready struct {
	Ready    bool     `json:"ready"`
	Brokers  []string `json:"brokers"`
	Registry string   `json:"registry"`
	Data     string   `json:"data"` // "memory" or the directory
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("devkafka", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, "devkafka: a Kafka broker and a schema registry for development, in one process.\n\n"+
			"Once both answer, one line of JSON with their addresses is written to standard output.\nTopics are not created automatically.\n\n")
		flags.PrintDefaults()
	}
	cfg := embedded.Config{}
	var level slog.Level
	flags.StringVar(&cfg.Broker, "broker", "127.0.0.1:9092", "`address` of the broker; port 0 picks a free one")
	flags.StringVar(&cfg.Advertise, "advertise", "", "`address` that is advertised to clients instead of the broker's, for a broker behind a proxy")
	flags.StringVar(&cfg.Registry, "registry", "127.0.0.1:8085", "`address` of the schema registry; port 0 picks a free one")
	flags.StringVar(&cfg.DataDir, "data", "", "`directory` for topics and schemas; without it they are kept in memory")
	flags.BoolVar(&cfg.Sync, "sync", false, "fsync every batch, so that acknowledged records survive a crash of the machine")
	flags.TextVar(&level, "log-level", slog.LevelWarn, "minimum `level` of log lines on standard error")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if cfg.Sync && cfg.DataDir == "" {
		return errors.New("-sync needs -data")
	}
	cfg.Logger = slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level})).With("service", "devkafka")
	k, err := embedded.Start(ctx, cfg)
	if err != nil {
		return err
	}
	ready := Ready{Ready: true, Brokers: []string{k.Broker}, Registry: k.Registry, Data: cfg.DataDir}
	if ready.Data == "" {
		ready.Data = "memory"
	}
	if err := json.NewEncoder(stdout).Encode(ready); err != nil {
		return errors.Join(err, k.Close())
	}
	select {
	case <-ctx.Done():
		return k.Close()
	case err := <-k.Failed():
		return errors.Join(fmt.Errorf("registry: %w", err), k.Close())
	}
}
