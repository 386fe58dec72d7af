package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/services/journal"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
)

func subscribe(t *testing.T, j *Journal, change func(*journal.SubscriberConfig)) (<-chan *message.Message, *journal.Subscriber[State, Body]) {
	t.Helper()
	cfg := journal.SubscriberConfig{Name: "publisher", Positions: Positions, NackDelay: time.Millisecond,
		SaveEvery: 5 * time.Millisecond, SessionTimeout: 200 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	s, err := j.Subscriber(cfg)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := s.Subscribe(context.Background(), Log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return messages, s
}

func receive(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m := <-messages:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("no message came")
		return nil
	}
}

// none checks that no message comes.
func none(t *testing.T, messages <-chan *message.Message) {
	t.Helper()
	select {
	case m := <-messages:
		e, _, _ := journal.FromMessage[State, Body](m)
		t.Fatalf("message %+v came too early", e)
	case <-time.After(30 * time.Millisecond):
	}
}

// Entries of one key come one after the other, and again after a nack; those of other keys do not
// wait for them; a restart goes on at the lowest one that is not acked.
func TestSubscriberAcksNacksRestarts(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	j, _ := Start(t, Config("a", opts))
	Must(t, j, Open("1", "k1", 100))
	Must(t, j, Open("2", "k2", 100))
	Must(t, j, Buy("1", "k3", 10))
	bought := Must(t, j, Buy("2", "k4", 20))

	messages, s := subscribe(t, j, nil)
	got := map[string]*message.Message{}
	for range 2 {
		m := receive(t, messages)
		e, _, _ := journal.FromMessage[State, Body](m)
		got[e.Body.Key] = m
	}
	if got["k1"] == nil || got["k2"] == nil {
		t.Fatalf("got %v, want the first entry of each account", got)
	}
	none(t, messages)
	got["k2"].Ack()
	m := receive(t, messages)
	e, after, ok := journal.FromMessage[State, Body](m)
	if st, _ := after.State(Account("2")); !ok || e.Offset != bought.Offset || st.Spent != 20 || m.UUID != bought.Attempt.String() {
		t.Fatalf("entry %+v with state %+v", e, st)
	}
	m.Ack()
	got["k1"].Nack()
	m = receive(t, messages)
	if e, _, _ := journal.FromMessage[State, Body](m); e.Body.Key != "k1" {
		t.Fatalf("after a nack came %+v", e)
	}
	s.Close() // k1 and k3 are not acked
	if _, open := <-messages; open {
		t.Error("a message after the end")
	}

	messages, s = subscribe(t, j, nil)
	var keys []string
	for range 4 { // k2 and k4 were acked, but k1 before them was not
		m := receive(t, messages)
		if e, _, _ := journal.FromMessage[State, Body](m); e.Body.Account == "1" {
			keys = append(keys, e.Body.Key)
		}
		m.Ack()
	}
	if fmt.Sprint(keys) != "[k1 k3]" {
		t.Errorf("entries of one account came as %v", keys)
	}
	Eventually(t, "everything is acked", func() error {
		if p, _ := s.Position(); p != j.Position()+1 {
			return fmt.Errorf("at %d", p)
		}
		return nil
	})
	s.Close()

	messages, _ = subscribe(t, j, nil)
	none(t, messages)
	Must(t, j, Buy("1", "k5", 1))
	m = receive(t, messages)
	if e, after, _ := journal.FromMessage[State, Body](m); e.Body.Key != "k5" {
		t.Errorf("after everything was acked came %+v", e)
	} else if st, _ := after.State(Account("1")); st.Spent != 11 {
		t.Errorf("the silent fold left %+v", st)
	}
	m.Ack()
}

// The end of a subscription does not wait for a broker that does not answer.
func TestSubscriberEndsWithoutAnswer(t *testing.T) {
	broker := Broker(t)
	opts := Options(broker)
	Topics(t, opts)
	j, _ := Start(t, Config("a", opts))
	Must(t, j, Open("1", "k1", 100))
	messages, s := subscribe(t, j, nil)
	asked := make(chan struct{})
	asking := sync.OnceFunc(func() { close(asked) })
	broker.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		asking()
		return nil, nil, true // without an answer
	})
	receive(t, messages).Ack()
	<-asked
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > 8*time.Second { // a position may take three
		t.Errorf("the subscription ended after %v", took)
	}
}

