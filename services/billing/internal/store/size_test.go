package store_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/tools/cputime"
)

var closedOperations = flag.Int("operations", 20_000, "how many `purchases` the log of BenchmarkHistory has")

const (
	months      = 5
	perContract = 250 // purchases, in all months
)

// writer makes a log on the embedded broker, and opens instances on it.
type writer struct {
	tb      testing.TB
	options []kgo.Opt
	clock   atomic.Int64
	paris   *time.Location
	// records between two snapshots of the instances that are opened; 0: none
	snapshots int64
	pack      bool // the instances that are opened pack almost all operations
}

func newWriter(tb testing.TB) *writer {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		tb.Fatal(err)
	}
	w := &writer{tb: tb, options: journaltest.Options(journaltest.Broker(tb)), paris: paris}
	journaltest.Create(tb, w.options, store.Log, journaltest.LogConfig())
	journaltest.Create(tb, w.options, store.Positions, map[string]string{"cleanup.policy": "compact"})
	journaltest.CreateSnapshots(tb, w.options, store.Snapshots)
	return w
}

func (w *writer) config(name string) store.Config {
	return store.Config{Paris: w.paris, Config: ledger.Config{
		Writer: name, ClientOptions: w.options, Logger: slog.New(slog.DiscardHandler), SnapshotEvery: w.snapshots,
		Now: func() time.Time { return time.UnixMicro(w.clock.Load()).UTC() },
	}}
}

// open runs an instance and returns how long it took to become ready.
func (w *writer) open(name string) (s *store.Store, took time.Duration, stop func()) {
	w.tb.Helper()
	s, err := store.New(w.config(name))
	if err != nil {
		w.tb.Fatal(err)
	}
	if w.pack {
		s.PackAll(8, 4)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- s.Run(ctx) }()
	for s.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	return s, time.Since(began), func() { cancel(); <-ended }
}

