package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/observer"
)

// wholeMonths are the systems in which whole months pass under faults.
var wholeMonths = []struct {
	name   string
	setup  setup
	faults []fault
	runs   length
	kafka  int // runs of the whole length on Apache Kafka
}{
	{"two instances", setup{billing: 2}, []fault{billingKilled, brokerKilled, cuts, billingFrozen, brokerFrozen}, length{0, 4, 60}, 12},
	{"three instances", setup{billing: 3}, []fault{brokerKilled, billingKilled, billingFrozen, cuts, brokerFrozen}, length{0, 1, 40}, 8},
}

// Clients buy, refund, cancel and report what the bank did, on all instances, while a month ends,
// is billed by two instances at once, and faults happen. Each request is repeated with its key, on
// any instance, until it is decided. The log is judged by the rules, and every answer, every
// instance and the published events by the log.
func TestMonthsUnderFaults(t *testing.T) {
	var sum totals
	for at, sc := range wholeMonths {
		t.Run(sc.name, func(t *testing.T) {
			if engines.Engine == cluster.EngineKafka {
				sc.runs.whole = sc.kafka
			}
			runs := sc.runs.take()
			if runs == 0 {
				fulltest.Only(t, "TestFaults has the same faults")
			}
			sc.setup.proxies, sc.setup.topics, sc.setup.logLevel = true, []string{billingEvents}, "info"
			s := start(t, sc.setup)
			for n := range runs {
				random := rand.New(rand.NewPCG(*seed, uint64(500_000+1000*at+n)))
				name := fmt.Sprintf("m%d-%d", at, n)
				y := &year{run: newRun(s, name, s.contracts(name, repeat(40_000, perRun)...), sc.faults, n, random)}
				y.play()
				if t.Failed() {
					return
				}
				t.Logf("run %d of %d: %s; %s", n+1, runs, y.report(), y.entries())
				sum.add(y.run)
			}
			s.settled()
			sum.end(s)
		})
	}
	t.Log(sum.report())
}

// year is a run in which a month ends.
type year struct {
	*run
	acts []*act // guarded by run.mu
}

// act is a write that is not a purchase. It is sent, always with the same key, until it is decided.
type act struct {
	key, path, kind string // kind is the type of the record that it leaves if it is accepted
	body            map[string]any
	reference       string // of what it is about
	amount          int64  // 0 if the services choose it
	answer          answer
	repeated        bool // an attempt before the answer had an unknown outcome
}

func (a *act) accepted() bool { return a.answer.status < 300 }

// decided reports whether an answer decides a write.
func decided(a answer) bool {
	return a.status != http.StatusServiceUnavailable && a.text("code") != "request-in-progress" && a.text("code") != "outcome-unknown"
}

func (y *year) play() {
	mark, began := y.topics.Mark(), time.Now()
	y.before = y.counts()
	var over atomic.Bool
	var busy, striking sync.WaitGroup
	for c := range clients / 2 {
		random := rand.New(rand.NewPCG(y.random.Uint64(), uint64(c)))
		busy.Go(func() { y.client(c, random, &over) })
	}
	for n, f := range y.faults {
		chances := rand.New(rand.NewPCG(y.random.Uint64(), uint64(n)))
		striking.Go(func() {
			pause(chances, 4*time.Second)
			f.strike(y.run, chances)
		})
	}
	office := rand.New(rand.NewPCG(y.random.Uint64(), 0))
	striking.Go(func() { y.office(office) })
	striking.Wait()
	mended := time.Now()
	y.probe()
	y.recovery = time.Since(mended)
	over.Store(true)
	busy.Wait()
	y.bill(y.name+"-last", y.ended()) // what was bought while the month was billed
	y.after = y.counts()
	y.everywhere(y.all)
	y.judge(mark)
	y.duration = time.Since(began)
}

// office waits for a moment, lets the month end, and has it billed by two instances at once. It
// returns once enough of the invoices has been collected, rejected or returned.
func (y *year) office(random *rand.Rand) {
	pause(random, 2*time.Second)
	now := y.now()
	next := time.Date(now.In(paris).Year(), now.In(paris).Month()+1, 1, 0, 0, random.IntN(7200), 0, paris)
	if err := y.setClock(next); err != nil {
		y.t.Error(err)
	}
	var billing sync.WaitGroup
	for n := range 2 {
		billing.Go(func() { y.bill(fmt.Sprintf("%s-%d", y.name, n), y.ended()) })
	}
	billing.Wait()
	y.until("clients have reported what the bank did", func() error {
		y.mu.Lock()
		defer y.mu.Unlock()
		n := 0
		for _, a := range y.acts {
			if a.accepted() && steps[a.kind] != nil {
				n++
			}
		}
		if n < 8*perRun {
			return fmt.Errorf("%d steps of collections", n)
		}
		return nil
	})
}

