// Command live serves the live view of a system that others have started, such as Compose. It
// controls no processes, so the buttons that would are disabled and say so. See --help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/live"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv); errors.Is(err, flag.ErrHelp) {
		return
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string) error {
	flags := flag.NewFlagSet("live", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "live: serves a page that shows a running system while things happen.\n\n")
		flags.PrintDefaults()
	}
	or := func(name, def string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return def
	}
	addr := flags.String("http", or("HTTP_ADDR", "127.0.0.1:8087"), "`address` of the page [HTTP_ADDR]")
	brokers := flags.String("brokers", or("KAFKA_BROKERS", "127.0.0.1:9092"), "`addresses` of the brokers, separated by commas [KAFKA_BROKERS]")
	registry := flags.String("registry", or("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8085"), "`URL` of the schema registry [SCHEMA_REGISTRY_URL]")
	contract := flags.String("contract", or("CONTRACT_URL", "http://127.0.0.1:8081"), "`URL` of contract [CONTRACT_URL]")
	billing := flags.String("billing", or("BILLING_URLS", "http://127.0.0.1:8082,http://127.0.0.1:8083"), "`URLs` of the instances of billing, separated by commas [BILLING_URLS]")
	admin := flags.String("admin", or("ADMIN_URLS", "http://127.0.0.1:9081,http://127.0.0.1:9082,http://127.0.0.1:9083"), "`URLs` of the metrics of contract and of the instances of billing, in that order [ADMIN_URLS]")
	key := flags.String("api-key-file", or("API_KEY_FILE", ""), "`file` with the API key of the services; without it they have to accept any [API_KEY_FILE]")
	specs := flags.String("specs", "specs", "`directory` of the contracts, with the schemas of the logs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := useKey(*key); err != nil {
		return fmt.Errorf("-api-key-file: %w", err)
	}
	instances := strings.Split(*billing, ",")
	admins := strings.Split(*admin, ",")
	if len(admins) != 1+len(instances) {
		return fmt.Errorf("-admin has %d URLs, want one for contract and %d for billing", len(admins), len(instances))
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	view := live.New()
	c := cluster.Attach(strings.Split(*brokers, ","), *registry, *contract, instances, admins)
	if _, err := view.Attach(live.System{Cluster: c, Specs: *specs}); err != nil {
		return errors.Join(err, l.Close())
	}
	defer view.Detach()
	fmt.Printf("live: on http://%s/\n", l.Addr())
	return view.Serve(ctx, l, *addr)
}