// Of two instances, one delivers. When it stops, the other takes over.
func TestSubscriberHandsOver(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	a, _ := Start(t, Config("a", opts))
	b, _ := Start(t, Config("b", opts))
	fromA, subA := subscribe(t, a, nil)
	Must(t, a, Open("1", "k1", 100))
	receive(t, fromA).Ack()
	fromB, subB := subscribe(t, b, nil)
	var mu sync.Mutex
	seen := map[string]int{}
	for _, messages := range []<-chan *message.Message{fromA, fromB} {
		go func() {
			for m := range messages {
				e, _, _ := journal.FromMessage[State, Body](m)
				mu.Lock()
				seen[e.Body.Key]++
				mu.Unlock()
				m.Ack()
			}
		}()
	}
	for i := range 20 {
		Must(t, b, Buy("1", fmt.Sprint("b", i), 1))
		if i == 10 {
			if _, delivers := subA.Position(); delivers {
				subA.Close()
			} else {
				subB.Close()
			}
		}
	}
	Eventually(t, "the other delivers the rest", func() error {
		mu.Lock()
		defer mu.Unlock()
		for i := range 20 {
			if seen[fmt.Sprint("b", i)] == 0 {
				return fmt.Errorf("b%d is missing", i)
			}
		}
		return nil
	})
}

