// Command contracttest plays the demo's story and checks every HTTP answer against the OpenAPI
// documents and every record on the public topics against the AsyncAPI documents and their Avro
// schemas. It prints the operations, answers and messages that were exercised. The exit status is 1
// if there is a violation, or if an operation or a message was not exercised. It is a module of its
// own, because its OpenAPI validator takes longer to compile than the whole main module.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/process"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	faults, err := run(ctx, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "contracttest:", err)
		os.Exit(1)
	}
	if faults > 0 {
		os.Exit(1)
	}
}

// run returns the number of faults. It returns an error if the story itself fails.
func run(ctx context.Context, out io.Writer) (int, error) {
	root, err := process.Root()
	if err != nil {
		return 0, err
	}
	specs := func(service, file string) string { return filepath.Join(root, "specs", service, file) }
	api, err := judge.LoadAPI(specs("contract", "openapi.yaml"), specs("billing", "openapi.yaml"))
	if err != nil {
		return 0, err
	}
	events, err := judge.LoadEvents(specs("contract", "asyncapi.yaml"), specs("billing", "asyncapi.yaml"))
	if err != nil {
		return 0, err
	}
	c, rec := newCoverage(), &recorder{next: http.DefaultTransport}
	err = story.Play(ctx, story.Options{
		Transport: rec,
		BeforeStop: func(ctx context.Context, a story.Addresses) error {
			p := &prober{client: &http.Client{Transport: rec}, contract: a.Contract, billing: a.Billing[0], run: strconv.FormatInt(time.Now().UnixNano(), 36), faults: c.fault}
			if err := p.all(ctx); err != nil {
				return fmt.Errorf("probes: %w", err)
			}
			return judgeTopics(ctx, a.Brokers, a.Registry, events, c)
		},
	})
	exchanges := rec.taken()
	for _, e := range exchanges {
		c.exchange(e, api.Judge(e))
	}
	if err != nil {
		printFaults(out, c)
		return 0, fmt.Errorf("the story: %w", err)
	}
	c.settle(api, events)
	fmt.Fprintf(out, "%d HTTP exchanges and %d records on public topics, checked against the contracts\n", len(exchanges), c.records())
	c.print(out, api, events)
	printFaults(out, c)
	return len(c.faults), nil
}

func printFaults(out io.Writer, c *coverage) {
	for _, f := range c.faults {
		fmt.Fprintf(out, "\nFAULT %s", f)
	}
	if len(c.faults) > 0 {
		fmt.Fprintf(out, "\n\ncontract-test: %d faults\n", len(c.faults))
		return
	}
	fmt.Fprintln(out, "\ncontract-test: no violation")
}
