package billing

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Reason is why a purchase is refused.
type Reason string

// Every reason, in the order in which they are given.
const (
	ContractNotActive Reason = "CONTRACT_NOT_ACTIVE"
	ContractExpired   Reason = "CONTRACT_EXPIRED"
	MandateNotValid   Reason = "MANDATE_NOT_VALID"
	CeilingExceeded   Reason = "CEILING_EXCEEDED"
	CurrencyMismatch  Reason = "CURRENCY_MISMATCH"
)

// Errors of decisions about operations. They record nothing.
var (
	ErrContractUnknown    = errors.New("contract unknown")
	ErrContractUnreadable = errors.New("newest state of the contract could not be read")
	ErrOperationUnknown   = errors.New("operation unknown")
	ErrNotRefundable      = errors.New("only an accepted purchase can be refunded")
	ErrRefundExceeds      = errors.New("refund is more than what is left of the purchase")
	ErrRefundCurrency     = errors.New("refund is not in the currency of the purchase")
	ErrPurchaseInvoiced   = errors.New("purchase is invoiced already; a credit note is needed")
	ErrStale              = errors.New("version is not newer than the one known")
	ErrAmount             = errors.New("amount must be at least one minor unit")
)

// Kind tells purchases from refunds.
type Kind string

// The kinds of operations.
const (
	KindPurchase Kind = "PURCHASE"
	KindRefund   Kind = "REFUND"
)

// OperationStatus is what became of an operation.
type OperationStatus string

// The statuses of operations. A cancelled purchase has a place here and is not built yet.
const (
	OperationAccepted  OperationStatus = "ACCEPTED"
	OperationRefused   OperationStatus = "REFUSED"
	OperationCancelled OperationStatus = "CANCELLED"
)

// Operation is what later decisions need to know of an operation.
type Operation struct {
	Ref         string
	Kind        Kind
	Status      OperationStatus
	ContractRef string
	OrderRef    string
	Amount      Money
	Refunded    int64 // of a purchase
	Period      Period
}

// Left is what may still be refunded.
func (o Operation) Left() Money {
	return Money{Amount: o.Amount.Amount - o.Refunded, Currency: o.Amount.Currency}
}

// Purchase is what is asked for.
type Purchase struct {
	OrderRef string
	Label    string
	Amount   Money
}

// Refund is what is asked back.
type Refund struct {
	Reason string
	Amount Money
}

// Judge gives every reason why a purchase of this amount would be refused now; none when it would
// be accepted.
func (a Account) Judge(amount Money, now time.Time) []Reason {
	var out []Reason
	c := a.Contract
	if c.Status != StatusActive {
		out = append(out, ContractNotActive)
	}
	if now.Before(c.ValidFrom) || !c.ValidUntil.IsZero() && !now.Before(c.ValidUntil) {
		out = append(out, ContractExpired)
	}
	if a.MandateStatus(now) != MandateValid {
		out = append(out, MandateNotValid)
	}
	if amount.Currency != c.Ceiling.Currency || c.Ceiling.Currency != a.Currency {
		return append(out, CurrencyMismatch)
	}
	// A difference of amounts that are not negative, so that no sum can run over.
	if room := c.Ceiling.Amount - a.Outstanding().Amount; amount.Amount > room {
		out = append(out, CeilingExceeded)
	}
	return out
}

// DecidePurchase accepts a purchase or refuses it with every reason that applies.
func DecidePurchase(a Account, p Purchase, now time.Time, paris *time.Location) (Event, error) {
	if a.Unreadable {
		return nil, fmt.Errorf("%w: %s", ErrContractUnreadable, a.Contract.Ref)
	}
	if p.Amount.Amount < 1 {
		return nil, fmt.Errorf("%w: %d", ErrAmount, p.Amount.Amount)
	}
	if reasons := a.Judge(p.Amount, now); len(reasons) > 0 {
		return PurchaseRefused{
			OperationRef: a.nextOperation(), ContractRef: a.Contract.Ref, OrderRef: p.OrderRef, Label: p.Label, Amount: p.Amount,
			Reasons: reasons, ContractVersion: a.Contract.Version,
		}, nil
	}
	return PurchaseAccepted{
		OperationRef: a.nextOperation(), ContractRef: a.Contract.Ref, OrderRef: p.OrderRef, Label: p.Label, Amount: p.Amount,
		Period: a.PeriodAt(now, paris), ContractVersion: a.Contract.Version,
	}, nil
}

// RefundError is ErrRefundExceeds with its figures.
type RefundError struct {
	PurchaseRef string
	Asked, Left Money
}

func (e *RefundError) Error() string {
	return fmt.Sprintf("%s is asked back and %s is left of %s", e.Asked, e.Left, e.PurchaseRef)
}

func (e *RefundError) Unwrap() error { return ErrRefundExceeds }

// DecideRefund gives back part of a purchase, whatever the contract's status. Once the purchase's
// period is closed a credit note is needed, which is not built yet: ErrPurchaseInvoiced.
func DecideRefund(a Account, purchase Operation, r Refund) (Event, error) {
	switch {
	case purchase.Kind != KindPurchase || purchase.Status != OperationAccepted:
		return nil, fmt.Errorf("%w: %s is a %s, %s", ErrNotRefundable, purchase.Ref, purchase.Kind, purchase.Status)
	case r.Amount.Amount < 1:
		return nil, fmt.Errorf("%w: %d", ErrAmount, r.Amount.Amount)
	case r.Amount.Currency != purchase.Amount.Currency:
		return nil, fmt.Errorf("%w: %s is in %s", ErrRefundCurrency, purchase.Ref, purchase.Amount.Currency)
	case r.Amount.Amount > purchase.Left().Amount:
		return nil, &RefundError{PurchaseRef: purchase.Ref, Asked: r.Amount, Left: purchase.Left()}
	case !a.LastClosed.Before(purchase.Period):
		return nil, fmt.Errorf("%w: %s is in the closed period %s", ErrPurchaseInvoiced, purchase.Ref, purchase.Period)
	}
	return RefundAccepted{
		OperationRef: a.nextOperation(), ContractRef: a.Contract.Ref, PurchaseRef: purchase.Ref, Reason: r.Reason,
		Amount: r.Amount, Period: purchase.Period,
	}, nil
}

// DecideObserved takes in a state of a contract when it is newer than the one known (nil: none is).
func DecideObserved(known *Account, o ContractObserved) (Event, error) {
	if known != nil && o.Contract.Version <= known.Contract.Version {
		return nil, fmt.Errorf("%w: %d, known %d", ErrStale, o.Contract.Version, known.Contract.Version)
	}
	return o, nil
}

// DecideUnreadable notes that a fact about a contract could not be read. A fact that was noted
// already is ErrStale: it may be delivered again after a newer version was read.
func DecideUnreadable(a Account, u ContractUnreadable) (Event, error) {
	last := a.LastUnreadable
	if last.Topic == u.Source.Topic && last.Partition == u.Source.Partition && last.Offset >= u.Source.Offset {
		return nil, fmt.Errorf("%w: offset %d was noted", ErrStale, u.Source.Offset)
	}
	return u, nil
}

// Hash is a running SHA-256 over the lines of a period; the zero value before the first.
type Hash [sha256.Size]byte

// line adds a line: the hash of the hash so far and the line's text.
func (h Hash) line(kind Kind, ref string, m Money) Hash {
	return sha256.Sum256(fmt.Appendf(h[:], "%s %s %d %s\n", kind, ref, m.Amount, m.Currency))
}
