// Package billingtest judges histories of billing by their events alone, without any code of the
// rules. The tests of the domain and those of the store import it, and nothing else does.
package billingtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
)

// Properties are the properties that an Audit judges, and what they promise.
var Properties = []string{
	"P3 outstanding stays within the ceiling",
	"P4 only a valid contract buys",
	"P5 invoices add up to what was bought",
	"P6 each operation is on one invoice",
	"P7 numbers have no gap",
	"P8 a month is closed once",
	"P11 refunds stay within the purchase",
	"P17 time moves nothing into a closed month",
	"an order has one purchase",
}

// Audit keeps the books of a history. The zero value is not ready; use New.
type Audit struct {
	paris  *time.Location
	faults map[string][]string // by the first word of a property

	contracts   map[string]billing.Contract
	presented   map[string]time.Time // by mandate reference: the last presentation
	outstanding map[string]int64
	// by operation; not cancelled
	purchases map[string]billing.PurchaseAccepted
	refunded  map[string]int64 // by purchase, credit notes included
	periods   map[string]int64 // by contract and period: purchases less refunds
	lines     map[string]int64
	closed    map[string]billing.PeriodClosed // by contract and period
	issued    map[string]string               // invoice by customer, currency and period
	due       map[string]int64                // by invoice and contract: invoiced less credited
	collected map[string]int64                // by invoice and contract
	numbers   map[string]billing.Numbering    // by prefix
	last      map[string]time.Time            // by contract: when it was last decided on
}

// New returns the books before the first event. Paris is where the months are.
func New(paris *time.Location) *Audit {
	return &Audit{
		paris: paris, faults: map[string][]string{}, contracts: map[string]billing.Contract{}, presented: map[string]time.Time{},
		outstanding: map[string]int64{}, purchases: map[string]billing.PurchaseAccepted{}, refunded: map[string]int64{},
		periods: map[string]int64{}, lines: map[string]int64{}, closed: map[string]billing.PeriodClosed{}, issued: map[string]string{},
		due: map[string]int64{}, collected: map[string]int64{}, numbers: map[string]billing.Numbering{}, last: map[string]time.Time{},
	}
}

// Faults returns what breaks a property, given as in Properties.
func (x *Audit) Faults(property string) []string {
	return x.faults[name(property)]
}

func name(property string) string {
	var first string
	_, _ = fmt.Sscan(property, &first)
	return first
}

func (x *Audit) fault(property, format string, args ...any) {
	x.faults[property] = append(x.faults[property], fmt.Sprintf(format, args...))
}

// Add enters an event that was decided at an instant.
func (x *Audit) Add(e billing.Event, at time.Time) {
	x.time(e, at)
	switch v := e.(type) {
	case billing.ContractObserved:
		x.contracts[v.Contract.Ref] = v.Contract
	case billing.PurchaseAccepted:
		x.purchase(v, at)
	case billing.PurchaseCancelled:
		x.cancel(v)
	case billing.RefundAccepted:
		key := x.key(v.ContractRef, v.Period)
		x.refund(v.PurchaseRef, v.Amount)
		x.notClosed(key)
		x.periods[key] -= v.Amount.Amount
		x.lines[key]++
		x.outstanding[v.ContractRef] -= v.Amount.Amount
	case billing.CreditNoteRecorded:
		x.credit(v)
	case billing.PeriodClosed:
		x.close(v, at)
	case billing.DebitPresented:
		x.presented[v.RUM] = at
	case billing.DebitCollected:
		x.pay(v.InvoiceRef, v.ContractRef, v.Amount.Amount)
	case billing.SettledOtherwise:
		x.pay(v.InvoiceRef, v.ContractRef, v.Amount.Amount)
	case billing.DebitReturned:
		x.pay(v.InvoiceRef, v.ContractRef, -v.Amount.Amount)
	}
	for ref, amount := range x.outstanding {
		if amount < 0 {
			x.fault("P3", "the outstanding amount of %s is %d", ref, amount)
		}
	}
}

