package journal_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/services/journal"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
)

// pausing is an instance that is alone, so that its reader pauses after records of its own.
type pausing struct {
	*Journal
	t     *testing.T
	other *kgo.Client
	value []byte // void wherever it comes again
	keys  int
}

func startPausing(t *testing.T, opts []kgo.Opt) *pausing {
	t.Helper()
	Topics(t, opts)
	j, _ := Start(t, Config("a", opts))
	opened := Must(t, j, Open("1", "k", 1000))
	client, err := journal.NewRawClient(Log, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	p := &pausing{Journal: j, t: t, other: client, value: copyOf(t, opts, opened.Offset)}
	p.foreign() // connects
	return p
}

// foreign appends a record of another instance, and returns its offset.
func (p *pausing) foreign() int64 {
	p.t.Helper()
	r, err := p.other.ProduceSync(p.t.Context(), &kgo.Record{Topic: Log, Value: p.value}).First()
	if err != nil {
		p.t.Fatal(err)
	}
	return r.Offset
}

func (p *pausing) buy() {
	p.t.Helper()
	p.keys++
	Must(p.t, p.Journal, Buy("1", fmt.Sprint("k", p.keys), 1))
}

func (p *pausing) waitFor(offset int64) {
	p.t.Helper()
	if err := p.WaitFor(p.t.Context(), offset); err != nil {
		p.t.Error(err)
	}
}

// pause returns while the reader pauses.
func (p *pausing) pause() {
	p.t.Helper()
	for range 2 { // what woke it earlier ends the first pause
		time.Sleep(5500 * time.Millisecond) // another instance was read before
		p.buy()
		synctest.Wait()
	}
}

// A reader that pauses because its instance is alone does not keep those waiting who depend on what
// it reads.
func TestPausingReaderIsWoken(t *testing.T) {
	for _, test := range []struct {
		who  string
		wait func(p *pausing)
	}{
		{"a reader of what another instance wrote", func(p *pausing) { p.waitFor(p.foreign()) }},
		{"a reader of what lies behind other records", func(p *pausing) {
			p.buy()
			p.waitFor(p.foreign())
		}},
		{"a decision behind a record of another instance", func(p *pausing) {
			p.foreign()
			p.buy()
		}},
		{"a decision after a connection was made", func(p *pausing) {
			p.Connected()
			p.buy()
		}},
	} {
		t.Run(test.who, func(t *testing.T) {
			Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
				p := startPausing(t, opts)
				for range 4 { // what happens at one time happens in any order
					p.pause()
					began := time.Now()
					test.wait(p)
					if took := time.Since(began); took >= journal.ReadEvery/2 {
						t.Errorf("waited %v", took)
					}
				}
			})
		})
	}
}

// An instance that is alone reads its own records at intervals. Otherwise each costs a request.
func TestLoneReaderPauses(t *testing.T) {
	Virtually(t, func(t *testing.T, c *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		p := startPausing(t, opts)
		p.pause()
		var fetches atomic.Int64
		c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			fetches.Add(1)
			return nil, nil, false
		})
		const purchases = 500
		for range purchases {
			p.buy()
			time.Sleep(journal.ReadEvery / 10) // in virtual time, ten in each pause
		}
		if n := fetches.Load(); n > purchases/2 {
			t.Errorf("the log was read %d times for %d records", n, purchases)
		}
	})
}
