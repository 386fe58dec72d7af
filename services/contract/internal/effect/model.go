package effect

import (
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/codes/sepa"
	"github.com/deferpay/deferpay/services/journal"
)

// Model is the read model: what queries need and the states of streams do not show. The ledger
// calls Project and Reset under its write lock, and queries read it inside Ledger.Read, so it needs
// no lock of its own.
type Model struct {
	Latest     map[contract.Ref]Applied  // the last fact of each contract, and the contract now
	All        []contract.Ref            // in the order of subscription
	ByCustomer map[string][]contract.Ref // likewise
	Schedule   *Schedule                 // of the changes that happen by themselves
	Accounts   map[contract.Ref]Account  // of the mandates that were signed last
	Erased     map[contract.Ref]int64    // how often personal data was erased

	// Mandates is what became of mandates according to records of the former version, by
	// sepa.MandateKey. Records of this version keep it in the streams of the mandates.
	Mandates map[string]contract.Use

	cut *modelCut // that is being handed out; nil if none is
}

// Account is the sealed account of a mandate.
type Account struct {
	Mandate  contract.Mandate
	Erasures int64 // how often the contract's personal data was erased when it was sealed
	Sealed   journal.Sealed
}

// NewModel returns the read model before the first record.
func NewModel() *Model {
	m := &Model{}
	m.Reset()
	return m
}

// Reset empties the model.
func (m *Model) Reset() {
	*m = Model{Latest: map[contract.Ref]Applied{}, ByCustomer: map[string][]contract.Ref{}, Schedule: newSchedule(),
		Accounts: map[contract.Ref]Account{}, Erased: map[contract.Ref]int64{}, Mandates: map[string]contract.Use{}}
}

// Project brings an applied record into the model. Every event changes one contract, so the model
// takes the contract after it, whatever the event is.
func (m *Model) Project(a Applied) {
	m.enter(a)
	m.keep(a)
	m.noteFormer(a)
}

// enter enters the contract in the lists, and its next change in the schedule.
func (m *Model) enter(a Applied) {
	ref, c := a.After.Ref, a.After
	m.change(ref)
	if _, known := m.Latest[ref]; !known {
		m.All = append(m.All, ref)
		m.ByCustomer[c.CustomerRef] = append(m.ByCustomer[c.CustomerRef], ref)
	}
	if at, changes := c.NextChange(); changes {
		m.Schedule.set(ref, at)
	} else {
		m.Schedule.remove(ref)
	}
}

// keep keeps the record as the latest of its contract, and the account that it holds. An erasure is
// no fact, so the record of the last fact stays.
func (m *Model) keep(a Applied) {
	ref, c := a.After.Ref, a.After
	switch a.Event().(type) {
	case contract.PersonalDataErased:
		delete(m.Accounts, ref)
		m.Erased[ref] = c.Erasures
		last := m.Latest[ref]
		last.After = c
		m.Latest[ref] = last
		return
	case contract.MandateAccepted:
		delete(m.Accounts, ref)
		if a.Sealed != nil { // records of the former version hold none
			m.Accounts[ref] = Account{Mandate: *c.Mandate, Erasures: c.Erasures, Sealed: *a.Sealed}
		}
	}
	m.Latest[ref] = a
}

// noteFormer notes what a record of the former version says of a mandate. Those records could use a
// reference for several contracts, and again after it was revoked.
func (m *Model) noteFormer(a Applied) {
	switch e := a.Event().(type) {
	case contract.MandateAccepted:
		if e.Mandate.Key == "" {
			key := sepa.MandateKey(e.Mandate.ICS, e.Mandate.RUM)
			m.changeUse(key)
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
			m.changeUse(key)
			m.Mandates[key] = contract.Use{By: m.Mandates[key].By, Revoked: true}
		}
	}
}
