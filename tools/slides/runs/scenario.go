package runs

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/observer"
)

// scenario is one scenario of the presentation, with the lanes of its picture from left to right.
type scenario struct {
	name  string
	lanes []string
	play  func(*recorder)
	// others is set if the topics get more records than the picture shows.
	others bool
}

var scenarios = []scenario{
	{"subscription", []string{"manager", "contract", contractLog, contractFacts, "billing", billingLog}, subscription, false},
	{"purchase", []string{"sales", "billing", billingLog, billingEvents}, purchase, false},
	{"lost", []string{"sales", "billing-1", billingLog, "billing-2"}, lost, false},
	{"killed", []string{"sales", "billing-1", billingLog, "billing-2"}, killed, false},
	{"collision", []string{"sales", "billing-1", billingLog, "billing-2"}, collision, true},
	{"suspended", []string{"manager", "contract", contractFacts, "billing-2", billingLog, "billing-1", "sales"}, suspended, true},
	{"down", []string{"manager", "contract", contractLog, contractFacts, "billing", billingLog, "sales"}, down, false},
	{"month", []string{"operator", "bank", "billing", billingLog, billingEvents}, month, false},
	{"rejected", []string{"bank", "billing", billingLog, billingEvents, "contract", contractLog, contractFacts}, rejected, false},
}

func eur(cents int) object { return object{"amount": cents, "currency": "EUR"} }

func euros(cents int) string { return fmt.Sprintf("%d.%02d EUR", cents/100, cents%100) }

// subscribe sends the two requests that make a contract, which becomes active by itself, and
// returns its reference.
func (r *recorder) subscribe(customer string, ceiling int) string {
	changed := func(record, fact string) []want {
		return []want{{contractLog, record}, {contractFacts, fact}, {billingLog, "ContractObserved"}}
	}
	ref := r.send(ask{who: "manager", to: r.cluster.Contract, method: http.MethodPost, path: "/contracts", want: 201, body: object{
		"customerRef": customer, "sellerRef": "AG-HORIZON", "ceiling": eur(ceiling), "validFrom": "2026-01-01T00:00:00Z",
		"buyer": object{"legalName": "CSE " + customer, "siren": "732829320", "vatNumber": "FR44732829320",
			"billingAddress": object{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}},
	}}, changed("Subscribed", "ContractSubscribed")...).text("contractRef")
	wants := append(changed("MandateAccepted", "MandateSigned"), changed("Activated", "ContractActivated")...)
	r.send(ask{who: "manager", to: r.cluster.Contract, method: http.MethodPut, path: "/contracts/" + ref + "/mandate", match: `"1"`, want: 200, body: object{
		"rum": "RUM-" + ref, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": time.Now().UTC().Add(-time.Minute).Format(time.RFC3339),
		"iban": "FR7630006000011234567890189", "bic": "AGRIFRPP", "owner": "CSE " + customer,
	}}, wants...)
	return ref
}

// active prepares a contract on which every instance of billing sells.
func (r *recorder) active(customer string, ceiling int) (ref string) {
	r.aside(func() {
		ref = r.subscribe(customer, ceiling)
		for _, b := range r.cluster.Billing {
			r.until("billing sells", func() bool { return r.copied(b, ref) == "ACTIVE" })
		}
	})
	return ref
}

// copied returns the status of a contract in the copy of an instance of billing.
func (r *recorder) copied(b *cluster.Service, ref string) string {
	a := r.exchange(ask{to: b, method: http.MethodGet, path: "/subscriptions?contractRef=" + ref})
	items, _ := a.body["items"].([]any)
	for _, it := range items {
		if m, _ := it.(object); m["contractRef"] == ref {
			s, _ := m["status"].(string)
			return s
		}
	}
	return ""
}

// buy is the request for a purchase.
func (r *recorder) buy(to *cluster.Service, contract, order, key string, cents, status int) ask {
	return ask{who: "sales", to: to, method: http.MethodPost, path: "/operations", key: key, shown: euros(cents), want: status, body: object{
		"type": "PURCHASE", "contractRef": contract, "orderRef": order, "amount": eur(cents)}}
}

// looks reads the eligibility of a customer, at least as fresh as an answer.
func (r *recorder) looks(to *cluster.Service, customer string, after reply) {
	q := ask{who: "sales", to: to, method: http.MethodGet, path: "/eligibility/" + customer, fresh: after.header.Get("Log-Position"), want: 200}
	a := r.exchange(q)
	r.status(q, a)
	r.request(q)
	contracts, _ := a.body["contracts"].([]any)
	for _, c := range contracts {
		m, _ := c.(object)
		one := reply{body: m}
		r.add(Step{Kind: Answer, From: r.lane(to.Name()), To: "sales", Text: fmt.Sprintf("200 %v eligible: %v", m["contractRef"], m["eligible"]),
			Detail: "{available} " + one.number("available", "amount") + " {of} " + one.number("ceiling", "amount")})
	}
}

