package store

import (
	"context"
	"time"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/journal"
)

// model is the read model: what queries need and the journal's states do not give. The journal calls project and reset
// under its write lock, and reads happen inside Journal.Read, so it needs no lock of its own.
type model struct {
	contracts  map[contract.Ref]*contract.Contract
	all        []contract.Ref            // in the order of subscription
	byCustomer map[string][]contract.Ref // likewise
	waiting    map[contract.Ref]struct{} // for their validity to begin
}

func newModel() *model {
	m := &model{}
	m.reset()
	return m
}

func (m *model) reset() {
	*m = model{
		contracts: map[contract.Ref]*contract.Contract{}, byCustomer: map[string][]contract.Ref{}, waiting: map[contract.Ref]struct{}{},
	}
}

func (m *model) project(e journal.Entry[Body], after *journal.View[State]) {
	ref := contract.RefOf(e.Body.Event)
	state, ok := after.State(contractStream(ref))
	if !ok {
		return
	}
	c := state.Contract
	if _, known := m.contracts[ref]; !known {
		m.all = append(m.all, ref)
		m.byCustomer[c.CustomerRef] = append(m.byCustomer[c.CustomerRef], ref)
	}
	m.contracts[ref] = c
	if c.AwaitsActivation() {
		m.waiting[ref] = struct{}{}
	} else {
		delete(m.waiting, ref)
	}
}

// Get returns a contract as applied here, and the position that answer belongs to. Only when the contract is not known
// does it read on, to everything recorded before the call; then contract.ErrUnknown is certain.
func (s *Store) Get(ctx context.Context, ref contract.Ref) (*contract.Contract, int64, error) {
	if c, position := s.peek(ref); c != nil {
		return c, position, nil
	}
	if err := s.journal.Barrier(ctx); err != nil {
		return nil, 0, err
	}
	c, position := s.peek(ref)
	if c == nil {
		return nil, position, contract.ErrUnknown
	}
	return c, position, nil
}

func (s *Store) peek(ref contract.Ref) (c *contract.Contract, position int64) {
	position = s.journal.Position() // first: what is seen next is at least that fresh
	s.journal.Read(func(func(journal.Stream) (State, bool)) { c = s.model.contracts[ref] })
	return c, position
}

// Filter selects contracts; empty fields select all.
type Filter struct {
	CustomerRef string
	Status      contract.Status
}

// Page is a part of what a filter selects, in the order of subscription, which never changes.
type Page struct {
	Items    []*contract.Contract
	Total    int
	Position int64
}

// Find returns the contracts that match, from offset, at most limit of them.
func (s *Store) Find(f Filter, limit, offset int) (p Page) {
	p.Position = s.journal.Position()
	s.journal.Read(func(func(journal.Stream) (State, bool)) {
		refs := s.model.all
		if f.CustomerRef != "" {
			refs = s.model.byCustomer[f.CustomerRef]
		}
		for _, ref := range refs {
			c := s.model.contracts[ref]
			if f.Status != "" && c.Status != f.Status {
				continue
			}
			if p.Total >= offset && len(p.Items) < limit {
				p.Items = append(p.Items, c)
			}
			p.Total++
		}
	})
	return p
}

// Due returns the contracts that are to be activated at that instant.
func (s *Store) Due(now time.Time) (due []contract.Ref) {
	s.journal.Read(func(func(journal.Stream) (State, bool)) {
		for ref := range s.model.waiting {
			if s.model.contracts[ref].Within(now) {
				due = append(due, ref)
			}
		}
	})
	return due
}
