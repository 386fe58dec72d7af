package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/journal"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
)

func TestDecideReadReplay(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	j, stop := Start(t, Config("a", opts))
	Must(t, j, Open("1", "k0", 100))
	v := Must(t, j, Buy("1", "k1", 60))
	if s, _ := v.After.State(Account("1")); s.Spent != 60 || v.Body.Kind != "bought" || v.Writer != "a" {
		t.Errorf("verdict %+v, state %+v", v, s)
	}
	if v := Must(t, j, Buy("1", "k2", 41)); v.Body.Kind != "refused" {
		t.Errorf("over the ceiling: %s", v.Body.Kind)
	}
	ctx := context.Background()
	for want, c := range map[error]Command{
		journal.ErrAlready: Buy("1", "k1", 60), ErrReused: Buy("1", "k1", 61), ErrNoAccount: Buy("2", "k3", 1),
	} {
		before := j.Stats().Applied
		if _, err := Do(ctx, j, c); !errors.Is(err, want) || j.Stats().Applied != before {
			t.Errorf("%v: %v, want %v and no record", c, err, want)
		}
	}
	// Another instance has the same states, and answers the same.
	k, _ := Start(t, Config("b", opts))
	if err := k.WaitFor(ctx, v.Offset); err != nil {
		t.Fatal(err)
	}
	if _, err := Do(ctx, k, Buy("1", "k1", 60)); !errors.Is(err, journal.ErrAlready) {
		t.Errorf("the same key on another instance: %v", err)
	}
	k.Read(func(state func(journal.Stream) (State, bool)) {
		if s, ok := state(Key("k1")); !ok || !s.Accepted {
			t.Errorf("key on another instance: %+v %v", s, ok)
		}
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := Do(ctx, j, Buy("1", "k9", 1)); !errors.Is(err, journal.ErrNotReady) {
		t.Errorf("after the stop: %v", err)
	}
}

// With several instances and callers on few accounts, the ceiling holds, each key has one effect,
// and all readers agree.
func TestInstancesSideBySide(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	var instances []*Journal
	for i := range 3 {
		j, _ := Start(t, Config(fmt.Sprint(i), opts))
		instances = append(instances, j)
	}
	const accounts, callers, each = 3, 24, 20
	for a := range accounts {
		Must(t, instances[0], Open(fmt.Sprint(a), fmt.Sprint("open", a), 1000))
	}
	var callersDone sync.WaitGroup
	for c := range callers {
		callersDone.Go(func() {
			for i := range each {
				// each key twice
				cmd := Buy(fmt.Sprint(i%accounts), fmt.Sprintf("%d-%d", c/2, i), 7)
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				_, err := Do(ctx, instances[c%3], cmd)
				cancel()
				if err != nil && !errors.Is(err, journal.ErrAlready) {
					t.Errorf("%v: %v", cmd, err)
				}
			}
		})
	}
	callersDone.Wait()
	var want string
	for i, j := range instances {
		if err := j.Barrier(context.Background()); err != nil {
			t.Fatal(err)
		}
		var got string
		j.Read(func(state func(journal.Stream) (State, bool)) {
			for a := range accounts {
				s, _ := state(Account(fmt.Sprint(a)))
				got += fmt.Sprint(s)
				if s.Spent > s.Ceiling {
					t.Errorf("ceiling exceeded: %+v", s)
				}
			}
		})
		if i > 0 && got != want {
			t.Errorf("instance %d has %s, not %s", i, got, want)
		}
		want = got
		t.Logf("%+v", j.Stats())
	}
}
