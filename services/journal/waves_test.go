package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

// While the broker has not answered, a few records are under way and the others wait to leave
// together. In the end none is left.
func TestBusyBrokerGetsRecordsTogether(t *testing.T) {
	Virtually(t, func(t *testing.T, c *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		j, _ := Start(t, Config("a", opts))
		Must(t, j, Open("1", "open", 1000))
		answer := make(chan struct{})
		c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			c.SleepControl(func() { <-answer })
			return nil, nil, false
		})
		const decisions = 4 + 256 + 100
		var deciding sync.WaitGroup
		for n := range decisions {
			deciding.Go(func() { Must(t, j, Buy("1", fmt.Sprint("k", n), 1)) })
			synctest.Wait() // one at a time: only the missing answer holds them together
		}
		// a full load leaves
		if sent, waiting := j.Sending(); sent != 4+256 || waiting != 100 {
			t.Errorf("%d records are under way, %d wait", sent, waiting)
		}
		close(answer)
		deciding.Wait()
		synctest.Wait()
		if sent, waiting := j.Sending(); sent != 0 || waiting != 0 {
			t.Errorf("in the end %d records are under way, %d wait", sent, waiting)
		}
		if got := spent(j, "1"); got != decisions {
			t.Errorf("%d decided", got)
		}
	})
}

// The records of a wave are reused once the producer is done with all of them. Here a batch holds a
// few of them, and every third request is cut off, so that some records of a wave are sent again
// long after others were acknowledged.
func TestRecordsAreReusedAfterTheirWave(t *testing.T) {
	Virtually(t, func(t *testing.T, c *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		j, _ := Start(t, Config("a", append(opts, kgo.ProducerBatchMaxBytes(1024))))
		const callers, each = 64, 10
		for n := range callers {
			Must(t, j, Open(fmt.Sprint(n), fmt.Sprint("open", n), 1000))
		}
		var requests atomic.Int64
		c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if requests.Add(1)%3 == 0 {
				return nil, errors.New("cut off"), true
			}
			return nil, nil, false
		})
		var deciding sync.WaitGroup
		for n := range callers {
			deciding.Go(func() {
				for i := range each {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					_, err := Do(ctx, j, Buy(fmt.Sprint(n), fmt.Sprint(n, "-", i), 1))
					for errors.Is(err, journal.ErrNotReady) && ctx.Err() == nil {
						// Virtual time: what was cut off is sometimes sent again only after ten
						// seconds.
						time.Sleep(100 * time.Millisecond)
						_, err = Do(ctx, j, Buy(fmt.Sprint(n), fmt.Sprint(n, "-", i), 1))
					}
					if err != nil {
						t.Errorf("%d, %d: %v", n, i, err)
					}
					cancel()
				}
			})
		}
		deciding.Wait()
		for n := range callers {
			if got := spent(j, fmt.Sprint(n)); got != each {
				t.Errorf("spent %d of account %d, want %d", got, n, each)
			}
		}
	})
}
