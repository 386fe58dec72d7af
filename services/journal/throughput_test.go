package journal_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
)

var (
	throughput = flag.Duration("throughput", 0, "`time` of each measurement of decisions and of raw acknowledged produces; 0 skips them")
	accounts   = flag.Int("accounts", 1000, "`number` of accounts that the decisions are spread over")
	profiled   = flag.Bool("profiled", false, "measure decisions alone, for a profile")
)

const rounds = 5

// bench is a log on the broker to measure.
type bench struct {
	opts   []kgo.Opt
	kafka  bool
	opened bool
	keys   atomic.Int64
}

func newBench(t *testing.T, config map[string]string) *bench {
	b := &bench{}
	b.opts, b.kafka = measured(t)
	settings := LogConfig()
	maps.Copy(settings, config)
	Create(t, b.opts, Log, settings)
	Create(t, b.opts, "raw", settings)
	Create(t, b.opts, Positions, map[string]string{"cleanup.policy": "compact"})
	return b
}

// instances starts journals on the log. The first call opens the accounts.
func (b *bench) instances(t *testing.T, n int) []*Journal {
	var all []*Journal
	for i := range n {
		j, _ := Run(t, Config(fmt.Sprint("bench", i), b.opts))
		// it reads what earlier measurements wrote
		for until := time.Now().Add(2 * time.Minute); j.Ready() != nil; time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal(j.Ready())
			}
		}
		all = append(all, j)
	}
	if !b.opened {
		for a := range *accounts {
			Must(t, all[0], Open(fmt.Sprint(a), fmt.Sprint("open", a), 1<<60))
		}
		b.opened = true
	}
	return all
}

// decide measures the decisions a second that the instances make together, on so many accounts.
func (b *bench) decide(callers int, instances []*Journal, over int) float64 {
	return rate(callers, *throughput, func() error {
		n := b.keys.Add(1)
		command := Buy(strconv.FormatInt(n*7919%int64(over), 10), "k"+strconv.FormatInt(n, 10), 1)
		_, err := Do(context.Background(), instances[n%int64(len(instances))], command)
		return err
	})
}

func measuring(t *testing.T) {
	if *throughput == 0 {
		t.Skip("measured with -throughput 1s")
	}
}

// TestThroughput prints decisions a second as a ratio of raw produces a second, with the same
// client options, record size and broker, in alternating rounds. On Apache Kafka it does so a
// second time with each batch on disk before it is acknowledged.
func TestThroughput(t *testing.T) {
	measuring(t)
	b := newBench(t, nil)
	if !b.kafka {
		b.compare(t, "embedded", 1, 64, 256)
		return
	}
	b.compare(t, "Apache Kafka", 1, 64, 256, 1024)
	newBench(t, map[string]string{"flush.messages": "1"}).compare(t, "Apache Kafka, flush.messages=1", 1, 64, 256, 1024)
}

func (b *bench) compare(t *testing.T, name string, callers ...int) {
	raw, err := journal.NewRawClient("raw", b.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	one := b.instances(t, 1)
	value := make([]byte, 230)
	fmt.Printf("\n%s: decisions of one instance\ncallers    raw/s  decisions/s  ratio   void/applied\n", name)
	for _, n := range callers {
		var ratios, raws, decisions []float64
		before := one[0].Stats()
		for range rounds {
			r := 1.0
			if !*profiled {
				r = rate(n, *throughput, func() error {
					return raw.ProduceSync(context.Background(), &kgo.Record{Topic: "raw", Value: value}).FirstErr()
				})
			}
			d := b.decide(n, one, *accounts)
			ratios, raws, decisions = append(ratios, d/r), append(raws, r), append(decisions, d)
		}
		fmt.Printf("%7d %8.0f %12.0f  %4.0f %%   %.2f\n", n, median(raws), median(decisions), 100*median(ratios), voids(before, one[0].Stats()))
	}
}

// TestShared prints how many decisions a second two and three instances make together, as a ratio
// of what one makes on the same log.
func TestShared(t *testing.T) {
	measuring(t)
	b := newBench(t, nil)
	fmt.Printf("\ninstances that share the load, on %d accounts: decisions/s, ratio to one alone, void/applied\ninstances", *accounts)
	callers := []int{64, 256, 1024}
	for _, n := range callers {
		fmt.Printf("  %13d callers", n)
	}
	one := make([]float64, len(callers))
	var all []*Journal
	for n := range 3 {
		all = append(all, b.instances(t, 1)...)
		fmt.Printf("\n%9d", n+1)
		for i, c := range callers {
			before := all[0].Stats()
			var d []float64
			for range rounds {
				d = append(d, b.decide(c, all, *accounts))
			}
			if n == 0 {
				one[i] = median(d)
			}
			fmt.Printf("  %7.0f %4.0f %% %.2f  ", median(d), 100*median(d)/one[i], voids(before, all[0].Stats()))
		}
	}
	fmt.Println()
}

// TestContention prints how many records are void for each applied one when three instances decide
// on few streams.
func TestContention(t *testing.T) {
	measuring(t)
	b := newBench(t, nil)
	all := b.instances(t, 3)
	fmt.Println("\nthree instances on few accounts, 64 callers\naccounts  decisions/s  void/applied")
	for _, over := range []int{1, 3, 20, *accounts} {
		before := all[0].Stats()
		d := b.decide(64, all, over)
		fmt.Printf("%8d %12.0f  %.2f\n", over, d, voids(before, all[0].Stats()))
	}
}

func voids(before, after journal.Stats) float64 {
	return float64(after.Void-before.Void) / float64(max(1, after.Applied-before.Applied))
}

func rate(callers int, d time.Duration, call func() error) float64 {
	var n atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(begin) < d {
				if err := call(); err != nil {
					panic(err)
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(begin).Seconds()
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
