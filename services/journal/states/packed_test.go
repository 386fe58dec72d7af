package states_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Streams that are packed are the same in all that can be seen, after every record.
func TestPackedStreams(t *testing.T) {
	log := history(t, rand.New(rand.NewPCG(5, 5)), 400)
	var sums []string
	whole := passing()
	for _, value := range log {
		mustApply(t, whole, value)
		sums = append(sums, sum(t, whole))
	}
	for name, start := range ways {
		l, most := start(), 0
		for i, value := range log {
			mustApply(t, l, value)
			if sum(t, l) != sums[i] {
				t.Fatalf("packed %s: other states after record %d", name, i)
			}
			for s, c := range whole.Cells() {
				if i < len(log)-1 {
					break
				}
				if got := l.Cell(s); got == nil || *got != *c {
					t.Fatalf("packed %s: %s is %+v, want %+v", name, s, got, c)
				}
			}
			most = max(most, l.Packed())
		}
		if l.Cell("account/nobody") != nil || l.Cell("key/none") != nil {
			t.Errorf("packed %s: a stream is found that never was", name)
		}
		if want := 20; (most >= want) != (name != "never") {
			t.Errorf("packed %s: at most %d streams are packed", name, most)
		}
	}
}

// Reading a stream leaves it packed; changing it takes it out.
func TestReadingLeavesPacked(t *testing.T) {
	l := packing(1)
	mustApply(t, l, decided(t, 1, "k0", attempt(1), record.Attempt{}))
	mustApply(t, l, decided(t, 2, "k1", attempt(2), attempt(1)))
	if l.Packed() != 1 {
		t.Fatalf("%d streams are packed, want k0 alone", l.Packed())
	}
	if st, ok := l.State(journaltest.Key("k0")); !ok || st.Request != "open1/10" || l.Packed() != 1 {
		t.Errorf("the state is %+v, then %d streams are packed", st, l.Packed())
	}
	mustApply(t, l, decided(t, 3, "k0", attempt(3), attempt(2))) // void: the key is used
	if l.Packed() != 1 {
		t.Errorf("a void record changed what is packed: %d streams", l.Packed())
	}
}

// closed applies n records that buy on one account, each with a key of its own.
func closed(t testing.TB, l *states.States[state, body], n int) {
	last := record.Attempt{}
	for i := range n {
		next := record.Attempt{1, byte(i), byte(i >> 8), byte(i >> 16)}
		value := encodeAt(t, int64(i), fmt.Sprint("key-", i), next, last)
		if res, err := apply(l, value); err != nil || res.Outcome == states.Void {
			t.Fatal(res.Outcome, err)
		}
		last = next
	}
}

// A stream that is packed takes few bytes, and nothing grows with those that are used.
func TestPackedIsSmall(t *testing.T) {
	const n = 50_000
	l := packing(0)
	empty := inUse()
	closed(t, l, n)
	if each := (inUse() - empty) / n; each > 110 {
		t.Errorf("%d bytes a key", each)
	}
	if unpacked := n + 1 - l.Packed(); unpacked > 2100 {
		t.Errorf("%d streams are not packed", unpacked)
	}
}

// A stream that is parked is not forgotten, packed or not.
func TestParkedIsNotForgotten(t *testing.T) {
	for _, after := range []int64{never, 1} {
		l := states.New(states.Config[state, body]{
			Fold: journaltest.Fold, Codec: journaltest.Codec{}, Passing: "key/", States: stateCodec, PackAfter: after,
			Subject: func(e *states.Entry[body]) record.Stream { return e.Streams[1] },
		})
		mustApply(t, l, decided(t, 1, "k0", attempt(1), record.Attempt{}))
		mustApply(t, l, encode(t, "cursed", body{Account: "1", Key: "k1"}, attempt(2), builds(attempt(1), "k1")))
		mustApply(t, l, decided(t, 3, "k2", attempt(3), attempt(2)))
		mustApply(t, l, decided(t, 4, "k3", attempt(4), attempt(3)))
		mustApply(t, l, forgetting(t, "key/", 1000))
		if l.Cell(journaltest.Key("k0")) != nil || l.Cell(journaltest.Key("k1")) == nil || l.Cell(journaltest.Key("k2")) != nil {
			t.Errorf("packed after %d: k1 alone was to stay", after)
		}
		if at, ok := l.Oldest(); at != 1 || !ok {
			t.Errorf("packed after %d: the oldest is of %d (%v)", after, at, ok)
		}
	}
}

// Records that change many streams, some again and again and some named twice, lead to the same
// states whether streams are packed or not, and whatever their names hash to.
func TestManyStreamsOfARecord(t *testing.T) {
	fold := func(v *states.View[state], e states.Entry[body]) error {
		for i, s := range e.Streams {
			if i%3 > 0 {
				v.Set(s, state{Number: e.DecidedAt.UnixMicro(), Request: string(s)})
			}
		}
		return nil
	}
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 3))
		start := func(after int64, hashes uint64) *states.States[state, body] {
			l := states.New(states.Config[state, body]{
				Fold: fold, Codec: journaltest.Codec{}, Passing: "key/", States: stateCodec, PackAfter: after,
			})
			l.WeakHash(hashes)
			return l
		}
		whole, others := start(never, 1<<40), []*states.States[state, body]{start(1, 1<<40), start(1, 16), start(3, 1)}
		for i := range 200 {
			e := record.Envelope{Kind: "bought", Attempt: record.Attempt{byte(i), byte(i >> 8), 1}, DecidedAt: int64(i), Body: make([]byte, 4)}
			for range 1 + rng.IntN(6) {
				s := record.Stream(fmt.Sprintf("%s%d", []string{"key/", "a/"}[rng.IntN(2)], rng.IntN(30+i)))
				e.Expects = append(e.Expects, record.Expectation{Stream: s, Attempt: states.LastAttempt(whole.Cell(s))})
			}
			value := envelope(t, e)
			mustApply(t, whole, value)
			want := sum(t, whole)
			for _, l := range others {
				mustApply(t, l, value)
				if sum(t, l) != want {
					t.Fatalf("seed %d: other states after record %d", seed, i)
				}
			}
		}
	}
}

// A record that names a packed stream twice takes it out once.
func TestStreamNamedTwice(t *testing.T) {
	l := states.New(states.Config[state, body]{
		Fold: func(*states.View[state], states.Entry[body]) error { return nil }, Codec: journaltest.Codec{}, States: stateCodec, PackAfter: 1,
	})
	changes := func(n byte, last record.Attempt, streams ...record.Stream) {
		e := record.Envelope{Kind: "bought", Attempt: attempt(n), Body: make([]byte, 4)}
		for _, s := range streams {
			e.Expects = append(e.Expects, record.Expectation{Stream: s, Attempt: last})
		}
		mustApply(t, l, envelope(t, e))
	}
	for n := byte(1); n <= 3; n++ {
		changes(n, record.Attempt{}, record.Stream(fmt.Sprint("a/", n)))
	}
	changes(4, attempt(1), "a/1", "a/1")
	changes(5, attempt(3), "a/3")
	l.EndCut(l.Cut()) // now the block is compressed, or freed if nothing in it is used
	for s, want := range map[record.Stream]byte{"a/1": 4, "a/2": 2, "a/3": 5} {
		if got := states.LastAttempt(l.Cell(s)); got != attempt(want) {
			t.Errorf("%s was changed by %s", s, got)
		}
	}
}
