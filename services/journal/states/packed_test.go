package states_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// Streams that are packed are the same in all that can be seen, after every record.
func TestPackedStreams(t *testing.T) {
	log := history(t, rand.New(rand.NewPCG(5, 5)), 400)
	var sums []string
	var outcomes []states.Outcome
	whole := passing()
	for _, value := range log {
		outcomes = append(outcomes, mustApply(t, whole, value))
		sums = append(sums, sum(t, whole))
	}
	for name, start := range ways {
		l, most := start(), 0
		for i, value := range log {
			if got := mustApply(t, l, value); got != outcomes[i] || sum(t, l) != sums[i] {
				t.Fatalf("packed %s: other states after record %d, or its outcome %d is not %d", name, i, got, outcomes[i])
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

// Streams that a cut holds unpacked are packed a while after it, not with the next record.
func TestLoadedStreamsWait(t *testing.T) {
	const after = 100
	whole, last := packing(after), record.Attempt{}
	buy := func(l *states.States[state, body], n int) {
		t.Helper()
		next := record.Attempt{1, byte(n), byte(n >> 8)}
		mustApply(t, l, encodeAt(t, int64(n), fmt.Sprint("key-", n), next, last))
		last = next
	}
	for n := range 250 {
		buy(whole, n)
	}
	items, _ := handOut(t, rand.New(rand.NewPCG(1, 1)), whole, nil)
	l := load(t, packing(after), items, whole.Next()-1)
	loaded := l.Packed()
	for n := range after - 1 {
		buy(l, 250+n)
	}
	if got := l.Packed(); loaded != whole.Packed() || got != loaded {
		t.Errorf("%d streams are packed, then %d, want %d", loaded, got, whole.Packed())
	}
	for n := range 20 {
		buy(l, 250+after+n)
	}
	if got := l.Packed(); got <= loaded {
		t.Errorf("a while later %d streams are packed, as %d before", got, loaded)
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
	each := (inUse() - empty) / n
	if each > 110 {
		t.Errorf("%d bytes a key", each)
	}
	// the last ones are not packed
	if own := l.PackedBytes() / n; own > int64(each) || own < int64(each)/3 {
		t.Errorf("%d bytes a key are counted, and %d taken", own, each)
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

// crowd returns states of which a record changes many streams. Their names have so many hashes.
func crowd(after int64, hashes uint64) *states.States[state, body] {
	l := states.New(states.Config[state, body]{
		Fold: func(v *states.View[state], e states.Entry[body]) error {
			for i, s := range e.Streams {
				if i%3 > 0 {
					v.Set(s, state{Number: e.DecidedAt.UnixMicro(), Request: string(s)})
				}
			}
			return nil
		}, Codec: journaltest.Codec{}, Passing: "key/", States: stateCodec, PackAfter: after,
	})
	l.WeakHash(hashes)
	return l
}

const manyHashes = 1 << 40

// crowded returns a record that changes many streams, some again and again and some named twice, or
// one that forgets streams. Times may go back.
func crowded(t *testing.T, rng *rand.Rand, known *states.States[state, body]) []byte {
	i := known.Next()
	if rng.IntN(12) == 0 {
		return forgetting(t, "key/", i-int64(rng.IntN(50)))
	}
	e := record.Envelope{Kind: "bought", Attempt: record.Attempt{byte(i), byte(i >> 8), 1}, DecidedAt: i, Body: make([]byte, 4)}
	if rng.IntN(4) == 0 {
		e.DecidedAt -= int64(rng.IntN(100))
	}
	for range 1 + rng.IntN(6) {
		s := record.Stream(fmt.Sprintf("%s%d", []string{"key/", "a/"}[rng.IntN(2)], rng.Int64N(30+i/4)))
		e.Expects = append(e.Expects, record.Expectation{Stream: s, Attempt: states.LastAttempt(known.Cell(s))})
	}
	return envelope(t, e)
}

// Records that change many streams lead to the same states and have the same outcomes whether
// streams are packed or not, and whatever their names hash to.
func TestManyStreamsOfARecord(t *testing.T) {
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 3))
		whole, others := crowd(never, manyHashes), []*states.States[state, body]{crowd(1, manyHashes), crowd(1, 16), crowd(3, 1)}
		for i := range 200 {
			value := crowded(t, rng, whole)
			outcome := mustApply(t, whole, value)
			want := sum(t, whole)
			for _, l := range others {
				if got := mustApply(t, l, value); got != outcome || sum(t, l) != want {
					t.Fatalf("seed %d: other states after record %d, or its outcome %d is not %d", seed, i, got, outcome)
				}
			}
		}
	}
}

// An instance that is started from a cut of another one is the same in all that can be seen, after
// every record, whatever names hash to. So is one that is started from a cut of that.
func TestRestarts(t *testing.T) {
	afters, hashes := []int64{1, 1, 3, 3}, []uint64{manyHashes, 16, 4, 1}
	for seed := range uint64(fulltest.Choose(1, 4)) {
		rng := rand.New(rand.NewPCG(seed, 11))
		whole, others := crowd(never, manyHashes), make([]*states.States[state, body], len(afters))
		for n, after := range afters {
			others[n] = crowd(after, hashes[n])
		}
		for i := range 200 {
			value := crowded(t, rng, whole)
			outcome := mustApply(t, whole, value)
			want := sum(t, whole)
			for n, l := range others {
				if got := mustApply(t, l, value); got != outcome {
					t.Fatalf("seed %d: the outcome of record %d is %d, want %d", seed, i, got, outcome)
				}
				if rng.IntN(4) == 0 {
					items, _ := handOut(t, rng, l, nil)
					others[n] = load(t, crowd(afters[n], hashes[n]), items, int64(i))
				}
				if sum(t, others[n]) != want {
					t.Fatalf("seed %d: instance %d has other states after record %d", seed, n, i)
				}
			}
		}
	}
}

// A stream that was forgotten is in no cut, although it is packed in a block as it was at a later
// time, which a record has gone back from.
func TestForgottenStaysForgotten(t *testing.T) {
	for starts := range 2 {
		l := crowd(1, manyHashes)
		last := map[record.Stream]record.Attempt{}
		change := func(n byte, at int64, streams ...record.Stream) {
			e := record.Envelope{Kind: "bought", Attempt: attempt(n), DecidedAt: at, Body: make([]byte, 4)}
			for _, s := range streams {
				e.Expects = append(e.Expects, record.Expectation{Stream: s, Attempt: last[s]})
				last[s] = e.Attempt
			}
			if got := mustApply(t, l, envelope(t, e)); got != states.Applied {
				t.Fatalf("the outcome of change %d is %d", n, got)
			}
		}
		restart := func() {
			items, _ := handOut(t, rand.New(rand.NewPCG(2, 2)), l, nil)
			l = load(t, crowd(1, manyHashes), items, l.Next()-1)
		}
		change(1, 1000, "key/back", "key/1", "key/2")
		change(2, 1001, "a/1")
		change(3, 1002, "a/2")
		if l.Packed() < 3 {
			t.Fatalf("%d streams are packed", l.Packed())
		}
		change(4, 10, "key/back")
		for range starts {
			restart()
		}
		mustApply(t, l, forgetting(t, "key/", 500))
		restart()
		if l.Cell("key/back") != nil || l.Cell("key/1") == nil {
			t.Errorf("started %d times before: what was forgotten is there, or what was not is gone", starts)
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
