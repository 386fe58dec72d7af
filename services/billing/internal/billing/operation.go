package billing

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Reason is why a purchase is refused.
type Reason string

// The reasons, in the order in which a refusal lists them.
const (
	ContractNotActive  Reason = "CONTRACT_NOT_ACTIVE"
	ContractNotStarted Reason = "CONTRACT_NOT_STARTED"
	ContractExpired    Reason = "CONTRACT_EXPIRED"
	MandateNotValid    Reason = "MANDATE_NOT_VALID"
	CeilingExceeded    Reason = "CEILING_EXCEEDED"
	CurrencyMismatch   Reason = "CURRENCY_MISMATCH"
)

// Errors of decisions about operations. They record nothing.
var (
	ErrOperationUnknown = errors.New("operation unknown")
	ErrNotRefundable    = errors.New("only an accepted purchase can be refunded")
	ErrRefundExceeds    = errors.New("refund is more than what is left of the purchase")
	ErrRefundCurrency   = errors.New("refund is not in the currency of the purchase")
	ErrPeriodFull       = errors.New("purchases of a contract in one period would be out of range")
	ErrAmount           = errors.New("amount must be at least one minor unit")
)

// Kind is the kind of an operation: a purchase or a refund.
type Kind string

// The kinds of operations.
const (
	KindPurchase Kind = "PURCHASE"
	KindRefund   Kind = "REFUND"
)

// OperationStatus is what became of an operation.
type OperationStatus string

// The statuses of operations.
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

// became says what became of the operation.
func (o Operation) became() string {
	switch {
	case o.Kind == KindRefund:
		return "is a refund"
	case o.Status == OperationRefused:
		return "was refused"
	case o.Status == OperationCancelled:
		return "was cancelled"
	}
	return "was accepted"
}

// Given is what was refunded.
func (o Operation) Given() Money { return Money{Amount: o.Refunded, Currency: o.Amount.Currency} }

// Judge returns every reason why a purchase of this amount would be refused now, none if it would
// be accepted.
func (a Account) Judge(amount Money, now time.Time) []Reason {
	var out []Reason
	c := a.Contract
	if c.Status != StatusActive && c.Status != StatusExpired {
		out = append(out, ContractNotActive)
	}
	if now.Before(c.ValidFrom) {
		out = append(out, ContractNotStarted)
	}
	if c.Status == StatusExpired || !c.ValidUntil.IsZero() && !now.Before(c.ValidUntil) {
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

// Hash is a running SHA-256 over the lines of a period; the zero value before the first.
type Hash [sha256.Size]byte

// line adds a line: the hash of the hash so far and the line's text.
func (h Hash) line(kind Kind, ref string, m Money) Hash {
	return sha256.Sum256(fmt.Appendf(h[:], "%s %s %d %s\n", kind, ref, m.Amount, m.Currency))
}

// OperationVisitor has a method for every event about purchases and refunds.
type OperationVisitor interface {
	PurchaseAccepted(PurchaseAccepted) error
	PurchaseRefused(PurchaseRefused) error
	RefundAccepted(RefundAccepted) error
	CreditNoteRecorded(CreditNoteRecorded) error
	PurchaseCancelled(PurchaseCancelled) error
}

// Purchase asks for a purchase on a contract.
type Purchase struct {
	ContractRef string
	OrderRef    string
	Label       string
	Amount      Money
	// Earlier are the accepted purchases of the order that the caller knows. Only those of the
	// former version of the log are needed.
	Earlier []string
}

// Order is the order that is to be purchased.
func (p Purchase) Order() OrderKey { return OrderKey{p.ContractRef, p.OrderRef} }

// About implements Command.
func (p Purchase) About() Subject { return Subject{Contract: p.ContractRef, Order: p.Order()} }

func (p Purchase) decide(s States, at Moment) (Event, error) {
	a, ok := s.Account(p.ContractRef)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrContractUnknown, p.ContractRef)
	}
	if err := p.Order().free(s, p.Earlier); err != nil {
		return nil, err
	}
	return DecidePurchase(a, p, at.Now, at.Paris)
}

// DecidePurchase accepts a purchase, or refuses it with every reason that applies.
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
	period := a.PeriodAt(now, paris)
	if open, _ := a.OpenPeriod(period); open.Purchases > MaxAmount-p.Amount.Amount {
		return nil, fmt.Errorf("%w: %s of %s", ErrPeriodFull, period, a.Contract.Ref)
	}
	return PurchaseAccepted{
		OperationRef: a.nextOperation(), ContractRef: a.Contract.Ref, OrderRef: p.OrderRef, Label: p.Label, Amount: p.Amount,
		Period: period, ContractVersion: a.Contract.Version, TakesOrder: true,
	}, nil
}