// ended returns the month that ended last.
func (y *year) ended() string {
	now := y.now().In(paris)
	return time.Date(now.Year(), now.Month()-1, 1, 12, 0, 0, 0, paris).Format("2006-01")
}

// bill has a month billed: it asks an instance after the other until one has nothing left to bill.
// Each request has a key of its own: one that was lost has been answered for good.
func (y *year) bill(name, period string) {
	for n, deadline := 0, time.Now().Add(recoverIn); !y.t.Failed(); n++ {
		a, err := y.send(y.Billing[n%len(y.Billing)], "POST", "/billing/v1/billing-runs", fmt.Sprintf("%s-run-%d", name, n), "", map[string]any{"period": period})
		var run struct {
			Status      string
			NotInvoiced int
		}
		if err == nil {
			err = json.Unmarshal([]byte(a.body), &run)
		}
		switch {
		case err == nil && a.status == http.StatusOK && run.Status == "COMPLETED" && run.NotInvoiced == 0:
			return
		case time.Now().After(deadline):
			y.t.Errorf("%s was not billed in %v: %d %s %v", period, recoverIn, a.status, a.body, err)
			return
		}
		time.Sleep(50 * time.Millisecond) // the pause of a client between attempts
	}
}

// client does one thing after the other until the run is over, on contracts that others use too.
func (y *year) client(c int, random *rand.Rand, over *atomic.Bool) {
	limits := []time.Duration{200 * time.Millisecond, time.Second, 5 * time.Second, 15 * time.Second}
	next := func() (*cluster.Service, time.Duration) {
		return y.Billing[random.IntN(len(y.Billing))], limits[random.IntN(len(limits))]
	}
	var own []*purchase
	for n := 0; (n < atLeast || !over.Load()) && !y.t.Failed(); n++ {
		key, on := fmt.Sprintf("%s-%d-%d", y.name, c, n), y.contracts[random.IntN(len(y.contracts))]
		switch chance := random.IntN(10); {
		case chance < 4 || len(own) == 0:
			p := y.purchase(key, on, 50+random.Int64N(200))
			if y.insist(p, next); p.verdict.Accepted {
				own = append(own, p)
			}
		case chance < 6:
			p := own[random.IntN(len(own))]
			amount := 1 + random.Int64N(p.amount)
			y.do(&act{key: key, path: "/billing/v1/operations", kind: "a refund", reference: p.verdict.OperationRef, amount: amount,
				body: map[string]any{"type": "REFUND", "purchaseRef": p.verdict.OperationRef, "amount": euros(amount), "reason": "one traveller less"}}, next)
		case chance < 7:
			p := own[random.IntN(len(own))]
			y.do(&act{key: key, path: "/billing/v1/operations/" + p.verdict.OperationRef + "/cancellation", kind: "PurchaseCancelled", reference: p.verdict.OperationRef,
				body: map[string]any{"reason": "trip called off"}}, next)
		default:
			y.collect(key, on, random, next)
		}
		pause(random, 60*time.Millisecond)
	}
}

// steps are what a bank reports of a part, by the type of the record.
var steps = map[string]map[string]any{
	"DebitPresented":   {"outcome": "PRESENTED"},
	"DebitCollected":   {"outcome": "COLLECTED"},
	"DebitRejected":    {"outcome": "REJECTED", "reason": "AM04"},
	"DebitReturned":    {"outcome": "RETURNED", "reason": "AC04"},
	"SettledOtherwise": {"outcome": "SETTLED_OTHERWISE", "reference": "VIR-1"},
}

