package contract

import "fmt"

// Identity is the company that a contract names as its buyer. A customer is one company: it gets
// one invoice for all its contracts.
type Identity struct {
	Ref   Ref
	SIREN string
}

// Identity returns the company that the contract names.
func (c *Contract) Identity() Identity { return Identity{Ref: c.Ref, SIREN: c.Buyer.SIREN} }

// OtherIdentity is the error of a command that would give a customer a second SIREN.
type OtherIdentity struct {
	CustomerRef string
	Other       Identity // one of the customer's other contracts
	Version     int64    // of the contract to amend; 0: it is a new one
}

func (e *OtherIdentity) Error() string {
	return fmt.Sprintf("customer %s has the SIREN %s on %s", e.CustomerRef, e.Other.SIREN, e.Other.Ref)
}

// checkIdentity returns an *OtherIdentity if a customer has other contracts and none has the SIREN.
// Records of the former version could give a customer several.
func checkIdentity(customer, siren string, others []Identity, version int64) error {
	for _, o := range others {
		if o.SIREN == siren {
			return nil
		}
	}
	if len(others) == 0 {
		return nil
	}
	return &OtherIdentity{CustomerRef: customer, Other: others[0], Version: version}
}
