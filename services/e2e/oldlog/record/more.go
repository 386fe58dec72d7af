package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deferpay/deferpay/tools/observer"
)

type object = map[string]any

func money(amount int64, currency string) object {
	return object{"amount": amount, "currency": currency}
}

func company(name, siren, vat, line2 string) object {
	address := object{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}
	if line2 != "" {
		address["line2"] = line2
	}
	return object{"legalName": name, "siren": siren, "vatNumber": vat, "billingAddress": address}
}

var acme = company("CSE « ACME & Cie »", "732829320", "FR44732829320", "bâtiment B")

// open creates a contract of a customer. The members of more replace those of the body.
func (p *player) open(customer string, more object) (ref string) {
	body := object{"customerRef": customer, "sellerRef": "AG-1", "buyer": acme, "ceiling": money(300000, "EUR"), "validFrom": "2020-01-01T00:00:00Z"}
	for name, v := range more {
		body[name] = v
	}
	a := p.contract(http.MethodPost, "/contracts", "", body)
	p.check(a.status == http.StatusCreated, "open %s: %d %v", customer, a.status, a.body)
	ref = a.text("contractRef")
	p.known(ref)
	return ref
}

// sign signs a mandate.
func (p *player) sign(ref, rum, scheme string, at time.Time) {
	p.change(http.MethodPut, ref, "/mandate", object{"rum": rum, "ics": "FR72ZZZ123456", "scheme": scheme,
		"signedAt": at.UTC().Format(time.RFC3339), "iban": "FR76 3000 6000 0112 3456 7890 189", "owner": "CSE ACME"})
}

// change changes a contract and waits until billing has the new version.
func (p *player) change(method, ref, path string, body any) {
	etag := p.contract(http.MethodGet, "/contracts/"+ref, "", nil).etag
	a := p.contract(method, "/contracts/"+ref+path, etag, body)
	if a.status == http.StatusPreconditionFailed { // the contract has become active meanwhile
		p.change(method, ref, path, body)
		return
	}
	p.check(a.status == http.StatusOK, "%s %s%s: %d %v", method, ref, path, a.status, a.body)
	p.known(ref)
}

func (p *player) act(ref, action string, more object) {
	body := object{"action": action}
	for name, v := range more {
		body[name] = v
	}
	p.change(http.MethodPatch, ref, "", body)
}

// active opens a contract and signs its mandate.
func (p *player) active(customer, rum string, more object) (ref string) {
	ref = p.open(customer, more)
	p.sign(ref, rum, "CORE", p.now().AddDate(0, -1, 0))
	p.reaches(ref, "ACTIVE")
	return ref
}

// buy makes a purchase, which must be accepted.
func (p *player) buy(ref string, amount int64, order, label string) (operation string) {
	a := p.purchase(ref, money(amount, "EUR"), order, label)
	p.check(a.status == http.StatusCreated, "buy on %s: %d %v", ref, a.status, a.body)
	return a.text("operationRef")
}

// refused makes a purchase, which must be refused for the given reasons.
func (p *player) refused(ref string, amount object, reasons ...string) {
	a := p.purchase(ref, amount, "ORD-R", "")
	got := fmt.Sprint(a.body["reasons"])
	p.check(a.status == http.StatusUnprocessableEntity && got == fmt.Sprint(reasons), "buy on %s: %d %s, want %v", ref, a.status, got, reasons)
}

func (p *player) purchase(ref string, amount object, order, label string) answer {
	body := object{"type": "PURCHASE", "contractRef": ref, "orderRef": order, "amount": amount}
	if label != "" {
		body["label"] = label
	}
	return p.billing(http.MethodPost, "/operations", body)
}

func (p *player) refund(operation string, amount int64, reason string) {
	body := object{"type": "REFUND", "purchaseRef": operation, "amount": money(amount, "EUR")}
	if reason != "" {
		body["reason"] = reason
	}
	a := p.billing(http.MethodPost, "/operations", body)
	p.check(a.status == http.StatusCreated, "refund of %s: %d %v", operation, a.status, a.body)
}

// bill runs the billing of a period and returns the invoices by contract.
func (p *player) bill(period string) (invoices map[string]string) {
	dry := p.billing(http.MethodPost, "/billing-runs", object{"period": period, "dryRun": true})
	p.check(dry.status == http.StatusOK, "dry run of %s: %d %v", period, dry.status, dry.body)
	a := p.billing(http.MethodPost, "/billing-runs", object{"period": period})
	p.check(a.status == http.StatusOK, "run of %s: %d %v", period, a.status, a.body)
	return p.completed(period)
}

