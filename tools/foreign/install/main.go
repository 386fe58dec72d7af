// Command install installs the third-party Kafka clients by which a test reads and writes our
// topics: those for Python and Node into the user's cache folder, and kcat by apt-get on a machine
// of continuous integration (CI=true), as root or by sudo.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/deferpay/deferpay/tools/foreign"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	clients, err := foreign.Open()
	if err == nil {
		system := os.Getenv("CI") == "true"
		err = clients.Install(ctx, system, func(format string, args ...any) { fmt.Printf("  · "+format+"\n", args...) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
}
