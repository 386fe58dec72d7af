package store

import (
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
)

// ListOf lists n entries and calls match for each, as the lists of operations do. It is known how
// many match unless known is -1.
func (s *Store) ListOf(n, known int, match func()) List[int] {
	return list(s, func() ([]int, int) { return make([]int, n), known }, Page{Limit: 10, Offset: 5}, func(billing.States, int) bool {
		match()
		return true
	}, func(_ billing.States, i int) int { return i })
}

// FoldVersion is the version of the fold and the read model.
const FoldVersion = foldVersion

// Config returns what the store's journal is made of.
func (s *Store) Config() journal.Config[ledger.State, effect.Body] { return s.ledger.Config() }

// Candidates returns the operations that a list with a filter looks at.
func (s *Store) Candidates(f OperationFilter) (all []*Operation) {
	s.read(func(billing.States) { all, _ = f.candidates(s.model) })
	return all
}

// Model returns the read model.
func (s *Store) Model() *effect.Model { return s.model }
