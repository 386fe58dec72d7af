package billing

import (
	"errors"
	"fmt"
	"reflect"
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
		Ref: ref, SubscriptionRef: "SUB", CustomerRef: "C", Version: a.Contract.Version + rapid.Int64Range(0, 2).Draw(w.t, "newer"),
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
	var k *Account
	if known {
		k = &a
	}
	w.decided(DecideObserved(k, ContractObserved{Contract: c}))
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

// run bills a period as the service does: every contract, one decision each.
func (w *world) run() (closed int) {
	p := PeriodOf(w.now, paris)
	for range rapid.IntRange(0, 3).Draw(w.t, "ago") {
		p = p.Previous()
	}
	return w.runPeriod(p)
}

func (w *world) runPeriod(p Period) (closed int) {
	for _, ref := range refs {
		e, err := DecideClose(w.accounts[ref], w.numbering, p, w.now, paris)
		if err == nil {
			w.do(w.t, w.now, e, nil)
			closed++
		}
	}
	// P8: a second run adds nothing.
	for _, ref := range refs {
		if _, err := DecideClose(w.accounts[ref], w.numbering, p, w.now, paris); err == nil {
			w.t.Fatalf("a second run of %s closes %s again", p, ref)
		}
	}
	return closed
}

func (w *world) settle() {
	if w.numbering.Last == 0 {
		return
	}
	ref := fmt.Sprintf("BIL-%04d-%06d", w.numbering.Year, rapid.Int64Range(1, w.numbering.Last).Draw(w.t, "invoice"))
	i := w.invoices[ref]
	switch rapid.SampledFrom([]Step{StepPresented, StepCollected, StepRejected}).Draw(w.t, "step") {
	case StepPresented:
		w.decided(DecidePresent(w.accounts[i.ContractRef], i, w.now))
	case StepCollected:
		w.decided(DecideCollected(i))
	case StepRejected:
		w.decided(DecideRejected(i, "AM04"))
	}
}

func (w *world) pass() {
	w.now = w.now.Add(time.Duration(rapid.Int64Range(0, 20*24*3600).Draw(w.t, "seconds")) * time.Second)
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{book: newBook(), t: t, now: date("2026-01-01")}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				w.observe()
			case 1, 2, 3, 4:
				w.purchase()
			case 5:
				w.refund()
			case 6:
				w.run()
			case 7:
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
	})
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
	closed      map[string]PeriodClosed
	open        map[string]int64 // invoices
	numbers     Numbering
}

func checkLog(t *rapid.T, log []entry) {
	x := &audit{t, map[string]Contract{}, map[string]int64{}, map[string]PurchaseAccepted{}, map[string]int64{}, map[string]int64{}, map[string]int64{},
		map[string]PeriodClosed{}, map[string]int64{}, Numbering{}}
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
		if c.Total.Amount != total || c.Lines != x.lines[key] {
			t.Fatalf("invoice %s of %s: %d in %d lines, the log says %d in %d", c.InvoiceRef, key, c.Total.Amount, c.Lines, total, x.lines[key])
		}
	}
	if len(x.closed) != len(x.periods) {
		t.Fatalf("%d invoices for %d periods", len(x.closed), len(x.periods))
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
		x.outstanding[v.ContractRef] -= v.Amount.Amount
		x.open[v.InvoiceRef] -= v.Amount.Amount
		if x.open[v.InvoiceRef] != 0 {
			x.t.Fatalf("invoice %s has %d open after collection", v.InvoiceRef, x.open[v.InvoiceRef])
		}
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

func (x *audit) close(v PeriodClosed, at time.Time) {
	key := v.ContractRef + " " + v.Period.String()
	x.notClosed(key)
	if at.Before(v.Period.End(paris)) || v.Total.Amount < 0 {
		x.t.Fatalf("%s closed at %s with %d", key, at, v.Total.Amount)
	}
	x.closed[key], x.open[v.InvoiceRef] = v, v.Total.Amount
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
