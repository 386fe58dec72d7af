package journal_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/deferpay/deferpay/services/journal"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
)

// counted is an instance that counts its folds and keeps so many entries for subscribers.
func counted(t *testing.T, cfg journal.Config[State, Body], kept int) (*Journal, *atomic.Int64) {
	t.Helper()
	folds := new(atomic.Int64)
	cfg.Fold = func(v *View, e Entry) error { folds.Add(1); return Fold(v, e) }
	j, err := journal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	j.KeepEntries(kept)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	Eventually(t, "ready", j.Ready)
	return j, folds
}

// TestLogIsFoldedOnce publishes what two instances decide. The instance that publishes folds each
// entry once, whoever has decided it, and the entries from before its start too.
func TestLogIsFoldedOnce(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	other, _ := Start(t, Config("other", opts))
	Must(t, other, Open("1", "k0", 1000))
	for n := range 5 {
		Must(t, other, Buy("1", fmt.Sprint("before", n), 1))
	}
	j, folds := counted(t, Config("publisher", opts), 100)
	messages, s := subscribe(t, j, nil)
	const decided = 20
	for n := range decided {
		v := Must(t, []*Journal{j, other}[n%2], Buy("1", fmt.Sprint("k", n+1), 1))
		// the other one has to build on it: a record that is void is folded for nothing
		if err := []*Journal{other, j}[n%2].WaitFor(t.Context(), v.Offset); err != nil {
			t.Fatal(err)
		}
	}
	const all = 6 + decided
	for n := range all {
		m := receive(t, messages)
		e, after, _ := journal.FromMessage[State, Body](m)
		if st, _ := after.State(Account("1")); st.Entries != int64(n+1) || string(m.Payload) != string(encoded(t, e.Body)) {
			t.Errorf("message %d is entry %d of the account, with the payload %q", n, st.Entries, m.Payload)
		}
		m.Ack()
	}
	Eventually(t, "everything is acked", func() error {
		if p, _ := s.Position(); p != j.Position()+1 {
			return fmt.Errorf("at %d", p)
		}
		return nil
	})
	if n := folds.Load(); n != all {
		t.Errorf("%d entries were folded %d times", all, n)
	}
}

// TestSubscriberFallsBehind decides more than is kept while nothing is acked. The subscriber then
// reads the log until it can go on with what is kept.
func TestSubscriberFallsBehind(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	j, folds := counted(t, Config("a", opts), 8)
	messages, s := subscribe(t, j, func(c *journal.SubscriberConfig) { c.Window = 1 })
	Must(t, j, Open("1", "k0", 1000))
	first := receive(t, messages) // from what is kept
	const entries = 200
	for n := 1; n < entries; n++ {
		Must(t, j, Buy("1", fmt.Sprint("k", n), 1))
	}
	first.Ack()
	next := 1
	receiveAll := func(n int) {
		t.Helper()
		for range n {
			m := receive(t, messages)
			if e, _, _ := journal.FromMessage[State, Body](m); e.Body.Key != fmt.Sprint("k", next) {
				t.Fatalf("got %s, want k%d", e.Body.Key, next)
			}
			next++
			m.Ack()
		}
		Eventually(t, "everything is acked", func() error {
			if p, _ := s.Position(); p != j.Position()+1 {
				return fmt.Errorf("at %d", p)
			}
			return nil
		})
	}
	receiveAll(entries - 1)
	behind := folds.Load()
	if behind <= entries {
		t.Errorf("%d folds: the subscriber did not fall behind", behind)
	}
	for n := range 20 {
		Must(t, j, Buy("1", fmt.Sprint("k", entries+n), 1))
		receiveAll(1)
	}
	if n := folds.Load() - behind; n != 20 {
		t.Errorf("20 entries were folded %d times after it caught up", n)
	}
}

func encoded(t *testing.T, b Body) []byte {
	t.Helper()
	_, data, err := Codec{}.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
