package effect

import (
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/codes/sepa"
)

// Model is the read model: what queries need and the states of streams do not show. The ledger
// calls Project and Reset under its write lock, and queries read it inside Ledger.Read, so it needs
// no lock of its own.
type Model struct {
	Latest     map[contract.Ref]Applied  // the record that made each contract what it is
	All        []contract.Ref            // in the order of subscription
	ByCustomer map[string][]contract.Ref // likewise
	Schedule   *Schedule                 // of the changes that happen by themselves

	// Mandates is what became of mandates according to records of the former version, by
	// sepa.MandateKey. Records of this version keep it in the streams of the mandates.
	Mandates map[string]contract.Use
}

// NewModel returns the read model before the first record.
func NewModel() *Model {
	m := &Model{}
	m.Reset()
	return m
}

// Reset empties the model.
func (m *Model) Reset() {
	*m = Model{Latest: map[contract.Ref]Applied{}, ByCustomer: map[string][]contract.Ref{}, Schedule: newSchedule(), Mandates: map[string]contract.Use{}}
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
	m.noteFormer(a)
	if at, changes := c.NextChange(); changes {
		m.Schedule.set(ref, at)
	} else {
		m.Schedule.remove(ref)
	}
}

// noteFormer notes what a record of the former version says of a mandate. Those records could use a
// reference for several contracts, and again after it was revoked.
func (m *Model) noteFormer(a Applied) {
	switch e := a.Event().(type) {
	case contract.MandateAccepted:
		if e.Mandate.Key == "" {
			key := sepa.MandateKey(e.Mandate.ICS, e.Mandate.RUM)
			by := m.Mandates[key].By
			if by == "" {
				by = e.Ref
			}
			m.Mandates[key] = contract.Use{By: by}
		}
	case contract.MandateWithdrawn:
		if e.Key == "" {
			withdrawn := a.After.Mandate
			key := sepa.MandateKey(withdrawn.ICS, withdrawn.RUM)
			m.Mandates[key] = contract.Use{By: m.Mandates[key].By, Revoked: true}
		}
	}
}
