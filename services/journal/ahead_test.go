package journal_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/internal/core"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
)

// copyOf returns the value of a record of the log.
func copyOf(t *testing.T, opts []kgo.Opt, offset int64) []byte {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{Log: {0: kgo.NewOffset().At(offset)}}))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := client.PollFetches(t.Context()).Records()
	if len(records) == 0 || records[0].Offset != offset {
		t.Fatalf("no record at %d", offset)
	}
	return records[0].Value
}

// hold keeps the broker from answering fetches that arrive from now on, until release is called.
func hold(t *testing.T, c *kfake.Cluster) (release func()) {
	t.Helper()
	held := make(chan struct{})
	c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		c.SleepControl(func() { <-held })
		return nil, nil, false
	})
	release = sync.OnceFunc(func() { close(held) })
	t.Cleanup(release) // or the broker does not close
	return release
}

// An acknowledged record is applied before it is read, but only if everything before it was
// applied.
func TestAcknowledgedRecordIsApplied(t *testing.T) {
	Virtually(t, func(t *testing.T, c *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		j, _ := Start(t, Config("a", opts))
		opened := Must(t, j, Open("1", "k0", 100))
		foreign, err := journal.NewRawClient(Log, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer foreign.Close()
		value := copyOf(t, opts, opened.Offset) // void wherever it comes again

		release := hold(t, c)
		Must(t, j, Buy("1", "k1", 10)) // answers the fetch that waits at the broker already
		synctest.Wait()
		if v := Must(t, j, Buy("1", "k2", 10)); v.Offset != opened.Offset+2 || j.Position() != v.Offset {
			t.Errorf("applied at %d, position %d", v.Offset, j.Position())
		}
		if err := foreign.ProduceSync(t.Context(), &kgo.Record{Topic: Log, Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Do(hasty, j, Buy("1", "k3", 10)); !errors.Is(err, journal.ErrUnknownOutcome) || spent(j, "1") != 20 {
			t.Errorf("behind a record that was not read: %v, spent %d", err, spent(j, "1"))
		}
		release()
		synctest.Wait()
		if _, err := Do(t.Context(), j, Buy("1", "k3", 10)); !errors.Is(err, journal.ErrAlready) || spent(j, "1") != 30 {
			t.Errorf("after it was read: %v, spent %d", err, spent(j, "1"))
		}
		synctest.Wait()
		if s, n := j.Stats(), j.Ahead(); s.Rebuilds != 0 || n != 0 {
			t.Errorf("%d records are still to be read, stats %+v", n, s)
		}
	})
}

// command returns what Decide hands to the core.
func command(c Command) *core.Command[State, Body] {
	return &core.Command[State, Body]{Streams: c.Streams(), Decide: c.Decide, Signal: make(chan struct{}, 1)}
}

// openedElsewhere returns the record of another instance that opens account 2.
func openedElsewhere(t *testing.T) []byte {
	t.Helper()
	kind, body, err := Codec{}.Encode(Body{Kind: "opened", Account: "2", Key: "k1", Amount: 100})
	if err != nil {
		t.Fatal(err)
	}
	value, err := new(record.Encoder).Encode(&record.Envelope{Kind: kind, Attempt: journal.Attempt{1}, Writer: "b", Body: body,
		Expects: []record.Expectation{{Stream: Account("2")}, {Stream: Key("k1")}}})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// An acknowledged record waits for those before it to be read, and not to be read itself.
func TestAcknowledgedRecordWaitsForOthers(t *testing.T) {
	j, err := journal.New(Config("a", nil))
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(Open("1", "k0", 100))
	if err := j.ReadBefore(t, cmd, openedElsewhere(t)); err != nil {
		t.Fatal(err)
	}
	if v, err := cmd.Result(); err != nil || v.Offset != 2 || j.Position() != 2 || j.Ahead() != 1 {
		t.Errorf("%v: verdict %+v, position %d, %d to be read", err, v, j.Position(), j.Ahead())
	}
}

// A caller that is answered finds the position at the record of the answer, or after it.
func TestPositionMovesBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.New(Config("a", nil))
		if err != nil {
			t.Fatal(err)
		}
		cmd := command(Open("1", "k0", 100))
		cmd.Signal = make(chan struct{}) // the answer waits for the caller to take it
		other := openedElsewhere(t)
		go func() {
			if err := j.ReadBefore(t, cmd, other); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		if at := j.Position(); at != 2 {
			t.Errorf("answered while the position is %d", at)
		}
		<-cmd.Signal
		synctest.Wait()
	})
}

// An instance whose reading does not follow its acknowledgements is not ready.
func TestReadingFarBehindIsNotReady(t *testing.T) {
	Virtually(t, func(t *testing.T, c *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		j, _ := Start(t, Config("a", opts))
		release := hold(t, c)
		Must(t, j, Open("1", "k0", 100))
		synctest.Wait()
		Must(t, j, Buy("1", "k1", 10))
		time.Sleep(10 * time.Second)
		notReady(t, j, "has not come back")
		if s := j.Stats(); s.InFlight != 0 {
			t.Errorf("stats %+v", s)
		}
		release()
		ready(t, j)
	})
}

// A record that is read has to be the one that was acknowledged.
func TestReadDiffersFromAcknowledged(t *testing.T) {
	for _, test := range []struct {
		name  string
		value string
		want  error
	}{
		{"the same", "ours", nil},
		{"another", "else", journal.ErrDataLoss},
		{"nothing", "", journal.ErrDataLoss},
	} {
		t.Run(test.name, func(t *testing.T) {
			j, err := journal.New(Config("a", nil))
			if err != nil {
				t.Fatal(err)
			}
			if err := j.ReadBehind(t, []byte("ours"), []byte(test.value)); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if n := j.Ahead(); test.want == nil && n != 0 {
				t.Errorf("%d records are still to be read", n)
			}
		})
	}
}

// Records are applied ahead right after a pause. Connections that were not used are still there, so
// the log does not have to be compared.
func TestAheadAfterPause(t *testing.T) {
	Virtually(t, func(t *testing.T, c *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		j, _ := Start(t, Config("a", opts))
		Must(t, j, Open("1", "k0", 100))
		Must(t, j, Buy("1", "k1", 10))
		time.Sleep(8 * time.Minute)
		release := hold(t, c)
		Must(t, j, Buy("1", "k2", 10)) // answers the fetch that waits at the broker already
		synctest.Wait()
		Must(t, j, Buy("1", "k3", 10))
		release()
		ready(t, j)
	})
}
