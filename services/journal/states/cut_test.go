package states_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/journal/internal/statehash"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/pack"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/shape"
	"github.com/deferpay/deferpay/services/journal/states"
	"github.com/deferpay/deferpay/tools/fulltest"
)

var stateCodec = func() *shape.Codec[state] {
	c, err := shape.Of[state]()
	if err != nil {
		panic(err)
	}
	return c
}()

func passing() *states.States[state, body] { return packing(never) }

const never = 1 << 40

// packing returns states whose streams are packed after so many records.
func packing(after int64) *states.States[state, body] {
	return states.New(states.Config[state, body]{
		Log: "test.log.v1", Fold: journaltest.Fold, Codec: journaltest.Codec{}, Passing: "key/", States: stateCodec, PackAfter: after,
	})
}

// ways are how often streams are packed, and how well their names are hashed. They change nothing.
var ways = map[string]func() *states.States[state, body]{
	"never":    passing,
	"at once":  func() *states.States[state, body] { return packing(1) },
	"after 10": func() *states.States[state, body] { return packing(10) },
	"hash of 4 bits": func() *states.States[state, body] {
		l := packing(2)
		l.WeakHash(16)
		return l
	},
}

// history returns a log in which records are applied, void, impossible, forgotten and released.
func history(t *testing.T, rng *rand.Rand, length int) (log [][]byte) {
	t.Helper()
	l := passing()
	last := map[record.Stream]record.Attempt{}
	var n uint32
	next := func() record.Attempt {
		n++
		return record.Attempt{byte(n), byte(n >> 8), 1}
	}
	var cursed []record.Attempt
	for len(log) < length {
		account := fmt.Sprint(rng.IntN(4))
		stream := journaltest.Account(account)
		a := next()
		e := record.Envelope{Kind: "bought", Attempt: a, DecidedAt: int64(len(log)), Writer: "w"}
		b := body{Account: account, Key: fmt.Sprint(rng.IntN(2 * length)), Amount: 10}
		e.Expects = []record.Expectation{{Stream: stream, Attempt: last[stream]}, {Stream: journaltest.Key(b.Key), Attempt: last[journaltest.Key(b.Key)]}}
		switch x := rng.IntN(40); {
		case last[stream].IsZero():
			e.Kind = "opened"
		case x == 0:
			e.Kind = "cursed"
			cursed = append(cursed, a)
		case x < 8:
			e.Expects[0].Attempt = next() // nobody's: void
		}
		_, data, err := journaltest.Codec{}.Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		e.Body = data
		value := envelope(t, e)
		switch x := rng.IntN(30); {
		case x == 0:
			value = forgetting(t, "key/", int64(len(log))-10)
		case x == 1 && len(cursed) > 0:
			at := cursed[rng.IntN(len(cursed))]
			release, err := record.Releasing{Stream: journaltest.Account(fmt.Sprint(rng.IntN(4))), Attempt: at}.Envelope()
			if err != nil {
				t.Fatal(err)
			}
			release.Attempt = next()
			value = envelope(t, release)
		}
		log = append(log, value)
		if _, err := apply(l, value); err != nil {
			t.Fatal(err)
		}
		clear(last)
		for s := range l.Cells() {
			last[s] = states.LastAttempt(l.Cell(s))
		}
	}
	return log
}

// sum returns the hash of everything that decides what later records lead to.
func sum(t *testing.T, l *states.States[state, body]) string {
	t.Helper()
	cells := map[record.Stream]any{}
	for s, c := range l.Cells() {
		cells[s] = *c
	}
	parked := map[record.Stream]string{}
	for s, err := range l.AllParked() {
		parked[s] = err.Error() + l.ParkedBy(s).String()
	}
	oldest, some := l.Oldest()
	h, err := statehash.Of([]any{cells, parked, l.Horizon(), oldest, some, l.Next()})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h)
}

