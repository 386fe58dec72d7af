package bus_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

type noteMessage = bus.Message[[]byte, bus.NoKey, bus.Headers]

var errBusy = errors.New("busy")

// notes is a channel of texts on a broker in memory, and what its handler has received.
type notes struct {
	broker   *bustest.Broker
	progress bus.Progress
	start    time.Time

	mu    sync.Mutex
	times map[string]time.Duration // when the handler returned nil for a text
	order []string
}

// receiveNotes calls handle for each note until the test ends. Time is virtual.
func receiveNotes(t *testing.T, framing bus.Framing, handle func(ctx context.Context, text string) error, options ...bus.ReceiveOption) *notes {
	t.Helper()
	n := &notes{broker: bustest.NewBroker(), start: time.Now(), times: map[string]time.Duration{}}
	n.broker.AllowHolds()
	spec := &bus.Spec[[]byte, bus.NoKey, bus.Headers]{Name: "Note", Topic: "notes", Subject: "notes-x.Note", Framing: framing, Codec: bus.Raw("text")}
	spec.Codec.Name, spec.Codec.Schema = "x.Note", noteSchema
	spec.Codec.Plan = func(string) (func([]byte, *[]byte) error, error) { return spec.Codec.Decode, nil }
	op := bus.Operation{Name: "onNotes", Topic: "notes", DeadLetters: "dead", Retry: bus.Retry{Max: 5 * time.Second}}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	options = append([]bus.ReceiveOption{bus.WithDeadLetters(n.broker), bus.WithLogger(slog.New(slog.DiscardHandler)), bus.WithProgress(&n.progress)}, options...)
	err = bus.Receive(router, n.broker, op, []bus.Route{bus.On(spec, func(ctx context.Context, m *noteMessage) error {
		if err := handle(ctx, string(m.Value)); err != nil {
			return err
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.times[string(m.Value)] = time.Since(n.start)
		n.order = append(n.order, string(m.Value))
		return nil
	})}, options...)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- router.Run(t.Context()) }()
	<-router.Running()
	t.Cleanup(func() {
		if err := errors.Join(router.Close(), <-ended, n.broker.Close()); err != nil {
			t.Error(err)
		}
	})
	return n
}

const noteSchema = `{"type":"record","name":"Note","namespace":"x","fields":[]}`

func (n *notes) send(t *testing.T, key string, payload []byte) {
	t.Helper()
	m := message.NewMessage(watermill.NewUUID(), payload)
	if key != "" {
		m.Metadata[metadata.Key] = key
	}
	if err := n.broker.Publish("notes", m); err != nil {
		t.Fatal(err)
	}
}

func (n *notes) text(t *testing.T, key, text string) {
	t.Helper()
	n.send(t, key, []byte(text))
}

// handled returns when a text was handled.
func (n *notes) handled(t *testing.T, text string) time.Duration {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.times[text]
	if !ok {
		t.Fatalf("%s is not handled after %v", text, time.Since(n.start))
	}
	return at
}

// pause lets virtual time pass.
func pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// hang waits as a handler does whose dependency does not answer, and returns an error.
func hang(ctx context.Context) error {
	select {
	case <-time.After(15 * time.Second):
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// However many messages hang or fail, one of another key behind them is handled within two seconds.
func TestNobodyWaits(t *testing.T) {
	for name, trouble := range map[string]func(context.Context) error{
		"one hangs": hang, "one fails": func(context.Context) error { return errBusy },
		"one panics": func(context.Context) error { panic("out of range") },
	} {
		for _, many := range []int{1, 300} {
			t.Run(fmt.Sprintf("%s, %d times", name, many), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := receiveNotes(t, bus.Bare, func(ctx context.Context, text string) error {
						if strings.HasPrefix(text, "bad") {
							return trouble(ctx)
						}
						return nil
					})
					for i := range many {
						n.text(t, fmt.Sprint("bad-", i), fmt.Sprint("bad-", i))
						n.text(t, "good", fmt.Sprint("good-", i))
					}
					pause(20 * time.Second)
					if at := n.handled(t, fmt.Sprint("good-", many-1)); at > 2*time.Second {
						t.Errorf("the last one was handled after %v", at)
					}
					if held, aside := n.broker.Held("notes"), n.progress.LaidAside(); held != many || aside != many {
						t.Errorf("%d messages held, %d laid aside, want %d", held, aside, many)
					}
					if oldest := n.progress.Oldest(); oldest < 18*time.Second || n.progress.Blocked() != 0 {
						t.Errorf("oldest %v, blocked %v", oldest, n.progress.Blocked())
					}
				})
			})
		}
	}
}

