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

// informed returns the command to decide, given the states that it is decided on: a command about a
// mandate is told what became of that mandate.
func (s *Store) informed(command contract.Command) func(*ledger.View, *contract.Contract) contract.Command {
	switch asked := command.(type) {
	case contract.SignMandate:
		asked.Key = sepa.MandateKey(asked.ICS, asked.RUM)
		s.read(func() { asked.Use = s.model.Mandates[asked.Key] })
		return func(v *ledger.View, c *contract.Contract) contract.Command {
			told := asked
			told.Renews = c.Mandate != nil && keyOf(c.Mandate) == asked.Key
			if use, known := mandates.Get(v, asked.Key); known {
				told.Use = use
			}
			return told
		}
	case contract.RevokeMandate:
		return func(_ *ledger.View, c *contract.Contract) contract.Command {
			told := asked
			if c.Mandate != nil {
				told.Key = keyOf(c.Mandate)
			}
			return told
		}
	}
	return func(*ledger.View, *contract.Contract) contract.Command { return command }
}

// use notes in its stream what became of a mandate. A key is empty in records of the former
// version, which do not expect the stream.
func use(v *ledger.View, key string, by contract.Ref, revoked bool) {
	if key == "" {
		return
	}
	u, _ := mandates.Get(v, key)
	if u.By == "" {
		u.By = by
	}
	u.Revoked = u.Revoked || revoked
	mandates.Put(v, key, u)
}
