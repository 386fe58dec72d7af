package store_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/ledger/ledgertest"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

const recordings = "../../../e2e/oldlog/testdata"

// A cut of an old log at any record leads, with the rest of the log, to what the log leads to.
func TestCutsOfOldLogs(t *testing.T) {
	for name, log := range ledgertest.Recorded(t, recordings, store.Log) {
		t.Run(name, func(t *testing.T) {
			shape, sum := cuts(t, log, fulltest.Choose(31, 1), 4, 2)
			if _, unpacked := cuts(t, log, len(log), 1, len(log)); unpacked != sum {
				t.Error("operations that are packed show something else than others")
			}
			ledgertest.SameFold(t, "testdata/fold.json", name, store.FoldVersion, shape, sum)
		})
	}
}

// cuts compares cuts of a log, after which operations are packed in blocks of so many, all but
// some.
func cuts(t *testing.T, log [][]byte, step, size, unpacked int) (shape, sum string) {
	t.Helper()
	s, err := store.New(store.Config{Paris: time.UTC, Config: ledger.Config{
		Writer: "w", ClientOptions: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, SnapshotEvery: 1,
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.PackAll(size, unpacked)
	kept := s.Config()
	return kept.States.Shape() + kept.Snapshots.Model.Shape(), journaltest.Cuts(t, s.Config(), log, step, s.Content)
}

// An instance that starts from a snapshot shows the same as one that reads the log, and answers
// repeated requests alike.
func TestStoreFromSnapshot(t *testing.T) {
	w := newWriter(t)
	w.write(500)
	w.snapshots = 100
	first, _, stop := w.open("first")
	defer stop()
	at, err := first.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.snapshots = 0
	whole, _, stopWhole := w.open("whole")
	defer stopWhole()
	w.snapshots = 1 << 40
	short, _, stopShort := w.open("short")
	defer stopShort()
	if n := short.Stats().Applied; n > whole.Stats().Applied-at/2 || short.Stats().SnapshotAt < at {
		t.Errorf("the instance has applied %d of %d records, from the snapshot at %d on", n, whole.Stats().Applied, short.Stats().SnapshotAt)
	}
	page := store.Page{Limit: 1000}
	same(t, "operations", short.Operations(store.OperationFilter{}, page).Items, whole.Operations(store.OperationFilter{}, page).Items)
	same(t, "invoices", short.Invoices(store.InvoiceFilter{}, page).Items, whole.Invoices(store.InvoiceFilter{}, page).Items)
	for _, s := range []*store.Store{whole, short} {
		o, out, err := s.Operate(t.Context(), request("order-0-1"), purchase(1, "ORD-0-000001"))
		if err != nil || !out.Replayed || o.Kind != billing.KindPurchase {
			t.Errorf("a repeated request: %+v, replayed %v, %v", o, out.Replayed, err)
		}
	}
}

func same[T any](t *testing.T, what string, got, want []T) {
	t.Helper()
	if len(want) == 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d %s, want %d, or others than these", len(got), what, len(want))
	}
}