// collect reports a step of the collection of an invoice of the contract's customer, mostly one
// that its status allows. Sometimes it reinstates the contract before, if a rejection has suspended
// it.
func (y *year) collect(key string, c *contract, random *rand.Rand, next func() (*cluster.Service, time.Duration)) {
	on, _ := next()
	a, err := y.send(on, "GET", "/billing/v1/invoices?customerRef="+c.customer, "", "", nil)
	var page struct{ Items []invoice }
	if err != nil || a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &page) != nil || len(page.Items) == 0 {
		return
	}
	i := page.Items[random.IntN(len(page.Items))]
	part := i.Parts[random.IntN(len(i.Parts))]
	// a transfer ends the collection of a part, so it is rare
	kind := map[string][]string{"ISSUED": {"DebitPresented"}, "PRESENTED": {"DebitCollected", "DebitRejected"},
		"REJECTED": {"DebitPresented"}, "RETURNED": {"DebitPresented"}, "SETTLED": {"DebitReturned"}}[part.Status]
	if random.IntN(8) == 0 { // or any step, which may be out of order
		kind = []string{"DebitPresented", "DebitCollected", "DebitRejected", "DebitReturned", "SettledOtherwise"}
	}
	step := kind[random.IntN(len(kind))]
	body := map[string]any{"contractRef": part.ContractRef}
	for k, v := range steps[step] {
		body[k] = v
	}
	if random.IntN(2) == 0 {
		y.reinstate(part.ContractRef, key+"-reinstate")
	}
	y.do(&act{key: key, path: "/billing/v1/invoices/" + i.InvoiceRef + "/settlement", kind: step, reference: i.InvoiceRef, body: body}, next)
}

// invoice is what an instance answers.
type invoice struct {
	InvoiceRef string
	Total      money
	Parts      []struct {
		ContractRef, Status                            string
		Total, CreditNotes, Collected, Open, CreditDue money
		Presentations                                  int64
	}
}

type money struct{ Amount int64 }

// do repeats a write until it is decided.
func (y *year) do(a *act, next func() (*cluster.Service, time.Duration)) {
	if !y.settle(a, next) {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.acts = append(y.acts, a)
}

// settle sends a write until it is decided. It reports whether it was.
func (y *year) settle(a *act, next func() (*cluster.Service, time.Duration)) bool {
	return y.persist(a.key, next, func(on *cluster.Service, limit time.Duration) bool { return y.once(a, on, limit) })
}

// once sends a write a single time, and reports whether it was decided.
func (y *year) once(a *act, on *cluster.Service, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(y.t.Context(), limit)
	defer cancel()
	y.sent.Add(1)
	got, err := y.sendIn(ctx, on, "POST", a.path, a.key, "", a.body)
	switch {
	case err == nil && decided(got):
		a.answer = got
		y.decided.Add(1)
		return true
	case err != nil || got.text("code") == "outcome-unknown":
		y.unknown.Add(1)
		a.repeated = true
	default:
		y.notReady.Add(1)
	}
	return false
}

// reinstate reinstates a contract if it is suspended and the contract service is there.
func (y *year) reinstate(ref, key string) {
	path := "/refcontract/v1/contracts/" + ref
	a, err := y.send(y.Contract, "GET", path, "", "", nil)
	if err == nil && a.text("status") == "SUSPENDED" {
		_, _ = y.send(y.Contract, "PATCH", path, key, a.header.Get("ETag"), map[string]any{"action": "REINSTATE", "reason": "paid"})
	}
}

// judge checks the log, and by it the answers, the instances and what is published.
func (y *year) judge(mark int) {
	y.t.Helper()
	y.sync()
	j := judge(y.topics.Since(0), mark, y.all)
	y.verdict = j
	for _, a := range y.acts {
		j.act(a)
	}
	for _, left := range j.unbilled(y.now().In(paris).Format("2006-01")) {
		j.violated("%s is not billed", left)
	}
	for _, v := range j.violations {
		y.t.Error(v)
	}
	y.accounts(j, y.contracts)
	y.invoices(j)
	y.repeat()
	y.published(mark, y.all)
	y.announced()
}

// act checks the answer to a write by its record. A refusal leaves none, unless an earlier attempt,
// whose answer was lost, was still under way.
func (j *judgement) act(a *act) {
	r, there := j.keys[a.key]
	switch refund := r.Type == "RefundAccepted" || r.Type == "CreditNoteRecorded"; {
	case !a.accepted() && a.answer.status != http.StatusConflict && a.answer.status != http.StatusUnprocessableEntity:
		j.violated("%s was answered %d %s", a.key, a.answer.status, a.answer.body)
	case !a.accepted() && there && !a.repeated:
		j.violated("%s was refused by %d %s, the log has %s @%d", a.key, a.answer.status, a.answer.body, r.Type, r.Offset)
	case !a.accepted():
	case !there:
		j.violated("%s was answered %d and is not in the log", a.key, a.answer.status)
	case a.kind == "a refund" && (!refund || text(r, "purchaseRef") != a.reference || amountOf(r) != a.amount || text(r, "operationRef") != a.answer.text("operationRef")):
		j.violated("%s was answered %s, the log has %s %v", a.key, a.answer.body, r.Type, r.Value)
	case a.kind != "a refund" && (r.Type != a.kind || text(r, "operationRef") != a.reference && text(r, "invoiceRef") != a.reference):
		j.violated("%s of %s was accepted, the log has %s %v", a.kind, a.reference, r.Type, r.Value)
	}
}

// invoices waits until every instance shows the invoices of the run as the log implies.
func (y *year) invoices(j *judgement) {
	y.t.Helper()
	var customers []string
	for _, c := range y.contracts {
		customers = append(customers, c.customer)
	}
	for ref, want := range j.books.invoices {
		if !slices.Contains(customers, want.customer) {
			continue
		}
		for _, b := range y.Billing {
			y.until(ref+" on "+b.Name(), func() error { return y.shown(b, want) })
		}
	}
}

// shown compares an invoice with the log.
func (y *year) shown(on *cluster.Service, want *bill) error {
	a, err := y.send(on, "GET", "/billing/v1/invoices/"+want.ref, "", "", nil)
	var got invoice
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &got)
	}
	if err != nil || a.status != http.StatusOK || len(got.Parts) != len(want.parts) {
		return fmt.Errorf("%d %s, by the log %d parts: %w", a.status, a.body, len(want.parts), err)
	}
	for _, p := range got.Parts {
		figures := fmt.Sprint(p.Status, p.Total.Amount, p.CreditNotes.Amount, p.Collected.Amount, p.Open.Amount, p.CreditDue.Amount, p.Presentations)
		if s := want.parts[p.ContractRef]; s == nil || figures != s.figures() {
			return fmt.Errorf("the part of %s is %s, by the log %+v", p.ContractRef, figures, s)
		}
	}
	return nil
}

