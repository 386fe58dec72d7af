package store

import (
	"context"
	"slices"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

// customers are the streams of customers, by reference: the identities of the contracts that
// records of this version opened or gave another buyer. Those of the other contracts do not change
// any more; the read model has them.
const customers ledger.Family[[]contract.Identity] = "customer/"

// identify enters a contract in the list of its customer.
func identify(v *ledger.View, customer string, of contract.Identity) {
	listed, _ := customers.Get(v, customer)
	customers.Put(v, customer, append(without(listed, of.Ref), of))
}

// without returns a copy of a list without a contract.
func without(list []contract.Identity, ref contract.Ref) []contract.Identity {
	return slices.DeleteFunc(slices.Clone(list), func(i contract.Identity) bool { return i.Ref == ref })
}

// others returns the identities of a customer's contracts but one. Known is what the read model
// has.
func others(v *ledger.View, customer string, but contract.Ref, known []contract.Identity) []contract.Identity {
	out, _ := customers.Get(v, customer)
	for _, k := range known {
		if !slices.ContainsFunc(out, func(i contract.Identity) bool { return i.Ref == k.Ref }) {
			out = append(slices.Clip(out), k)
		}
	}
	return without(out, but)
}

// identities returns those of a customer's contracts that the read model has.
func (s *Store) identities(customer string) (out []contract.Identity) {
	s.read(func() {
		for _, ref := range s.model.ByCustomer[customer] {
			out = append(out, contract.Identity{Ref: ref, SIREN: s.model.Latest[ref].After.Buyer.SIREN})
		}
	})
	return out
}

// amending returns what completes a command that names a buyer with the identities of the
// customer's other contracts. It reads what is in the log if the contract is not known here.
func (s *Store) amending(ctx context.Context, ref contract.Ref, asked contract.Amend) (completion, error) {
	c, _, err := s.Get(ref)
	if err != nil {
		if err := s.Barrier(ctx); err != nil {
			return nil, err
		}
		c, _, _ = s.Get(ref)
	}
	var known []contract.Identity
	if c != nil {
		known = s.identities(c.CustomerRef)
	}
	return func(v *ledger.View, c *contract.Contract) contract.Command {
		complete := asked
		complete.Others = others(v, c.CustomerRef, ref, known)
		return complete
	}, nil
}
