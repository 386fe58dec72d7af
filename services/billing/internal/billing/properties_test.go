package billing

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world plays random commands against the rules and keeps the log; the properties look at the log
// alone.
type world struct {
	*book
	t   *rapid.T
	now time.Time
}

var refs = []string{"CTR-1", "CTR-2", "CTR-3"}

// The first two contracts are those of one customer.
var (
	customerA  = CustomerKey{CustomerRef: "A", SellerRef: "AG"}
	customerB  = CustomerKey{CustomerRef: "B", SellerRef: "AG"}
	customerOf = map[string]CustomerKey{"CTR-1": customerA, "CTR-2": customerA, "CTR-3": customerB}
)

func (w *world) contract() string { return rapid.SampledFrom(refs).Draw(w.t, "contract") }

func (w *world) decided(e Event, err error) {
	if err == nil {
		w.do(w.t, w.now, e, nil)
	}
}

func (w *world) observe() {
	ref := w.contract()
	a, known := w.accounts[ref]
	c := Contract{
		Ref: ref, SubscriptionRef: "SUB", CustomerRef: customerOf[ref].CustomerRef, SellerRef: "AG", Version: a.Contract.Version + rapid.Int64Range(0, 2).Draw(w.t, "newer"),
		Status:    rapid.SampledFrom([]Status{StatusActive, StatusActive, StatusActive, StatusActive, StatusSuspended, StatusTerminated}).Draw(w.t, "status"),
		Ceiling:   eur(rapid.Int64Range(0, 1000).Draw(w.t, "ceiling")),
		ValidFrom: date("2026-01-01"), Mandate: Mandate{RUM: "R", SignedAt: date("2026-01-01")},
	}
	if rapid.IntRange(0, 5).Draw(w.t, "revoked") == 0 {
		c.Mandate.RevokedAt = w.now
	}
	if rapid.IntRange(0, 5).Draw(w.t, "ends") == 0 {
		c.ValidUntil = w.now.AddDate(0, 0, rapid.IntRange(0, 40).Draw(w.t, "days"))
	}
	if !known && rapid.Bool().Draw(w.t, "by a record of the former version") {
		w.do(w.t, w.now, ContractObserved{Contract: c}, nil)
		return
	}
	w.decided(w.decides(Observe{Contract: c}, w.now))
}

// purchase purchases an order, which may be one that was purchased before. The first records of a
// contract may be of the former version.
func (w *world) purchase() {
	p := Purchase{ContractRef: w.contract(), OrderRef: fmt.Sprint("O-", rapid.IntRange(1, 30).Draw(w.t, "order")), Amount: eur(rapid.Int64Range(1, 400).Draw(w.t, "amount"))}
	if !slices.ContainsFunc(w.log, func(e entry) bool {
		return e.event.About().Contract == p.ContractRef && e.event.About().Order != OrderKey{}
	}) &&
		w.accounts[p.ContractRef].Contract.Version == 1 && rapid.Bool().Draw(w.t, "by a record of the former version") {
		if e, err := DecidePurchase(w.accounts[p.ContractRef], p, w.now, paris); err == nil {
			if accepted, ok := e.(PurchaseAccepted); ok {
				accepted.TakesOrder = false
				e = accepted
			}
			w.do(w.t, w.now, e, nil)
		}
		return
	}
	for _, o := range w.operations {
		if o.ContractRef == p.ContractRef && o.OrderRef == p.OrderRef && o.Kind == KindPurchase && o.Status == OperationAccepted {
			p.Earlier = append(p.Earlier, o.Ref)
		}
	}
	w.decided(w.decides(p, w.now))
}

// operation returns the reference of any operation, or "" if there is none.
func (w *world) operation() string {
	a, ok := w.accounts[w.contract()]
	if !ok || a.Operations == 0 {
		return ""
	}
	return OperationRef(a.Contract.Ref, rapid.Int64Range(1, a.Operations).Draw(w.t, "operation"))
}

// refund refunds a part of a purchase, before or after it was invoiced.
func (w *world) refund() {
	w.decided(w.decides(Refund{PurchaseRef: w.operation(), Amount: eur(rapid.Int64Range(1, 400).Draw(w.t, "amount"))}, w.now))
}

func (w *world) cancel() {
	w.decided(w.decides(Cancel{PurchaseRef: w.operation()}, w.now))
}

// run bills a period as the service does: every customer, one decision each.
func (w *world) run() {
	p := PeriodOf(w.now, paris)
	for range rapid.IntRange(0, 3).Draw(w.t, "ago") {
		p = p.Previous()
	}
	w.runPeriod(p)
}

