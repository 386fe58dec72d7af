package store

import (
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

// read runs fn on the read model and returns the position that it shows.
func (s *Store) read(fn func()) (position int64) {
	return s.ledger.Read(func(ledger.States) { fn() })
}

// Get returns a contract as applied here, and the position that the answer belongs to. The error is
// contract.ErrUnknown if there is no such contract at that position: a query never writes, so it
// does not look further.
func (s *Store) Get(ref contract.Ref) (c *contract.Contract, position int64, err error) {
	position = s.read(func() { c = s.model.Latest[ref].After })
	if c == nil {
		return nil, position, contract.ErrUnknown
	}
	return c, position, nil
}

// Latest returns the record that made a contract what it is, and whether there is such a contract.
func (s *Store) Latest(ref contract.Ref) (a Applied, ok bool) {
	s.read(func() { a, ok = s.model.Latest[ref] })
	return a, ok
}

// Refs returns all contracts, in the order of subscription.
func (s *Store) Refs() (refs []contract.Ref) {
	s.read(func() { refs = slices.Clone(s.model.All) })
	return refs
}

// Filter selects contracts; empty fields select all.
type Filter struct {
	CustomerRef string
	Status      contract.Status
	Of          []string // customers; nil is all of them
}

// Page is a part of what a filter selects, in the order of subscription, which never changes.
type Page struct {
	Items    []*contract.Contract
	Total    int
	Position int64
}

// atOnce is how many contracts are looked at while the state is locked.
const atOnce = 256

// Find returns the contracts that match, from offset, at most limit of them. Decisions wait for the
// lock of the state, so Find takes it for a few contracts at a time. The page may therefore show
// what was decided after its position.
func (s *Store) Find(f Filter, limit, offset int) (p Page) {
	var refs []contract.Ref
	p.Position = s.read(func() {
		refs = s.model.All
		if f.CustomerRef != "" {
			refs = s.model.ByCustomer[f.CustomerRef]
		}
	})
	for some := range slices.Chunk(refs, atOnce) {
		s.read(func() {
			for _, ref := range some {
				c := s.model.Latest[ref].After
				// nil: the state was discarded meanwhile
				if c == nil || f.Status != "" && c.Status != f.Status || f.Of != nil && !slices.Contains(f.Of, c.CustomerRef) {
					continue
				}
				if p.Total >= offset && len(p.Items) < limit {
					p.Items = append(p.Items, c)
				}
				p.Total++
			}
		})
	}
	return p
}

// Due returns the contracts that change by themselves at that instant, or should have before it.
func (s *Store) Due(now time.Time) (due []contract.Ref) {
	s.read(func() { due = s.model.Schedule.Due(now) })
	return due
}
