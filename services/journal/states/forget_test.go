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
	return encodeAt(t, at, key, a, after)
}

func encodeAt(t testing.TB, at int64, key string, a, after record.Attempt) []byte {
	t.Helper()
	_, data, err := journaltest.Codec{}.Encode(body{Account: "1", Key: key, Amount: 10})
	if err != nil {
		t.Fatal(err)
	}
	kind := "bought"
	if after.IsZero() {
		kind = "opened"
	}
	value, err := new(record.Encoder).Encode(&record.Envelope{Kind: kind, Attempt: a, Expects: builds(after, key), DecidedAt: at, Body: data})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestForget(t *testing.T) {
	for passing, after := range map[string]int64{"": never, "key/": never, "k": 1, "never/": 1} {
		l := states.New(states.Config[state, body]{
			Fold: journaltest.Fold, Codec: journaltest.Codec{}, Passing: passing, States: stateCodec, PackAfter: after,
		})
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

// Memory for what is forgotten is free again. What does not grow with the number of streams, such
// as that for packing them, was used before.
func TestForgottenMemoryIsFree(t *testing.T) {
	for name, codec := range map[string]states.StateCodec[state]{"packed": stateCodec, "never packed": nil} {
		t.Run(name, func(t *testing.T) {
			l := states.New(states.Config[state, body]{Fold: journaltest.Fold, Codec: journaltest.Codec{}, Passing: "key/", States: codec})
			apply(l, decided(t, 1, "open", record.Attempt{1}, record.Attempt{}))
			last := record.Attempt{1}
			forgottenMemory(t, l, &last, 20_000)
			before := inUse()
			full, half, none := forgottenMemory(t, l, &last, 100_000)
			if full, half, none = full-before, half-before, none-before; half > full*2/3 || none > max(full/20, 400<<10) {
				t.Errorf("%d bytes with all keys, %d with half of them, %d without", full, half, none)
			}
			runtime.KeepAlive(l)
		})
	}
}

// forgottenMemory uses so many keys. It returns how much memory is in use then, with the newer half
// of them, and without any.
func forgottenMemory(t *testing.T, l *states.States[state, body], last *record.Attempt, keys int64) (full, half, none int64) {
	t.Helper()
	must := func(value []byte) {
		if res, err := apply(l, value); err != nil || res.Outcome == states.Void {
			t.Fatal(res.Outcome, err)
		}
	}
	from := l.Horizon() + 2
	for n := range keys {
		next := record.Attempt{2, byte(from + n), byte((from + n) >> 8), byte((from + n) >> 16)}
		must(decided(t, from+n, fmt.Sprint("key-", from+n), next, *last))
		*last = next
	}
	full = inUse()
	must(forgetting(t, "key/", from+keys/2))
	half = inUse()
	must(forgetting(t, "key/", from+keys))
	return full, half, inUse()
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
