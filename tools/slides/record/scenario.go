package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
)

// The second customer only buys in race, so that its purchases are not on the invoice.
const (
	acme = "CSE-ACME"
	beta = "CSE-BETA"
)

type object = map[string]any

func eur(amount int) object { return object{"amount": amount, "currency": "EUR"} }

// play sends what the slides show. Steps that only prepare the next one have no name.
func (r *recorder) play() (err error) {
	defer func() {
		if p, ok := recover().(stopped); ok {
			err = p.error
		}
	}()
	first := r.subscribe("subscribe", "sign", acme, "RUM-ACME-1", 500000)
	second := r.subscribe("", "", acme, "RUM-ACME-2", 200000)
	r.eligible(acme, 2)
	r.purchases(first, second)
	r.suspends(first)
	r.race()
	r.monthEnds(first, second)
	return nil
}

// subscribe makes a contract that is active in every service, and returns its reference.
func (r *recorder) subscribe(created, signed, customer, rum string, ceiling int) string {
	siren, vat := "732829320", "FR44732829320"
	if customer == beta {
		siren, vat = "552100554", "FR96552100554"
	}
	a := r.send(created, request{to: r.cluster.Contract, method: "POST", path: "/contracts", key: "c-" + rum, want: 201, body: object{
		"customerRef": customer, "sellerRef": "AG-HORIZON", "ceiling": eur(ceiling), "validFrom": "2026-01-01T00:00:00Z",
		"buyer": object{"legalName": strings.ReplaceAll(customer, "-", " "), "siren": siren, "vatNumber": vat,
			"billingAddress": object{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}},
	}})
	ref := a.text("contractRef")
	r.send(signed, request{to: r.cluster.Contract, method: "PUT", path: "/contracts/" + ref + "/mandate", key: "m-" + rum, match: `"1"`, want: 200, body: object{
		"rum": rum, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": time.Now().UTC().Add(-time.Minute).Format(time.RFC3339),
		"iban": "FR7630006000011234567890189", "bic": "AGRIFRPP", "owner": "CSE ACME",
	}})
	r.until("the contract is active", func() bool {
		return r.send("", request{to: r.cluster.Contract, method: "GET", path: "/contracts/" + ref}).text("status") == "ACTIVE"
	})
	return ref
}

// eligible waits until every instance of billing sells on that many contracts of a customer.
func (r *recorder) eligible(customer string, contracts int) {
	for _, b := range r.cluster.Billing {
		r.until("billing sells", func() bool {
			a := r.send("", request{to: b, method: "GET", path: "/eligibility/" + customer})
			list, _ := a.body["contracts"].([]any)
			n := 0
			for _, c := range list {
				if m, _ := c.(object); m["eligible"] == true {
					n++
				}
			}
			return n == contracts
		})
	}
}

func order(contract, ref string, amount int) object {
	return object{"type": "PURCHASE", "contractRef": contract, "orderRef": ref, "amount": eur(amount)}
}

func (r *recorder) purchases(first, second string) {
	one, two := r.cluster.Billing[0], r.cluster.Billing[1]
	body := order(first, "ORD-17", 120000)
	a := r.send("purchase", request{to: one, method: "POST", path: "/operations", key: "o-17", want: 201, body: body})
	r.send("again", request{to: two, method: "POST", path: "/operations", key: "o-17", want: 201, body: body})
	r.send("reused", request{to: two, method: "POST", path: "/operations", key: "o-17", want: 422, body: order(first, "ORD-99", 5000)})
	r.send("read", request{to: two, method: "GET", path: "/eligibility/" + acme, fresh: a.header.Get("Log-Position"), want: 200})
	r.send("refused", request{to: two, method: "POST", path: "/operations", key: "o-18", want: 422, body: order(first, "ORD-18", 400000)})
	r.send("", request{to: one, method: "POST", path: "/operations", key: "o-19", want: 201, body: order(second, "ORD-19", 30000)})
	r.send("unknown", request{to: one, method: "POST", path: "/operations", key: "o-20", want: 409, body: order("CTR-999", "ORD-20", 1000)})
}