func (w *world) runPeriod(p Period) {
	closes := []Close{{customerA, []string{"CTR-1", "CTR-2"}, p}, {customerB, []string{"CTR-3"}, p}}
	for _, c := range closes {
		if e, err := w.decides(c, w.now); err == nil {
			w.do(w.t, w.now, e, nil)
		}
	}
	// P8: a second run adds nothing.
	for _, c := range closes {
		if _, err := w.decides(c, w.now); err == nil {
			w.t.Fatalf("a second run of %s closes it for %s again", p, c.Customer.CustomerRef)
		}
	}
}

func (w *world) settle() {
	last := w.numberings[InvoiceSeries]
	if last.Last == 0 {
		return
	}
	i := w.invoices[Numbering{last.Year, rapid.Int64Range(1, last.Last).Draw(w.t, "invoice")}.ref(InvoiceSeries)]
	c := Collecting{InvoiceRef: i.Ref, ContractRef: rapid.SampledFrom(append([]string{""}, refs...)).Draw(w.t, "part")}
	w.decided(w.decides(rapid.SampledFrom([]Command{Present{c}, Collect{c}, Reject{c, "AM04"}, Return{c, "MD06"}, SettleOtherwise{c, "VIR"}}).Draw(w.t, "step"), w.now))
}

func (w *world) pass() {
	w.now = w.now.Add(time.Duration(rapid.Int64Range(0, 20*24*3600).Draw(w.t, "seconds")) * time.Second)
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{book: newBook(), t: t, now: date("2026-01-01")}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch rapid.IntRange(0, 14).Draw(t, "what") {
			case 0:
				w.observe()
			case 1, 2, 3, 4:
				w.purchase()
			case 5, 13:
				w.refund()
			case 14:
				w.cancel()
			case 6:
				w.run()
			case 7, 8, 9:
				w.settle()
			default:
				w.pass()
			}
		}
		w.now = w.now.AddDate(0, 4, 0) // everything ends, everything is billed
		for p := (Period{2026, time.January}); p.End(paris).Before(w.now); p = p.Next() {
			w.runPeriod(p)
		}
		checkLog(t, w.log)
		sameFold(t, w.book)
		w.everyDebtCanBeSettled()
	})
}

// everyDebtCanBeSettled settles what is open on every part without the help of a mandate. Then
// nothing is outstanding.
func (w *world) everyDebtCanBeSettled() {
	for _, ref := range refs {
		if a, ok := w.accounts[ref]; ok {
			a.Contract.Mandate = Mandate{}
			w.accounts[ref] = a
		}
	}
	for _, i := range w.invoices {
		for _, p := range i.Parts {
			c := Collecting{InvoiceRef: i.Ref, ContractRef: p.ContractRef}
			if p.Status == InvoicePresented {
				w.must(w.t, w.now, Reject{c, "MD01"})
				p, _ = w.invoices[i.Ref].Part(p.ContractRef)
			}
			if p.OpenAmount() > 0 {
				w.must(w.t, w.now, SettleOtherwise{c, "VIR"})
			}
		}
		if got := w.invoices[i.Ref]; got.Status() != InvoiceSettled || got.OpenAmount() != 0 {
			w.t.Fatalf("%s cannot be settled: %+v", i.Ref, got)
		}
	}
	for ref, a := range w.accounts {
		if a.Outstanding().Amount != 0 {
			w.t.Fatalf("%s is outstanding on %s when everything is settled", a.Outstanding(), ref)
		}
	}
}

// sameFold is P10 at this level: folding the log again gives the same states.
func sameFold(t *rapid.T, b *book) {
	again := newBook()
	for _, e := range b.log {
		if err := again.apply(e.event, e.at); err != nil {
			t.Fatalf("fold again: %v", err)
		}
	}
	if !reflect.DeepEqual(again, b) {
		t.Fatalf("folding again differs:\n%+v\n%+v", again, b)
	}
}

// audit is what the properties count, from events alone and without any code of the rules.
type audit struct {
	t           *rapid.T
	contracts   map[string]Contract
	outstanding map[string]int64
	purchases   map[string]PurchaseAccepted // not cancelled
	refunded    map[string]int64            // by purchase, credit notes included
	periods     map[string]int64            // by contract and period: purchases less refunds
	lines       map[string]int64
	closed      map[string]PeriodClosed // by contract and period
	issued      map[string]string       // invoice by customer and period
	due         map[string]int64        // by invoice and contract: invoiced less credited
	collected   map[string]int64        // by invoice and contract
	numbers     map[string]Numbering    // by prefix
}

