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
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal/journaltest"
)

var closedOperations = flag.Int("operations", 20_000, "how many `purchases` the log of BenchmarkHistory has")

const (
	months      = 5
	perContract = 250 // purchases, in all months
	writers     = 256 // callers at once
)

// writer makes a log of purchases that are invoiced and settled. It decides them on an instance, so
// that the log is one that the service writes, but without HTTP.
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

// open runs an instance and returns how long it took to become ready.
func (w *writer) open(name string) (s *store.Store, took time.Duration, stop func()) {
	w.tb.Helper()
	s, err := store.New(store.Config{Paris: w.paris, Config: ledger.Config{
		Writer: name, ClientOptions: w.options, Logger: slog.New(slog.DiscardHandler), SnapshotEvery: w.snapshots,
		Now: func() time.Time { return time.UnixMicro(w.clock.Load()).UTC() },
	}})
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

// each calls do for 0 to n-1, many at once.
func (w *writer) each(n int, do func(i int) error) {
	w.tb.Helper()
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var working sync.WaitGroup
	for range min(n, writers) {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && failed.Load() == nil; i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	working.Wait()
	if err := failed.Load(); err != nil {
		w.tb.Fatal(*err)
	}
}

func (w *writer) write(s *store.Store, operations int) {
	w.tb.Helper()
	contracts := max(1, operations/perContract)
	start := time.Date(2026, time.January, 15, 9, 0, 0, 0, time.UTC)
	w.clock.Store(start.UnixMicro())
	observe := func(c billing.Contract) error {
		return s.Observe(w.tb.Context(), billing.Observe{ContractObserved: billing.ContractObserved{Contract: c, OccurredAt: start}})
	}
	w.each(contracts, func(i int) error { return observe(contract(i)) })
	for month := range months {
		w.clock.Store(start.AddDate(0, month, 0).UnixMicro())
		w.each(operations/months, func(i int) error {
			_, _, err := s.Operate(w.tb.Context(), request(fmt.Sprintf("order-%d-%d", month, i)), purchase(i%contracts, fmt.Sprintf("ORD-%d-%06d", month, i)))
			return err
		})
		w.clock.Store(start.AddDate(0, month+1, -10).UnixMicro())
		w.settle(s, billing.PeriodOf(start.AddDate(0, month, 0), w.paris))
	}
}

// settle closes a period and collects its invoices.
func (w *writer) settle(s *store.Store, p billing.Period) {
	w.tb.Helper()
	ctx := w.tb.Context()
	due, _ := s.ToClose(p)
	w.each(len(due), func(i int) error {
		_, err := s.Decide(ctx, nil, due[i])
		return err
	})
	invoices := s.Invoices(store.InvoiceFilter{Period: p}, store.Page{Limit: len(due)}).Items
	w.each(len(invoices), func(i int) error {
		c := billing.Collecting{InvoiceRef: invoices[i].Ref}
		if _, _, err := s.Settle(ctx, request("present-"+c.InvoiceRef), billing.Present{Collecting: c}); err != nil {
			return err
		}
		_, _, err := s.Settle(ctx, request("collect-"+c.InvoiceRef), billing.Collect{Collecting: c})
		return err
	})
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
// read lists of old operations.
func BenchmarkHistory(b *testing.B) {
	w := newWriter(b)
	first, _, stop := w.open("writer")
	w.write(first, *closedOperations)
	stop()
	first = nil
	for range b.N {
		before := heap()
		s, took, stop := w.open("reader")
		records := s.Position() + 1
		b.ReportMetric(float64(heap()-before)/float64(*closedOperations), "B/operation")
		b.ReportMetric(float64(records)/took.Seconds(), "records/s")
		b.ReportMetric(took.Seconds(), "s/start")
		b.ReportMetric(float64(w.latency(s, "alone", 0, store.OperationFilter{}).Microseconds()), "p99-µs-alone")
		b.ReportMetric(float64(w.latency(s, "lists", 4, store.OperationFilter{}).Microseconds()), "p99-µs-beside-lists")
		b.ReportMetric(float64(w.latency(s, "searches", 4, store.OperationFilter{Status: billing.OperationAccepted}).Microseconds()), "p99-µs-beside-searches")
		w.snapshots = 1 << 40 // none by itself
		stop()
		runtime.KeepAlive(s)
		w.restart(b)
		w.snapshots = 0
		b.ReportMetric(0, "ns/op")
	}
}

// restart takes a snapshot beside purchases, and starts an instance from it.
func (w *writer) restart(b *testing.B) {
	s, _, stop := w.open("taker")
	taken := make(chan time.Duration)
	go func() {
		began := time.Now()
		if _, err := s.Snapshot(b.Context()); err != nil {
			b.Error(err)
		}
		taken <- time.Since(began)
	}()
	b.ReportMetric(float64(w.latency(s, "beside a snapshot", 0, store.OperationFilter{}).Microseconds()), "p99-µs-beside-snapshot")
	b.ReportMetric((<-taken).Seconds(), "s/snapshot")
	stop()
	runtime.KeepAlive(s)
	s = nil
	before, worked := heap(), processor(b)
	again, took, stop := w.open("again")
	defer stop()
	b.ReportMetric((processor(b) - worked).Seconds(), "cpu-s/start-from-snapshot")
	b.ReportMetric(took.Seconds(), "s/start-from-snapshot")
	b.ReportMetric(float64(heap()-before)/float64(*closedOperations), "B/operation-from-snapshot")
	w.forget(again)
	b.ReportMetric(float64(int64(heap()-before))/float64(*closedOperations), "B/operation-without-keys")
	runtime.KeepAlive(again)
}

// forget moves the clock until an instance has forgotten all idempotency keys, which it looks for
// every minute.
func (w *writer) forget(s *store.Store) {
	w.tb.Helper()
	w.clock.Add((365 * 24 * time.Hour).Microseconds())
	at := s.Position()
	for until := time.Now().Add(2 * time.Minute); s.Position() < at+2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(until) {
			w.tb.Fatal("no keys were forgotten")
		}
	}
}

// processor returns the processor time that the process has taken, the broker's included.
func processor(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
