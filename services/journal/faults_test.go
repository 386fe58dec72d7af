package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/services/journal"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
)

func notReady(t *testing.T, j *Journal, words string) {
	t.Helper()
	Eventually(t, "not ready: "+words, func() error {
		if err := j.Ready(); err == nil || !strings.Contains(err.Error(), words) {
			return fmt.Errorf("Ready returned %v", err)
		}
		return nil
	})
}

func ready(t *testing.T, j *Journal) {
	t.Helper()
	Eventually(t, "ready", j.Ready)
}

func spent(j *Journal, account string) (n int64) {
	j.Read(func(state func(journal.Stream) (State, bool)) {
		s, _ := state(Account(account))
		n = s.Spent
	})
	return n
}

func TestBrokerComesGoesAndComesBack(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, n *Network, opts []kgo.Opt) {
		n.Cut(true)
		j, _ := Run(t, Config("a", opts))
		notReady(t, j, "refused")
		if _, err := Do(t.Context(), j, Open("1", "k", 1)); !errors.Is(err, journal.ErrNotReady) {
			t.Errorf("without a broker: %v", err)
		}
		n.Cut(false)
		notReady(t, j, "look for topic") // the topics are not there either
		Topics(t, opts)
		ready(t, j)
		Must(t, j, Open("1", "k0", 100))

		n.Cut(true)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := Do(ctx, j, Buy("1", "k1", 10)); !errors.Is(err, journal.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while the broker is gone: %v", err)
		}
		notReady(t, j, "the broker does not answer")
		if _, err := Do(t.Context(), j, Buy("1", "k2", 10)); !errors.Is(err, journal.ErrNotReady) {
			t.Errorf("once it is known: %v", err)
		}
		n.Cut(false)
		ready(t, j)
		// The outcome was unknown; the same key settles it.
		if _, err := Do(t.Context(), j, Buy("1", "k1", 10)); err != nil && !errors.Is(err, journal.ErrAlready) {
			t.Errorf("the same key later: %v", err)
		}
		if got := spent(j, "1"); got != 10 {
			t.Errorf("spent %d, want 10 once", got)
		}
	})
}

func TestP18ConnectionsCutWhileDeciding(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, n *Network, opts []kgo.Opt) {
		Topics(t, opts)
		a, _ := Start(t, Config("a", opts))
		b, _ := Start(t, Config("b", opts))
		Must(t, a, Open("1", "open", 100000))
		var callers sync.WaitGroup
		for c := range 8 {
			callers.Go(func() {
				j := []*Journal{a, b}[c%2]
				for i := range 10 {
					time.Sleep(5 * time.Millisecond)
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					_, err := Do(ctx, j, Buy("1", fmt.Sprint(c, "-", i), 1))
					cancel()
					if err != nil {
						t.Errorf("caller %d, %d: %v", c, i, err)
					}
				}
			})
		}
		for range 6 {
			time.Sleep(9 * time.Millisecond)
			n.Cut(false)
		}
		callers.Wait()
		for _, j := range []*Journal{a, b} {
			if err := j.Barrier(t.Context()); err != nil || spent(j, "1") != 80 {
				t.Errorf("spent %d, want 80 (%v)", spent(j, "1"), err)
			}
		}
	})
}

func TestP12FailedProduceIsUnknown(t *testing.T) {
	Virtually(t, func(t *testing.T, c *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		j, _ := Start(t, Config("a", opts))
		Must(t, j, Open("1", "k0", 100))
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.UnknownServerError})
		if _, err := Do(t.Context(), j, Buy("1", "k1", 10)); !errors.Is(err, journal.ErrUnknownOutcome) {
			t.Errorf("the append failed: %v", err)
		}
		if v := Must(t, j, Buy("1", "k1", 10)); v.Body.Kind != "bought" || spent(j, "1") != 10 {
			t.Errorf("the same key later: %+v, spent %d", v.Body, spent(j, "1"))
		}
		if s := j.Stats(); s.Unknown != 1 || s.InFlight != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestDataLossDiscardsTheState(t *testing.T) {
	loss := map[string]func(*testing.T, *kadm.Client){
		"the topic is deleted and created": func(t *testing.T, admin *kadm.Client) {
			if _, err := admin.DeleteTopic(t.Context(), Log); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
		},
	}
	for name, lose := range loss {
		t.Run(name, func(t *testing.T) {
			Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
				Topics(t, opts)
				cfg := Config("a", opts)
				resets, projected := 0, 0
				cfg.Reset = func() { resets++; projected = 0 }
				cfg.Project = func(Entry, *View) { projected++ }
				j, _ := Start(t, cfg)
				Must(t, j, Open("1", "k0", 100))
				Must(t, j, Buy("1", "k1", 10))
				client, err := kgo.NewClient(opts...)
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				lose(t, kadm.NewClient(client))
				if err := j.Ready(); !errors.Is(err, journal.ErrNotReady) {
					t.Errorf("after the loss: %v", err)
				}
				Create(t, opts, Log, LogConfig())
				ready(t, j)
				j.Read(func(state func(journal.Stream) (State, bool)) {
					if _, ok := state(Account("1")); ok || resets == 0 || projected != 0 {
						t.Errorf("the state was kept: %v, %d resets, %d entries projected", ok, resets, projected)
					}
				})
				Must(t, j, Open("1", "k0", 100))
			})
		})
	}
}