// write writes a log of purchases that are invoiced and settled, of which everything is published.
// A scribe decides them, so the log is one that the service writes, but without HTTP, and not
// record by record.
func (w *writer) write(operations int) {
	w.tb.Helper()
	s, err := store.New(w.config("scribe"))
	if err != nil {
		w.tb.Fatal(err)
	}
	scribe := journaltest.NewScribe(w.tb, s.Config(), store.Once)
	decide := func(req *idempotency.Request, c billing.Command) (about billing.Subject) {
		seen, err := scribe.Decide(s.Rule(req, c))
		if err != nil {
			w.tb.Fatal(err)
		}
		return seen.Event.About()
	}
	contracts := max(1, operations/perContract)
	start := time.Date(2026, time.January, 15, 9, 0, 0, 0, time.UTC)
	w.clock.Store(start.UnixMicro())
	for i := range contracts {
		decide(nil, billing.Observe{ContractObserved: billing.ContractObserved{Contract: contract(i), OccurredAt: start}})
	}
	for month := range months {
		w.clock.Store(start.AddDate(0, month, 0).UnixMicro())
		for i := range operations / months {
			w.clock.Add(100)
			req := request(fmt.Sprintf("order-%d-%d", month, i))
			decide(&req, purchase(i%contracts, fmt.Sprintf("ORD-%d-%06d", month, i)))
		}
		w.clock.Store(start.AddDate(0, month+1, -10).UnixMicro())
		period := billing.PeriodOf(start.AddDate(0, month, 0), w.paris)
		for i := range min(contracts, operations/months) {
			w.settle(decide, contract(i), period)
		}
	}
	records, err := scribe.End(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	w.published(records)
}

// published saves that so many records were published.
func (w *writer) published(records int64) {
	w.tb.Helper()
	if err := journaltest.Published(w.tb.Context(), w.options, store.Positions, "publication", store.Log, records); err != nil {
		w.tb.Fatal(err)
	}
}

// settle closes a period of a customer who has one contract, and collects the invoice.
func (w *writer) settle(decide func(*idempotency.Request, billing.Command) billing.Subject, c billing.Contract, p billing.Period) {
	invoice := decide(nil, billing.Close{Customer: c.Customer(), Contracts: []string{c.Ref}, Period: p}).Invoice
	collecting := billing.Collecting{InvoiceRef: invoice}
	present, collect := request("present-"+invoice), request("collect-"+invoice)
	decide(&present, billing.Present{Collecting: collecting})
	decide(&collect, billing.Collect{Collecting: collecting})
}

func contract(i int) billing.Contract {
	return billing.Contract{
		Ref: fmt.Sprint("CTR-", i+1), SubscriptionRef: fmt.Sprint("SUB-", i+1), CustomerRef: fmt.Sprint("CE-", i+1), SellerRef: "AGENCY-1", Version: 1,
		Status: billing.StatusActive, Buyer: billing.Company{LegalName: "Comité social Dupont", SIREN: "732829320"},
		Ceiling: billing.Money{Amount: 1 << 40, Currency: "EUR"}, ValidFrom: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
		Mandate: billing.Mandate{RUM: fmt.Sprint("RUM-", i+1), ICS: "FR72ZZZ123456", Scheme: "B2B", SignedAt: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
}

func purchase(contract int, order string) billing.Purchase {
	return billing.Purchase{
		ContractRef: fmt.Sprint("CTR-", contract+1), OrderRef: order, Label: "Lisbon, 2 adults, 3 nights",
		Amount: billing.Money{Amount: 120_00, Currency: "EUR"},
	}
}

func request(key string) idempotency.Request {
	r, err := idempotency.New("agency-front", key, "createOperation", "", json.RawMessage(`"`+key+`"`))
	if err != nil {
		panic(err)
	}
	return r
}

func heap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkHistory writes a log and reads it with a new instance. It reports what the instance
// keeps in memory for each operation, how fast it reads, and how long purchases take while others
// read lists of old operations. It measures once, however large b.N is.
func BenchmarkHistory(b *testing.B) {
	w := newWriter(b)
	began := time.Now()
	w.write(*closedOperations)
	report(b, time.Since(began).Seconds(), "s/write")
	w.snapshots = 1 << 40 // none by itself
	before := heap()
	s, took, stop := w.open("reader")
	report(b, float64(int64(heap()-before))/float64(*closedOperations), "B/operation")
	records := s.Position() + 1
	if n := s.Stats().Void; n > 0 {
		b.Fatalf("%d records are void", n)
	}
	report(b, float64(records)/took.Seconds(), "records/s")
	report(b, took.Seconds(), "s/start")
	report(b, float64(w.latency(s, "alone", 0, store.OperationFilter{}).Microseconds()), "p99-µs-alone")
	report(b, float64(w.latency(s, "lists", 4, store.OperationFilter{}).Microseconds()), "p99-µs-beside-lists")
	report(b, float64(w.latency(s, "searches", 4, store.OperationFilter{Status: billing.OperationAccepted}).Microseconds()), "p99-µs-beside-searches")
	w.snapshot(b, s)
	w.published(s.Position() + 1)
	stop()
	s = nil
	w.restart(b)
	b.ReportMetric(0, "ns/op")
}

// report reports a figure. With -v it is printed at once, because the whole takes long.
func report(b *testing.B, value float64, unit string) {
	b.ReportMetric(value, unit)
	if testing.Verbose() {
		fmt.Println(time.Now().UTC().Format(time.TimeOnly), value, unit)
	}
}

// snapshot takes a snapshot beside purchases.
func (w *writer) snapshot(b *testing.B, s *store.Store) {
	taken := make(chan time.Duration)
	go func() {
		began := time.Now()
		if _, err := s.Snapshot(b.Context()); err != nil {
			b.Error(err)
		}
		taken <- time.Since(began)
	}()
	report(b, float64(w.latency(s, "beside a snapshot", 0, store.OperationFilter{}).Microseconds()), "p99-µs-beside-snapshot")
	report(b, (<-taken).Seconds(), "s/snapshot")
}

// restart starts an instance from the snapshot, and another one that takes its place as the one
// that publishes, and at last forgets its keys.
func (w *writer) restart(b *testing.B) {
	before, worked := heap(), cputime.Used(b)
	s, took, stop := w.open("again")
	report(b, (cputime.Used(b) - worked).Seconds(), "cpu-s/start-from-snapshot")
	report(b, took.Seconds(), "s/start-from-snapshot")
	report(b, float64(int64(heap()-before))/float64(*closedOperations), "B/operation-from-snapshot")
	current, next := w.publisher(s, stop), w.openPublisher("next")
	s, stop = nil, nil
	report(b, w.takeover(b, current, next, 0).Seconds(), "s/takeover")
	current = nil
	report(b, w.forget(next.Store).Seconds(), "s/longest-wait-while-forgetting")
	report(b, float64(int64(heap()-before))/float64(*closedOperations), "B/operation-without-keys")
	next.stop()
}

// forget moves the clock until an instance has forgotten all idempotency keys, which it looks for
// every minute. It returns how long a query waited at most meanwhile.
func (w *writer) forget(s *store.Store) (longest time.Duration) {
	w.tb.Helper()
	w.clock.Add((365 * 24 * time.Hour).Microseconds())
	at := s.Position()
	for until := time.Now().Add(5 * time.Minute); s.Position() < at+2; time.Sleep(time.Millisecond) {
		began := time.Now()
		s.Subscription("CTR-1")
		longest = max(longest, time.Since(began))
		if time.Now().After(until) {
			w.tb.Fatal("no keys were forgotten")
		}
	}
	return longest
}

// latency returns the 99th percentile of the time of a purchase, of 16 callers, while so many
// readers list operations by a filter.
func (w *writer) latency(s *store.Store, name string, readers int, by store.OperationFilter) time.Duration {
	w.tb.Helper()
	reading, stop := context.WithCancel(w.tb.Context())
	var lists sync.WaitGroup
	for range readers {
		lists.Go(func() {
			for page := 0; reading.Err() == nil; page++ {
				s.Operations(by, store.Page{Limit: 100, Offset: page % 10 * 100})
				// readers that never wait would measure the processor
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	const callers, each = 16, 250
	var took [callers][]time.Duration
	var buying sync.WaitGroup
	for c := range callers {
		buying.Go(func() {
			for n := range each {
				began := time.Now()
				key := fmt.Sprintf("%s-%d-%d", name, c, n)
				if _, _, err := s.Operate(w.tb.Context(), request(key), purchase(c, key)); err != nil {
					w.tb.Error(err)
				}
				took[c] = append(took[c], time.Since(began))
			}
		})
	}
	buying.Wait()
	stop()
	lists.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(took[:]...)))
	return all[len(all)*99/100]
}
