package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/admin"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
)

// write appends a value to the log as a program does that is no journal, and returns its offset.
func write(t *testing.T, opts []kgo.Opt, value []byte) int64 {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.DefaultProduceTopic(Log))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, err := client.ProduceSync(t.Context(), &kgo.Record{Value: value}).First()
	if err != nil {
		t.Fatal(err)
	}
	return r.Offset
}

// Garbage on the log stops every instance. Once it is declared void, all are ready again by
// themselves, also those that start later, and nothing else has changed.
func TestGarbageIsDeclaredVoid(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		a, _ := Start(t, Config("a", opts))
		b, _ := Start(t, Config("b", opts))
		messages, _ := subscribe(t, b, nil)
		Must(t, a, Open("1", "k0", 100))
		Must(t, a, Buy("1", "k1", 60))
		for range 2 {
			receive(t, messages).Ack()
		}
		offset := write(t, opts, []byte("garbage"))
		notReady(t, a, "is not a record of a journal")
		notReady(t, b, "is not a record of a journal")
		time.Sleep(time.Minute)
		notReady(t, a, "is not a record of a journal")

		log := admin.Open(Config("operator", opts))
		if _, err := log.DeclareVoid(t.Context(), admin.Voiding{Offset: offset, Reason: "a test"}); err != nil {
			t.Fatal(err)
		}
		ready(t, a)
		ready(t, b)
		var said bytes.Buffer
		later := Config("c", opts)
		later.Logger = slog.New(slog.NewTextHandler(&said, nil))
		c, _ := Start(t, later)
		if strings.Contains(said.String(), "level=ERROR") {
			t.Errorf("an instance that starts later stopped: %s", said.String())
		}
		if v := Must(t, c, Buy("1", "k2", 41)); v.Body.Kind != "refused" {
			t.Errorf("over the ceiling: %s", v.Body.Kind)
		}
		receive(t, messages).Ack()
		for _, j := range []*Journal{a, b, c} {
			if _, err := Do(t.Context(), j, Buy("1", "k1", 60)); !errors.Is(err, journal.ErrAlready) || spent(j, "1") != 60 {
				t.Errorf("an earlier request: %v, spent %d", err, spent(j, "1"))
			}
		}
	})
}

// An instance that could decode a record reads the log again when the record is declared void, so
// that all instances agree.
func TestReadableIsDeclaredVoid(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		newer := Config("newer", opts)
		newer.Codec = newCodec{}
		newer.Fold = func(v *View, e Entry) error {
			for _, s := range e.Streams {
				v.Set(s, State{Spent: 1})
			}
			return nil
		}
		j, _ := Start(t, newer)
		k, _ := Start(t, Config("older", opts))
		v, err := j.Decide(t.Context(), journal.On(Account("1")), func(*View) (Body, error) { return Body{Kind: "tomorrow"}, nil })
		if err != nil {
			t.Fatal(err)
		}
		notReady(t, k, "tomorrow")
		log := admin.Open(Config("operator", opts))
		declared := admin.Voiding{Offset: v.Offset, Reason: "a test"}
		if _, err := log.DeclareVoid(t.Context(), declared); !errors.Is(err, journal.ErrUnknownKind) {
			t.Fatalf("a kind that a newer version may know: %v", err)
		}
		declared.UnknownKind = true
		if _, err := log.DeclareVoid(t.Context(), declared); err != nil {
			t.Fatal(err)
		}
		ready(t, k)
		Eventually(t, "the newer one took it back", func() error {
			if err := j.Ready(); err != nil {
				return err
			}
			if spent(j, "1") != 0 {
				return errors.New("the record still has its effect")
			}
			return nil
		})
	})
}

// A released stream is decided on again, from the state before the impossible record. The log of
// the instance names that record.
func TestParkedStreamIsReleased(t *testing.T) {
	Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		var said bytes.Buffer
		cfg := Config("a", opts)
		cfg.Logger = slog.New(slog.NewTextHandler(&said, nil))
		j, _ := Start(t, cfg)
		Must(t, j, Open("1", "k1", 100))
		careless := Config("careless", opts)
		careless.Fold = func(*View, Entry) error { return nil }
		other, stop := Start(t, careless)
		v, err := other.Decide(t.Context(), journal.On(Account("1")), func(*View) (Body, error) { return Body{Kind: "cursed", Account: "1"}, nil })
		if err != nil {
			t.Fatal(err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if err := j.WaitFor(t.Context(), v.Offset); err != nil {
			t.Fatal(err)
		}
		if _, err := Do(t.Context(), j, Buy("1", "k2", 60)); !errors.Is(err, journal.ErrParked) {
			t.Fatalf("on the parked stream: %v", err)
		}
		for _, part := range []string{"level=ERROR", fmt.Sprint("offset=", v.Offset), "stream=" + string(Account("1")), "kind=cursed", "writer=careless"} {
			if !strings.Contains(said.String(), part) {
				t.Errorf("the log lacks %s: %s", part, said.String())
			}
		}
		log := admin.Open(Config("operator", opts))
		if _, err := log.Release(t.Context(), Account("2"), "a test"); err == nil {
			t.Error("a stream was released that is not parked")
		}
		at, err := log.Release(t.Context(), Account("1"), "a test")
		if err != nil {
			t.Fatal(err)
		}
		if err := j.WaitFor(context.Background(), at); err != nil {
			t.Fatal(err)
		}
		if v := Must(t, j, Buy("1", "k2", 60)); v.Body.Kind != "bought" || j.Stats().Parked != 0 || spent(j, "1") != 60 {
			t.Errorf("after the release: %s, %d parked, spent %d", v.Body.Kind, j.Stats().Parked, spent(j, "1"))
		}
		if _, err := log.Release(t.Context(), Account("1"), "a test"); err == nil {
			t.Error("a stream was released twice")
		}
	})
}