// What is under the key of a subscriber and holds no position is ignored, with a line in the log:
// the one before it counts.
func TestGarbageForAPosition(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	var said bytes.Buffer
	cfg := Config("a", opts)
	cfg.Logger = slog.New(slog.NewTextHandler(&said, nil))
	j, stop := Start(t, cfg)
	messages, sub := subscribe(t, j, nil)
	Must(t, j, Open("1", "k1", 100))
	receive(t, messages).Ack()
	sub.Close()

	client, err := kgo.NewClient(append(opts, kgo.DefaultProduceTopic(Positions))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	negative, err := record.EncodePosition(record.Position{Name: "publisher", Log: Log, Offset: -5})
	if err != nil {
		t.Fatal(err)
	}
	marked, err := record.EncodePosition(record.Position{Name: "publisher", Log: Log, Offset: 0})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*kgo.Record{
		{Value: []byte{}}, {Value: []byte("nonsense")}, {Value: negative}, {Value: marked, Headers: []kgo.RecordHeader{{Key: "seen", Value: []byte("nonsense")}}}, {},
	} {
		r.Key = []byte("publisher")
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	messages, sub = subscribe(t, j, nil)
	Must(t, j, Buy("1", "k2", 60))
	m := receive(t, messages)
	if e, _, _ := journal.FromMessage[State, Body](m); e.Body.Key != "k2" {
		t.Errorf("delivered %s first", e.Body.Key)
	}
	m.Ack()
	sub.Close()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(said.String(), "a saved position is ignored"); n != 4 {
		t.Errorf("%d lines name garbage: %s", n, said.String())
	}
}

// No more than Window messages are unacked at once.
func TestSubscriberWindow(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	j, _ := Start(t, Config("a", opts))
	const n = 40
	for i := range n {
		Must(t, j, Open(fmt.Sprint(i), fmt.Sprint("k", i), 100))
	}
	messages, s := subscribe(t, j, func(c *journal.SubscriberConfig) { c.Window = 8 })
	var held []*message.Message
	for range 8 {
		held = append(held, receive(t, messages))
	}
	none(t, messages)
	for left := n; left > 0; left-- {
		held[0].Ack()
		held = held[1:]
		if left > 8 {
			held = append(held, receive(t, messages))
		}
	}
	Eventually(t, "everything is acked", func() error {
		if p, _ := s.Position(); p != j.Position()+1 {
			return fmt.Errorf("at %d", p)
		}
		return nil
	})
}

type delivered = map[string]*journal.Delivered[State, Body]

// receiveBatch returns a message with the entries that it carries, by their keys.
func receiveBatch(t *testing.T, messages <-chan *message.Message) (*message.Message, delivered) {
	t.Helper()
	m, out := receive(t, messages), delivered{}
	if len(m.Payload) > 0 {
		t.Errorf("a message of several entries has the payload %q", m.Payload)
	}
	entries := journal.Batch[State, Body](m)
	for i := range entries {
		out[entries[i].Body.Key] = &entries[i]
	}
	return m, out
}

// A message carries the first entries of several keys. Each can be acked alone; what was not acked
// when the message is nacked comes again.
func TestSubscriberBatches(t *testing.T) {
	for from, kept := range map[string]int{"memory": 100, "log": 1} {
		t.Run(from, func(t *testing.T) { deliversBatches(t, kept) })
	}
}

// deliversBatches delivers from a journal that keeps so many of its last entries.
func deliversBatches(t *testing.T, kept int) {
	opts := Options(Broker(t))
	Topics(t, opts)
	j, _ := counted(t, Config("a", opts), kept)
	for i := range 4 {
		Must(t, j, Open(fmt.Sprint(i), fmt.Sprint("open", i), 100))
	}
	Must(t, j, Buy("1", "bought", 10))

	messages, s := subscribe(t, j, func(c *journal.SubscriberConfig) { c.Batch = 3 })
	first, got := receiveBatch(t, messages)
	second, rest := receiveBatch(t, messages)
	if len(got) == 1 { // they come side by side
		first, got, second, rest = second, rest, first, got
	}
	if len(got) != 3 || len(rest) != 1 {
		t.Fatalf("messages carry %d and %d entries, want three and one", len(got), len(rest))
	}
	maps.Copy(got, rest)
	for i := range 4 {
		d := got[fmt.Sprint("open", i)]
		if d == nil {
			t.Fatalf("got %v, want the first entry of each account", got)
		}
		if st, ok := d.After.State(Account(fmt.Sprint(i))); !ok || st.Entries != 1 {
			t.Errorf("entry %d comes with the state %+v", i, st)
		}
	}
	none(t, messages)
	got["open1"].Ack()
	third, got := receiveBatch(t, messages) // although the message of open1 is not done
	if d := got["bought"]; d == nil || len(got) != 1 {
		t.Fatalf("behind the first entry of its account came %v, want the second", got)
	} else if st, _ := d.After.State(Account("1")); st.Spent != 10 {
		t.Errorf("the second entry comes with the state %+v", st)
	}
	second.Ack()
	third.Ack()
	first.Nack()
	m, got := receiveBatch(t, messages)
	if p, _ := s.Position(); p > lowest(got) {
		t.Errorf("the position %d is beyond an entry that is not acked", p)
	}
	m.Ack()
	if len(got) == 1 { // after delays of their own
		m, rest := receiveBatch(t, messages)
		m.Ack()
		maps.Copy(got, rest)
	}
	if got["open0"] == nil || got["open2"] == nil || len(got) != 2 {
		t.Errorf("%v came again, want what was not acked", got)
	}
	Eventually(t, "everything is acked", func() error {
		if p, _ := s.Position(); p != j.Position()+1 {
			return fmt.Errorf("at %d", p)
		}
		return nil
	})
	none(t, messages)
}

// lowest returns the lowest offset of entries.
func lowest(entries delivered) int64 {
	out := int64(1 << 62)
	for _, e := range entries {
		out = min(out, e.Offset)
	}
	return out
}
