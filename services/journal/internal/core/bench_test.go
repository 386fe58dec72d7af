package core_test

import (
	"crypto/rand"
	"strconv"
	"testing"
	"time"

	. "github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
)

func benchNode() node {
	return newNode(surroundings{clock: time.Now, mono: time.Now,
		newAttempt: func() (a record.Attempt) { rand.Read(a[:]); return a }})
}

// BenchmarkRead measures what a record of another instance costs: decode, apply, fold.
func BenchmarkRead(b *testing.B) {
	writer := benchNode()
	var log [][]byte
	drain := func() {
		appends, _ := writer.Take()
		for _, s := range appends {
			if err := writer.readBytes(int64(len(log)), s.Value); err != nil {
				b.Fatal(err)
			}
			log = append(log, s.Value)
		}
	}
	drain()
	for i := range 100_000 {
		command := Open(strconv.Itoa(i), "open"+strconv.Itoa(i), 1<<60)
		if i >= 1000 {
			command = Buy(strconv.Itoa(i*7919%1000), "k"+strconv.Itoa(i), 1)
		}
		writer.Submit(newCall(command, nil))
		drain()
	}
	b.ReportAllocs()
	reader, at := benchNode(), 0
	for b.Loop() {
		if at == len(log) {
			reader, at = benchNode(), 0
		}
		if err := reader.readBytes(int64(at), log[at]); err != nil {
			b.Fatal(err)
		}
		at++
	}
}

// BenchmarkCore measures what a decision costs without the broker: decide, encode, speculate,
// apply, answer.
func BenchmarkCore(b *testing.B) {
	c := benchNode()
	var offset int64
	drain := func() {
		appends, _ := c.Take()
		for _, s := range appends {
			if err := c.readBytes(offset, s.Value); err != nil {
				b.Fatal(err)
			}
			offset++
		}
	}
	drain()
	do := func(cmd Command) {
		c.Submit(newCall(cmd, nil))
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
