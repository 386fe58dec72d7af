package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/together"
	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// added is the only event of the test's domain: a number was added to a sum.
type added struct {
	Sum string
	N   int
}

// row is the message that keeps a body. Kind is its name, so that a test can write a kind that
// another program does not know.
type row struct {
	Kind    string
	Event   added
	Request *Request
	Taken   *Taken
}

var errUseless = errors.New("nothing to add")

const sums Family[int] = "sum/"

// book is a service's store on the test's domain.
type book struct {
	*Ledger[added, int, int]
	projected []string
	clock     atomic.Int64 // microseconds; 0 for the system's
}

// open runs an instance that writes the kind and knows the kinds.
func open(t *testing.T, options []kgo.Opt, writer, kind string, known ...string) *book {
	t.Helper()
	b := &book{}
	l, err := New(journaltest.Log, Domain[added, int, int]{
		Codec: Codec[added, row]{
			ToMessage: func(b Body[added]) (row, error) { return row{kind, b.Event, b.MaybeRequested(), b.Taken}, nil },
			FromMessage: func(m row) (Body[added], error) {
				if m.Taken != nil {
					return Body[added]{Taken: m.Taken}, nil
				}
				for _, k := range known {
					if m.Kind == k {
						return Bodies[added]{}.MaybeAnswering(m.Event, m.Request)
					}
				}
				return Body[added]{}, fmt.Errorf("kind %s is not known", m.Kind)
			},
			EncodeBytes: func(m row) ([]byte, error) { return json.Marshal(m) },
			DecodeBytes: func(data []byte) (m row, err error) { err = json.Unmarshal(data, &m); return m, err },
			Kind:        func(m row) string { return m.Kind },
		},
		Streams: func(e added) []journal.Stream { return journal.On(sums.Stream(e.Sum)) },
		Key:     func(e added) string { return e.Sum },
		Fold: func(v *View, e added, _ time.Time) error {
			sum, _ := sums.Get(v, e.Sum)
			sums.Put(v, e.Sum, sum+e.N)
			return nil
		},
		After:  func(v *View, e added) int { sum, _ := sums.Get(v, e.Sum); return sum },
		Answer: func(_ added, after int) int { return after },
		Project: func(a Applied[added, int]) {
			b.projected = append(b.projected, fmt.Sprintf("%s+%d=%d", a.Event().Sum, a.Event().N, a.After))
		},
		Reset: func() { b.projected = nil }, NoEffect: errUseless,
	}, Config{Writer: writer, ClientOptions: options, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: b.now})
	if err != nil {
		t.Fatal(err)
	}
	b.Ledger = l
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	journaltest.Eventually(t, "ready", l.Ready)
	return b
}

func (b *book) now() time.Time {
	if at := b.clock.Load(); at != 0 {
		return time.UnixMicro(at)
	}
	return time.Now()
}

