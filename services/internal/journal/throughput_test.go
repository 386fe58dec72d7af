package journal_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/internal/journal"
	. "github.com/deferpay/deferpay/services/internal/journal/journaltest"
)

var throughput = flag.Duration("throughput", 0, "measure decisions against raw acknowledged produces for this long each")

// TestThroughput prints decisions/s as a ratio of raw produces/s: the same client
// options, the same record size, the same broker, one round after the other.
func TestThroughput(t *testing.T) {
	if *throughput == 0 {
		t.Skip("measured with -throughput 1s")
	}
	opts := Options(Broker(t))
	Topics(t, opts)
	Create(t, opts, "raw", LogConfig())
	j, _ := Start(t, Config("bench", opts))
	const accounts = 1000
	for a := range accounts {
		Must(t, j, Open(fmt.Sprint(a), fmt.Sprint("open", a), 1<<60))
	}
	raw, err := journal.NewRawClient("raw", opts)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	value := make([]byte, 230)
	var keys atomic.Int64
	fmt.Println("callers    raw/s  decisions/s  ratio   void/applied")
	for _, callers := range []int{1, 64, 256} {
		var ratios, raws, decisions []float64
		before := j.Stats()
		for range 5 {
			r := rate(callers, *throughput, func() error {
				return raw.ProduceSync(context.Background(), &kgo.Record{Topic: "raw", Value: value}).FirstErr()
			})
			d := rate(callers, *throughput, func() error {
				n := keys.Add(1)
				_, err := Do(context.Background(), j, Buy(fmt.Sprint(n*7919%accounts), fmt.Sprint("k", n), 1))
				return err
			})
			ratios, raws, decisions = append(ratios, d/r), append(raws, r), append(decisions, d)
		}
		after := j.Stats()
		fmt.Printf("%7d %8.0f %12.0f  %4.0f %%   %.2f\n", callers, median(raws), median(decisions), 100*median(ratios),
			float64(after.Void-before.Void)/float64(after.Applied-before.Applied))
	}
}

// TestContention prints how many records are void for each applied one when three
// instances decide on few streams.
func TestContention(t *testing.T) {
	if *throughput == 0 {
		t.Skip("measured with -throughput 1s")
	}
	fmt.Println("accounts  decisions/s  void/applied")
	for _, accounts := range []int{1, 3, 20, 1000} {
		opts := Options(Broker(t))
		Topics(t, opts)
		var instances []*Journal
		for i := range 3 {
			j, _ := Start(t, Config(fmt.Sprint(i), opts))
			instances = append(instances, j)
		}
		for a := range accounts {
			Must(t, instances[0], Open(fmt.Sprint(a), fmt.Sprint("open", a), 1<<60))
		}
		var keys atomic.Int64
		d := rate(64, *throughput, func() error {
			n := keys.Add(1)
			_, err := Do(context.Background(), instances[n%3], Buy(fmt.Sprint(n*7919%int64(accounts)), fmt.Sprint("k", n), 1))
			return err
		})
		s := instances[0].Stats()
		fmt.Printf("%8d %12.0f  %.2f\n", accounts, d, float64(s.Void)/float64(s.Applied))
	}
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
