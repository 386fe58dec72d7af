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
	os.Exit(contract.Main(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