func subscription(r *recorder) { r.subscribe("CSE-ACME", 500000) }

func purchase(r *recorder) {
	ref := r.active("CSE-ROSE", 500000)
	b := r.cluster.Billing[0]
	a := r.send(r.buy(b, ref, "ORD-11", "o-11", 120000, 201), want{billingLog, "PurchaseAccepted"}, want{billingEvents, "OperationAccepted"})
	r.looks(b, "CSE-ROSE", a)
	r.send(r.buy(b, ref, "ORD-12", "o-12", 400000, 422), want{billingLog, "PurchaseRefused"}, want{billingEvents, "OperationRefused"})
}

// lost drops an answer on its way, and sends the request again to the other instance.
func lost(r *recorder) {
	ref := r.active("CSE-LOST", 500000)
	one, two := r.cluster.Billing[0], r.cluster.Billing[1]
	r.cutOff(one, r.buy(one, ref, "ORD-17", "o-17", 120000, 0), func() {})
	r.send(r.buy(two, ref, "ORD-17", "o-17", 120000, 201))
}

// cutOff sends a purchase whose answer does not come back.
func (r *recorder) cutOff(to *cluster.Service, q ask, then func()) {
	proxy := r.loses(to, then)
	defer proxy.Close()
	q.url = proxy.URL
	r.status(q, r.exchange(q))
	r.request(q)
	r.flowed(want{billingLog, "PurchaseAccepted"})
	r.add(Step{Kind: Cut, From: r.lane(to.Name()), To: q.who, Text: "201, {lost}"})
}

// killed kills an instance before its answer gets through. The other one answers. The first one,
// started again, answers the same.
func killed(r *recorder) {
	ref := r.active("CSE-KILL", 500000)
	one, two := r.cluster.Billing[0], r.cluster.Billing[1]
	r.cutOff(one, r.buy(one, ref, "ORD-22", "o-22", 120000, 0), func() { must(one.Kill()) })
	r.add(Step{Kind: Incident, From: "billing-1", Text: "{killed}"})
	r.send(r.buy(two, ref, "ORD-22", "o-22", 120000, 201))
	must(cluster.StartReady(r.ctx, one.Process))
	r.add(Step{Kind: Incident, From: "billing-1", Text: "{started}"})
	r.send(r.buy(one, ref, "ORD-22", "o-22", 120000, 201))
}

// collision sends two purchases, of which the ceiling allows one, to two instances at once, until
// the log has a void record. In most tries one instance decides before the other begins.
func collision(r *recorder) {
	ref := r.active("CSE-BETA", 200000)
	for try := range 300 {
		var asks [2]ask
		var answers [2]reply
		var both sync.WaitGroup
		for i, b := range r.cluster.Billing {
			asks[i] = r.buy(b, ref, fmt.Sprintf("ORD-%d-%d", try, i), fmt.Sprintf("o-%c%d", 'a'+i, try), 150000, 0)
			both.Go(func() { answers[i] = r.exchange(asks[i]) })
		}
		both.Wait()
		first := 0
		if answers[1].status == 201 {
			first = 1
		}
		must(r.seen.Sync(r.ctx))
		if list := r.ofKeys(asks[0].key, asks[1].key); collided(list) {
			r.shows(asks, answers, first, list)
			return
		}
		path := "/operations/" + answers[first].text("operationRef") + "/cancellation"
		r.exchange(ask{to: asks[0].to, method: http.MethodPost, path: path, key: r.keyFor(), body: object{"reason": "next try"}})
	}
	panic(stopped{fmt.Errorf("no void record in 300 tries")})
}

func (r *recorder) shows(asks [2]ask, answers [2]reply, first int, list []observer.Record) {
	names := map[string]string{asks[first].key: "o-31", asks[1-first].key: "o-32"}
	for _, i := range []int{first, 1 - first} {
		q := asks[i]
		q.key = names[q.key]
		r.request(q)
	}
	for _, rec := range list {
		r.record(rec)
	}
	for _, i := range []int{first, 1 - first} {
		r.answer(asks[i], answers[i])
	}
}

