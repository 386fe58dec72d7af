package journal_test

import (
	"crypto/rand"
	"strconv"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/internal/journal"
	. "github.com/deferpay/deferpay/services/internal/journal/journaltest"
)

// BenchmarkRead is what a record of another instance costs: decode, apply, fold.
func BenchmarkRead(b *testing.B) {
	rules := journal.CoreRules[State, Body]{Writer: "bench", Clock: time.Now, Mono: time.Now,
		NewAttempt: func() (a journal.Attempt) { rand.Read(a[:]); return a }}
	writer := journal.NewTestCore(Fold, journal.Codec[Body](Codec{}), rules)
	var log [][]byte
	drain := func() {
		appends, _ := writer.Take()
		for _, s := range appends {
			if err := writer.ReadBytes(int64(len(log)), s.Value()); err != nil {
				b.Fatal(err)
			}
			log = append(log, s.Value())
		}
	}
	drain()
	for i := range 100_000 {
		command := Open(strconv.Itoa(i), "open"+strconv.Itoa(i), 1<<60)
		if i >= 1000 {
			command = Buy(strconv.Itoa(i*7919%1000), "k"+strconv.Itoa(i), 1)
		}
		writer.Submit(journal.NewCall(command.Streams(), command.Decide, nil))
		drain()
	}
	b.ReportAllocs()
	reader, at := journal.NewTestCore(Fold, journal.Codec[Body](Codec{}), rules), 0
	for b.Loop() {
		if at == len(log) {
			reader, at = journal.NewTestCore(Fold, journal.Codec[Body](Codec{}), rules), 0
		}
		if err := reader.ReadBytes(int64(at), log[at]); err != nil {
			b.Fatal(err)
		}
		at++
	}
}

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
