// Command billing runs the billing service; see billing --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	// billing periods are months of Europe/Paris, also where the system has no time zones
	_ "time/tzdata"

	"github.com/deferpay/deferpay/services/billing"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hangup := make(chan os.Signal, 1) // reads files again; a terminal that closes does no harm
	signal.Notify(hangup, syscall.SIGHUP)
	os.Exit(billing.Main(ctx, hangup, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
