package journal_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
)

// values returns the records of the log.
func values(t *testing.T, opts []kgo.Opt) (all []*kgo.Record) {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(Log), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(t.Context(), Log)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(Log, 0)
	for int64(len(all)) < end.Offset {
		c.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
			all = append(all, &kgo.Record{Topic: Log, Key: r.Key, Value: r.Value})
		})
	}
	return all
}

// replaceLog creates the log again with the records given.
func replaceLog(t *testing.T, opts []kgo.Opt, records []*kgo.Record) {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := kadm.NewClient(c).DeleteTopics(t.Context(), Log); err != nil {
		t.Fatal(err)
	}
	Create(t, opts, Log, LogConfig())
	if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func receiveKeys(t *testing.T, messages <-chan *message.Message, n int) (keys []string) {
	t.Helper()
	for range n {
		m := receive(t, messages)
		e, _, _ := journal.FromMessage[State, Body](m)
		keys = append(keys, e.Body.Key)
		m.Ack()
	}
	return keys
}

// Of a log that was cut and has grown beyond the saved position again, everything is delivered. Of
// one that was copied record by record, nothing is delivered again.
func TestSubscriberLogGrewAgain(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	j, stop := Start(t, Config("a", opts))
	Must(t, j, Open("1", "k0", 100))
	messages, s := subscribe(t, j, nil)
	receiveKeys(t, messages, 1)
	for n := range 3 {
		Must(t, j, Buy("1", fmt.Sprint("k", n+1), 1))
	}
	cut := values(t, opts)[:2] // the barrier of the start, and the account
	receiveKeys(t, messages, 3)
	s.Close()
	stop()
	whole := values(t, opts)

	for _, c := range []struct {
		name string
		log  []*kgo.Record
		more int // entries that are appended before delivery begins
		want []string
	}{
		{"copied", whole, 1, []string{"new0"}},
		{"cut and grown beyond the position", cut, 5, []string{"k0", "new0", "new1", "new2", "new3", "new4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			replaceLog(t, opts, c.log)
			j, stop := Start(t, Config("a", opts))
			defer stop()
			for n := range c.more {
				Must(t, j, Buy("1", fmt.Sprint("new", n), 1))
			}
			messages, s := subscribe(t, j, nil)
			defer s.Close()
			if got := receiveKeys(t, messages, len(c.want)); !slices.Equal(got, c.want) {
				t.Errorf("delivered %v, want %v", got, c.want)
			}
			none(t, messages)
		})
	}
}