// End judges what can be judged once every month is billed: every purchase that was not cancelled
// and every refund before the invoice is on exactly one, that of its contract and period.
func (x *Audit) End() {
	for key, total := range x.periods {
		c, ok := x.closed[key]
		if !ok {
			x.fault("P6", "%s was never invoiced", key)
			continue
		}
		p := c.Parts[slices.IndexFunc(c.Parts, func(p billing.ClosedPart) bool { return x.key(p.ContractRef, c.Period) == key })]
		if p.Lines != x.lines[key] {
			x.fault("P6", "invoice %s of %s has %d lines, the log has %d", c.InvoiceRef, key, p.Lines, x.lines[key])
		}
		if p.Total.Amount != total {
			x.fault("P5", "invoice %s of %s has %d, the log has %d", c.InvoiceRef, key, p.Total.Amount, total)
		}
		if got, want := x.due[c.InvoiceRef+" "+p.ContractRef], x.bought(key); got != want {
			x.fault("P5", "%d is due on %s of %s, and %d was bought and not given back", got, c.InvoiceRef, key, want)
		}
	}
	if len(x.closed) != len(x.periods) {
		x.fault("P6", "%d parts of invoices for %d periods of contracts", len(x.closed), len(x.periods))
	}
}

// bought is what was purchased on a contract in a period, and neither cancelled nor refunded.
func (x *Audit) bought(key string) (sum int64) {
	for ref, p := range x.purchases {
		if x.key(p.ContractRef, p.Period) == key {
			sum += p.Amount.Amount - x.refunded[ref]
		}
	}
	return sum
}

func (x *Audit) key(contract string, p billing.Period) string { return contract + " " + p.String() }

// time checks that decisions on a contract are in the order of their instants, whatever the clocks
// did.
func (x *Audit) time(e billing.Event, at time.Time) {
	about := e.About()
	for _, ref := range append([]string{about.Contract}, about.Contracts...) {
		if ref == "" {
			continue
		}
		if at.Before(x.last[ref]) {
			x.fault("P17", "%T on %s at %s, after one at %s", e, ref, at, x.last[ref])
		}
		x.last[ref] = at
	}
}

func (x *Audit) purchase(v billing.PurchaseAccepted, at time.Time) {
	c, key := x.contracts[v.ContractRef], x.key(v.ContractRef, v.Period)
	x.outstanding[v.ContractRef] += v.Amount.Amount
	if x.outstanding[v.ContractRef] > c.Ceiling.Amount {
		x.fault("P3", "%s takes the outstanding amount to %d of %d", v.OperationRef, x.outstanding[v.ContractRef], c.Ceiling.Amount)
	}
	signed := c.Mandate.SignedAt
	if last := x.presented[c.Mandate.RUM]; last.After(signed) {
		signed = last
	}
	ended := !c.ValidUntil.IsZero() && !at.Before(c.ValidUntil)
	if c.Status != billing.StatusActive || c.Mandate.RUM == "" || !c.Mandate.RevokedAt.IsZero() || ended || at.Before(c.ValidFrom) || !at.Before(signed.AddDate(3, 0, 0)) {
		x.fault("P4", "%s is accepted at %s on %+v, last presented at %s", v.OperationRef, at, c, x.presented[c.Mandate.RUM])
	}
	if _, twice := x.purchases[v.OperationRef]; twice {
		x.fault("P6", "%s is there twice", v.OperationRef)
	}
	for _, p := range x.purchases {
		if v.TakesOrder && p.ContractRef == v.ContractRef && p.OrderRef == v.OrderRef {
			x.fault("an", "%s and %s are of the order %s", p.OperationRef, v.OperationRef, v.OrderRef)
		}
	}
	if month := billing.PeriodOf(at, x.paris); v.Period.Before(month) {
		x.fault("P17", "%s of %s enters %s", v.OperationRef, at, v.Period)
	}
	x.notClosed(key)
	x.purchases[v.OperationRef] = v
	x.periods[key] += v.Amount.Amount
	x.lines[key]++
}

func (x *Audit) notClosed(key string) {
	if c, ok := x.closed[key]; ok {
		x.fault("P17", "an operation enters %s, invoiced as %s", key, c.InvoiceRef)
	}
}

// refund adds to what was refunded of a purchase.
func (x *Audit) refund(purchase string, amount billing.Money) {
	x.refunded[purchase] += amount.Amount
	if x.refunded[purchase] > x.purchases[purchase].Amount.Amount || amount.Amount < 1 {
		x.fault("P11", "%d is refunded of %s", x.refunded[purchase], purchase)
	}
}

