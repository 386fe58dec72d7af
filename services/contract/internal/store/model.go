package store

import (
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/journal"
)

// model is the read model: what queries need and the journal's states do not give. The journal
// calls project and reset under its write lock, and reads happen inside Journal.Read, so it needs
// no lock of its own.
type model struct {
	contracts  map[contract.Ref]*contract.Contract
	latest     map[contract.Ref]journal.Entry[Body] // the record that each is by
	all        []contract.Ref                       // in the order of subscription
	byCustomer map[string][]contract.Ref            // likewise
	waiting    map[contract.Ref]struct{}            // for their validity to begin
}

func newModel() *model {
	m := &model{}
	m.reset()
	return m
}

func (m *model) reset() {
	*m = model{
		contracts: map[contract.Ref]*contract.Contract{}, latest: map[contract.Ref]journal.Entry[Body]{}, byCustomer: map[string][]contract.Ref{}, waiting: map[contract.Ref]struct{}{},
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
	m.contracts[ref], m.latest[ref] = c, e
	if c.AwaitsActivation() {
		m.waiting[ref] = struct{}{}
	} else {
		delete(m.waiting, ref)
	}
}

// read runs fn on the read model and gives the position that it shows.
func (s *Store) read(fn func()) (position int64) {
	s.journal.Read(func(func(journal.Stream) (State, bool)) {
		fn()
		position = s.journal.Position()
	})
	return position
}

// Get returns a contract as applied here, and the position that answer belongs to.
// contract.ErrUnknown says that it is not known at that position; a query never writes, so it does
// not ask for more.
func (s *Store) Get(ref contract.Ref) (c *contract.Contract, position int64, err error) {
	position = s.read(func() { c = s.model.contracts[ref] })
	if c == nil {
		return nil, position, contract.ErrUnknown
	}
	return c, position, nil
}

// Latest gives the record by which a contract is as it is. Without such a contract it is false.
func (s *Store) Latest(ref contract.Ref) (a Applied, ok bool) {
	s.read(func() {
		a.Entry, ok = s.model.latest[ref]
		a.Contract = s.model.contracts[ref]
	})
	return a, ok
}

// Refs are all contracts, in the order of subscription.
func (s *Store) Refs() (refs []contract.Ref) {
	s.read(func() { refs = slices.Clone(s.model.all) })
	return refs
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
	p.Position = s.read(func() {
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
	s.read(func() {
		for ref := range s.model.waiting {
			if s.model.contracts[ref].Within(now) {
				due = append(due, ref)
			}
		}
	})
	return due
}