// Slow messages delay those behind them no longer than a second altogether, even if each of them
// succeeds. Ordinary ones are not laid aside, however many there are.
func TestSlowMessagesSucceed(t *testing.T) {
	for name, c := range map[string]struct {
		many   int
		takes  time.Duration
		most   time.Duration // for all of them and one of another key
		beside bool          // some are handled side by side
	}{
		"slow": {50, 900 * time.Millisecond, 2 * time.Second, true}, "ordinary": {500, 10 * time.Millisecond, 6 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running, most atomic.Int64
				n := receiveNotes(t, bus.Bare, func(ctx context.Context, text string) error {
					now := running.Add(1)
					defer running.Add(-1)
					most.Store(max(most.Load(), now))
					if strings.HasPrefix(text, "slow") {
						time.Sleep(c.takes)
					}
					return nil
				})
				for i := range c.many {
					n.text(t, fmt.Sprint("slow-", i), fmt.Sprint("slow-", i))
				}
				n.text(t, "good", "good")
				pause(time.Minute)
				if at := n.handled(t, "good"); at > c.most {
					t.Errorf("the message behind them was handled after %v", at)
				}
				if beside := most.Load() > 1; beside != c.beside {
					t.Errorf("%d were handled side by side", most.Load())
				}
			})
		})
	}
}

// Ordinary messages are waited for again some time after slow ones have used up the budget, however
// busy the partition is.
func TestBudgetGrowsAgain(t *testing.T) {
	for name, every := range map[string]time.Duration{"half of the time": 20 * time.Millisecond, "all the time": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := receiveNotes(t, bus.Bare, func(_ context.Context, text string) error {
					switch {
					case strings.HasPrefix(text, "slow"):
						time.Sleep(3 * time.Second)
					case text == "last":
						time.Sleep(500 * time.Millisecond)
					default:
						time.Sleep(10 * time.Millisecond)
					}
					return nil
				})
				for i := range 3 {
					n.text(t, fmt.Sprint("slow-", i), fmt.Sprint("slow-", i))
				}
				pause(1120 * time.Millisecond) // they are laid aside, and the budget is used up
				aside := 0
				for i := range 1000 {
					n.text(t, fmt.Sprint("good-", i), fmt.Sprint("good-", i))
					pause(5 * time.Millisecond)
					if held := n.broker.Held("notes"); i >= 500 && held > 0 {
						aside++
					}
					pause(every - 5*time.Millisecond)
				}
				if aside > 0 {
					t.Errorf("%d of the last 500 messages were laid aside", aside)
				}
				n.text(t, "last", "last")
				if pause(400 * time.Millisecond); n.broker.Held("notes") > 0 {
					t.Error("the budget has not grown again")
				}
				pause(time.Second)
			})
		})
	}
}