func (p *player) completed(period string) (invoices map[string]string) {
	var a answer
	p.eventually("the run of "+period+" is completed", func() bool {
		a = p.billing(http.MethodGet, "/billing-runs/"+period+"?limit=200", nil)
		return a.text("status") == "COMPLETED"
	})
	invoices = map[string]string{}
	lines, _ := a.body["lines"].([]any)
	for _, l := range lines {
		line, _ := l.(object)
		if invoice, ok := line["invoiceRef"].(string); ok {
			parts, _ := line["parts"].([]any)
			for _, p := range parts {
				part, _ := p.(object)
				invoices[fmt.Sprint(part["contractRef"])] = invoice
			}
		}
	}
	return invoices
}

// settle records steps of the collection of an invoice. A rejection is given as "REJECTED reason".
func (p *player) settle(invoice string, steps ...string) {
	for _, step := range steps {
		body := object{"outcome": step}
		if reason, ok := strings.CutPrefix(step, "REJECTED "); ok {
			body = object{"outcome": "REJECTED", "reason": reason}
		}
		a := p.billing(http.MethodPost, "/invoices/"+invoice+"/settlement", body)
		p.check(a.status == http.StatusOK, "%s of %s: %d %v", step, invoice, a.status, a.body)
	}
}

// play plays the scenes.
func (p *player) play() error {
	return p.try(func() {
		s := &scenes{player: p}
		s.contracts()
		s.purchases()
		s.voids()
		s.unreadable()
		s.firstMonth = p.monthEnds()
		s.secondPurchases()
		s.secondMonth = p.monthEnds()
		s.runs()
		s.collection()
		s.automaticRun()
		s.lastState()
		p.complete()
	})
}

// kinds are the kinds of records that must be on each topic.
var kinds = map[string][]string{
	contractLog: {"Subscribed", "Activated", "Amended", "Suspended", "Reinstated", "Terminated", "MandateAccepted", "MandateWithdrawn",
		"Expired", "Republished", "PersonalDataErased", "barrier"},
	contractFacts: {"ContractSubscribed", "ContractActivated", "ContractAmended", "ContractSuspended", "ContractReinstated", "ContractTerminated",
		"MandateSigned", "MandateRevoked"},
	billingLog: {"ContractObserved", "ContractUnreadable", "PurchaseAccepted", "PurchaseRefused", "RefundAccepted", "PeriodClosed",
		"DebitPresented", "DebitCollected", "DebitRejected", "DebitReturned", "SettledOtherwise", "PurchaseCancelled", "CreditNoteRecorded",
		"RunStarted", "RunCompleted", "barrier"},
	billingEvents: {"OperationAccepted", "OperationRefused", "BillingPeriodClosed", "InvoiceIssued", "InvoiceSettled", "DirectDebitRejected",
		"OperationCancelled", "CreditNoteIssued"},
}

// complete prints the numbers of records by kind. It fails if a kind is missing, if a log has no
// void record, or if there is no dead letter.
func (p *player) complete() {
	p.must(p.seen.Sync(p.ctx))
	count, void := map[string]map[string]int{}, map[string]int{}
	for _, rec := range p.seen.Since(0) {
		if count[rec.Topic] == nil {
			count[rec.Topic] = map[string]int{}
		}
		count[rec.Topic][rec.Type]++
		if rec.Void() {
			void[rec.Topic]++
		}
	}
	for topic, all := range count {
		fmt.Printf("%-18s %d void, %v\n", topic, void[topic], all)
	}
	for topic, want := range kinds {
		for _, kind := range want {
			p.check(count[topic][kind] > 0, "no %s on %s", kind, topic)
		}
	}
	p.check(void[contractLog] > 0 && void[billingLog] > 0, "no void record: %v", void)
	p.check(len(count[contractDead]) > 0 && len(count[billingDead]) > 0, "no dead letter")
}

// void reports whether a log has a void record.
func (p *player) void(topic string) bool {
	p.must(p.seen.Sync(p.ctx))
	return slices.ContainsFunc(p.seen.Since(0), func(rec observer.Record) bool { return rec.Topic == topic && rec.Void() })
}

// together calls functions at the same time. It fails if one of them does.
func (p *player) together(calls ...func()) {
	errs := make([]error, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		all.Go(func() { errs[i] = p.try(call) })
	}
	all.Wait()
	for _, err := range errs {
		p.must(err)
	}
}
