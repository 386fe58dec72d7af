package journal_test

import (
	"crypto/rand"
	"strconv"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/internal/journal"
	. "github.com/deferpay/deferpay/services/internal/journal/journaltest"
)

// BenchmarkCore is what a decision costs without the broker: decide, encode,
// speculate, decode, apply, answer.
func BenchmarkCore(b *testing.B) {
	c := journal.NewTestCore(Fold, journal.Codec[Body](Codec{}), journal.CoreRules[State, Body]{
		Writer: "bench", Clock: time.Now, Mono: time.Now,
		NewAttempt: func() (a journal.Attempt) { rand.Read(a[:]); return a },
	})
	var offset int64
	drain := func() {
		appends, _ := c.Take()
		for _, s := range appends {
			if err := c.ReadBytes(offset, s.Value()); err != nil {
				b.Fatal(err)
			}
			offset++
		}
	}
	drain()
	do := func(cmd Command) {
		c.Submit(journal.NewCall(cmd.Streams(), cmd.Decide, nil))
	}
	for a := range 1000 {
		do(Open(strconv.Itoa(a), "open"+strconv.Itoa(a), 1<<60))
		drain()
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		do(Buy(strconv.Itoa(n*7919%1000), "k"+strconv.Itoa(n), 1))
		if n++; n%64 == 0 {
			drain()
		}
	}
}
