package effect

import "github.com/deferpay/deferpay/services/contract/internal/contract"

// Model is the read model: what queries need and the states of streams do not show. The ledger
// calls Project and Reset under its write lock, and queries read it inside Ledger.Read, so it needs
// no lock of its own.
type Model struct {
	Latest     map[contract.Ref]Applied  // the record that made each contract what it is
	All        []contract.Ref            // in the order of subscription
	ByCustomer map[string][]contract.Ref // likewise
	Waiting    map[contract.Ref]struct{} // for their validity to begin
}

// NewModel returns the read model before the first record.
func NewModel() *Model {
	m := &Model{}
	m.Reset()
	return m
}

// Reset empties the model.
func (m *Model) Reset() {
	*m = Model{Latest: map[contract.Ref]Applied{}, ByCustomer: map[string][]contract.Ref{}, Waiting: map[contract.Ref]struct{}{}}
}

// Project brings an applied record into the model. Every event changes one contract, so the model
// takes the contract after it, whatever the event is.
func (m *Model) Project(a Applied) {
	ref, c := a.After.Ref, a.After
	if _, known := m.Latest[ref]; !known {
		m.All = append(m.All, ref)
		m.ByCustomer[c.CustomerRef] = append(m.ByCustomer[c.CustomerRef], ref)
	}
	m.Latest[ref] = a
	if c.AwaitsActivation() {
		m.Waiting[ref] = struct{}{}
	} else {
		delete(m.Waiting, ref)
	}
}