// Messages of one key are handled in their order, and a message that was laid aside is handled by
// itself when it can be.
func TestKeyStaysInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mended bool
		var mu sync.Mutex
		n := receiveNotes(t, bus.Bare, func(_ context.Context, text string) error {
			mu.Lock()
			defer mu.Unlock()
			if text == "a1" && !mended {
				return errBusy
			}
			return nil
		})
		for _, text := range []string{"a1", "a2", "b1", "a3", "b2"} {
			n.text(t, text[:1], text)
		}
		n.text(t, "", "no key")
		pause(time.Minute)
		if got := strings.Join(n.order, " "); got != "b1 b2 no key" {
			t.Errorf("handled %s", got)
		}
		mu.Lock()
		mended = true
		mu.Unlock()
		pause(10 * time.Second)
		if got := strings.Join(n.order, " "); got != "b1 b2 no key a1 a2 a3" {
			t.Errorf("handled %s", got)
		}
		if held := n.broker.Held("notes"); held != 0 || n.progress.Oldest() != 0 {
			t.Errorf("%d messages are held, oldest %v", held, n.progress.Oldest())
		}
	})
}

// When a thousand messages are laid aside, the partition waits, and shows for how long.
func TestTooManyLaidAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := receiveNotes(t, bus.Bare, func(_ context.Context, text string) error {
			if strings.HasPrefix(text, "bad") {
				return errBusy
			}
			return nil
		})
		for i := range 1001 {
			n.text(t, fmt.Sprint("bad-", i), fmt.Sprint("bad-", i))
		}
		n.text(t, "good", "good")
		pause(time.Minute)
		if len(n.order) > 0 || n.progress.LaidAside() != 1000 || n.progress.Blocked() < 50*time.Second {
			t.Errorf("handled %s, %d laid aside, blocked %v", n.order, n.progress.LaidAside(), n.progress.Blocked())
		}
	})
}

// What is laid aside stays in bounds, whatever part of a message is large.
func TestLargeMessagesLaidAside(t *testing.T) {
	for name, part := range map[string]func(m *message.Message, large string){
		"value":  func(m *message.Message, large string) { m.Payload = []byte(large) },
		"key":    func(m *message.Message, large string) { m.Metadata[metadata.Key] += large },
		"header": func(m *message.Message, large string) { m.Metadata["x"] = large },
		"many headers": func(m *message.Message, _ string) {
			for i := range 8000 {
				m.Metadata[fmt.Sprint(i)] = ""
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := receiveNotes(t, bus.Bare, func(context.Context, string) error { return errBusy })
				large := strings.Repeat("x", 1<<20)
				for i := range 100 {
					m := message.NewMessage(watermill.NewUUID(), []byte("bad"))
					m.Metadata[metadata.Key] = fmt.Sprint(i)
					part(m, large)
					if err := n.broker.Publish("notes", m); err != nil {
						t.Fatal(err)
					}
				}
				pause(10 * time.Second)
				if aside := n.progress.LaidAside(); aside != 63 { // 64 without what is small
					t.Errorf("%d are laid aside", aside)
				}
			})
		})
	}
}

// However many messages of one key fail, they hold up no other key.
func TestManyOfOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := receiveNotes(t, bus.Bare, func(_ context.Context, text string) error {
			if text == "bad" {
				return errBusy
			}
			return nil
		})
		for range 3000 {
			n.text(t, "bad", "bad")
		}
		n.text(t, "good", "good")
		pause(20 * time.Second)
		if at := n.handled(t, "good"); at > 2*time.Second {
			t.Errorf("the message behind them was handled after %v", at)
		}
	})
}

// slowly is a publisher that takes a while.
type slowly struct{ message.Publisher }

func (s slowly) Publish(topic string, all ...*message.Message) error {
	time.Sleep(20 * time.Millisecond)
	return s.Publisher.Publish(topic, all...)
}

