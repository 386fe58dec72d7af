package store

import (
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/effect"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
)

// FoldVersion is the version of the fold and the read model.
const FoldVersion = foldVersion

// Config returns what the store's journal is made of.
func (s *Store) Config() journal.Config[ledger.State, ledger.Body[contract.Event]] {
	return s.ledger.Config()
}

// Model returns the read model.
func (s *Store) Model() *effect.Model { return s.model }