// take returns the account with one more operation, whose reference must be the next one.
func take(b Book, contractRef, operationRef string) (Account, error) {
	a, ok := b.Account(contractRef)
	if !ok {
		return a, impossible("contract %s is not known", contractRef)
	}
	if want := a.nextOperation(); operationRef != want {
		return a, impossible("operation %s, want %s", operationRef, want)
	}
	if _, taken := b.Operation(operationRef); taken {
		return a, impossible("operation %s exists", operationRef)
	}
	a.Operations++
	return a, nil
}

// PurchaseAccepted: a purchase was accepted.
type PurchaseAccepted struct {
	OperationRef    string
	ContractRef     string
	OrderRef        string
	Label           string
	Amount          Money
	Period          Period
	ContractVersion int64
	// TakesOrder: the purchase is entered in the state of its order. Records of the former version
	// of the log did not do that.
	TakesOrder bool
}

func (e PurchaseAccepted) order() OrderKey { return OrderKey{e.ContractRef, e.OrderRef} }

// About implements Event.
func (e PurchaseAccepted) About() Subject {
	s := Subject{Contract: e.ContractRef, Operation: e.OperationRef}
	if e.TakesOrder {
		s.Order = e.order()
	}
	return s
}

// Visit implements Event.
func (e PurchaseAccepted) Visit(v Visitor) error { return v.PurchaseAccepted(e) }

func (e PurchaseAccepted) apply(b Book, _ time.Time) error {
	a, err := take(b, e.ContractRef, e.OperationRef)
	if err != nil {
		return err
	}
	total, err := sum(a.Outstanding().Amount, e.Amount.Amount)
	switch {
	case err != nil:
		return impossible("outstanding of %s: %w", e.ContractRef, err)
	case e.Amount.Amount < 1 || e.Amount.Currency != a.Currency:
		return impossible("purchase of %s on an account in %s", e.Amount, a.Currency)
	case total > a.Contract.Ceiling.Amount:
		return impossible("purchase %s takes the outstanding to %d, above the ceiling %d", e.OperationRef, total, a.Contract.Ceiling.Amount)
	case a.Contract.Status != StatusActive:
		return impossible("purchase %s on a contract that is %s", e.OperationRef, a.Contract.Status)
	case !a.LastClosed.Before(e.Period):
		return impossible("purchase %s in the closed period %s", e.OperationRef, e.Period)
	}
	if e.TakesOrder {
		if taken := b.Order(e.order()); taken != "" {
			return impossible("purchase %s of the order %s, which %s has", e.OperationRef, e.OrderRef, taken)
		}
	}
	open, _ := a.OpenPeriod(e.Period)
	open.Period = e.Period
	open.Lines++
	// at most the outstanding amount and refunds, which are at most earlier purchases
	open.Purchases += e.Amount.Amount
	if open.Purchases < 0 {
		return impossible("purchases of %s: %w", e.Period, errOverflow)
	}
	open.Hash = open.Hash.line(KindPurchase, e.OperationRef, e.Amount)
	a.NotInvoiced += e.Amount.Amount
	b.PutAccount(a.withOpen(open))
	if e.TakesOrder {
		b.PutOrder(e.order(), e.OperationRef)
	}
	b.PutOperation(Operation{
		Ref: e.OperationRef, Kind: KindPurchase, Status: OperationAccepted, ContractRef: e.ContractRef, OrderRef: e.OrderRef,
		Amount: e.Amount, Period: e.Period,
	})
	return nil
}

// PurchaseRefused: a purchase was refused.
type PurchaseRefused struct {
	OperationRef    string
	ContractRef     string
	OrderRef        string
	Label           string
	Amount          Money
	Reasons         []Reason
	ContractVersion int64
}

// About implements Event.
func (e PurchaseRefused) About() Subject {
	return Subject{Contract: e.ContractRef, Operation: e.OperationRef}
}

// Visit implements Event.
func (e PurchaseRefused) Visit(v Visitor) error { return v.PurchaseRefused(e) }

func (e PurchaseRefused) apply(b Book, _ time.Time) error {
	a, err := take(b, e.ContractRef, e.OperationRef)
	if err != nil {
		return err
	}
	if len(e.Reasons) == 0 {
		return impossible("purchase %s is refused without a reason", e.OperationRef)
	}
	b.PutAccount(a)
	b.PutOperation(Operation{
		Ref: e.OperationRef, Kind: KindPurchase, Status: OperationRefused, ContractRef: e.ContractRef, OrderRef: e.OrderRef, Amount: e.Amount,
	})
	return nil
}

// Refund asks for a part of a purchase back.
type Refund struct {
	PurchaseRef string
	Reason      string
	Amount      Money
}