// However many messages become dead letters, one behind them does not wait until they are.
func TestManyDeadLetters(t *testing.T) {
	for name, key := range map[string]string{"of many keys": "%d", "of one key": "bad"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dead := bustest.NewBroker()
				n := receiveNotes(t, bus.Bare, func(_ context.Context, text string) error {
					if text == "bad" {
						return bus.Permanentf("no")
					}
					return nil
				}, bus.WithDeadLetters(slowly{dead}))
				for i := range 800 {
					n.text(t, strings.ReplaceAll(key, "%d", fmt.Sprint(i)), "bad")
				}
				n.text(t, "good", "good")
				pause(time.Minute)
				if at := n.handled(t, "good"); at > time.Second {
					t.Errorf("the message behind them was handled after %v", at)
				}
				if got := len(dead.Messages("dead")); got != 800 || n.broker.Held("notes") != 0 {
					t.Errorf("%d dead letters, %d held", got, n.broker.Held("notes"))
				}
			})
		})
	}
}

// The application is told once of a message that is laid aside, and again if it could not record
// it.
func TestLaidAsideIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		n := receiveNotes(t, bus.Bare, func(context.Context, string) error { return errBusy }, bus.OnLaidAside(func(_ context.Context, f bus.Failure) error {
			told = append(told, fmt.Sprint(f.Key, " ", f.Topic, " ", f.Offset, " ", f.Err))
			if len(told) == 1 {
				return errors.New("not now")
			}
			return nil
		}))
		n.text(t, "a", "a")
		pause(time.Minute)
		if got := strings.Join(told, ", "); got != "a notes 0 busy, a notes 0 busy" {
			t.Errorf("told %s", got)
		}
	})
}

// A schema id that the registry does not know holds up its own key for a minute, and then the
// message is a dead letter. One that is registered meanwhile is handled. While the registry is
// away, nothing becomes a dead letter, and messages with a known schema pass.
func TestUnknownSchemaID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		schemas := bustest.NewRegistry(registry.Subject{Name: "notes-x.Note", Schema: noteSchema})
		n := receiveNotes(t, bus.Confluent, func(context.Context, string) error { return nil }, bus.WithRegistry(schemas))
		framed := func(id uint32, text string) []byte {
			return append(binary.BigEndian.AppendUint32([]byte{0}, id), text...)
		}
		n.send(t, "a", framed(1, "known"))
		n.send(t, "late", framed(2, "late"))
		n.send(t, "never", framed(99, "never"))
		n.send(t, "never too", framed(98, "never too"))
		n.send(t, "b", framed(1, "behind"))
		pause(2 * time.Second)
		if at := n.handled(t, "behind"); at > 2*time.Second {
			t.Errorf("the message behind was handled after %v", at)
		}
		schemas.Add(registry.Subject{Name: "notes-x.Note", Schema: noteSchema + " "})
		pause(8 * time.Second)
		n.handled(t, "late")
		if dead := n.broker.Messages("dead"); len(dead) > 0 {
			t.Errorf("%d dead letters after %v", len(dead), time.Since(n.start))
		}
		pause(80 * time.Second)
		if dead := n.broker.Messages("dead"); len(dead) != 2 || n.broker.Held("notes") != 0 {
			t.Errorf("%d dead letters, %d held", len(dead), n.broker.Held("notes"))
		}

		schemas.Fail(errors.New("no route to host"))
		n.start = time.Now()
		n.send(t, "c", framed(3, "not yet"))
		n.send(t, "b", framed(1, "while away"))
		pause(time.Hour)
		if at := n.handled(t, "while away"); at > 2*time.Second {
			t.Errorf("while the registry was away, a message with a known schema was handled after %v", at)
		}
		if dead := n.broker.Messages("dead"); len(dead) != 2 {
			t.Errorf("%d dead letters while the registry was away", len(dead))
		}
	})
}

