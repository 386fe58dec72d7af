package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/ledger/ledgertest"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

const recordings = "../../../e2e/oldlog/testdata"

// A cut of an old log at any record leads, with the rest of the log, to what the log leads to.
func TestCutsOfOldLogs(t *testing.T) {
	for name, log := range ledgertest.Recorded(t, recordings, store.Log) {
		t.Run(name, func(t *testing.T) {
			s, err := store.New(store.Config{Writer: "w", ClientOptions: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, SnapshotEvery: 1})
			if err != nil {
				t.Fatal(err)
			}
			sum := journaltest.Cuts(t, s.Config(), log, fulltest.Choose(7, 1), func() any {
				m := *s.Model()
				due := m.Schedule.Due(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
				slices.Sort(due)
				// where a change lies in the schedule says nothing
				return []any{m.Latest, m.All, m.ByCustomer, m.Accounts, m.Erased, m.Mandates, due}
			})
			kept := s.Config()
			ledgertest.SameFold(t, "testdata/fold.json", name, store.FoldVersion, kept.States.Shape()+kept.Snapshots.Model.Shape(), sum)
		})
	}
}
