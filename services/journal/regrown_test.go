package journal_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
)

// values returns the records of the log.
func values(t *testing.T, opts []kgo.Opt) (all []*kgo.Record) {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(Log), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(t.Context(), Log)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(Log, 0)
	for int64(len(all)) < end.Offset {
		c.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
			all = append(all, &kgo.Record{Topic: Log, Key: r.Key, Value: r.Value})
		})
	}
	return all
}

// replaceLog creates the log again with the records given.
func replaceLog(t *testing.T, opts []kgo.Opt, records []*kgo.Record) {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := kadm.NewClient(c).DeleteTopics(t.Context(), Log); err != nil {
		t.Fatal(err)
	}
	Create(t, opts, Log, LogConfig())
	if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func receiveKeys(t *testing.T, messages <-chan *message.Message, n int) (keys []string) {
	t.Helper()
	for range n {
		m := receive(t, messages)
		e, _, _ := journal.FromMessage[State, Body](m)
		keys = append(keys, e.Body.Key)
		m.Ack()
	}
	return keys
}

// Of a log that was cut and has grown beyond the saved position again, everything is delivered. Of
// one that was copied record by record, nothing is delivered again.
func TestSubscriberLogGrewAgain(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	j, stop := Start(t, Config("a", opts))
	Must(t, j, Open("1", "k0", 100))
	messages, s := subscribe(t, j, nil)
	receiveKeys(t, messages, 1)
	for n := range 3 {
		Must(t, j, Buy("1", fmt.Sprint("k", n+1), 1))
	}
	cut := values(t, opts)[:2] // the barrier of the start, and the account
	receiveKeys(t, messages, 3)
	s.Close()
	stop()
	whole := values(t, opts)

	for _, c := range []struct {
		name string
		log  []*kgo.Record
		more int // entries that are appended before delivery begins
		want []string
	}{
		{"copied", whole, 1, []string{"new0"}},
		{"cut and grown beyond the position", cut, 5, []string{"k0", "new0", "new1", "new2", "new3", "new4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			replaceLog(t, opts, c.log)
			j, stop := Start(t, Config("a", opts))
			defer stop()
			for n := range c.more {
				Must(t, j, Buy("1", fmt.Sprint("new", n), 1))
			}
			messages, s := subscribe(t, j, nil)
			defer s.Close()
			if got := receiveKeys(t, messages, len(c.want)); !slices.Equal(got, c.want) {
				t.Errorf("delivered %v, want %v", got, c.want)
			}
			none(t, messages)
		})
	}
}

// away lets clients connect to one broker after the other at one address, or to none.
type away struct{ to atomic.Pointer[string] }

func (a *away) options() []kgo.Opt {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		to := a.to.Load()
		if to == nil {
			return nil, errors.New("away")
		}
		return new(net.Dialer).DialContext(ctx, network, *to)
	}
	return []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1"), kgo.Dialer(dial), kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond })}
}

// replaced is an instance whose log was replaced while its broker was away.
type replaced struct {
	j        *Journal
	messages <-chan *message.Message
	rebuilds int64    // of j, before
	other    *Journal // has read the log that is there now
	comeBack func()   // lets j reach the broker
}

// replacedLog replaces the log by an older copy, which grows to the offset that the instance has
// read, and so many records beyond.
func replacedLog(t *testing.T, beyond int64) replaced {
	t.Helper()
	dir, older := t.TempDir(), t.TempDir()
	var a away
	open := func(dir string) (*kfake.Cluster, func()) {
		c := Broker(t, kfake.DataDir(dir))
		at := c.ListenAddrs()[0]
		return c, func() { a.to.Store(&at) }
	}
	broker, reach := open(dir)
	Topics(t, Options(broker))
	reach()
	j, _ := Start(t, Config("a", a.options()))
	Must(t, j, Open("1", "k0", 100))
	broker.Close()
	if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	broker, reach = open(dir)
	reach()
	messages, s := subscribe(t, j, nil)
	receiveKeys(t, messages, 1)
	for n := range 3 {
		Must(t, j, Buy("1", fmt.Sprint("lost", n), 1))
	}
	receiveKeys(t, messages, 3)
	read := j.Position()
	rebuilds := j.Stats().Rebuilds
	a.to.Store(nil)
	broker.Close()

	broker, reach = open(older)
	t.Cleanup(func() { s.Close() })
	other, _ := Start(t, Config("b", Options(broker)))
	for n := 0; other.Position() < read+beyond; n++ {
		Must(t, other, Buy("1", fmt.Sprint("new", n), 2))
	}
	return replaced{j, messages, rebuilds, other, reach}
}

// While the broker is away, the log is cut and grows beyond what was read. The instance reads it
// again, and publishes what is in it.
func TestLogGrewAgainWhileAway(t *testing.T) {
	r := replacedLog(t, 15)
	r.comeBack()
	Must(t, r.other, Buy("1", "last", 1))
	Eventually(t, "the log is read again", func() error {
		if n := r.j.Stats().Rebuilds; n == r.rebuilds {
			return errors.New("it was not")
		}
		return r.j.Ready()
	})
	if got, want := spent(r.j, "1"), spent(r.other, "1"); got != want {
		t.Errorf("spent %d, want %d", got, want)
	}
	keys := receiveKeys(t, r.messages, int(spent(r.other, "1")-1)/2+2)
	if keys[0] != "k0" || keys[len(keys)-1] != "last" {
		t.Errorf("delivered %v", keys)
	}
}

// The log that was replaced ends where the former one did, so the next record of the instance comes
// right after what it has read. It is not applied to the former state.
func TestAppendToReplacedLog(t *testing.T) {
	r := replacedLog(t, 0)
	before := spent(r.other, "1")
	Eventually(t, "not ready while the broker is away", func() error {
		if r.j.Ready() == nil {
			return errors.New("ready")
		}
		return nil
	})
	r.comeBack()
	Eventually(t, "ready", r.j.Ready)
	_, err := Do(t.Context(), r.j, Buy("1", "mine", 1))
	Eventually(t, "both have read the same log", func() error {
		if err := r.j.Ready(); err != nil {
			return err
		}
		if r.j.Position() < r.other.Position() || spent(r.j, "1") != spent(r.other, "1") {
			return fmt.Errorf("spent %d at %d, and %d at %d", spent(r.j, "1"), r.j.Position(), spent(r.other, "1"), r.other.Position())
		}
		return nil
	})
	if applied := spent(r.other, "1") == before+1; applied != (err == nil) {
		t.Errorf("the purchase is in the log: %t, and was answered with %v", applied, err)
	}
}