func TestTruncatedLogIsNotServed(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		j, _ := Start(t, Config("a", opts))
		Must(t, j, Open("1", "k0", 100))
		client, err := kgo.NewClient(opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var offsets kadm.Offsets
		offsets.AddOffset(Log, 0, 2, -1)
		if _, err := kadm.NewClient(client).DeleteRecords(t.Context(), offsets); err != nil {
			t.Fatal(err)
		}
		k, _ := Run(t, Config("b", opts))
		notReady(t, k, "log lost records")
	})
}

func TestWrongTopicIsRefused(t *testing.T) {
	for setting, value := range map[string]string{"cleanup.policy": "compact", "retention.ms": "604800000",
		"retention.bytes": "1000000000", "message.timestamp.type": "CreateTime"} {
		t.Run(setting, func(t *testing.T) {
			Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
				config := maps.Clone(LogConfig())
				config[setting] = value
				Create(t, opts, Log, config)
				refuses(t, opts, setting)
			})
		})
	}
	t.Run("partitions", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &Network{}
			c := Broker(t, kfake.ListenFn(n.Listen), kfake.Ports(9092), kfake.SeedTopics(2, Log))
			refuses(t, append(Options(c), kgo.Dialer(n.Dial)), "partitions")
		})
	})
}

func refuses(t *testing.T, opts []kgo.Opt, setting string) {
	t.Helper()
	j, err := journal.New(Config("a", opts))
	if err != nil {
		t.Fatal(err)
	}
	err = j.Run(t.Context())
	var wrong *journal.TopicError
	if !errors.As(err, &wrong) || wrong.Setting != setting || !strings.Contains(err.Error(), Log) {
		t.Errorf("Run returned %v, want an error about %s", err, setting)
	}
	t.Log(err)
}

func TestNoRightToReadTheConfiguration(t *testing.T) {
	Virtually(t, func(t *testing.T, c *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: Log, Err: kerr.TopicAuthorizationFailed, Count: -1})
		j, err := journal.New(Config("a", opts))
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "DescribeConfigs") {
			t.Errorf("Run returned %v", err)
		}
		cfg := Config("a", opts)
		cfg.AllowUnverified = true
		k, _ := Start(t, cfg)
		Must(t, k, Open("1", "k", 1))
	})
}

// A body of an unknown kind is never skipped: the instance is not ready, and says what to do.
func TestUnknownKindIsNotReady(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		newer := Config("newer", opts)
		newer.Codec = newCodec{}
		newer.Fold = func(*View, Entry) error { return nil }
		j, _ := Start(t, newer)
		k, _ := Start(t, Config("older", opts))
		v, err := j.Decide(t.Context(), journal.On("s"), func(*View) (Body, error) { return Body{Kind: "tomorrow"}, nil })
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`not ready: record @%d of test.log.v1 has the kind "tomorrow", which this version cannot read; run a newer version: `, v.Offset)
		notReady(t, k, want)
		time.Sleep(time.Minute)
		err = k.Ready()
		var unreadable *journal.UnreadableError
		if !errors.As(err, &unreadable) || unreadable.Offset != v.Offset || unreadable.Kind != "tomorrow" || !errors.Is(err, journal.ErrUnknownKind) {
			t.Errorf("after a minute, Ready returned %v", err)
		}
		if k.Position() >= v.Offset {
			t.Errorf("it read on to %d", k.Position())
		}
		if _, err := Do(t.Context(), k, Open("1", "k", 1)); !errors.Is(err, journal.ErrNotReady) || !strings.Contains(err.Error(), want) {
			t.Errorf("a decision: %v", err)
		}
	})
}

// newCodec knows every kind.
type newCodec struct{}

func (newCodec) Encode(b Body) (string, []byte, error)      { return b.Kind, []byte{1}, nil }
func (newCodec) Decode(kind string, _ []byte) (Body, error) { return Body{Kind: kind}, nil }