// However many messages have schema ids that the registry does not know, one behind them is handled
// within two seconds. Those that take its room become dead letters before their minute is over, and
// those of one key wait for one minute together.
func TestManyUnknownSchemaIDs(t *testing.T) {
	for name, c := range map[string]struct {
		key         string
		least, most int // dead letters before the minute is over
	}{"of many keys": {"%d", 500, 1000}, "of one key": {"never", 0, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				schemas := bustest.NewRegistry(registry.Subject{Name: "notes-x.Note", Schema: noteSchema})
				n := receiveNotes(t, bus.Confluent, func(context.Context, string) error { return nil }, bus.WithRegistry(schemas))
				for i := range 1500 {
					n.send(t, strings.ReplaceAll(c.key, "%d", fmt.Sprint(i)), []byte{0, 0, 0, 1, 0, 'x'})
				}
				n.send(t, "good", []byte("\x00\x00\x00\x00\x01good"))
				pause(30 * time.Second)
				if at := n.handled(t, "good"); at > 2*time.Second {
					t.Errorf("the message behind them was handled after %v", at)
				}
				if got := len(n.broker.Messages("dead")); got < c.least || got > c.most {
					t.Errorf("%d dead letters after %v, want %d to %d", got, time.Since(n.start), c.least, c.most)
				}
				pause(70 * time.Second)
				if got := len(n.broker.Messages("dead")); got != 1500 || n.broker.Held("notes") != 0 {
					t.Errorf("%d dead letters, %d held", got, n.broker.Held("notes"))
				}
			})
		})
	}
}

// limited is a publisher of a topic with a maximum size.
type limited struct {
	message.Publisher
	most int
}

func (l limited) Publish(topic string, all ...*message.Message) error {
	for _, m := range all {
		size := len(m.Payload)
		for name, v := range m.Metadata {
			size += len(name) + len(v)
		}
		if size > l.most {
			return fmt.Errorf("%w: %d bytes", bus.ErrTooLarge, size)
		}
	}
	return l.Publisher.Publish(topic, all...)
}

// A dead letter fits into its topic, however large the message is. Its line in the log is short.
func TestDeadLetterFits(t *testing.T) {
	for _, size := range []struct {
		name       string
		value, key int
		want       map[string]string
	}{
		{"all of it", 1000, 1, map[string]string{bus.DeadLetterSize: "", bus.DeadLetterKeySize: "", bus.DeadLetterOffset: "0", metadata.Key: "k"}},
		{"without its value", 4000, 1, map[string]string{bus.DeadLetterSize: "4000", bus.DeadLetterKeySize: "", bus.DeadLetterOffset: "0", bus.DeadLetterTopic: "notes", metadata.Key: "k"}},
		{"without its key", 10, 3990, map[string]string{bus.DeadLetterSize: "10", bus.DeadLetterKeySize: "3990", bus.DeadLetterOffset: "0", bus.DeadLetterTopic: "notes", metadata.Key: ""}},
	} {
		t.Run(size.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dead := bustest.NewBroker()
				var log strings.Builder
				n := receiveNotes(t, bus.Bare, func(context.Context, string) error { return bus.Permanentf("no") },
					bus.WithDeadLetters(limited{dead, 4000}), bus.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				n.text(t, strings.Repeat("k", size.key), strings.Repeat("v", size.value))
				pause(time.Minute)
				got := dead.Messages("dead")
				if len(got) != 1 {
					t.Fatalf("%d dead letters", len(got))
				}
				for name, want := range size.want {
					if got[0].Metadata[name] != want {
						t.Errorf("%s is %q, want %q", name, got[0].Metadata[name], want)
					}
				}
				if !strings.Contains(log.String(), "message moved to the dead letter topic") || log.Len() > 500 {
					t.Errorf("logged %s", log.String())
				}
				if whole := size.want[bus.DeadLetterSize] == ""; whole != (len(got[0].Payload) == size.value) || !whole && got[0].Payload != nil {
					t.Errorf("the dead letter has %d bytes", len(got[0].Payload))
				}
			})
		})
	}
}

