package runs_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/billingtest"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/runs"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/waittest"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// operations is how many things happen in a history, in ten years.
const operations = 200

var (
	start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	refs  = []string{"CTR-1", "CTR-2", "CTR-3"}
	names = map[string]string{"CTR-1": "A", "CTR-2": "A", "CTR-3": "B"}
	paris = func() *time.Location {
		l, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			panic(err)
		}
		return l
	}()
)

// history is ten years on two instances. Their clocks differ, and one of them is stopped and
// started again now and then.
type history struct {
	t         *testing.T
	rng       *rand.Rand
	options   []kgo.Opt
	instances [2]*instance
	clocks    [2]atomic.Int64 // of each instance
	audit     *auditor
	keys      int
	versions  map[string]int64
	answers   map[string]string // by key, as first acknowledged
	asked     map[string]billing.Command
	faults    map[string][]string
}

type instance struct {
	store  *store.Store
	runner *runs.Runner
	stop   func()
}

// auditor reads the log by itself. It applies records by their expectations and knows no rule.
type auditor struct {
	log     *ledger.Ledger[billing.Event, none, none]
	mu      sync.Mutex
	entries []ledger.Applied[billing.Event, none]
}

type none = struct{}

func newHistory(t *testing.T, seed uint64) *history {
	options := journaltest.Options(journaltest.Broker(t))
	journaltest.Create(t, options, store.Log, journaltest.LogConfig())
	journaltest.CreateSnapshots(t, options, store.Snapshots)
	h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 0)), options: options, versions: map[string]int64{}, answers: map[string]string{},
		asked: map[string]billing.Command{}, faults: map[string][]string{}}
	for n := range h.clocks {
		h.clocks[n].Store(start.UnixMicro())
		h.instances[n] = h.launch(n)
	}
	h.audit = h.auditor()
	return h
}

func (h *history) config(writer string, now func() time.Time) ledger.Config {
	return ledger.Config{Writer: writer, ClientOptions: h.options, Now: now, Logger: slog.New(slog.DiscardHandler), SnapshotEvery: 1 << 40}
}

func (h *history) launch(n int) *instance {
	h.t.Helper()
	now := func() time.Time { return time.UnixMicro(h.clocks[n].Load()).UTC() }
	s, err := store.New(store.Config{Config: h.config(fmt.Sprint("billing-", n), now), Paris: paris})
	if err != nil {
		h.t.Fatal(err)
	}
	i := &instance{store: s, runner: &runs.Runner{Store: s, Paris: paris, Now: now, Logger: slog.New(slog.DiscardHandler), Every: time.Hour}}
	i.stop = h.run(s.Run, i.runner.Run)
	waittest.True(h.t, 10*time.Second, "ready", func() bool { return s.Ready() == nil })
	return i
}

// run runs tasks until the test ends or stop is called.
func (h *history) run(tasks ...func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, task := range tasks {
		running.Go(func() { _ = task(ctx) })
	}
	stop = func() { cancel(); running.Wait() }
	h.t.Cleanup(stop)
	return stop
}

func (h *history) auditor() *auditor {
	a := &auditor{}
	log, err := ledger.New(store.Log, ledger.Domain[billing.Event, none, none]{
		Codec: effect.Codec(), Key: func(billing.Event) string { return "" },
		Streams: func(billing.Event) []journal.Stream { return []journal.Stream{"any"} },
		Fold:    func(*ledger.View, billing.Event, time.Time) error { return nil },
		After:   func(*ledger.View, billing.Event) (n none) { return n }, Answer: func(billing.Event, none) (n none) { return n },
		Project: func(e ledger.Applied[billing.Event, none]) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.entries = append(a.entries, e)
		},
		Reset: func() {}, NoEffect: billing.ErrNoEffect,
	}, h.config("auditor", time.Now))
	if err != nil {
		h.t.Fatal(err)
	}
	a.log = log
	h.run(log.Run)
	waittest.True(h.t, 10*time.Second, "ready", func() bool { return log.Ready() == nil })
	return a
}

// read returns everything that is in the log.
func (a *auditor) read(t *testing.T) []ledger.Applied[billing.Event, none] {
	if err := a.log.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.entries)
}

func (h *history) fault(property, format string, args ...any) {
	h.faults[property] = append(h.faults[property], fmt.Sprintf(format, args...))
}

func (h *history) one(of int) int { return h.rng.IntN(of) }

