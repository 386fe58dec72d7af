package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/process"
)

var sizing = flag.Int("e2e.sizing", 0, "number of purchases to measure: memory, bytes on the broker, time to read the log")

// TestSizing logs the figures of docs/deployment.md. It checks none of them.
func TestSizing(t *testing.T) {
	if *sizing == 0 {
		t.Skip("run with -e2e.sizing 20000")
	}
	const callers, contracts = 64, 100
	s := start(t, setup{billing: 1})
	b := s.Billing[0]
	all := s.contracts("size", repeat(1_000_000_000, contracts)...)
	empty := s.restarted(b.Process)
	memory := resident(t, b.Process)
	before := s.sizes()
	var buying sync.WaitGroup
	began := time.Now()
	for c := range callers {
		buying.Go(func() {
			for n := c; n < *sizing; n += callers {
				p := &purchase{key: fmt.Sprint("size-", n), contract: all[n%contracts], amount: 1}
				if !s.attempt(b, p, patience) {
					t.Errorf("%s was not decided", p.key)
					return
				}
			}
		})
	}
	buying.Wait()
	took := time.Since(began)
	worked := resident(t, b.Process)
	replay := s.restarted(b.Process) - empty
	again := resident(t, b.Process)
	after := s.sizes()
	n := float64(*sizing)
	t.Logf("%d purchases by %d callers in %.1f s", *sizing, callers, took.Seconds())
	t.Logf("memory of billing: %.0f MB before, %.0f MB after the purchases, %.0f MB after a restart: %.1f MB per 10,000 purchases", memory, worked, again, (again-memory)/n*10_000)
	t.Logf("ready %.2f s later than with an empty log (%.2f s): %.0f records/s", replay.Seconds(), empty.Seconds(), n/replay.Seconds())
	for _, topic := range []string{billingLog, "billing.events.v1"} {
		t.Logf("%s: %.0f bytes per purchase on the broker", topic, float64(after[topic]-before[topic])/n)
	}
}

// restarted kills an instance, starts it, and returns the time until it is ready.
func (s *system) restarted(p *process.Process) time.Duration {
	s.t.Helper()
	if err := p.Kill(); err != nil {
		s.t.Fatal(err)
	}
	began := time.Now()
	s.restart(p)
	return time.Since(began)
}

// sizes returns the number of bytes of each topic on the disks of the brokers.
func (s *system) sizes() map[string]int64 {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	dirs, err := kadm.NewClient(client).DescribeAllLogDirs(s.t.Context(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]int64{}
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) { out[p.Topic] += p.Size })
	})
	return out
}

var residentLine = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)

// resident returns the resident memory of a process in MB.
func resident(t *testing.T, p *process.Process) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	found := residentLine.FindSubmatch(text)
	if err == nil && found == nil {
		err = errors.New("no VmRSS")
	}
	if err != nil {
		t.Fatal(err)
	}
	kb, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb / 1024
}