// A message whose header ce_type names another message of the channel contradicts itself. A name
// that the channel does not have is somebody's own.
func TestTypeOfAnotherMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := bustest.NewBroker()
		schemas := bustest.NewRegistry(registry.Subject{Name: "notes-x.Note", Schema: noteSchema})
		route := func(name string) bus.Route {
			spec := &bus.Spec[[]byte, bus.NoKey, bus.Headers]{Name: name, Topic: "notes", Subject: "notes-x." + name, Framing: bus.Confluent, Codec: bus.Raw("text")}
			spec.Codec.Name, spec.Codec.Schema = "x."+name, strings.Replace(noteSchema, "Note", name, 1)
			return bus.On(spec, func(context.Context, *noteMessage) error { return nil })
		}
		router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
		if err != nil {
			t.Fatal(err)
		}
		op := bus.Operation{Name: "onNotes", Topic: "notes", DeadLetters: "dead"}
		err = bus.Receive(router, broker, op, []bus.Route{route("Note"), route("Letter")}, bus.WithDeadLetters(broker), bus.WithRegistry(schemas), bus.WithLogger(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- router.Run(t.Context()) }()
		<-router.Running()
		for _, name := range []string{"", "x.Note", "Note", "com.example.note", "x.Letter"} {
			m := message.NewMessage(name, []byte{0, 0, 0, 0, 1})
			m.Metadata["ce_type"] = name
			if err := broker.Publish("notes", m); err != nil {
				t.Fatal(err)
			}
		}
		pause(time.Second)
		dead := broker.Messages("dead")
		if len(dead) != 1 || dead[0].Metadata[bus.DeadLetterOffset] != "4" || !strings.Contains(dead[0].Metadata[bus.DeadLetterError], "ce_type is that of Letter") {
			t.Errorf("%d dead letters", len(dead))
		}
		if err := errors.Join(router.Close(), <-ended, broker.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestIgnoredPassesItsKey checks that a message that the operation does not handle waits for no
// other one of its key once its schema is known, and that its headers are checked all the same.
func TestIgnoredPassesItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := bustest.NewBroker()
		broker.AllowHolds()
		letterSchema := strings.Replace(noteSchema, "Note", "Letter", 1)
		schemas := bustest.NewRegistry(registry.Subject{Name: "notes-x.Note", Schema: noteSchema}, registry.Subject{Name: "notes-x.Letter", Schema: letterSchema})
		routes := []bus.Route{bus.On(noteSpec("Note"), func(context.Context, *noteMessage) error { return errBusy }), bus.Ignore(noteSpec("Letter"))}
		seen := map[bus.Outcome]int{}
		var mu sync.Mutex
		observe := func(o bus.Observation) {
			mu.Lock()
			defer mu.Unlock()
			seen[o.Outcome]++
		}
		router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
		if err != nil {
			t.Fatal(err)
		}
		err = bus.Receive(router, broker, bus.Operation{Name: "onNotes", Topic: "notes", DeadLetters: "dead"}, routes,
			bus.WithDeadLetters(broker), bus.WithRegistry(schemas), bus.WithLogger(slog.New(slog.DiscardHandler)), bus.WithObserver(observe))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- router.Run(t.Context()) }()
		<-router.Running()
		send := func(key string, id byte, kind string) {
			m := message.NewMessage(watermill.NewUUID(), []byte{0, 0, 0, 0, id})
			m.Metadata[metadata.Key], m.Metadata["ce_type"] = key, kind
			if err := broker.Publish("notes", m); err != nil {
				t.Error(err)
			}
			pause(time.Second)
		}
		send("other", 2, "x.Letter") // its schema is looked up
		send("stuck", 1, "x.Note")
		send("stuck", 2, "x.Letter")
		mu.Lock()
		if seen[bus.Ignored] != 2 || seen[bus.Retrying] == 0 {
			t.Errorf("outcomes: %v", seen)
		}
		mu.Unlock()
		send("wrong", 2, "x.Note")
		if dead := broker.Messages("dead"); len(dead) != 1 {
			t.Errorf("%d dead letters", len(dead))
		}
		if err := errors.Join(router.Close(), <-ended, broker.Close()); err != nil {
			t.Error(err)
		}
	})
}