func checkLog(t *rapid.T, log []entry) {
	x := &audit{t: t, contracts: map[string]Contract{}, outstanding: map[string]int64{}, purchases: map[string]PurchaseAccepted{},
		refunded: map[string]int64{}, periods: map[string]int64{}, lines: map[string]int64{}, closed: map[string]PeriodClosed{},
		issued: map[string]string{}, due: map[string]int64{}, collected: map[string]int64{}, numbers: map[string]Numbering{}}
	for _, e := range log {
		x.entry(e)
	}
	// P5 and P6: every purchase that was not cancelled and every refund before the invoice is in
	// exactly one invoice, that of its contract and period. Credit notes are checked one by one.
	for key, total := range x.periods {
		c, ok := x.closed[key]
		if !ok {
			t.Fatalf("%s was never invoiced", key)
		}
		p := c.Parts[slices.IndexFunc(c.Parts, func(p ClosedPart) bool { return p.ContractRef+" "+c.Period.String() == key })]
		if p.Total.Amount != total || p.Lines != x.lines[key] {
			t.Fatalf("invoice %s of %s: %d in %d lines, the log says %d in %d", c.InvoiceRef, key, p.Total.Amount, p.Lines, total, x.lines[key])
		}
	}
	if len(x.closed) != len(x.periods) {
		t.Fatalf("%d parts of invoices for %d periods of contracts", len(x.closed), len(x.periods))
	}
}

func (x *audit) entry(e entry) {
	switch v := e.event.(type) {
	case ContractObserved:
		x.contracts[v.Contract.Ref] = v.Contract
	case PurchaseAccepted:
		x.purchase(v, e.at)
	case PurchaseCancelled:
		x.cancel(v)
	case RefundAccepted:
		key := v.ContractRef + " " + v.Period.String()
		x.refund(v.PurchaseRef, v.Amount)
		x.notClosed(key)
		x.periods[key] -= v.Amount.Amount
		x.lines[key]++
		x.outstanding[v.ContractRef] -= v.Amount.Amount
	case CreditNoteRecorded:
		x.credit(v)
	case PeriodClosed:
		x.close(v, e.at)
	case DebitCollected:
		x.pay(v.InvoiceRef, v.ContractRef, v.Amount.Amount)
	case SettledOtherwise:
		x.pay(v.InvoiceRef, v.ContractRef, v.Amount.Amount)
	case DebitReturned:
		x.pay(v.InvoiceRef, v.ContractRef, -v.Amount.Amount)
	}
	for ref, amount := range x.outstanding {
		if amount < 0 {
			x.t.Fatalf("outstanding of %s is %d", ref, amount)
		}
	}
}

// refund adds to what was refunded of a purchase: P11.
func (x *audit) refund(purchase string, amount Money) {
	x.refunded[purchase] += amount.Amount
	if x.refunded[purchase] > x.purchases[purchase].Amount.Amount || amount.Amount < 1 {
		x.t.Fatalf("refunds of %s: %d", purchase, x.refunded[purchase])
	}
}

// cancel takes a purchase out of its open period. A period without any line is on no invoice.
func (x *audit) cancel(v PurchaseCancelled) {
	p, ok := x.purchases[v.OperationRef]
	if !ok || x.refunded[v.OperationRef] != 0 {
		x.t.Fatalf("%s is cancelled, with %d refunded", v.OperationRef, x.refunded[v.OperationRef])
	}
	key := p.ContractRef + " " + p.Period.String()
	x.notClosed(key)
	delete(x.purchases, v.OperationRef)
	x.outstanding[p.ContractRef] -= p.Amount.Amount
	x.periods[key] -= p.Amount.Amount
	if x.lines[key]--; x.lines[key] == 0 {
		if x.periods[key] != 0 {
			x.t.Fatalf("%s has no lines and %d", key, x.periods[key])
		}
		delete(x.periods, key)
		delete(x.lines, key)
	}
}

// credit lowers what is due on the invoice that has the purchase: P5, P6 and P11.
func (x *audit) credit(v CreditNoteRecorded) {
	p := x.purchases[v.PurchaseRef]
	if on := x.closed[v.ContractRef+" "+p.Period.String()]; on.InvoiceRef != v.InvoiceRef || p.ContractRef != v.ContractRef {
		x.t.Fatalf("%s of %s is on %s, the purchase on %s", v.CreditNoteRef, v.PurchaseRef, v.InvoiceRef, on.InvoiceRef)
	}
	x.refund(v.PurchaseRef, v.Amount)
	x.number("AVO", v.CreditNoteRef)
	key := v.InvoiceRef + " " + v.ContractRef
	x.change(v.ContractRef, key, func() { x.due[key] -= v.Amount.Amount })
	if x.due[key] < 0 {
		x.t.Fatalf("%d is due on %s", x.due[key], key)
	}
}

// change keeps the outstanding amount of a contract in step with what is open on an invoice.
func (x *audit) change(contract, key string, change func()) {
	open := func() int64 { return max(0, x.due[key]-x.collected[key]) }
	before := open()
	change()
	x.outstanding[contract] += open() - before
}

