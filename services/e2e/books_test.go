package e2e

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // billing periods are months of Europe/Paris

	"github.com/deferpay/deferpay/tools/observer"
)

// books are the accounts as an accountant keeps them: from the applied records of billing's log, in
// their order, and by the rules alone. They share no code with the services. Amounts are in cents
// of EUR.
type books struct {
	violations []string
	contracts  map[string]*entry
	purchases  map[string]*order   // by reference of the operation
	invoices   map[string]*bill    // by reference
	numbers    map[string][2]int64 // last year and number of a series, by its prefix
}

// entry is the account of a contract.
type entry struct {
	customer, status string
	ceiling          int64
	closed           string // last closed period
	notInvoiced      int64
	open             map[string]*month
	bills            []*bill // that have a part of it
}

// month is what an open period holds.
type month struct{ lines, total int64 }

// order is an accepted purchase.
type order struct {
	contract, period string
	amount, refunded int64
	cancelled        bool
}

// bill is an invoice.
type bill struct {
	ref, customer, period string
	parts                 map[string]*share
}

// share is the part of an invoice for one contract.
type share struct {
	status, method                        string
	total, credited, collected, presented int64
	presentations                         int64
}

func (s *share) due() int64       { return s.total - s.credited }
func (s *share) open() int64      { return max(0, s.due()-s.collected) }
func (s *share) creditDue() int64 { return max(0, s.collected-s.due()) }

// settle marks the part as settled if nothing is open and the bank owes no answer.
func (s *share) settle() {
	if s.open() == 0 && s.status != "PRESENTED" && s.status != "SETTLED" {
		s.status, s.method = "SETTLED", "NOTHING_DUE"
	}
}

func newBooks() *books {
	return &books{contracts: map[string]*entry{}, purchases: map[string]*order{}, invoices: map[string]*bill{}, numbers: map[string][2]int64{}}
}

var paris = func() *time.Location {
	at, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return at
}()

// outstanding is what counts against the ceiling of a contract.
func (b *books) outstanding(contract string) (sum int64) {
	e := b.contracts[contract]
	if e == nil {
		return 0
	}
	sum = e.notInvoiced
	for _, i := range e.bills {
		sum += i.parts[contract].open()
	}
	return sum
}

// record enters an applied record.
func (b *books) record(r observer.Record) {
	contract := b.contracts[text(r, "contractRef")]
	if r.Type == "ContractObserved" {
		b.observed(r)
		return
	}
	enter := map[string]func(observer.Record, *entry){
		"PurchaseAccepted": b.accepted, "RefundAccepted": b.refunded, "PurchaseCancelled": b.cancelled, "PeriodClosed": b.periodClosed,
		"CreditNoteRecorded": b.credited, "DebitPresented": b.step, "DebitCollected": b.step, "DebitRejected": b.step, "DebitReturned": b.step, "SettledOtherwise": b.step,
	}[r.Type]
	switch {
	case enter == nil:
	case contract == nil:
		b.wrong(r, "contract %s is not known", text(r, "contractRef"))
	default:
		enter(r, contract)
	}
}

func (b *books) wrong(r observer.Record, format string, args ...any) {
	b.violations = append(b.violations, fmt.Sprintf("@%d %s: %s", r.Offset, r.Type, fmt.Sprintf(format, args...)))
}

func (b *books) observed(r observer.Record) {
	state, _ := r.Value["contract"].(map[string]any)
	ref := text(r, "contractRef")
	e := b.contracts[ref]
	if e == nil {
		e = &entry{open: map[string]*month{}}
		b.contracts[ref] = e
	}
	e.customer, e.status, e.ceiling = fmt.Sprint(state["customerRef"]), fmt.Sprint(state["status"]), cents(state["ceiling"])
}

func (b *books) accepted(r observer.Record, e *entry) {
	period, amount := text(r, "period"), amountOf(r)
	outstanding := b.outstanding(text(r, "contractRef")) + amount
	switch at := monthOf(r); {
	case outstanding > e.ceiling:
		b.wrong(r, "raises the outstanding to %d, the ceiling is %d", outstanding, e.ceiling)
	case e.status != "ACTIVE":
		b.wrong(r, "accepts a purchase on %s, which is %s", text(r, "contractRef"), e.status)
	case period <= e.closed:
		b.wrong(r, "in the closed period %s", period)
	case period != at && (e.closed < at || period != following(e.closed)):
		b.wrong(r, "in %s, decided in %s, %s closed last", period, at, e.closed)
	}
	e.notInvoiced += amount
	e.add(period, 1, amount)
	b.purchases[text(r, "operationRef")] = &order{contract: text(r, "contractRef"), period: period, amount: amount}
}

