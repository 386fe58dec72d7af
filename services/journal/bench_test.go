package journal_test

import (
	"context"
	"fmt"
	"testing"

	. "github.com/deferpay/deferpay/services/journal/journaltest"
)

// serving starts a journal with open accounts on an embedded broker.
func serving(b *testing.B, accounts int) *Journal {
	opts := Options(Broker(b))
	Topics(b, opts)
	j, _ := Start(b, Config("bench", opts))
	for a := range accounts {
		Must(b, j, Open(fmt.Sprint(a), fmt.Sprint("open", a), 1<<60))
	}
	return j
}

// BenchmarkDecide measures a single caller, from the call to the verdict.
func BenchmarkDecide(b *testing.B) {
	j := serving(b, 1)
	n := 0
	for b.Loop() {
		n++
		if _, err := Do(context.Background(), j, Buy("0", fmt.Sprint("k", n), 1)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAlready measures a repeated request, which is answered without a record.
func BenchmarkAlready(b *testing.B) {
	j := serving(b, 1)
	Must(b, j, Buy("0", "k", 1))
	for b.Loop() {
		if _, err := Do(context.Background(), j, Buy("0", "k", 1)); err == nil {
			b.Fatal("a repeated request was decided again")
		}
	}
}

// BenchmarkReplay measures a start: how long a record takes that was written before.
func BenchmarkReplay(b *testing.B) {
	opts := Options(Broker(b))
	Topics(b, opts)
	j, _ := Start(b, Config("writer", opts))
	Must(b, j, Open("0", "open", 1<<60))
	const records = 20_000
	done := make(chan struct{}, 64)
	for n := range records {
		if n >= cap(done) {
			<-done
		}
		go func() { Must(b, j, Buy("0", fmt.Sprint("k", n), 1)); done <- struct{}{} }()
	}
	for range cap(done) {
		<-done
	}
	b.ResetTimer()
	for b.Loop() {
		_, stop := Start(b, Config("reader", opts))
		if err := stop(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
}
