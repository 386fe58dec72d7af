package states_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

func forgetting(t *testing.T, prefix string, before int64) []byte {
	t.Helper()
	e, err := record.Forgetting{Prefix: prefix, Before: before}.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	return envelope(t, e)
}

// decided returns a record that buys on account 1 with a key, decided at a time.
func decided(t *testing.T, at int64, key string, a, after record.Attempt) []byte {
	t.Helper()
	_, data, err := journaltest.Codec{}.Encode(body{Account: "1", Key: key, Amount: 10})
	if err != nil {
		t.Fatal(err)
	}
	kind := "bought"
	if after.IsZero() {
		kind = "opened"
	}
	return envelope(t, record.Envelope{Kind: kind, Attempt: a, Expects: builds(after, key), DecidedAt: at, Body: data})
}

func TestForget(t *testing.T) {
	for _, passing := range []string{"", "key/"} {
		l := states.New(states.Config[state, body]{Fold: journaltest.Fold, Codec: journaltest.Codec{}, Passing: passing})
		for _, step := range []struct {
			name  string
			value []byte
			want  states.Outcome
			keys  string
		}{
			{"open", decided(t, 100, "k0", attempt(1), record.Attempt{}), states.Applied, "k0"},
			{"buy", decided(t, 200, "k1", attempt(2), attempt(1)), states.Applied, "k0 k1"},
			{"forget what is older than everything", forgetting(t, "key/", 100), states.Operators, "k0 k1"},
			{"the key is used", decided(t, 250, "k0", attempt(3), attempt(2)), states.Void, "k0 k1"},
			{"forget", forgetting(t, "key/", 200), states.Operators, "k1"},
			{"forget again", forgetting(t, "key/", 150), states.Operators, "k1"},
			{"decided before the time", decided(t, 199, "k0", attempt(4), attempt(2)), states.Void, "k1"},
			{"decided at the time", decided(t, 200, "k0", attempt(5), attempt(2)), states.Applied, "k0 k1"},
			{"forget other streams", forgetting(t, "sum/", 1000), states.Operators, "k0 k1"},
			{"beside them", decided(t, 300, "k2", attempt(6), attempt(5)), states.Applied, "k0 k1 k2"},
			{"forget all", forgetting(t, "key/", 1000), states.Operators, ""},
		} {
			res, err := apply(l, step.value)
			keys := ""
			for n := range 3 {
				if key := fmt.Sprint("k", n); l.Cell(journaltest.Key(key)) != nil {
					keys += " " + key
				}
			}
			if keys != "" {
				keys = keys[1:]
			}
			if err != nil || res.Outcome != step.want || keys != step.keys {
				t.Errorf("passing %q, %s: outcome %d (%v), keys %q; want %d, %q", passing, step.name, res.Outcome, err, keys, step.want, step.keys)
			}
		}
		if account, _ := l.State(journaltest.Account("1")); account.Entries != 4 || l.Horizon() != 1000 {
			t.Errorf("passing %q: the account has %d entries, the horizon is %d", passing, account.Entries, l.Horizon())
		}
		if empty := l.Empty(); empty.Horizon() != 0 || empty.Cell(journaltest.Account("1")) != nil {
			t.Errorf("passing %q: Empty kept something", passing)
		}
	}
}

func TestForgottenMemoryIsFree(t *testing.T) {
	const keys = 50_000
	l := states.New(states.Config[state, body]{Fold: journaltest.Fold, Codec: journaltest.Codec{}, Passing: "key/"})
	must := func(value []byte) {
		if res, err := apply(l, value); err != nil || res.Outcome == states.Void {
			t.Fatal(res.Outcome, err)
		}
	}
	must(decided(t, 1, "open", record.Attempt{1}, record.Attempt{}))
	empty := inUse()
	last := record.Attempt{1}
	for n := range keys {
		next := record.Attempt{2, byte(n), byte(n >> 8), byte(n >> 16)}
		must(decided(t, int64(2+n), fmt.Sprint("key-", n), next, last))
		last = next
	}
	full := inUse() - empty
	must(forgetting(t, "key/", keys/2))
	half := inUse() - empty
	must(forgetting(t, "key/", keys*2))
	if none := inUse() - empty; half > full*2/3 || none > full/20 {
		t.Errorf("%d bytes with %d keys, %d with half of them, %d without", full, keys, half, none)
	}
	runtime.KeepAlive(l)
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