// ask sends a command with a key to an instance, and returns what it is answered.
func (h *history) ask(ctx context.Context, n int, key string, c billing.Command) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		h.t.Fatal(err)
	}
	req, err := idempotency.New("client", key, "operation", "", json.RawMessage(body))
	if err != nil {
		h.t.Fatal(err)
	}
	s := h.instances[n].store
	if c.About().Invoice != "" {
		i, _, err := s.Settle(ctx, req, c)
		return fmt.Sprintf("%+v", i), err
	}
	o, _, err := s.Operate(ctx, req, c)
	return shown(o), err
}

func shown(o store.Operation) string {
	return fmt.Sprint(o.Ref, o.Kind, o.Status, o.OrderRef, o.PurchaseRef, o.Amount, o.Period, o.CreditNoteRef, o.DecidedAt, o.Judgement.Outstanding, o.Judgement.Reasons)
}

// do asks for a command: on one instance, on both at the same time, or on one that gives up early
// and then on the other.
func (h *history) do(c billing.Command) {
	h.keys++
	key, first := fmt.Sprint("k-", h.keys), h.one(2)
	h.asked[key] = c
	switch h.one(8) {
	case 0:
		h.both(key, c)
		return
	case 1:
		ctx, cancel := context.WithTimeout(h.t.Context(), time.Duration(h.one(800))*time.Microsecond)
		text, err := h.ask(ctx, first, key, c)
		cancel()
		h.acknowledged(key, text, err)
		first = 1 - first
	}
	text, err := h.ask(h.t.Context(), first, key, c)
	h.acknowledged(key, text, err)
}

func (h *history) both(key string, c billing.Command) {
	type answer struct {
		text string
		err  error
	}
	other := make(chan answer)
	go func() {
		text, err := h.ask(h.t.Context(), 1, key, c)
		other <- answer{text, err}
	}()
	text, err := h.ask(h.t.Context(), 0, key, c)
	b := <-other
	if (err == nil) != (b.err == nil) || err == nil && text != b.text {
		h.fault("P2", "%s on two instances: %s %v, and %s %v", key, text, err, b.text, b.err)
	}
	h.acknowledged(key, text, err)
}

// acknowledged keeps an answer, which must be the one that the key was given before.
func (h *history) acknowledged(key, text string, err error) {
	if err != nil {
		return
	}
	if before, ok := h.answers[key]; ok && before != text {
		h.fault("P2", "%s was answered %s, and then %s", key, before, text)
	}
	h.answers[key] = text
}

// again repeats a request that was acknowledged.
func (h *history) again() {
	for key := range h.answers {
		text, err := h.ask(h.t.Context(), h.one(2), key, h.asked[key])
		if err != nil {
			h.fault("P1", "%s was acknowledged, and is now answered %v", key, err)
		}
		h.acknowledged(key, text, err)
		return
	}
}

func (h *history) now() time.Time { return time.UnixMicro(h.clocks[0].Load()).UTC() }