// cancel takes a purchase out of its open period. A period without any line is on no invoice.
func (x *Audit) cancel(v billing.PurchaseCancelled) {
	p, ok := x.purchases[v.OperationRef]
	if !ok || x.refunded[v.OperationRef] != 0 {
		x.fault("P5", "%s is cancelled, with %d refunded", v.OperationRef, x.refunded[v.OperationRef])
	}
	key := x.key(p.ContractRef, p.Period)
	x.notClosed(key)
	delete(x.purchases, v.OperationRef)
	x.outstanding[p.ContractRef] -= p.Amount.Amount
	x.periods[key] -= p.Amount.Amount
	if x.lines[key]--; x.lines[key] == 0 {
		if x.periods[key] != 0 {
			x.fault("P5", "%s has no lines and %d", key, x.periods[key])
		}
		delete(x.periods, key)
		delete(x.lines, key)
	}
}

// credit lowers what is due on the invoice that has the purchase.
func (x *Audit) credit(v billing.CreditNoteRecorded) {
	p := x.purchases[v.PurchaseRef]
	if on := x.closed[x.key(v.ContractRef, p.Period)]; on.InvoiceRef != v.InvoiceRef || p.ContractRef != v.ContractRef {
		x.fault("P6", "%s of %s is on %s, the purchase on %s", v.CreditNoteRef, v.PurchaseRef, v.InvoiceRef, on.InvoiceRef)
	}
	x.refund(v.PurchaseRef, v.Amount)
	x.number("AVO", v.CreditNoteRef)
	key := v.InvoiceRef + " " + v.ContractRef
	x.change(v.ContractRef, key, func() { x.due[key] -= v.Amount.Amount })
	if x.due[key] < 0 {
		x.fault("P5", "%d is due on %s", x.due[key], key)
	}
}

// change keeps the outstanding amount of a contract in step with what is open on an invoice.
func (x *Audit) change(contract, key string, change func()) {
	open := func() int64 { return max(0, x.due[key]-x.collected[key]) }
	before := open()
	change()
	x.outstanding[contract] += open() - before
}

// number checks that a reference is the next of its series.
func (x *Audit) number(prefix, ref string) {
	var n billing.Numbering
	if _, err := fmt.Sscanf(ref, prefix+"-%d-%d", &n.Year, &n.Last); err != nil {
		x.fault("P7", "%s: %v", ref, err)
	}
	last := x.numbers[prefix]
	if first := n.Last == 1; n.Year < last.Year || n.Year == last.Year && n.Last != last.Last+1 || n.Year > last.Year && !first {
		x.fault("P7", "number %+v after %+v", n, last)
	}
	x.numbers[prefix] = n
}

// pay adds what was collected, or returned. A part is paid in full or not at all.
func (x *Audit) pay(invoice, contract string, amount int64) {
	key := invoice + " " + contract
	x.change(contract, key, func() { x.collected[key] += amount })
	if amount > 0 && x.collected[key] < x.due[key] {
		x.fault("P5", "%s has %d open after it was paid", key, x.due[key]-x.collected[key])
	}
	if x.collected[key] < 0 {
		x.fault("P5", "%s has %d collected", key, x.collected[key])
	}
}

func (x *Audit) close(v billing.PeriodClosed, at time.Time) {
	customer := v.Customer.CustomerRef + " " + v.Customer.SellerRef + " " + v.Total.Currency + " " + v.Period.String()
	if before := x.issued[customer]; before != "" {
		x.fault("P8", "%s is on %s and on %s", customer, before, v.InvoiceRef)
	}
	x.issued[customer] = v.InvoiceRef
	total := int64(0)
	for _, p := range v.Parts {
		key := x.key(p.ContractRef, v.Period)
		if c, ok := x.closed[key]; ok {
			x.fault("P8", "%s is on %s and on %s", key, c.InvoiceRef, v.InvoiceRef)
		}
		if c := x.contracts[p.ContractRef].Customer(); p.Total.Amount < 0 || c != v.Customer {
			x.fault("P6", "%s is closed with %d for %s", key, p.Total.Amount, v.Customer.CustomerRef)
		}
		x.closed[key], x.due[v.InvoiceRef+" "+p.ContractRef] = v, p.Total.Amount
		total += p.Total.Amount
	}
	if v.Total.Amount != total {
		x.fault("P5", "%s has %d, its parts have %d", v.InvoiceRef, v.Total.Amount, total)
	}
	if at.Before(v.Period.End(x.paris)) {
		x.fault("P17", "%s is closed at %s", customer, at)
	}
	x.number("BIL", v.InvoiceRef)
}