func (r *recorder) suspends(ref string) {
	change := func(name, action string) {
		body := object{"action": action}
		if action == "SUSPEND" {
			body["reason"] = "unpaid elsewhere"
		}
		etag := r.send("", request{to: r.cluster.Contract, method: "GET", path: "/contracts/" + ref}).header.Get("ETag")
		r.send(name, request{to: r.cluster.Contract, method: "PATCH", path: "/contracts/" + ref, key: "p-" + action, match: etag, want: 200, body: body})
	}
	change("suspend", "SUSPEND")
	r.eligible(acme, 1)
	r.send("inactive", request{to: r.cluster.Billing[1], method: "POST", path: "/operations", key: "o-21", want: 422, body: order(ref, "ORD-21", 1000)})
	change("", "REINSTATE")
	r.eligible(acme, 2)
}

// race sends two purchases, of which the ceiling allows one, to both instances at once, until the
// log has a void record. In most tries one instance decides before the other begins.
func (r *recorder) race() {
	ref := r.subscribe("", "", beta, "RUM-BETA-1", 200000)
	r.eligible(beta, 1)
	for try := range 300 {
		keys := [2]string{fmt.Sprintf("o-a%d", try), fmt.Sprintf("o-b%d", try)}
		var answers [2]answer
		var both sync.WaitGroup
		for i, b := range r.cluster.Billing {
			both.Go(func() {
				answers[i] = r.exchange(request{to: b, method: "POST", path: "/operations", key: keys[i], body: order(ref, "ORD-"+keys[i], 150000)})
			})
		}
		both.Wait()
		if r.voidRecord(keys) {
			return
		}
		for _, a := range answers {
			if a.status == 201 {
				path := "/operations/" + a.text("operationRef") + "/cancellation"
				r.send("", request{to: r.cluster.Billing[0], method: "POST", path: path, key: fmt.Sprintf("x-%d", try), want: 200, body: object{"reason": "next try"}})
			}
		}
	}
	panic(stopped{fmt.Errorf("no void record in 300 tries")})
}

func (r *recorder) monthEnds(first, second string) {
	now := time.Now().UTC()
	if err := r.cluster.SetClock(time.Date(now.Year(), now.Month()+1, 2, 0, 0, 0, 0, time.UTC).Sub(now)); err != nil {
		panic(stopped{err})
	}
	one := r.cluster.Billing[0]
	r.send("run", request{to: one, method: "POST", path: "/billing-runs", key: "run-1", want: 200, body: object{"period": now.Format("2006-01")}})
	a := r.send("", request{to: one, method: "GET", path: "/invoices?customerRef=" + acme, want: 200})
	items, _ := a.body["items"].([]any)
	if len(items) != 1 {
		panic(stopped{fmt.Errorf("%d invoices, want one: %v", len(items), a.body)})
	}
	invoice, _ := items[0].(object)["invoiceRef"].(string)
	settle := func(name, contract, outcome, reason string) {
		body := object{"outcome": outcome, "contractRef": contract}
		if reason != "" {
			body["reason"] = reason
		}
		r.send(name, request{to: one, method: "POST", path: "/invoices/" + invoice + "/settlement", key: "s-" + contract + outcome, want: 200, body: body})
	}
	r.send("invoice", request{to: one, method: "GET", path: "/invoices/" + invoice, want: 200})
	settle("present", first, "PRESENTED", "")
	settle("collect", first, "COLLECTED", "")
	settle("", second, "PRESENTED", "")
	settle("reject", second, "REJECTED", "AM04")
	r.until("contract suspends", func() bool {
		return r.send("suspended", request{to: r.cluster.Contract, method: "GET", path: "/contracts/" + second}).text("status") == "SUSPENDED"
	})
}

// request is one request to a service. Its status must be want, unless that is 0.
type request struct {
	to                              *cluster.Service
	method, path, key, match, fresh string
	body                            any
	want                            int
}

// text returns the text of a member of the answer, or "" if there is none.
func (a answer) text(member string) string {
	s, _ := a.body[member].(string)
	return s
}

func indented(v any) []byte {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(stopped{err})
	}
	return data
}
