package journal_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	. "github.com/deferpay/deferpay/services/internal/journal/journaltest"
)

// While the broker has not answered, decisions wait for each other: a few are under
// way, the others leave together, and none is left behind.
func TestDecisionsLeaveTogetherWhenTheBrokerIsBusy(t *testing.T) {
	virtually(t, func(t *testing.T, c *kfake.Cluster, _ *network, opts []kgo.Opt) {
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
			synctest.Wait() // each by itself: nothing but the answer that is missing holds them together
		}
		if sent, waiting := j.Sending(); sent != 4+256 || waiting != 100 { // a full load does not wait
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
