package journal

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/deferpay/deferpay/services/journal/record"
)

func TestPace(t *testing.T) {
	var p pace
	now := time.Unix(1_700_000_000, 0)
	for _, step := range []struct {
		what    string
		records []record.Record
		later   time.Duration
		want    time.Duration
	}{
		{"an own record", []record.Record{{Own: true}}, 0, readEvery},
		{"a record of another instance", []record.Record{{Own: true}, {}}, 0, 0},
		{"right after it", []record.Record{{Own: true}}, aloneFor - 1, 0},
		{"a while after it", []record.Record{{Own: true}}, 1, readEvery},
	} {
		now = now.Add(step.later)
		if got := p.after(step.records, now); got != step.want {
			t.Errorf("after %s: waits %v, want %v", step.what, got, step.want)
		}
	}
}

// Who depends on what was not read does not wait for the reader.
func TestReaderWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(waker, 1)
		slept := func() time.Duration {
			began := time.Now()
			w.sleep(t.Context(), time.Minute)
			return time.Since(began)
		}
		if d := slept(); d != time.Minute {
			t.Errorf("slept %v, want a minute", d)
		}
		time.AfterFunc(time.Second, w.wake)
		if d := slept(); d != time.Second {
			t.Errorf("slept %v, and was woken after a second", d)
		}
		w.wake() // it reads now, and looks again before it sleeps
		w.wake()
		if d := slept(); d != 0 {
			t.Errorf("slept %v, and was woken before", d)
		}
		if d := slept(); d != time.Minute {
			t.Errorf("slept %v, want a minute: it was woken once", d)
		}
	})
}
