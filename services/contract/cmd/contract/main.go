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
	signal.Ignore(syscall.SIGHUP) // a terminal that closes must not end what is under way
	os.Exit(contract.Main(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