func (h *history) observe() {
	ref := refs[h.one(3)]
	h.versions[ref]++
	now := h.now()
	c := billing.Contract{
		Ref: ref, SubscriptionRef: "SUB", CustomerRef: names[ref], SellerRef: "AG", Version: h.versions[ref], Status: billing.StatusActive,
		Ceiling: billing.Money{Amount: int64(500 + h.one(2000)), Currency: "EUR"}, ValidFrom: start,
		Mandate: billing.Mandate{RUM: fmt.Sprint("R-", h.one(3)), ICS: "ICS", Scheme: "B2B", SignedAt: now.AddDate(0, 0, -h.one(1200))},
	}
	switch h.one(12) {
	case 0:
		c.Status = billing.StatusSuspended
	case 1:
		c.Mandate.RevokedAt = now
	case 2:
		c.ValidUntil = now.AddDate(0, 0, h.one(400))
	}
	if err := h.instances[h.one(2)].store.Observe(h.t.Context(), billing.Observe{ContractObserved: billing.ContractObserved{Contract: c, OccurredAt: now}}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) amount() billing.Money {
	return billing.Money{Amount: int64(1 + h.one(300)), Currency: "EUR"}
}

func (h *history) purchase() {
	h.do(billing.Purchase{ContractRef: refs[h.one(3)], OrderRef: fmt.Sprint("O-", h.keys-h.one(2)*h.one(h.keys+1)), Amount: h.amount()})
}

// operation returns the reference of a late operation, "" if there is none.
func (h *history) operation() string {
	a, _, _ := h.instances[0].store.Subscription(refs[h.one(3)])
	if a.Operations == 0 {
		return "BOP-9-9"
	}
	return billing.OperationRef(a.Contract.Ref, a.Operations-int64(h.one(int(min(6, a.Operations)))))
}

func (h *history) settle() {
	l := h.instances[0].store.Invoices(store.InvoiceFilter{}, store.Page{Limit: 1000})
	if len(l.Items) == 0 {
		return
	}
	i := l.Items[len(l.Items)-1-h.one(min(4, len(l.Items)))]
	part := i.Parts[h.one(len(i.Parts))]
	c := billing.Collecting{InvoiceRef: i.Ref, ContractRef: part.ContractRef}
	steps := []billing.Command{billing.Present{Collecting: c}, billing.Collect{Collecting: c}, billing.Reject{Collecting: c, Reason: "AM04"},
		billing.Return{Collecting: c, Reason: "MD06"}, billing.SettleOtherwise{Collecting: c, Reference: "VIR"}}
	h.do(steps[h.one(len(steps))])
}

// bill runs every month that is due on one instance, and again on the other: that adds nothing.
func (h *history) bill() {
	n := h.one(2)
	// what the other instance recorded last may not be read yet
	if err := h.instances[n].store.Barrier(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	for _, p := range h.instances[n].store.PeriodsDue() {
		h.start(n, p)
		before := h.invoices()
		h.start(1-n, p)
		if after := h.invoices(); after != before {
			h.fault("P8", "a second run of %s makes %d invoices of %d", p, after, before)
		}
	}
}

func (h *history) start(n int, p billing.Period) {
	done, _, err := h.instances[n].runner.Start(h.t.Context(), nil, p)
	if err == nil {
		<-done
	}
}

func (h *history) invoices() (n int) {
	for _, e := range h.audit.read(h.t) {
		if _, ok := e.Event().(billing.PeriodClosed); ok {
			n++
		}
	}
	return n
}

// restart stops an instance and starts it again, from the log alone or from a snapshot that one of
// them takes.
func (h *history) restart() {
	n := h.one(2)
	if h.one(3) > 0 {
		if _, err := h.instances[h.one(2)].store.Snapshot(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
	h.instances[n].stop()
	h.instances[n] = h.launch(n)
}

// pass moves the clocks: by a while, around the end of a month, or around a change to or from
// daylight saving time. That of the second instance is late by up to five days.
func (h *history) pass() {
	now, around := h.now(), time.Duration(h.rng.Int64N(4*3600e6)-2*3600e6)*time.Microsecond
	switch h.one(8) {
	case 0:
		now = billing.PeriodOf(now, paris).End(paris).Add(around)
	case 1:
		change := time.Date(now.Year(), []time.Month{time.March, time.October}[h.one(2)], 31, 1, 0, 0, 0, time.UTC)
		change = change.AddDate(0, 0, -int(change.Weekday())) // the last Sunday
		if change.After(now) {
			now = change.Add(around)
		}
	default:
		now = now.Add(time.Duration(h.rng.Int64N(80*24*3600e6)) * time.Microsecond)
	}
	h.clocks[0].Store(now.UnixMicro())
	h.clocks[1].Store(now.Add(-time.Duration(h.rng.Int64N(5*24*3600e6)) * time.Microsecond).UnixMicro())
}

// play plays ten years, and bills what is left.
func (h *history) play() {
	steps := []func(){h.observe, h.purchase, h.purchase, h.purchase, h.purchase, h.settle, h.settle, h.settle, h.again,
		func() { h.do(billing.Refund{PurchaseRef: h.operation(), Amount: h.amount()}) }, func() { h.do(billing.Cancel{PurchaseRef: h.operation()}) }}
	h.observe()
	for n := range operations {
		if h.one(2) == 0 {
			h.pass()
		}
		switch {
		case n%60 == 59:
			h.restart()
		case n%12 == 11:
			h.bill()
		default:
			steps[h.one(len(steps))]()
		}
	}
	end := start.AddDate(10, 4, 0)
	for n := range h.clocks {
		h.clocks[n].Store(max(end.UnixMicro(), h.clocks[n].Load()+200*24*3600e6))
	}
	h.bill()
}

// judge looks at the log alone, and at what the instances hold at the end.
func (h *history) judge() {
	books, byKey := billingtest.New(paris), map[string]billing.Event{}
	for _, e := range h.audit.read(h.t) {
		books.Add(e.Event(), e.DecidedAt)
		if r := e.Body.Request; r != nil {
			if _, twice := byKey[r.Key]; twice {
				h.fault("P2", "%s has two records", r.Key)
			}
			byKey[r.Key] = e.Event()
		}
	}
	books.End()
	for _, p := range billingtest.Properties {
		first, _, _ := strings.Cut(p, " ")
		h.faults[first] = append(h.faults[first], books.Faults(p)...)
	}
	for key, text := range h.answers {
		if byKey[key] == nil {
			h.fault("P1", "%s was answered %s, and is not in the log", key, text)
		}
	}
	if _, err := h.instances[h.one(2)].store.Snapshot(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	fresh, states := h.launch(0), []string{}
	for _, i := range []*instance{h.instances[0], h.instances[1], fresh} {
		states = append(states, h.state(i.store))
	}
	if restored := h.state(h.restored()); restored != states[0] {
		h.fault("P20", "a restored log has the state %s, the others %s", restored, states[0])
	}
	if states[0] != states[1] {
		h.fault("P10", "two instances have the states %s and %s", states[0], states[1])
	}
	if states[0] != states[2] {
		h.fault("P9", "an instance that starts again has the state %s, the others %s", states[2], states[0])
	}
}

// restored returns a store on a copy of the log, record by record, on another broker.
func (h *history) restored() *store.Store {
	from, err := kgo.NewClient(append(slices.Clone(h.options), kgo.ConsumeTopics(store.Log))...)
	if err != nil {
		h.t.Fatal(err)
	}
	defer from.Close()
	options := journaltest.Options(journaltest.Broker(h.t))
	journaltest.Create(h.t, options, store.Log, journaltest.LogConfig())
	to, err := kgo.NewClient(append(slices.Clone(options), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		h.t.Fatal(err)
	}
	defer to.Close()
	for end := h.audit.log.Position(); end >= 0; {
		for _, r := range from.PollFetches(h.t.Context()).Records() {
			end = min(end, h.audit.log.Position()-r.Offset-1)
			copied := &kgo.Record{Topic: store.Log, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
			if err := to.ProduceSync(h.t.Context(), copied).FirstErr(); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	h.options = options
	return h.launch(0).store
}

// state returns the hash of everything that queries show.
func (h *history) state(s *store.Store) string {
	if err := s.Barrier(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	sum, all := sha256.New(), store.Page{Limit: 100000}
	for _, o := range s.Operations(store.OperationFilter{}, all).Items {
		fmt.Fprintln(sum, shown(o), o.Refunded, o.InvoiceRef)
	}
	fmt.Fprintf(sum, "%+v\n%+v\n", s.Invoices(store.InvoiceFilter{}, all).Items, s.Subscriptions(store.SubscriptionFilter{}, all).Items)
	for p := billing.PeriodOf(start, paris); p.Year < 2037; p = p.Next() {
		r := s.RunOf(p, all)
		fmt.Fprintf(sum, "%+v %+v %d %d\n", r.Run, r.Lines, r.Invoiced, r.ToInvoice)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// histories is how many are played, 0 for the short form's number or the full form's.
var histories = flag.Int("histories", 0, "number of histories to play; -parallel of them at a time")

// TestHistories plays histories on two instances over one log.
func TestHistories(t *testing.T) {
	var mu sync.Mutex
	faults, events := map[string][]string{}, map[string]int{}
	t.Run("histories", func(t *testing.T) {
		for seed := range uint64(cmp.Or(*histories, fulltest.Choose(3, 20))) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				h := newHistory(t, seed)
				h.play()
				h.judge()
				mu.Lock()
				defer mu.Unlock()
				for property, found := range h.faults {
					for _, f := range found {
						faults[property] = append(faults[property], fmt.Sprintf("seed %d: %s", seed, f))
					}
				}
				for _, e := range h.audit.entries {
					events[e.Kind]++
				}
				events["answer"] += len(h.answers)
			})
		}
	})
	t.Logf("events: %v", events)
	properties := append([]string{"P1 what was acknowledged is in the log", "P2 a key has one answer and one record", "P9 starting again gives the same state",
		"P10 instances have the same state",
		"P20 a restored log gives the same state"}, billingtest.Properties...)
	for _, p := range properties {
		t.Run(p, func(t *testing.T) {
			first, _, _ := strings.Cut(p, " ")
			for _, f := range faults[first] {
				t.Error(f)
			}
		})
	}
}