// About implements Command.
func (r Refund) About() Subject { return onPurchase(r.PurchaseRef) }

// onPurchase is the subject of a command on a purchase.
func onPurchase(ref string) Subject { return Subject{Contract: ContractOf(ref), Purchase: ref} }

// purchaseOf returns the operation with the reference, which may be no purchase, and its account.
func purchaseOf(s States, ref string) (Account, Operation, error) {
	o, ok := s.Operation(ref)
	if !ok {
		return Account{}, o, fmt.Errorf("%w: %s", ErrOperationUnknown, ref)
	}
	a, _ := s.Account(o.ContractRef)
	return a, o, nil
}

func (r Refund) decide(s States, at Moment) (Event, error) {
	a, purchase, err := purchaseOf(s, r.PurchaseRef)
	if err != nil {
		return nil, err
	}
	e, err := DecideRefund(a, purchase, r)
	if !errors.Is(err, ErrPurchaseInvoiced) {
		return e, err
	}
	i, _ := s.Invoice(a.InvoiceOf(purchase.Period))
	return DecideCreditNote(a, purchase, i, s.Numbering(CreditNoteSeries), r, at)
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

// DecideRefund refunds part of a purchase, whatever the contract's status. It returns
// ErrPurchaseInvoiced if the purchase's period is closed; DecideCreditNote decides then.
func DecideRefund(a Account, purchase Operation, r Refund) (Event, error) {
	switch {
	case purchase.Kind != KindPurchase || purchase.Status != OperationAccepted:
		return nil, fmt.Errorf("%w: %s %s", ErrNotRefundable, purchase.Ref, purchase.became())
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

// RefundAccepted: part of a purchase was refunded before its period was closed.
type RefundAccepted struct {
	OperationRef string
	ContractRef  string
	PurchaseRef  string
	Reason       string
	Amount       Money
	Period       Period
}

// About implements Event.
func (e RefundAccepted) About() Subject {
	return Subject{Contract: e.ContractRef, Operation: e.OperationRef, Purchase: e.PurchaseRef}
}

// Visit implements Event.
func (e RefundAccepted) Visit(v Visitor) error { return v.RefundAccepted(e) }

// takeRefund returns the account and the purchase of a recorded refund, with the refund counted in
// both. The refund's reference must be the next one, and its amount must be left of the purchase.
func takeRefund(b Book, refundRef, contractRef, purchaseRef string, amount Money) (Account, Operation, error) {
	a, err := take(b, contractRef, refundRef)
	if err != nil {
		return a, Operation{}, err
	}
	p, ok := b.Operation(purchaseRef)
	if !ok || p.Kind != KindPurchase || p.Status != OperationAccepted || p.ContractRef != contractRef {
		return a, p, impossible("refund %s of %s, which is not an accepted purchase of %s", refundRef, purchaseRef, contractRef)
	}
	if amount.Amount < 1 || amount.Currency != p.Amount.Currency || amount.Amount > p.Left().Amount {
		return a, p, impossible("refund %s of %s, %s left of %s", refundRef, amount, p.Left(), p.Ref)
	}
	p.Refunded += amount.Amount
	return a, p, nil
}

// putRefund keeps a refund, and its purchase as takeRefund returned it.
func putRefund(b Book, refundRef string, purchase Operation, amount Money) {
	b.PutOperation(purchase)
	b.PutOperation(Operation{
		Ref: refundRef, Kind: KindRefund, Status: OperationAccepted, ContractRef: purchase.ContractRef, OrderRef: purchase.OrderRef,
		Amount: amount, Period: purchase.Period,
	})
}

func (e RefundAccepted) apply(b Book, _ time.Time) error {
	a, p, err := takeRefund(b, e.OperationRef, e.ContractRef, e.PurchaseRef, e.Amount)
	if err != nil {
		return err
	}
	open, found := a.OpenPeriod(e.Period)
	if !found || e.Period != p.Period {
		return impossible("refund %s in the period %s, which is not the open one of %s", e.OperationRef, e.Period, p.Ref)
	}
	if a.NotInvoiced, err = less(a.NotInvoiced, e.Amount.Amount); err != nil {
		return impossible("not invoiced of %s: %w", e.ContractRef, err)
	}
	if _, err := less(open.Total(), e.Amount.Amount); err != nil {
		return impossible("total of %s: %w", e.Period, err)
	}
	open.Refunds += e.Amount.Amount
	open.Lines++
	open.Hash = open.Hash.line(KindRefund, e.OperationRef, e.Amount)
	b.PutAccount(a.withOpen(open))
	putRefund(b, e.OperationRef, p, e.Amount)
	return nil
}
