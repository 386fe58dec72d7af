package ledger

import (
	"testing"
	"time"
)

// TestKeysAreForgotten moves the clock past the time for which keys are remembered.
func TestKeysAreForgotten(t *testing.T) {
	o := options(t)
	one, two := open(t, o, "one", "added", "added"), open(t, o, "two", "added", "added")
	ctx, start := t.Context(), time.Date(2026, time.March, 1, 9, 0, 0, 0, time.UTC)
	at := func(day int) {
		t.Helper()
		for _, b := range []*book{one, two} {
			b.clock.Store(start.AddDate(0, 0, day).UnixMicro())
			if err := b.forgetKeys(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	// adds reports whether the request adds, or gets the answer of an earlier one.
	adds := func(b *book, key string) bool {
		t.Helper()
		if err := b.Barrier(ctx); err != nil {
			t.Fatal(err)
		}
		out, err := b.add(ctx, request(t, key, `1`), "a", 1)
		if err != nil {
			t.Fatal(err)
		}
		return !out.Replayed
	}
	at(0)
	adds(one, "old")
	at(60)
	adds(one, "young")
	at(89)
	if adds(two, "old") {
		t.Error("P2: a key was forgotten within 90 days")
	}
	at(91) // the key may be forgotten, and is not yet
	before := one.Position()
	at(91)
	if now := one.Position(); now != before {
		t.Errorf("%d records were appended although no key is 91 days old", now-before)
	}
	at(92)
	if adds(two, "young") || adds(one, "young") {
		t.Error("P2: a key of 32 days was forgotten with an older one")
	}
	if !adds(two, "old") || adds(one, "old") {
		t.Error("a forgotten key cannot be used again, or more than once")
	}
	three := open(t, o, "three", "added", "added")
	three.clock.Store(start.AddDate(0, 0, 92).UnixMicro())
	if adds(three, "young") || adds(three, "old") {
		t.Error("a new instance has other keys")
	}
	three.Read(func(st States) {
		if n, _ := sums.Get(st, "a"); n != 3 {
			t.Errorf("the sum is %d, want 3", n)
		}
	})
	at(93)
	before = one.Position()
	at(93)
	if now := one.Position(); now != before {
		t.Errorf("%d records were appended although nothing is left to forget", now-before)
	}
}