// A record that the fold refuses parks its subject and nothing else. The log names it.
func TestImpossibleRecordParksItsSubject(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		cfg := Config("a", opts)
		var log bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
		j, _ := Start(t, cfg)
		Must(t, j, Open("1", "k1", 100))
		Must(t, j, Open("2", "k2", 100))
		curse := func(v *View) (Body, error) {
			v.State(Key("k3"))
			return Body{Kind: "cursed", Account: "1", Key: "k3"}, nil
		}
		// The journal refuses it before the append ...
		if _, err := j.Decide(t.Context(), journal.On(Account("1")), curse); !errors.Is(err, journal.ErrImpossible) {
			t.Errorf("cursed decision: %v", err)
		}
		// ... so another program has to write it.
		careless := Config("careless", opts)
		careless.Fold = func(v *View, e Entry) error {
			if e.Body.Kind == "cursed" {
				return nil
			}
			return Fold(v, e)
		}
		other, _ := Start(t, careless)
		v, err := other.Decide(t.Context(), journal.On(Account("1")), curse)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.WaitFor(t.Context(), v.Offset); err != nil {
			t.Fatal(err)
		}
		if _, err := Do(t.Context(), j, Buy("1", "k4", 1)); !errors.Is(err, journal.ErrParked) {
			t.Errorf("on the parked stream: %v", err)
		}
		if said := fmt.Sprintf("offset=%d stream=%s", v.Offset, Account("1")); !strings.Contains(log.String(), said) {
			t.Errorf("the log does not have %q: %s", said, log.String())
		}
		// What the other program builds on it is void.
		w := Must(t, other, Buy("1", "k6", 1))
		if err := j.WaitFor(t.Context(), w.Offset); err != nil {
			t.Fatal(err)
		}
		if got := spent(j, "1"); got != 0 {
			t.Errorf("spent %d on a parked stream", got)
		}
		if v := Must(t, j, Buy("2", "k5", 1)); v.Body.Kind != "bought" || j.Stats().Parked != 1 {
			t.Errorf("beside it: %+v", v.Body)
		}
		if err := j.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestDecideMistakes(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		j, _ := Start(t, Config("a", opts))
		body := func(*View) (Body, error) {
			return Body{Kind: "opened", Account: "1", Key: strings.Repeat("x", 1<<20)}, nil
		}
		if _, err := j.Decide(t.Context(), journal.On(Account("1"), Key(strings.Repeat("x", 1<<20))), body); !errors.Is(err, journal.ErrTooLarge) {
			t.Errorf("a megabyte: %.80v", err)
		}
		for _, streams := range [][]journal.Stream{nil, {""}, {"a", "b", "a"}} {
			if _, err := j.Decide(t.Context(), streams, body); err == nil {
				t.Errorf("streams %q passed", streams)
			}
		}
		panics := func(*View) (Body, error) { panic("oh") }
		if _, err := j.Decide(t.Context(), journal.On("a"), panics); err == nil || !strings.Contains(err.Error(), "oh") {
			t.Errorf("a panic: %v", err)
		}
		sets := func(v *View) (Body, error) { v.Set("a", State{}); return Body{}, nil }
		if _, err := j.Decide(t.Context(), journal.On("a"), sets); err == nil || !strings.Contains(err.Error(), "outside a fold") {
			t.Errorf("Set in decide: %v", err)
		}
		Must(t, j, Open("1", "k", 1)) // none of them stopped it
	})
}

func TestWaitFor(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		j, _ := Start(t, Config("a", opts))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := j.WaitFor(ctx, j.Position()+1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("beyond the end: %v", err)
		}
		next := j.Position() + 1
		waited := make(chan error, 1)
		go func() { waited <- j.WaitFor(t.Context(), next) }()
		synctest.Wait()
		if v := Must(t, j, Open("1", "k", 1)); v.Offset != next {
			t.Errorf("offset %d, want %d", v.Offset, next)
		}
		if err := <-waited; err != nil {
			t.Error(err)
		}
	})
}

// An entry has the trace, the sealed data and the time of its decision.
func TestEntryHasTraceSealAndTime(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		cfg := Config("a", opts)
		cfg.Traceparent = func(context.Context) string { return "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }
		ahead := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		cfg.Now = func() time.Time { return ahead }
		j, _ := Start(t, cfg)
		var seen []Entry
		late := Config("b", opts)
		late.Project = func(e Entry, _ *View) { seen = append(seen, e) }
		k, _ := Start(t, late)
		c := Open("1", "k1", 100)
		v, err := j.Decide(t.Context(), c.Streams(), c.Decide, journal.WithSealed(journal.Sealed{KeyID: "key", Nonce: []byte{1}, Ciphertext: []byte{2, 3}}))
		if err != nil {
			t.Fatal(err)
		}
		if err := k.WaitFor(t.Context(), v.Offset); err != nil {
			t.Fatal(err)
		}
		// An instance whose clock is behind does not decide at an earlier time than what it builds
		// on.
		w := Must(t, k, Buy("1", "k2", 1))
		e := seen[0]
		if e.Traceparent != cfg.Traceparent(nil) || e.Sealed == nil || e.Sealed.KeyID != "key" || string(e.Sealed.Ciphertext) != "\x02\x03" ||
			!e.DecidedAt.Equal(ahead) || e.Writer != "a" || e.Kind != "opened" || e.Attempt != v.Attempt || len(e.Streams) != 2 {
			t.Errorf("entry %+v", e)
		}
		if !w.DecidedAt.Equal(ahead) {
			t.Errorf("decided at %s on what was decided at %s", w.DecidedAt, ahead)
		}
	})
}