// number checks that a reference is the next of its series: P7.
func (x *audit) number(prefix, ref string) {
	var n Numbering
	if _, err := fmt.Sscanf(ref, prefix+"-%d-%d", &n.Year, &n.Last); err != nil {
		x.t.Fatalf("%s: %v", ref, err)
	}
	last := x.numbers[prefix]
	if want := (Numbering{n.Year, 1}); n.Year == last.Year && n.Last != last.Last+1 || n.Year > last.Year && n != want || n.Year < last.Year {
		x.t.Fatalf("number %+v after %+v", n, last)
	}
	x.numbers[prefix] = n
}

func (x *audit) purchase(v PurchaseAccepted, at time.Time) {
	c, key := x.contracts[v.ContractRef], v.ContractRef+" "+v.Period.String()
	x.outstanding[v.ContractRef] += v.Amount.Amount
	if x.outstanding[v.ContractRef] > c.Ceiling.Amount { // P3
		x.t.Fatalf("%s takes the outstanding to %d of %d", v.OperationRef, x.outstanding[v.ContractRef], c.Ceiling.Amount)
	}
	// P4
	if c.Status != StatusActive || !c.Mandate.RevokedAt.IsZero() || !c.ValidUntil.IsZero() && !at.Before(c.ValidUntil) || at.Before(c.ValidFrom) {
		x.t.Fatalf("%s accepted at %s on %+v", v.OperationRef, at, c)
	}
	for _, p := range x.purchases {
		if v.TakesOrder && p.ContractRef == v.ContractRef && p.OrderRef == v.OrderRef {
			x.t.Fatalf("%s and %s are of the order %s", p.OperationRef, v.OperationRef, v.OrderRef)
		}
	}
	if _, twice := x.purchases[v.OperationRef]; twice {
		x.t.Fatalf("%s is there twice", v.OperationRef)
	}
	x.notClosed(key)
	x.purchases[v.OperationRef] = v
	x.periods[key] += v.Amount.Amount
	x.lines[key]++
}

func (x *audit) notClosed(key string) {
	if c, ok := x.closed[key]; ok {
		x.t.Fatalf("an operation enters %s, invoiced as %s", key, c.InvoiceRef)
	}
}

// pay adds what was collected, or returned. A part is paid in full or not at all.
func (x *audit) pay(invoice, contract string, amount int64) {
	key := invoice + " " + contract
	x.change(contract, key, func() { x.collected[key] += amount })
	if amount > 0 && x.collected[key] < x.due[key] {
		x.t.Fatalf("%s has %d open after it was paid", key, x.due[key]-x.collected[key])
	}
	if x.collected[key] < 0 {
		x.t.Fatalf("%s has %d collected", key, x.collected[key])
	}
}

func (x *audit) close(v PeriodClosed, at time.Time) {
	customer := v.Customer.CustomerRef + " " + v.Period.String()
	if before := x.issued[customer]; before != "" { // P6: one invoice per customer and month
		x.t.Fatalf("%s is on %s and on %s", customer, before, v.InvoiceRef)
	}
	x.issued[customer] = v.InvoiceRef
	total := int64(0)
	for _, p := range v.Parts {
		key := p.ContractRef + " " + v.Period.String()
		x.notClosed(key)
		if p.Total.Amount < 0 || customerOf[p.ContractRef] != v.Customer {
			x.t.Fatalf("%s closed with %+v for %s", key, p, v.Customer.CustomerRef)
		}
		x.closed[key], x.due[v.InvoiceRef+" "+p.ContractRef] = v, p.Total.Amount
		total += p.Total.Amount
	}
	if at.Before(v.Period.End(paris)) || v.Total.Amount != total {
		x.t.Fatalf("%s closed at %s with %d, the parts have %d", customer, at, v.Total.Amount, total)
	}
	x.number("BIL", v.InvoiceRef)
}

// P2 at this level: a decision is a function of the states alone, and deciding twice on the same
// states gives the same. That one key has one effect is the store's part.
func TestDecidingTwiceIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := account()
		a.NotInvoiced = rapid.Int64Range(0, 600000).Draw(t, "outstanding")
		p := Purchase{OrderRef: "O", Amount: eur(rapid.Int64Range(0, 600000).Draw(t, "amount"))}
		now := date("2026-03-14").Add(time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "time")) * time.Second)
		e1, err1 := DecidePurchase(a, p, now, paris)
		e2, err2 := DecidePurchase(a, p, now, paris)
		if !reflect.DeepEqual(e1, e2) || !errors.Is(err1, err2) && err1.Error() != err2.Error() {
			t.Fatalf("%+v %v\n%+v %v", e1, err1, e2, err2)
		}
	})
}
