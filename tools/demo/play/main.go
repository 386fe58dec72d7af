// Command play starts the whole system on this machine, plays the story of the two services and
// checks every step. The command demo builds and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/deferpay/deferpay/tools/demo/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv); errors.Is(err, flag.ErrHelp) {
		return
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "play: starts a broker, a registry, contract and two billing instances, plays the story and checks every step.\n\n"+
			"With KEEP=1 everything is left running until Ctrl-C, with a page that shows it. With BROKER=kafka a running broker and registry are used.\n\n")
		flags.PrintDefaults()
	}
	or := func(name, def string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return def
	}
	brokers := flags.String("brokers", or("KAFKA_BROKERS", "127.0.0.1:9092"), "`addresses` of the running broker, with BROKER=kafka [KAFKA_BROKERS]")
	registry := flags.String("registry", or("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8085/apis/ccompat/v7"), "`URL` of the running registry, with BROKER=kafka [SCHEMA_REGISTRY_URL]")
	dir := flags.String("dir", "", "`directory` for binaries, logs and data; a temporary one by default")
	bin := flags.String("bin", "", "`directory` of the programs; by default they are built")
	show := flags.Bool("live", false, "start the system and serve the live view, whose buttons play the story")
	addr := flags.String("live-addr", or("LIVE_ADDR", "127.0.0.1:8087"), "`address` of the live view; if its port is taken, a free one is used [LIVE_ADDR]")
	keep := flags.Bool("keep", or("KEEP", "0") != "0", "leave everything running until Ctrl-C [KEEP]")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o := story.Options{Out: os.Stdout, Dir: *dir, Bin: *bin, Keep: *keep}
	switch broker := or("BROKER", "embedded"); broker {
	case "embedded":
	case "kafka":
		o.Brokers, o.Registry = strings.Split(*brokers, ","), *registry
	default:
		return fmt.Errorf("BROKER=%s: want embedded or kafka", broker)
	}
	switch {
	case *show:
		return serve(ctx, o, *addr)
	case *keep:
		return playShown(ctx, o, *addr)
	}
	return story.Play(ctx, o)
}