// ofKeys returns the records of billing's log that used one of the keys, in the order of the log.
func (r *recorder) ofKeys(keys ...string) []observer.Record {
	var list []observer.Record
	for _, rec := range r.seen.Since(r.mark) {
		if rec.Topic != billingLog || rec.Envelope == nil {
			continue
		}
		for _, e := range rec.Envelope.Expects {
			for _, k := range keys {
				if strings.HasPrefix(e.Stream, "key/") && strings.HasSuffix(e.Stream, "/"+k) {
					list = append(list, rec)
				}
			}
		}
	}
	return list
}

// collided reports whether two purchases were accepted on the same record of their contract, of
// which the second is void, and then refused.
func collided(list []observer.Record) bool {
	return len(list) == 3 && list[0].Type == "PurchaseAccepted" && list[1].Type == "PurchaseAccepted" && list[1].Void() &&
		onContract(list[0]) == onContract(list[1]) && list[2].Type == "PurchaseRefused"
}

// suspended sends purchases to one instance while the other ingests a suspension, until a purchase
// that was decided on the former version is void. Each try takes a new contract.
func suspended(r *recorder) {
	for range 100 {
		ref := r.active("CSE-GONE", 100000000)
		reader, other := r.readers()
		r.run.Lanes = []string{"manager", "contract", contractFacts, reader.Name(), billingLog, other.Name(), "sales"}
		patch := ask{who: "manager", to: r.cluster.Contract, method: http.MethodPatch, path: "/contracts/" + ref, key: r.keyFor(), match: `"3"`, shown: "SUSPEND",
			body: object{"action": "SUSPEND", "reason": "unpaid elsewhere"}, want: 200}
		asks, answers, patched := r.meanwhile(other, ref, patch)
		r.status(patch, patched)
		must(r.seen.Sync(r.ctx))
		for i, q := range asks {
			if list := r.ofKeys(q.key); answers[i].status != 422 || !r.overtaken(list) {
				continue
			}
			r.request(patch)
			r.answer(patch, patched)
			r.flowed(want{contractLog, "Suspended"}, want{contractFacts, "ContractSuspended"})
			q.key = "o-41"
			r.request(q)
			r.flowed(want{billingLog, "ContractObserved"})
			r.record(r.ofKeys(asks[i].key)[0])
			r.record(r.ofKeys(asks[i].key)[1])
			r.answer(q, answers[i])
			return
		}
	}
	panic(stopped{fmt.Errorf("no void purchase in 100 suspensions")})
}

// overtaken reports whether the records of a purchase are a void one, decided before the suspension
// was ingested, and one that builds on the suspension.
func (r *recorder) overtaken(list []observer.Record) bool {
	if len(list) != 2 || !list[0].Void() {
		return false
	}
	for _, rec := range r.seen.Since(r.mark) {
		if rec.Type == "ContractObserved" {
			return onContract(list[0]) >= 0 && onContract(list[1]) == rec.Offset
		}
	}
	return false
}

// onContract returns the position of the record of its contract that a record builds on, or -1.
func onContract(rec observer.Record) int64 {
	for _, e := range rec.Envelope.Expects {
		if strings.HasPrefix(e.Stream, "contract/") {
			return e.Offset
		}
	}
	return -1
}

// readers returns the instance of billing that ingests the facts of contract, and the other one.
func (r *recorder) readers() (reader, other *cluster.Service) {
	reader, other = r.cluster.Billing[0], r.cluster.Billing[1]
	for _, rec := range r.seen.Since(0) {
		if rec.Topic == billingLog && rec.Type == "ContractObserved" && rec.Envelope.Writer == other.Name() {
			reader, other = other, reader
		}
	}
	return reader, other
}

// meanwhile sends a change of a contract, and purchases on it at the same time until one is
// refused.
func (r *recorder) meanwhile(to *cluster.Service, ref string, patch ask) (asks []ask, answers []reply, patched reply) {
	var lock sync.Mutex
	var all sync.WaitGroup
	for worker := range 2 {
		all.Go(func() {
			for i := range 1000 {
				id := fmt.Sprintf("%s-%d-%d", ref, worker, i)
				q := r.buy(to, ref, "ORD-S"+id, "s-"+id, 1000, 0)
				a := r.exchange(q)
				lock.Lock()
				asks, answers = append(asks, q), append(answers, a)
				lock.Unlock()
				if a.status != 201 {
					return
				}
			}
		})
	}
	patched = r.exchange(patch)
	all.Wait()
	return asks, answers, patched
}