func TestDomainWithoutField(t *testing.T) {
	_, err := New("log", Domain[added, int, int]{Key: func(added) string { return "" }}, Config{})
	const want = "open log: the domain has no Codec, Streams, Fold, After, Answer, Project, Reset, NoEffect"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func (b *book) add(ctx context.Context, req *idempotency.Request, sum string, n int) (Outcome[added, int], error) {
	return b.Decide(ctx, req, journal.On(sums.Stream(sum)), func(v *View) (added, error) {
		if n == 0 {
			return added{}, errUseless
		}
		return added{sum, n}, nil
	})
}

func request(t *testing.T, key, body string) *idempotency.Request {
	t.Helper()
	r, err := idempotency.New("agency", key, "add", "", json.RawMessage(body))
	if err != nil {
		t.Fatal(err)
	}
	return &r
}

func options(t *testing.T) []kgo.Opt {
	t.Helper()
	o := journaltest.Options(journaltest.Broker(t))
	journaltest.Topics(t, o)
	return o
}

func TestDecide(t *testing.T) {
	o := options(t)
	one, two := open(t, o, "one", "added", "added"), open(t, o, "two", "added", "added")
	ctx := t.Context()
	first, err := one.add(ctx, request(t, "k-1", `1`), "a", 1)
	if err != nil || first.Replayed || first.NoEffect || first.Event != (added{"a", 1}) || first.Answer != 1 {
		t.Fatalf("first request: %+v, %v", first, err)
	}
	if out, err := one.add(ctx, nil, "a", 5); err != nil || out.Event != (added{"a", 5}) || out.Answer != 0 || out.Offset <= first.Offset {
		t.Errorf("without a request: %+v, %v", out, err)
	}
	for name, b := range map[string]*book{"here": one, "elsewhere": two} {
		again, err := b.add(ctx, request(t, "k-1", `1`), "a", 1)
		if err != nil || !again.Replayed || again.Answer != 1 || again.Event != (added{}) || again.Offset < first.Offset {
			t.Errorf("repeated %s: %+v, %v", name, again, err)
		}
		if out, err := b.add(ctx, request(t, "k-1", `2`), "a", 2); !errors.Is(err, idempotency.ErrReused) {
			t.Errorf("reused %s: %+v, %v", name, out, err)
		}
		if out, err := b.add(ctx, nil, "a", 0); err != nil || !out.NoEffect {
			t.Errorf("no effect %s: %+v, %v", name, out, err)
		}
		if out, before, err := b.Answered(ctx, request(t, "k-1", `1`)); err != nil || !before || out.Answer != first.Answer || !out.Replayed {
			t.Errorf("answered %s: %+v, %t, %v", name, out, before, err)
		}
		if _, before, err := b.Answered(ctx, request(t, "k-1", `2`)); !errors.Is(err, idempotency.ErrReused) || before {
			t.Errorf("answered a reused key %s: %t, %v", name, before, err)
		}
		if _, before, err := b.Answered(ctx, request(t, "k-2", `1`)); err != nil || before {
			t.Errorf("answered a new key %s: %t, %v", name, before, err)
		}
		b.Read(func(st States) {
			if sum, _ := sums.Get(st, "a"); sum != 6 {
				t.Errorf("the sum %s is %d", name, sum)
			}
			if got := fmt.Sprint(b.projected); got != "[a+1=1 a+5=6]" {
				t.Errorf("projected %s: %s", name, got)
			}
		})
	}
}

// TestRulesBecameStricter sends requests to a program that finds them wrong. One of them was
// answered by its predecessor.
func TestRulesBecameStricter(t *testing.T) {
	b := open(t, options(t), "one", "added", "added")
	ctx, wrong := t.Context(), errors.New("not in the list any more")
	first, err := b.add(ctx, request(t, "k-1", `1`), "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := b.UnlessAnswered(ctx, request(t, "k-1", `1`), wrong); err != nil || out.Answer != first.Answer || !out.Replayed {
		t.Errorf("the retry of an answered request: %+v, %v", out, err)
	}
	for key, body := range map[string]string{"k-1": `2`, "k-2": `1`} {
		if out, err := b.UnlessAnswered(ctx, request(t, key, body), wrong); err != wrong {
			t.Errorf("a new request with %s: %+v, %v", key, out, err)
		}
	}
	if _, err := b.UnlessAnswered(ctx, request(t, "k-2", `1`), nil); err != nil {
		t.Errorf("a request that is right: %v", err)
	}
}

// TestAnsweredElsewhere asks an instance that has not read the answer yet.
func TestAnsweredElsewhere(t *testing.T) {
	cluster := journaltest.Broker(t)
	o := journaltest.Options(cluster)
	journaltest.Topics(t, o)
	one, two := open(t, o, "one", "added", "added"), open(t, append(o, kgo.Rack("slow")), "two", "added", "added")
	read, held := make(chan struct{}), make(chan struct{}, 100)
	release := sync.OnceFunc(func() { close(read) })
	t.Cleanup(release) // or the broker does not close
	cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if r.(*kmsg.FetchRequest).Rack == "slow" {
			held <- struct{}{}
			cluster.SleepControl(func() { <-read })
		}
		return nil, nil, false
	})
	ctx := t.Context()
	// The record answers a fetch that waits at the broker, and the next one is held.
	if _, err := one.add(ctx, nil, "a", 1); err != nil {
		t.Fatal(err)
	}
	<-held
	req := request(t, "k-1", `1`)
	first, err := one.add(ctx, req, "a", 2)
	if err != nil {
		t.Fatal(err)
	}
	if known, err := two.applied(req); known || err != nil {
		t.Fatalf("the slow instance has read it: %t, %v", known, err)
	}
	time.AfterFunc(10*time.Millisecond, release)
	if out, err := two.UnlessAnswered(ctx, req, errors.New("wrong")); err != nil || out.Answer != first.Answer {
		t.Errorf("got %+v, %v; the answer is %d", out, err, first.Answer)
	}
}

