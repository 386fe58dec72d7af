package effect

import "github.com/deferpay/deferpay/services/contract/internal/contract"

// Model is the read model: what queries need and the states of streams do not show. The ledger
// calls Project and Reset under its write lock, and queries read it inside Ledger.Read, so it needs
// no lock of its own.
type Model struct {
	Latest     map[contract.Ref]Applied  // the record that made each contract what it is
	All        []contract.Ref            // in the order of subscription
	ByCustomer map[string][]contract.Ref // likewise
	Schedule   *Schedule                 // of the changes that happen by themselves
}

// NewModel returns the read model before the first record.
func NewModel() *Model {
	m := &Model{}
	m.Reset()
	return m
}

// Reset empties the model.
func (m *Model) Reset() {
	*m = Model{Latest: map[contract.Ref]Applied{}, ByCustomer: map[string][]contract.Ref{}, Schedule: newSchedule()}
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
	if at, changes := c.NextChange(); changes {
		m.Schedule.set(ref, at)
	} else {
		m.Schedule.remove(ref)
	}
}
