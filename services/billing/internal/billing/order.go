package billing

import "fmt"

// OrderKey names an order of the booking system on a contract. One accepted purchase has it, until
// that is cancelled: whatever is added to an order later is an order of its own.
type OrderKey struct {
	ContractRef string
	OrderRef    string
}

// OrderError: an accepted purchase has the order already.
type OrderError struct {
	Order       OrderKey
	PurchaseRef string
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("order %s of %s was purchased as %s", e.Order.OrderRef, e.Order.ContractRef, e.PurchaseRef)
}

// free returns an OrderError if an accepted purchase has the order. Earlier are purchases of the
// order that the caller knows; records of the former version did not enter theirs in the order's
// state.
func (k OrderKey) free(s States, earlier []string) error {
	if ref := s.Order(k); ref != "" {
		return &OrderError{Order: k, PurchaseRef: ref}
	}
	for _, ref := range earlier {
		o, ok := s.Operation(ref)
		if ok && o.Kind == KindPurchase && o.Status == OperationAccepted && (OrderKey{o.ContractRef, o.OrderRef}) == k {
			return &OrderError{Order: k, PurchaseRef: ref}
		}
	}
	return nil
}