// repeat sends every accepted write to every instance. Each answer must be equal to the first one.
func (y *year) repeat() {
	var asking sync.WaitGroup
	lanes := make(chan struct{}, buyers)
	for _, a := range y.acts {
		for _, on := range y.Billing {
			if !a.accepted() {
				continue
			}
			lanes <- struct{}{}
			asking.Go(func() {
				defer func() { <-lanes }()
				again := *a
				decided := y.settle(&again, func() (*cluster.Service, time.Duration) { return on, patience })
				if decided && again.answer.body != a.answer.body {
					y.t.Errorf("%s was answered differently by %s:\nfirst %s\nnow   %s", a.key, on.Name(), a.answer.body, again.answer.body)
				}
			})
		}
	}
	asking.Wait()
}

// announced waits until every invoice, credit note and cancellation of the log is published.
func (y *year) announced() {
	y.t.Helper()
	names := map[string][2]string{"PeriodClosed": {"InvoiceIssued", "invoiceRef"}, "CreditNoteRecorded": {"CreditNoteIssued", "creditNoteRef"}, "PurchaseCancelled": {"OperationCancelled", "operationRef"}}
	y.until("invoices, credit notes and cancellations are published", func() error {
		y.sync()
		all := y.topics.Since(0)
		events := map[string]bool{}
		for _, r := range all {
			for _, name := range names {
				if r.Topic == billingEvents && r.Type == name[0] {
					events[name[0]+text(r, name[1])] = true
				}
			}
		}
		missing := slices.IndexFunc(all, func(r observer.Record) bool {
			name, said := names[r.Type]
			return said && r.Topic == billingLog && r.Envelope.Applied && !events[name[0]+text(r, name[1])]
		})
		if missing >= 0 {
			return fmt.Errorf("%s %v is not published", all[missing].Type, all[missing].Value)
		}
		return nil
	})
}

// entries counts what the run left in the log.
func (y *year) entries() string {
	counts, refused := map[string]int{}, 0
	for _, a := range y.acts {
		if r, there := y.verdict.keys[a.key]; there {
			counts[r.Type]++
		} else {
			refused++
		}
	}
	return fmt.Sprintf("%v, %d refused, %d invoices so far", counts, refused, len(y.verdict.books.invoices))
}