func (e *entry) add(period string, lines, amount int64) {
	if e.open[period] == nil {
		e.open[period] = &month{}
	}
	m := e.open[period]
	m.lines, m.total = m.lines+lines, m.total+amount
}

// giveBack enters a refund on a purchase. It returns nil if the purchase cannot be refunded.
func (b *books) giveBack(r observer.Record) *order {
	p, amount := b.purchases[text(r, "purchaseRef")], amountOf(r)
	switch {
	case p == nil || p.contract != text(r, "contractRef"):
		b.wrong(r, "%s is not a purchase of %s", text(r, "purchaseRef"), text(r, "contractRef"))
		return nil
	case p.cancelled:
		b.wrong(r, "%s is cancelled", text(r, "purchaseRef"))
	case amount < 1 || p.refunded+amount > p.amount:
		b.wrong(r, "gives %d back of %s, %d of %d is left", amount, text(r, "purchaseRef"), p.amount-p.refunded, p.amount)
	}
	p.refunded += amount
	return p
}

func (b *books) refunded(r observer.Record, e *entry) {
	p := b.giveBack(r)
	if p == nil {
		return
	}
	if p.period <= e.closed {
		b.wrong(r, "%s is in the closed period %s", text(r, "purchaseRef"), p.period)
	}
	e.notInvoiced -= amountOf(r)
	e.add(p.period, 1, -amountOf(r))
}

func (b *books) cancelled(r observer.Record, e *entry) {
	p := b.purchases[text(r, "operationRef")]
	switch {
	case p == nil:
		b.wrong(r, "%s is not a purchase", text(r, "operationRef"))
		return
	case p.cancelled || p.refunded > 0 || p.period <= e.closed:
		b.wrong(r, "%s is cancelled, refunded or invoiced: %+v", text(r, "operationRef"), *p)
	}
	p.cancelled = true
	e.notInvoiced -= p.amount
	e.add(p.period, -1, -p.amount)
}

// number checks that a reference is the next one of its series.
func (b *books) number(r observer.Record, prefix, ref string) {
	last := b.numbers[prefix]
	next := [2]int64{last[0], last[1] + 1}
	if year := int64(r.Envelope.DecidedAt.In(paris).Year()); year > last[0] {
		next = [2]int64{year, 1}
	}
	if want := fmt.Sprintf("%s-%04d-%06d", prefix, next[0], next[1]); ref != want {
		b.wrong(r, "number %s, want %s", ref, want)
	}
	b.numbers[prefix] = next
}

// periodClosed enters the invoice of a customer. It must have every line of the period, and close
// the period for all of the customer's contracts.
func (b *books) periodClosed(r observer.Record, of *entry) {
	ref, period := text(r, "invoiceRef"), text(r, "period")
	b.number(r, "BIL", ref)
	if monthOf(r) <= period {
		b.wrong(r, "closes %s in %s", period, monthOf(r))
	}
	i := &bill{ref: ref, customer: of.customer, period: period, parts: map[string]*share{}}
	b.invoices[ref] = i
	var sum int64
	parts, _ := r.Value["parts"].([]any)
	for _, part := range parts {
		p, _ := part.(map[string]any)
		sum += cents(p["total"])
		contract := fmt.Sprint(p["contractRef"])
		e := b.contracts[contract]
		if e == nil || e.customer != of.customer || e.open[period] == nil || whole(p["lineCount"]) != e.open[period].lines || cents(p["total"]) != e.open[period].total {
			b.wrong(r, "the part %v of %s differs from the operations of the period", p, of.customer)
			continue
		}
		s := &share{status: "ISSUED", total: cents(p["total"])}
		s.settle()
		i.parts[contract], e.bills = s, append(e.bills, i)
		e.notInvoiced -= s.total
		delete(e.open, period)
	}
	if whole(r.Value["lineCount"]) < 1 || cents(r.Value["total"]) != sum {
		b.wrong(r, "%v lines and a total of %v, the parts add up to %d", r.Value["lineCount"], r.Value["total"], sum)
	}
	b.close(r, of.customer, period)
}

