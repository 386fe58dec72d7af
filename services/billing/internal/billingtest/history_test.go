package billingtest

import (
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// operations is how many things happen in a history, in ten years.
const operations = 200

// world plays random commands against the rules and keeps the log; the properties look at the log
// alone.
type world struct {
	*book
	t       *rapid.T
	now     time.Time
	last    map[string]time.Time // by contract: its last record
	present bool                 // there is a record of the present version of the log
}

var (
	refs       = []string{"CTR-1", "CTR-2", "CTR-3"}
	customerA  = billing.CustomerKey{CustomerRef: "A", SellerRef: "AG"}
	customerB  = billing.CustomerKey{CustomerRef: "B", SellerRef: "AG"}
	customerOf = map[string]billing.CustomerKey{"CTR-1": customerA, "CTR-2": customerA, "CTR-3": customerB}
	start      = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
)

func (w *world) contract() string { return rapid.SampledFrom(refs).Draw(w.t, "contract") }

// decide decides a command and applies its event, if there is one. A record is not decided before
// those that it builds on, whatever the clock says.
func (w *world) decide(c billing.Command) {
	at := w.notBefore(c.About())
	e, err := billing.Decide(w, c, billing.Moment{Now: at, Paris: paris})
	if err == nil {
		w.must(e, w.notBefore(e.About(), at))
	}
}

func (w *world) must(e billing.Event, at time.Time) {
	if err := w.apply(e, at); err != nil {
		w.t.Fatalf("apply %+v: %v", e, err)
	}
	about := e.About()
	w.present = w.present || about.Customer != billing.CustomerKey{} || about.Order != billing.OrderKey{}
	for _, ref := range append([]string{about.Contract}, about.Contracts...) {
		w.last[ref] = at
	}
}

// notBefore returns the time of the clock, or that of the last record about a contract of the
// subject.
func (w *world) notBefore(s billing.Subject, others ...time.Time) time.Time {
	at := w.now
	of := append([]string{s.Contract, billing.ContractOf(s.Purchase)}, s.Contracts...)
	if i, ok := w.invoices[s.Invoice]; ok {
		for _, p := range i.Parts {
			of = append(of, p.ContractRef)
		}
	}
	for _, ref := range of {
		others = append(others, w.last[ref])
	}
	for _, o := range others {
		if o.After(at) {
			at = o
		}
	}
	return at
}

func (w *world) observe() {
	ref := w.contract()
	a, known := w.accounts[ref]
	c := billing.Contract{
		Ref: ref, SubscriptionRef: "SUB", CustomerRef: customerOf[ref].CustomerRef, SellerRef: "AG", Version: a.Contract.Version + rapid.SampledFrom([]int64{1, 1, 2, 0}).Draw(w.t, "newer"),
		Status:  rapid.SampledFrom([]billing.Status{"ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "SUSPENDED", "TERMINATED", "EXPIRED"}).Draw(w.t, "status"),
		Ceiling: eur(2000 - rapid.Int64Range(0, 2000).Draw(w.t, "less than 2000")), ValidFrom: start,
		Mandate: billing.Mandate{RUM: fmt.Sprint("R-", rapid.IntRange(1, 3).Draw(w.t, "mandate")), SignedAt: w.now.AddDate(0, 0, -rapid.IntRange(0, 1200).Draw(w.t, "signed ago"))},
	}
	if rapid.IntRange(0, 12).Draw(w.t, "revoked") == 12 {
		c.Mandate.RevokedAt = w.now
	}
	if rapid.IntRange(0, 12).Draw(w.t, "ends") == 12 {
		c.ValidUntil = w.now.AddDate(0, 0, rapid.IntRange(0, 400).Draw(w.t, "days"))
	}
	if !known && w.former() {
		w.must(billing.ContractObserved{Contract: c}, w.now)
		return
	}
	w.decide(billing.Observe{ContractObserved: billing.ContractObserved{Contract: c}})
}

// former decides whether the next record is of the former version. There are none after the first
// of the present one, which an instance of the former version does not read.
func (w *world) former() bool {
	return !w.present && rapid.Bool().Draw(w.t, "by a record of the former version")
}

// purchase purchases an order, which may be one that was purchased before.
func (w *world) purchase() {
	p := billing.Purchase{ContractRef: w.contract(), OrderRef: w.order(), Amount: eur(rapid.Int64Range(1, 300).Draw(w.t, "amount"))}
	a, known := w.accounts[p.ContractRef]
	if known && w.former() {
		at := w.notBefore(p.About())
		if e, err := billing.DecidePurchase(a, p, at, paris); err == nil {
			if accepted, ok := e.(billing.PurchaseAccepted); ok {
				accepted.TakesOrder = false
				e = accepted
			}
			w.must(e, at)
		}
		return
	}
	for _, o := range w.operations {
		if o.ContractRef == p.ContractRef && o.OrderRef == p.OrderRef && o.Kind == billing.KindPurchase && o.Status == billing.OperationAccepted {
			p.Earlier = append(p.Earlier, o.Ref)
		}
	}
	w.decide(p)
}

// order returns a new order, or one that was asked for before.
func (w *world) order() string {
	if rapid.IntRange(0, 3).Draw(w.t, "same order") == 3 {
		return fmt.Sprint("O-", rapid.IntRange(0, len(w.log)).Draw(w.t, "order"))
	}
	return fmt.Sprint("O-", len(w.log))
}

// operation returns the reference of a late operation of a contract, or "" if there is none.
func (w *world) operation() string {
	a, ok := w.accounts[w.contract()]
	if !ok || a.Operations == 0 {
		return ""
	}
	return billing.OperationRef(a.Contract.Ref, a.Operations-rapid.Int64Range(0, min(6, a.Operations-1)).Draw(w.t, "operations before"))
}

func (w *world) refund() {
	w.decide(billing.Refund{PurchaseRef: w.operation(), Amount: eur(rapid.Int64Range(1, 300).Draw(w.t, "amount"))})
}

func (w *world) cancel() { w.decide(billing.Cancel{PurchaseRef: w.operation()}) }

// run bills a period that may not be due, or all months that are, oldest first.
func (w *world) run() {
	p := billing.PeriodOf(w.now, paris)
	if rapid.IntRange(0, 2).Draw(w.t, "one month") == 0 {
		for range rapid.IntRange(0, 3).Draw(w.t, "ago") {
			p = p.Previous()
		}
		w.runPeriod(p)
		return
	}
	var due []billing.Period
	for _, a := range w.accounts {
		for _, o := range a.Open {
			due = append(due, o.Period)
		}
	}
	slices.SortFunc(due, billing.Period.Compare)
	for _, p := range due {
		w.runPeriod(p)
	}
}

func (w *world) runPeriod(p billing.Period) {
	for _, c := range []billing.Close{{Customer: customerA, Contracts: refs[:2], Period: p}, {Customer: customerB, Contracts: refs[2:], Period: p}} {
		for range 2 { // a second run adds nothing
			w.decide(c)
		}
	}
}

func (w *world) settle() {
	last := w.numberings[billing.InvoiceSeries]
	if last.Last == 0 {
		return
	}
	ref := fmt.Sprintf("BIL-%04d-%06d", last.Year, last.Last-rapid.Int64Range(0, min(3, last.Last-1)).Draw(w.t, "invoices before"))
	c := billing.Collecting{InvoiceRef: ref, ContractRef: rapid.SampledFrom(append([]string{""}, refs...)).Draw(w.t, "part")}
	if parts := w.invoices[ref].Parts; rapid.IntRange(0, 9).Draw(w.t, "any part") < 9 {
		c.ContractRef = rapid.SampledFrom(parts).Draw(w.t, "one of its parts").ContractRef
	}
	steps := map[billing.Step]billing.Command{
		billing.StepPresented: billing.Present{Collecting: c}, billing.StepCollected: billing.Collect{Collecting: c},
		billing.StepRejected: billing.Reject{Collecting: c, Reason: "AM04"}, billing.StepReturned: billing.Return{Collecting: c, Reason: "MD06"},
		billing.StepSettledOtherwise: billing.SettleOtherwise{Collecting: c, Reference: "VIR"},
	}
	choice := []billing.Step{billing.StepPresented, billing.StepCollected, billing.StepRejected, billing.StepReturned, billing.StepSettledOtherwise}
	if p, ok := w.invoices[ref].Part(c.ContractRef); ok && len(p.AllowedSteps()) > 0 && rapid.IntRange(0, 4).Draw(w.t, "any step") < 4 {
		choice = p.AllowedSteps()
	}
	w.decide(steps[rapid.SampledFrom(choice).Draw(w.t, "step")])
}

// pass moves the clock: by a while, around the end of a month, around a change to or from daylight
// saving time, or back.
func (w *world) pass() {
	around := time.Duration(rapid.Int64Range(-2*3600e6, 2*3600e6).Draw(w.t, "micros around")) * time.Microsecond
	switch rapid.IntRange(0, 9).Draw(w.t, "clock") {
	case 0:
		w.now = w.now.Add(-time.Duration(rapid.Int64Range(0, 5*24*3600).Draw(w.t, "seconds back")) * time.Second)
	case 1, 2:
		w.now = billing.PeriodOf(w.now, paris).End(paris).Add(around)
	case 3:
		change := time.Date(w.now.Year(), rapid.SampledFrom([]time.Month{time.March, time.October}).Draw(w.t, "change"), 31, 1, 0, 0, 0, time.UTC)
		change = change.AddDate(0, 0, -int(change.Weekday())) // the last Sunday
		if change.After(w.now) {
			w.now = change.Add(around)
		}
	default:
		w.now = w.now.Add(time.Duration(rapid.Int64Range(0, 90*24*3600).Draw(w.t, "seconds")) * time.Second)
	}
}

// play plays ten years, and bills what is left.
func play(t *rapid.T) *world {
	w := &world{book: newBook(), t: t, now: start, last: map[string]time.Time{}}
	steps := []func(){w.observe, w.purchase, w.purchase, w.purchase, w.purchase, w.purchase, w.refund, w.refund, w.cancel, w.run, w.run, w.settle, w.settle, w.settle}
	for range operations {
		if rapid.Bool().Draw(t, "time passes") {
			w.pass()
		}
		rapid.SampledFrom(steps).Draw(t, "what")()
	}
	if end := start.AddDate(10, 0, 0); w.now.Before(end) {
		w.now = end
	}
	w.now = w.now.AddDate(0, 4, 0) // a purchase may have entered a later month
	for p := billing.PeriodOf(start, paris); p.End(paris).Before(w.now); p = p.Next() {
		w.runPeriod(p)
	}
	return w
}

func (w *world) audit() *Audit {
	x := New(paris)
	for _, e := range w.log {
		x.Add(e.event, e.at)
	}
	x.End()
	return x
}

// TestProperties plays histories of two customers with three contracts; the full form, 500 of them.
func TestProperties(t *testing.T) {
	if fulltest.Requested() {
		if err := flag.Set("rapid.checks", "500"); err != nil {
			t.Fatal(err)
		}
	}
	faults, events := map[string]string{}, map[string]int{}
	t.Run("histories", rapid.MakeCheck(func(t *rapid.T) {
		clear(faults)
		w := play(t)
		for _, e := range w.log {
			events[reflect.TypeOf(e.event).Name()]++
		}
		audit := w.audit()
		for _, property := range Properties {
			if found := audit.Faults(property); len(found) > 0 {
				faults[property] = strings.Join(found, "\n")
			}
		}
		if !reflect.DeepEqual(w.again(), w.book) {
			faults[sameFold] = fmt.Sprintf("folding again differs:\n%+v\n%+v", w.again(), w.book)
		}
		if why := w.everyDebtCanBeSettled(); why != "" {
			faults[settled] = why
		}
		for property, why := range faults {
			t.Errorf("%s: %s", property, why)
		}
	}))
	t.Logf("events: %v", events)
	for _, e := range []string{"ContractObserved", "PurchaseAccepted", "PurchaseRefused", "PurchaseCancelled", "RefundAccepted", "CreditNoteRecorded",
		"PeriodClosed", "DebitPresented", "DebitCollected", "DebitRejected", "DebitReturned", "SettledOtherwise"} {
		if events[e] == 0 {
			t.Errorf("no history has a %s", e)
		}
	}
	for _, property := range append([]string{sameFold, settled}, Properties...) {
		t.Run(property, func(t *testing.T) {
			if why := faults[property]; why != "" {
				t.Error(why)
			}
		})
	}
}

const (
	sameFold = "P10 folding again gives the same"
	settled  = "every debt can be settled"
)

// again folds the log into new books.
func (w *world) again() *book {
	b := newBook()
	for _, e := range w.log {
		if err := b.apply(e.event, e.at); err != nil {
			w.t.Fatalf("fold again: %v", err)
		}
	}
	return b
}

// everyDebtCanBeSettled settles what is open on every part without the help of a mandate, and says
// what remains outstanding then.
func (w *world) everyDebtCanBeSettled() string {
	for _, ref := range refs {
		if a, ok := w.accounts[ref]; ok {
			a.Contract.Mandate = billing.Mandate{}
			w.accounts[ref] = a
		}
	}
	for _, i := range w.invoices {
		for _, p := range i.Parts {
			c := billing.Collecting{InvoiceRef: i.Ref, ContractRef: p.ContractRef}
			if p.Status == billing.InvoicePresented {
				w.decide(billing.Reject{Collecting: c, Reason: "MD01"})
			}
			w.decide(billing.SettleOtherwise{Collecting: c, Reference: "VIR"})
		}
		if got := w.invoices[i.Ref]; got.Status() != billing.InvoiceSettled || got.OpenAmount() != 0 {
			return fmt.Sprintf("%s cannot be settled: %+v", i.Ref, got)
		}
	}
	for ref, a := range w.accounts {
		if a.Outstanding().Amount != 0 {
			return fmt.Sprintf("%d is outstanding on %s when everything is settled", a.Outstanding().Amount, ref)
		}
	}
	return ""
}