// TestKeyUsedTwice appends a record whose decision did not look at the key.
func TestKeyUsedTwice(t *testing.T) {
	b := open(t, options(t), "one", "added", "added")
	req := request(t, "k-1", `1`)
	if _, err := b.add(t.Context(), req, "a", 1); err != nil {
		t.Fatal(err)
	}
	on := journal.On(sums.Stream("a"), journal.Stream(req.Stream()))
	_, err := b.journal.Decide(t.Context(), on, func(v *View) (Body[added], error) {
		return Body[added]{Event: added{"a", 1}, Request: req.Recorded()}, nil
	})
	if !errors.Is(err, journal.ErrImpossible) {
		t.Errorf("got %v", err)
	}
}

// TestOlderProgramIsNotReady runs two versions of a program on one log.
func TestOlderProgramIsNotReady(t *testing.T) {
	o := options(t)
	older, newer := open(t, o, "older", "added", "added"), open(t, o, "newer", "added2", "added", "added2")
	if _, err := older.add(t.Context(), nil, "a", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := newer.add(t.Context(), nil, "a", 2); err != nil {
		t.Fatal(err)
	}
	journaltest.Eventually(t, "the older program is not ready", func() error {
		if older.Ready() == nil {
			return errors.New("it is")
		}
		return nil
	})
	if out, err := newer.add(t.Context(), request(t, "k", `1`), "a", 4); err != nil || out.Answer != 7 {
		t.Errorf("the newer program: %+v, %v", out, err)
	}
}

func TestPublication(t *testing.T) {
	b := open(t, options(t), "one", "added", "added")
	p, err := b.Publication(journaltest.Positions, "test.publication")
	if err != nil {
		t.Fatal(err)
	}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu   sync.Mutex
		seen []Applied[added, int]
	)
	p.Handle(router, "test", func(_ context.Context, a Applied[added, int]) error {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, a)
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	for n := 1; n <= 2; n++ {
		if _, err := b.add(t.Context(), nil, "a", n); err != nil {
			t.Fatal(err)
		}
	}
	journaltest.Eventually(t, "both records are published", func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(seen) < 2 {
			return fmt.Errorf("%d records", len(seen))
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for i, after := range []int{1, 3} {
		a := seen[i]
		if a.After != after || a.Event().N != i+1 || a.EventID(1) != a.Attempt.String()+"-1" || a.DecidedAt.IsZero() {
			t.Errorf("record %d: %+v", i, a)
		}
	}
}

// TestPublishedTogether publishes records whose messages are kept until all of them are sent. One
// of them fails at first, and does not hold up the others.
func TestPublishedTogether(t *testing.T) {
	b := open(t, options(t), "one", "added", "added")
	for _, name := range []string{"a", "b", "c"} {
		if _, err := b.add(t.Context(), nil, name, 1); err != nil {
			t.Fatal(err)
		}
	}
	p, err := b.Publication(journaltest.Positions, "test.publication")
	if err != nil {
		t.Fatal(err)
	}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	topic := &publishing{refuse: 1}
	sender := together.Publisher(topic)
	p.Handle(router, "test", func(ctx context.Context, a Applied[added, int]) error {
		return sender.Publish("events", message.NewMessageWithContext(ctx, a.Event().Sum, nil))
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	journaltest.Eventually(t, "all records are published", func() error {
		if at, _ := p.Position(); at != b.Position()+1 {
			return fmt.Errorf("at %d", at)
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(topic.calls); got != "[[a b c] [a]]" {
		t.Errorf("the calls of the publisher are %s", got)
	}
}

// together publishes one record of each of some names through send, and returns the calls that the
// publisher received.
func (b *book) together(t *testing.T, l limits, send func(context.Context, message.Publisher, string) error, names ...string) [][]string {
	t.Helper()
	for _, name := range names {
		if _, err := b.add(t.Context(), nil, name, 1); err != nil {
			t.Fatal(err)
		}
	}
	// what is only acknowledged is not published yet, and would leave after the others
	if err := b.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := b.Publication(journaltest.Positions, "test.publication")
	if err != nil {
		t.Fatal(err)
	}
	p.limits = l
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	topic := new(publishing)
	sender := together.Publisher(topic)
	p.Handle(router, "test", func(ctx context.Context, a Applied[added, int]) error { return send(ctx, sender, a.Event().Sum) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	journaltest.Eventually(t, "all records are published", func() error {
		if at, _ := p.Position(); at != b.Position()+1 {
			return fmt.Errorf("at %d", at)
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return topic.calls
}

func sendNamed(ctx context.Context, p message.Publisher, id string) error {
	return p.Publish("events", message.NewMessageWithContext(ctx, id, nil))
}

// TestPanicFailsOneRecord panics once while a record is sent, after one of its messages. The other
// records are published in the same call.
func TestPanicFailsOneRecord(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	b := open(t, options(t), "one", "added", "added")
	b.tracer = trace.NewTracer(sdk.NewTracerProvider(sdk.WithSyncer(spans)))
	panicked := false
	calls := b.together(t, limits{kept: 100, asking: time.Second}, func(ctx context.Context, p message.Publisher, name string) error {
		if err := sendNamed(ctx, p, name); err != nil {
			return err
		}
		if name == "b" && !panicked {
			panicked = true
			panic("no such case")
		}
		return nil
	}, "a", "b", "c")
	if got := fmt.Sprint(calls); got != "[[a c] [b]]" {
		t.Errorf("the calls of the publisher are %s", got)
	}
	ended := slices.DeleteFunc(spans.GetSpans(), func(s tracetest.SpanStub) bool { return s.Name != "publish added" })
	if len(ended) != 4 {
		t.Errorf("%d spans ended, want one for each attempt to publish a record", len(ended))
	}
}

// TestBatchAsksForSecondsOnly sends records of which two need answers of a schema registry that is
// away. Both wait no longer than one, and the third is published meanwhile.
func TestBatchAsksForSecondsOnly(t *testing.T) {
	var questions atomic.Int64
	away := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		questions.Add(1)
		select {
		case <-away:
		case <-r.Context().Done():
		}
		io.WriteString(w, `{"subject":"s","id":1,"version":1,"schema":"\"int\""}`)
	}))
	defer server.Close()
	schemas, err := registry.NewClient(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	b := open(t, options(t), "one", "added", "added")
	calls := b.together(t, limits{kept: 100, asking: 100 * time.Millisecond}, func(ctx context.Context, p message.Publisher, name string) error {
		if name != "c" {
			if _, err := schemas.ID(ctx, name, `"int"`); err != nil {
				if failed = append(failed, fmt.Sprint(name, errors.Is(err, registry.ErrAway), questions.Load())); len(failed) == 2 {
					close(away)
				}
				return err
			}
		}
		return sendNamed(ctx, p, name)
	}, "a", "b", "c")
	if got := fmt.Sprint(failed); got != "[atrue 1 btrue 1]" {
		t.Errorf("the failures are %s, want one question for both records", got)
	}
	if len(calls) == 0 || fmt.Sprint(calls[0]) != "[c]" {
		t.Errorf("the calls of the publisher are %v, want first the record that needs no answer", calls)
	}
}

// TestBatchEndsEarly publishes records of two messages each, of which three are kept at most before
// those of the next record.
func TestBatchEndsEarly(t *testing.T) {
	b := open(t, options(t), "one", "added", "added")
	calls := b.together(t, limits{kept: 3, asking: time.Second}, func(ctx context.Context, p message.Publisher, name string) error {
		return errors.Join(sendNamed(ctx, p, name+"1"), sendNamed(ctx, p, name+"2"))
	}, "a", "b", "c")
	if got := fmt.Sprint(calls); got != "[[a1 b1] [a2 b2] [c1] [c2]]" {
		t.Errorf("the calls of the publisher are %s", got)
	}
}

// publishing is a publisher that refuses the first message of its first calls. Records that failed
// may come again in several messages, which are handled at the same time.
type publishing struct {
	refuse int
	mu     sync.Mutex
	calls  [][]string
}

func (p *publishing) Publish(_ string, messages ...*message.Message) error {
	var call []string
	for _, m := range messages {
		call = append(call, m.UUID)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
	if len(p.calls) > p.refuse {
		return nil
	}
	errs := make([]error, len(messages))
	errs[0] = errors.New("refused")
	return &bus.PublishError{Errors: errs}
}

func (*publishing) Close() error { return nil }

func TestCodecChecksKind(t *testing.T) {
	c := Codec[added, row]{
		FromMessage: func(m row) (Body[added], error) { return Bodies[added]{}.MaybeAnswering(m.Event, m.Request) },
		DecodeBytes: func(data []byte) (m row, err error) { err = json.Unmarshal(data, &m); return m, err },
		Kind:        func(m row) string { return m.Kind },
	}
	if b, err := c.Decode("added", []byte(`{"Kind":"added","Event":{"N":1}}`)); err != nil || b.Event.N != 1 || b.Request != nil {
		t.Errorf("got %+v, %v", b, err)
	}
	if b, err := c.Decode("removed", []byte(`{"Kind":"added"}`)); err == nil {
		t.Errorf("another kind was read as %+v", b)
	}
}
