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
	os.Exit(billing.Main(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