// skipping is a transport that can pass over records.
type skipping struct {
	*bustest.Broker
	over map[string]func(*bus.Record) bool
}

func (s skipping) Skip(topic string, over func(*bus.Record) bool) { s.over[topic] = over }

// TestSkip checks that a transport may pass over the records that the operation does not handle
// once their schema is known, and no others.
func TestSkip(t *testing.T) {
	schemas := bustest.NewRegistry(registry.Subject{Name: "notes-x.Note", Schema: noteSchema}, registry.Subject{Name: "notes-x.Letter", Schema: strings.Replace(noteSchema, "Note", "Letter", 1)})
	routes := []bus.Route{bus.On(noteSpec("Note"), func(context.Context, *noteMessage) error { return nil }), bus.Ignore(noteSpec("Letter"))}
	broker := skipping{bustest.NewBroker(), map[string]func(*bus.Record) bool{}}
	seen := make(chan bus.Observation, 10)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	op := bus.Operation{Name: "onNotes", Topic: "notes", DeadLetters: "dead"}
	options := []bus.ReceiveOption{bus.WithDeadLetters(broker), bus.WithRegistry(schemas), bus.WithLogger(slog.New(slog.DiscardHandler)), bus.WithObserver(func(o bus.Observation) { seen <- o })}
	if err := bus.Receive(router, broker, op, routes, append(options, bus.EachMessage())...); err != nil || len(broker.over) != 0 {
		t.Fatalf("a receiver of each message has the transport skip (%v)", err)
	}
	op.Name += "Again"
	if err := bus.Receive(router, broker, op, routes, options...); err != nil {
		t.Fatal(err)
	}
	letter := &bus.Record{Topic: "notes", Partition: 3, Offset: 7, Value: []byte{0, 0, 0, 0, 2}, Type: "x.Letter"}
	over := broker.over["notes"]
	if over(letter) || len(seen) != 0 {
		t.Error("a record whose schema is not known is passed over")
	}
	ended := make(chan error)
	go func() { ended <- router.Run(t.Context()) }()
	<-router.Running()
	m := message.NewMessage(watermill.NewUUID(), letter.Value)
	if err := broker.Publish("notes", m); err != nil {
		t.Fatal(err)
	}
	<-seen // by both receivers, which have looked its schema up then
	<-seen
	if !over(letter) {
		t.Error("a record that is not handled is not passed over")
	}
	if o := <-seen; o.Outcome != bus.Ignored || o.Message != "Letter" || o.Partition != 3 || o.Offset != 7 {
		t.Errorf("observed %+v", o)
	}
	for what, r := range map[string]bus.Record{
		"that is handled":          {Value: []byte{0, 0, 0, 0, 1}},
		"with another header":      {Value: letter.Value, Type: "x.Note"},
		"without a value":          {Type: "x.Letter"},
		"that is cut short":        {Value: []byte{0, 0}, Type: "x.Letter"},
		"of a schema never seen":   {Value: []byte{0, 0, 0, 0, 9}, Type: "x.Letter"},
		"that is framed otherwise": {Value: []byte{1, 0, 0, 0, 2}, Type: "x.Letter"},
	} {
		if over(&r) {
			t.Errorf("a record %s is passed over", what)
		}
	}
	if err := errors.Join(router.Close(), <-ended, broker.Close()); err != nil {
		t.Error(err)
	}
}

// noteSpec is of a message whose schema has a name of its own.
func noteSpec(name string) *bus.Spec[[]byte, bus.NoKey, bus.Headers] {
	s := &bus.Spec[[]byte, bus.NoKey, bus.Headers]{Name: name, Topic: "notes", Subject: "notes-x." + name, Framing: bus.Confluent, Codec: bus.Raw("text")}
	s.Codec.Name, s.Codec.Schema = "x."+name, strings.Replace(noteSchema, "Note", name, 1)
	return s
}
