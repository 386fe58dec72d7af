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

func (w *world) purchase() {
	if a, ok := w.accounts[w.contract()]; ok {
		w.decided(DecidePurchase(a, Purchase{OrderRef: "O", Amount: eur(rapid.Int64Range(1, 400).Draw(w.t, "amount"))}, w.now, paris))
	}
}

func (w *world) refund() {
	a, ok := w.accounts[w.contract()]
	if !ok || a.Operations == 0 {
		return
	}
	o := w.operations[OperationRef(a.Contract.Ref, rapid.Int64Range(1, a.Operations).Draw(w.t, "operation"))]
	w.decided(DecideRefund(a, o, Refund{Amount: eur(rapid.Int64Range(1, 400).Draw(w.t, "amount"))}))
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
			switch rapid.IntRange(0, 12).Draw(t, "what") {
			case 0:
				w.observe()
			case 1, 2, 3, 4:
				w.purchase()
			case 5:
				w.refund()
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
	purchases   map[string]PurchaseAccepted
	refunded    map[string]int64
	periods     map[string]int64 // contract and period: accepted less refunded
	lines       map[string]int64
	closed      map[string]PeriodClosed // by contract and period
	issued      map[string]string       // invoice by customer and period
	open        map[string]int64        // by invoice and contract
	numbers     Numbering
}

func checkLog(t *rapid.T, log []entry) {
	x := &audit{t, map[string]Contract{}, map[string]int64{}, map[string]PurchaseAccepted{}, map[string]int64{}, map[string]int64{}, map[string]int64{},
		map[string]PeriodClosed{}, map[string]string{}, map[string]int64{}, Numbering{}}
	for _, e := range log {
		x.entry(e)
	}
	// P5 and P6: every purchase and refund is in exactly one invoice, that of its contract and
	// period.
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
	case RefundAccepted:
		key := v.ContractRef + " " + v.Period.String()
		x.refunded[v.PurchaseRef] += v.Amount.Amount
		if x.refunded[v.PurchaseRef] > x.purchases[v.PurchaseRef].Amount.Amount { // P11
			x.t.Fatalf("refunds of %s: %d", v.PurchaseRef, x.refunded[v.PurchaseRef])
		}
		x.notClosed(key)
		x.periods[key] -= v.Amount.Amount
		x.lines[key]++
		x.outstanding[v.ContractRef] -= v.Amount.Amount
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

// pay takes what was collected from the outstanding amount; a part is paid in full or not at all.
func (x *audit) pay(invoice, contract string, amount int64) {
	key := invoice + " " + contract
	x.outstanding[contract] -= amount
	x.open[key] -= amount
	if amount > 0 && x.open[key] != 0 {
		x.t.Fatalf("%s has %d open after it was paid", key, x.open[key])
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
		x.closed[key], x.open[v.InvoiceRef+" "+p.ContractRef] = v, p.Total.Amount
		total += p.Total.Amount
	}
	if at.Before(v.Period.End(paris)) || v.Total.Amount != total {
		x.t.Fatalf("%s closed at %s with %d, the parts have %d", customer, at, v.Total.Amount, total)
	}
	var n Numbering
	if _, err := fmt.Sscanf(v.InvoiceRef, "BIL-%d-%d", &n.Year, &n.Last); err != nil {
		x.t.Fatalf("%s: %v", v.InvoiceRef, err)
	}
	// P7
	if want := (Numbering{n.Year, 1}); n.Year == x.numbers.Year && n.Last != x.numbers.Last+1 || n.Year > x.numbers.Year && n != want || n.Year < x.numbers.Year {
		x.t.Fatalf("number %+v after %+v", n, x.numbers)
	}
	x.numbers = n
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