func (b *books) close(r observer.Record, customer, period string) {
	closed, _ := r.Value["contracts"].([]any)
	for ref, e := range b.contracts {
		if e.customer != customer {
			continue
		}
		for p, m := range e.open {
			if p <= period && m.lines > 0 {
				b.wrong(r, "leaves %d lines of %s in %s out", m.lines, ref, p)
			}
		}
		if !slices.Contains(closed, any(ref)) || e.closed >= period {
			b.wrong(r, "closes %s of %v, want %s too, whose last closed period is %q", period, closed, ref, e.closed)
		}
		e.closed = period
	}
}

func (b *books) credited(r observer.Record, _ *entry) {
	b.number(r, "AVO", text(r, "creditNoteRef"))
	p := b.giveBack(r)
	i := b.invoices[text(r, "invoiceRef")]
	if p == nil || i == nil || i.period != p.period || i.parts[p.contract] == nil {
		b.wrong(r, "%s is not on invoice %s", text(r, "purchaseRef"), text(r, "invoiceRef"))
		return
	}
	s := i.parts[p.contract]
	s.credited += amountOf(r)
	if s.due() < 0 {
		b.wrong(r, "%d is due on %s", s.due(), i.ref)
	}
	s.settle()
}

// step enters a step of the collection of a part.
func (b *books) step(r observer.Record, _ *entry) {
	i := b.invoices[text(r, "invoiceRef")]
	if i == nil || i.parts[text(r, "contractRef")] == nil {
		b.wrong(r, "no part of %s on invoice %q", text(r, "contractRef"), text(r, "invoiceRef"))
		return
	}
	s := i.parts[text(r, "contractRef")]
	unpaid := s.status == "ISSUED" || s.status == "REJECTED" || s.status == "RETURNED"
	var allowed bool
	var amount int64
	before := *s
	switch r.Type {
	case "DebitPresented":
		allowed, amount = unpaid && whole(r.Value["presentation"]) == s.presentations+1, s.open()
		s.status, s.presented, s.presentations = "PRESENTED", s.open(), s.presentations+1
	case "DebitCollected":
		allowed, amount = s.status == "PRESENTED" && whole(r.Value["presentation"]) == s.presentations, s.presented
		s.status, s.method, s.collected, s.presented = "SETTLED", "DIRECT_DEBIT", s.collected+s.presented, 0
	case "DebitRejected":
		allowed, amount = s.status == "PRESENTED" && whole(r.Value["presentation"]) == s.presentations, s.presented
		s.status, s.presented = "REJECTED", 0
	case "DebitReturned":
		allowed, amount = s.status == "SETTLED" && s.method == "DIRECT_DEBIT" && whole(r.Value["presentation"]) == s.presentations, s.collected
		s.status, s.method, s.collected = "RETURNED", "", 0
	case "SettledOtherwise":
		allowed, amount = unpaid && s.open() > 0, s.open()
		s.status, s.method, s.collected = "SETTLED", "OTHER", s.collected+s.open()
	}
	s.settle()
	if !allowed || amountOf(r) != amount {
		b.wrong(r, "%d on the part %+v of %s", amountOf(r), before, i.ref)
	}
}

// unbilled returns the ended months that hold operations and have no invoice.
func (b *books) unbilled(now string) (left []string) {
	for ref, e := range b.contracts {
		for period, m := range e.open {
			if period < now && m.lines > 0 {
				left = append(left, period+" of "+ref)
			}
		}
	}
	slices.Sort(left)
	return left
}

func text(r observer.Record, field string) string {
	s, _ := r.Value[field].(string)
	return s
}

func cents(money any) int64 {
	m, _ := money.(map[string]any)
	return whole(m["amount"])
}

func whole(v any) (n int64) {
	_, _ = fmt.Sscan(fmt.Sprint(v), &n)
	return n
}

// monthOf returns the month in Paris in which a record was decided.
func monthOf(r observer.Record) string { return r.Envelope.DecidedAt.In(paris).Format("2006-01") }

// following returns the month after another.
func following(month string) string {
	at, _ := time.Parse("2006-01", month)
	return at.AddDate(0, 1, 0).Format("2006-01")
}

// figures returns a part as year.shown writes the answers of the services.
func (s *share) figures() string {
	return fmt.Sprint(s.status, s.total, s.credited, s.collected, s.open(), s.creditDue(), s.presentations)
}
