// Command devkafka is a Kafka broker and a Confluent-compatible schema registry in one static
// binary, for development: no JVM, no container. See --help.
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
	"syscall"

	"github.com/deferpay/deferpay/tools/devkafka/embedded"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); errors.Is(err, flag.ErrHelp) {
		return
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "devkafka:", err)
		os.Exit(1)
	}
}

// Ready is the one line on standard output, once both answer.
type Ready struct {
	Ready    bool     `json:"ready"`
	Brokers  []string `json:"brokers"`
	Registry string   `json:"registry"`
	Data     string   `json:"data"` // "memory" or the folder
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("devkafka", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, "devkafka: a Kafka broker and a schema registry for development, in one process.\n\n"+
			"When both answer, one JSON line on standard output says where. Topics are not created on use.\n\n")
		flags.PrintDefaults()
	}
	cfg := embedded.Config{}
	var level slog.Level
	flags.StringVar(&cfg.Broker, "broker", "127.0.0.1:9092", "`address` of the broker; port 0 picks a free one")
	flags.StringVar(&cfg.Advertise, "advertise", "", "`address` that clients are told instead of the broker's, when something stands before it")
	flags.StringVar(&cfg.Registry, "registry", "127.0.0.1:8085", "`address` of the schema registry; port 0 picks a free one")
	flags.StringVar(&cfg.DataDir, "data", "", "`folder` to keep topics and schemas in; memory without it")
	flags.BoolVar(&cfg.Sync, "sync", false, "fsync every batch, so that what is acknowledged survives the machine and not only this process")
	flags.TextVar(&level, "log-level", slog.LevelWarn, "lowest `level` logged on standard error")
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
