// Command record makes a recording of the services in the working tree. It plays the demo's story
// and then scenes that the story lacks, so that every kind of record is written. Then it repeats
// every write, reads every list and every reference, and saves the topics and the answers to a new
// directory.
//
//	go run ./services/e2e/oldlog/record services/e2e/oldlog/testdata/log-3
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/deferpay/deferpay/services/e2e/oldlog"
	"github.com/deferpay/deferpay/tools/demo/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: record DIRECTORY")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string) error {
	dir, err := os.MkdirTemp("", "deferpay-record-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	writes := &tap{}
	err = story.Play(ctx, story.Options{Out: os.Stdout, Dir: dir, Transport: writes, BeforeStop: func(ctx context.Context, at story.Addresses) error {
		p, err := newPlayer(ctx, dir, at, writes)
		if err != nil {
			return err
		}
		defer p.seen.Close()
		if err := p.play(); err != nil {
			return err
		}
		return p.record(out)
	}})
	return err
}

// record repeats every write, reads everything, and saves the recording once the system is at rest.
func (p *player) record(out string) error {
	asked := oldlog.Recording{}
	var err error
	if asked.Commands, err = p.repeat(); err != nil {
		return err
	}
	if asked.Reads, err = p.reads(); err != nil {
		return err
	}
	domainTime := p.now()
	for deadline := time.Now().Add(time.Minute); ; {
		r, err := oldlog.Dump(p.ctx, p.at.Brokers, p.at.Registry)
		if err != nil {
			return err
		}
		lag := r.Lag()
		if lag == nil {
			r.Commands, r.Reads, r.DomainTime = asked.Commands, asked.Reads, domainTime
			fmt.Printf("%d answers and %d repeated commands in %s\n", len(r.Reads), len(r.Commands), filepath.Clean(out))
			return r.Save(out)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("system not at rest: %w", lag)
		}
		select { // positions and offsets are committed at intervals
		case <-p.ctx.Done():
			return p.ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// repeat repeats every write that had a key and returns those whose answers were replayed.
func (p *player) repeat() ([]oldlog.Exchange, error) {
	var out []oldlog.Exchange
	seen := map[string]bool{}
	for _, e := range p.writes.exchanges(p.at) {
		if id := e.Service + e.Headers["Idempotency-Key"]; seen[id] || e.Headers["Idempotency-Key"] == "" {
			continue
		} else {
			seen[id] = true
		}
		answer, err := e.Ask(p.ctx, http.DefaultClient, p.base(e.Service))
		if err != nil {
			return nil, fmt.Errorf("%v: %w", e, err)
		}
		if answer.Headers["Idempotent-Replayed"] == "true" {
			e.Answer = answer
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no answer was replayed")
	}
	return out, nil
}

func (p *player) base(service string) string {
	if service == oldlog.ContractService {
		return p.at.Contract
	}
	return p.at.Billing[0]
}