// down stops contract. Billing goes on selling, and a change of the contract visibly fails. After a
// restart the same request suspends the contract.
func down(r *recorder) {
	ref := r.active("CSE-DOWN", 500000)
	c, b := r.cluster.Contract, r.cluster.Billing[0]
	etag := r.exchange(ask{to: c, method: http.MethodGet, path: "/contracts/" + ref}).header.Get("ETag")
	must(c.Stop(r.ctx))
	r.add(Step{Kind: Incident, From: "contract", Text: "{stopped}"})
	r.send(r.buy(b, ref, "ORD-51", "o-51", 120000, 201), want{billingLog, "PurchaseAccepted"})
	patch := ask{who: "manager", to: c, method: http.MethodPatch, path: "/contracts/" + ref, key: "p-1", match: etag, shown: "SUSPEND",
		body: object{"action": "SUSPEND", "reason": "unpaid elsewhere"}}
	r.status(patch, r.exchange(patch))
	r.add(Step{Kind: Cut, From: "manager", To: "contract", Text: "PATCH " + shortened(patch.path), Detail: "{away}"})
	must(cluster.StartReady(r.ctx, c.Process))
	r.add(Step{Kind: Incident, From: "contract", Text: "{started}"})
	patch.want = 200
	a := r.send(patch, want{contractLog, "Suspended"}, want{contractFacts, "ContractSuspended"}, want{billingLog, "ContractObserved"})
	r.until("billing knows", func() bool { return r.copied(b, ref) == a.text("status") })
	r.send(r.buy(b, ref, "ORD-52", "o-52", 120000, 422), want{billingLog, "PurchaseRefused"})
}

// month bills a customer with two contracts, and collects the part of one of them.
func month(r *recorder) {
	b := r.cluster.Billing[0]
	run := func(period string) ask {
		return ask{who: "operator", to: b, method: http.MethodPost, path: "/billing-runs", shown: period, body: object{"period": period}, want: 200}
	}
	now := time.Now().UTC()
	day := func(months int) time.Time {
		return time.Date(now.Year(), now.Month()+time.Month(months), 2, 12, 0, 0, 0, time.UTC)
	}
	r.aside(func() { // the other customers are billed before
		must(r.cluster.SetClock(day(1).Sub(now)))
		q := run(day(0).Format("2006-01"))
		q.key = r.keyFor()
		r.status(q, r.exchange(q))
	})
	first := r.active("CSE-MOON", 500000)
	r.second = r.active("CSE-MOON", 200000)
	r.aside(func() {
		for i, ref := range []string{first, r.second} {
			r.send(r.buy(b, ref, fmt.Sprintf("ORD-6%d", i), fmt.Sprintf("o-6%d", i), 30000*(i+1), 201), want{billingLog, "PurchaseAccepted"})
		}
		must(r.cluster.SetClock(day(2).Sub(now)))
	})
	closed := want{billingEvents, "BillingPeriodClosed"}
	r.send(run(day(1).Format("2006-01")), want{billingLog, "RunStarted"}, want{billingLog, "PeriodClosed"}, want{billingLog, "RunCompleted"}, closed, closed, want{billingEvents, "InvoiceIssued"})
	items, _ := r.exchange(ask{to: b, method: http.MethodGet, path: "/invoices?customerRef=CSE-MOON"}).body["items"].([]any)
	if len(items) != 1 {
		panic(stopped{fmt.Errorf("%d invoices, want one", len(items))})
	}
	r.invoice, _ = items[0].(object)["invoiceRef"].(string)
	r.send(r.settle(first, "PRESENTED", ""), want{billingLog, "DebitPresented"})
	r.send(r.settle(first, "COLLECTED", ""), want{billingLog, "DebitCollected"}, want{billingEvents, "InvoiceSettled"})
}

// settle is the report of the bank on a part of the invoice.
func (r *recorder) settle(contract, outcome, reason string) ask {
	body, shown := object{"outcome": outcome, "contractRef": contract}, contract+" "+outcome
	if reason != "" {
		body["reason"] = reason
		shown += " " + reason
	}
	return ask{who: "bank", to: r.cluster.Billing[0], method: http.MethodPost, path: "/invoices/" + r.invoice + "/settlement", shown: shown, body: body, want: 200}
}

// rejected reports the rejection of the other part. Contract suspends that contract.
func rejected(r *recorder) {
	r.aside(func() { r.send(r.settle(r.second, "PRESENTED", ""), want{billingLog, "DebitPresented"}) })
	r.send(r.settle(r.second, "REJECTED", "AM04"), want{billingLog, "DebitRejected"}, want{billingEvents, "DirectDebitRejected"},
		want{contractLog, "Suspended"}, want{contractFacts, "ContractSuspended"}, want{billingLog, "ContractObserved"})
}
