// Command record runs both services once and writes the requests, answers, events and log records
// that the slides show. Its output is committed, so that building the slides starts nothing.
//
//	record [-out DIR]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/deferpay/deferpay/tools/cluster"
)

func main() {
	out := flag.String("out", "docs/presentation/examples", "the `folder` to write to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := record(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func record(ctx context.Context, out string) (err error) {
	dir, err := os.MkdirTemp("", "deferpay-record-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := cluster.Start(ctx, cluster.Options{Dir: dir, Progress: func(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }})
	if err != nil {
		return err
	}
	defer func() {
		if e := c.Stop(); err == nil {
			err = e
		}
	}()
	r := &recorder{ctx: ctx, cluster: c, files: map[string][]byte{}}
	if err := r.play(); err != nil {
		return err
	}
	if err := r.events(); err != nil {
		return err
	}
	return r.write(out)
}
