// Command contract runs the contract service; see contract --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/deferpay/deferpay/services/contract"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hangup := make(chan os.Signal, 1) // reads files again; a terminal that closes does no harm
	signal.Notify(hangup, syscall.SIGHUP)
	os.Exit(contract.Main(ctx, hangup, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
