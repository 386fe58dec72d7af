package kafkatest

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// impatient returns a session with a short patience, and a client that writes to a topic of it.
func impatient(t *testing.T, more ...kgo.Opt) (*Session, *kgo.Client) {
	t.Helper()
	broker, _ := places(t)
	s, err := Connect(contract(t, "testdata/shop/asyncapi.yaml"), Config{Brokers: []string{broker}, Patience: time.Second, Quiet: 400 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	client, err := kgo.NewClient(append(more, kgo.SeedBrokers(broker), kgo.DefaultProduceTopic("shop.dlq.v1"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return s, client
}

func TestObserveGrowingTopic(t *testing.T) {
	s, client := impatient(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pause(ctx, 200*time.Millisecond) == nil {
			client.ProduceSync(ctx, kgo.StringRecord("x"))
		}
	}()
	n := 0
	if err := s.Observe(ctx, []string{"shop.dlq.v1"}, func(Verdict) { n++ }); err != nil || n == 0 {
		t.Errorf("%d records, %v", n, err)
	}
	cancel()
	<-done
}

// TestObserveTransactions writes in transactions that are committed, aborted, and open.
func TestObserveTransactions(t *testing.T) {
	s, client := impatient(t, kgo.TransactionalID("kafkatest"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	write := func(text string) {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(ctx, kgo.StringRecord(text)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for text, end := range map[string]kgo.TransactionEndTry{"committed": kgo.TryCommit, "aborted": kgo.TryAbort} {
		write(text)
		if err := client.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	write("open")
	var got []string
	err := s.Observe(ctx, []string{"shop.dlq.v1"}, func(v Verdict) { got = append(got, string(v.Record.Value)) })
	if err != nil || len(got) != 1 || got[0] != "committed" {
		t.Errorf("observed %q, %v", got, err)
	}
	if err := client.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Error(err)
	}
}
