package store

import (
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/codes/sepa"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

// mandates are the streams of mandates that records of this version speak of. What became of the
// others is in the read model.
const mandates ledger.Family[contract.Use] = "mandate/"

// keyOf returns what identifies a mandate to the banks.
func keyOf(m *contract.Mandate) string {
	if m.Key != "" {
		return m.Key
	}
	return sepa.MandateKey(m.ICS, m.RUM)
}

// signing returns what completes a command with what became of its mandate.
func (s *Store) signing(asked contract.SignMandate) completion {
	asked.Key = sepa.MandateKey(asked.ICS, asked.RUM)
	s.read(func() { asked.Use = s.model.Mandates[asked.Key] })
	return func(v *ledger.View, c *contract.Contract) contract.Command {
		complete := asked
		complete.Renews = c.Mandate != nil && keyOf(c.Mandate) == asked.Key
		if use, known := mandates.Get(v, asked.Key); known {
			complete.Use = use
		}
		return complete
	}
}

// revoking returns what completes a command with the key of the mandate that the contract has.
func revoking(asked contract.RevokeMandate) completion {
	return func(_ *ledger.View, c *contract.Contract) contract.Command {
		complete := asked
		if c.Mandate != nil {
			complete.Key = keyOf(c.Mandate)
		}
		return complete
	}
}

// use notes in its stream what became of a mandate.
func use(v *ledger.View, key string, by contract.Ref, revoked bool) {
	u, _ := mandates.Get(v, key)
	if u.By == "" {
		u.By = by
	}
	u.Revoked = u.Revoked || revoked
	mandates.Put(v, key, u)
}