// load makes states of a cut's items, in l that has read nothing.
func load(t *testing.T, l *states.States[state, body], items [][]byte, offset int64) *states.States[state, body] {
	t.Helper()
	loading := l.Load()
	for _, item := range items {
		if err := errors.Join(l.CheckItem(item), loading.Add(item)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := loading.End(offset)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// For every offset of a log, the cut there and the rest of the log lead to the same states as the
// whole log, although the log is applied further while the cut is handed out. All of it is the same
// whether streams are packed or not.
func TestCutAndTail(t *testing.T) {
	for name, start := range ways {
		t.Run(name, func(t *testing.T) { cutAndTail(t, start) })
	}
}

func cutAndTail(t *testing.T, start func() *states.States[state, body]) {
	for seed := range uint64(fulltest.Choose(1, 3)) {
		rng := rand.New(rand.NewPCG(seed, 7))
		log := history(t, rng, 120)
		sums := make([]string, len(log)+1)
		whole := passing()
		sums[0] = sum(t, whole)
		var outcomes []states.Outcome
		for i, value := range log {
			outcomes = append(outcomes, mustApply(t, whole, value))
			sums[i+1] = sum(t, whole)
		}
		for at := range log {
			l := start()
			for _, value := range log[:at] {
				mustApply(t, l, value)
			}
			items, moved := handOut(t, rng, l, log[at:])
			loaded := load(t, start(), items, int64(at)-1)
			if got := sum(t, loaded); got != sums[at] {
				t.Fatalf("seed %d: the cut before record %d, handed out while %d more were applied, is not the states there", seed, at, moved)
			}
			for i, value := range log[at:] {
				if got := mustApply(t, loaded, value); got != outcomes[at+i] {
					t.Fatalf("seed %d: after the cut before record %d, the outcome of record %d is %d, want %d", seed, at, at+i, got, outcomes[at+i])
				}
			}
			if got := sum(t, loaded); got != sums[len(log)] {
				t.Fatalf("seed %d: the cut before record %d and the tail lead to other states than the log", seed, at)
			}
		}
	}
}

func mustApply(t *testing.T, l *states.States[state, body], value []byte) states.Outcome {
	t.Helper()
	res, err := apply(l, value)
	if err != nil {
		t.Fatal(err)
	}
	return res.Outcome
}

// handOut returns the items of a cut. In between, it applies some of the records that follow.
func handOut(t *testing.T, rng *rand.Rand, l *states.States[state, body], tail [][]byte) (items [][]byte, moved int) {
	t.Helper()
	cut := l.Cut()
	defer l.EndCut(cut)
	for {
		item, more, err := cut.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return items, moved
		}
		items = append(items, item)
		for ; moved < len(tail) && rng.IntN(2) == 0; moved++ {
			mustApply(t, l, tail[moved])
		}
	}
}

// refuses reports whether an item is refused by whoever makes a cut, or by whoever loads it.
func refuses(l *states.States[state, body], item []byte) bool {
	return l.CheckItem(item) != nil || l.Load().Add(item) != nil
}

// An item that is cut short is an error, wherever it ends.
func TestDamagedItems(t *testing.T) {
	log := history(t, rand.New(rand.NewPCG(1, 1)), 60)
	for _, after := range []int64{never, 1} {
		l := packing(after)
		for _, value := range log {
			mustApply(t, l, value)
		}
		items, _ := handOut(t, rand.New(rand.NewPCG(2, 2)), l, nil)
		for _, item := range items {
			if string(item[:1]) == "p" && item[2] == 'x' {
				continue // part of an index may be one: see End
			}
			for n := range item {
				if !refuses(passing(), item[:n]) {
					t.Fatalf("the first %d bytes of %q are taken for an item", n, item)
				}
				if n > 0 && item[0] == 'i' && passing().CheckItem(item[:n]) == nil {
					t.Fatalf("the first %d bytes of %q are taken for what is known beside the streams", n, item)
				}
			}
		}
	}
}

// A block of streams is refused if it is not one, if its streams belong to another table, or if a
// state cannot be decoded.
func TestDamagedBlocks(t *testing.T) {
	block := func(group string) []byte {
		s := pack.New(pack.Layout{Random: 16})
		s.Add([]byte(group), 1)
		return s.Cut()[0].Append([]byte("p\x00b\x00"))
	}
	head := strings.Repeat("a", 24)
	good := block(head + "\x03s/1\x02\x00")
	if refuses(passing(), good) {
		t.Fatal("a good block is refused")
	}
	for name, item := range map[string][]byte{
		"no group":             block(head[:20]),
		"no member":            block(head),
		"no name":              block(head + "\x00\x02\x00"),
		"a name cut short":     block(head + "\x09s/1"),
		"no version":           block(head + "\x03s/1"),
		"no state":             block(head + "\x03s/1\x02"),
		"a state cut short":    block(head + "\x03s/1\x02\x05ab"),
		"a stream that passes": block(head + "\x05key/1\x02\x00"),
		"a state of no use":    block(head + "\x03s/1\x02\x03ab"),
		"another table":        append([]byte("p\x02b\x00"), good[4:]...),
		"another store":        append([]byte("p\x00b\x02"), good[4:]...),
		"another item":         append([]byte("p\x00c\x00"), good[4:]...),
		"a short seed":         []byte("p\x00s123456789012345"),
		"no block":             []byte("p\x00b\x00"),
		"not a block":          []byte("p\x00b\x00garbage"),
		"of the passing ones":  append([]byte("p\x01b\x00"), good[4:]...),
	} {
		if !refuses(passing(), item) {
			t.Errorf("%s: loaded", name)
		}
	}
	plain := states.New(states.Config[state, body]{
		Fold: journaltest.Fold, Codec: journaltest.Codec{}, Passing: "key/", States: struct{ states.StateCodec[state] }{stateCodec},
	})
	if plain.CheckItem(block(head+"\x03s/1\x02\x03ab")) == nil {
		t.Error("a state of no use to a codec without Check: loaded")
	}
}

// A cut whose items do not belong together is refused, and so is one that lacks some.
func TestItemsThatDoNotBelongTogether(t *testing.T) {
	l := packing(1)
	for _, value := range history(t, rand.New(rand.NewPCG(1, 1)), 60) {
		mustApply(t, l, value)
	}
	items, _ := handOut(t, rand.New(rand.NewPCG(2, 2)), l, nil)
	without := func(kind byte) [][]byte {
		return slices.DeleteFunc(slices.Clone(items), func(item []byte) bool { return item[0] == 'p' && item[2] == kind })
	}
	twice := func(kind byte) [][]byte {
		n := slices.IndexFunc(items, func(item []byte) bool { return item[0] == 'p' && item[2] == kind })
		return slices.Insert(slices.Clone(items), n, items[n])
	}
	for name, items := range map[string][][]byte{
		"no seed": without('s'), "no index": without('x'), "no blocks": without('b'), "a block twice": twice('b'), "shards twice": twice('x'),
	} {
		loading, refused := packing(1).Load(), false
		for _, item := range items {
			refused = refused || loading.Add(item) != nil
		}
		if _, err := loading.End(59); err == nil && !refused {
			t.Errorf("%s: loaded", name)
		}
	}
	never := states.New(states.Config[state, body]{Fold: journaltest.Fold, Codec: journaltest.Codec{}, Passing: "key/"})
	if never.Load().Add([]byte("p\x00s1234567890123456")) == nil {
		t.Error("packed streams are loaded without a codec of states")
	}
}

// A cut that was made before a record was declared void has read that record.
func TestOutdatedCut(t *testing.T) {
	garbage := []byte("garbage")
	declared := record.Voiding{Offset: 0, Digest: record.DigestOf(garbage)}
	before, after := passing(), passing()
	after.Declare(declared)
	mustApply(t, after, garbage)
	items, _ := handOut(t, rand.New(rand.NewPCG(2, 2)), after, nil)
	knows := load(t, passing(), items, 0)
	before = load(t, before, nil, 0)
	current := passing()
	current.Declare(declared)
	current.Declare(record.Voiding{Offset: 5, Digest: declared.Digest}) // after both cuts
	if current.Outdated(knows) {
		t.Error("a cut that knows of the declaration is outdated")
	}
	if !current.Outdated(before) {
		t.Error("a cut that does not know of the declaration is not outdated")
	}
}
