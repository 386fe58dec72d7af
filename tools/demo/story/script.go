package story

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/observer"
)

const ceiling = 500000 // minor units, as all amounts here

// steps are the story, in its order: each builds on those before it.
func steps() []step {
	return []step{
		{"A works council subscribes", "Contract records the subscription and publishes it with its full state. Billing learns of it from Kafka alone.", subscribe},
		{"It signs the direct debit mandate", "The account stays in contract: facts carry the mandate's reference and the last four characters.", signFirst},
		{"The contract becomes active", "By itself: mandate signed, validity begun. Both instances tick; identity expectations let one record in.", becomesActive},
		{"What may it buy?", "The CQRS query: billing answers from its own copy, on either instance, at the log position asked for.", asksEligibility},
		{"It buys 1,200.00 EUR on billing-1", "Decided at once, on billing's log alone. The public event is derived from the record, never written beside it.", func(r *run) error {
			return r.buys(1, 120000, 120000)
		}},
		{"It buys 2,000.00 EUR on billing-2", "Either instance decides: the record names what it builds on, so two instances cannot both spend the same euro.", func(r *run) error {
			return r.buys(2, 200000, 320000)
		}},
		{"The same request comes twice, and to the other instance", "The idempotency key is a stream of the log: one effect, and the same answer from any instance.", sendsAgain},
		{"The same key with another body", "A key names one request. Nothing is recorded.", reusesKey},
		{"It would buy 2,500.00 EUR: over the ceiling", "Refused with the figures it was judged by. A refusal is a recorded fact too.", overCeiling},
		{"It gives 400.00 EUR of the first purchase back", "While the month is open a refund lowers it, and frees the ceiling.", refunds},
		{"It revokes the mandate", "The contract keeps its status; purchases are refused for want of a mandate.", revokes},
		{"It signs a new mandate", "Purchases are possible again as soon as billing has read the fact.", signAgain},
		{"The contract service is stopped: purchases go on", "Billing never calls it. Availability of one is not availability of the other.", withoutContract},
		{"Contract is back, and the contract is suspended", "Billing refuses from the position in its log where it read the suspension.", suspends},
		{"The contract is reinstated", "", reinstates},
		{"billing-1 is killed with SIGKILL, and comes back", "Its state is its log: it answers the same as before. Until the broker gives it up for dead (6 s) nobody publishes; what it had not yet confirmed is published again.", kills},
		{"The month ends", "Closing the month and issuing the invoice is one record a contract. Running it again adds nothing.", monthEnds},
		{"The invoice is collected", "Billing does not free the ceiling, collection does.", collects},
		{"The next month's debit is rejected", "Billing says so on its public topic; contract reads it and suspends the contract; billing reads that.", rejected},
		{"Reinstated, then terminated", "Termination is final. What is bought is still owed.", terminates},
		{"The last month is still invoiced", "Refused purchases are on no invoice; every accepted one is on exactly one.", lastInvoice},
		{"What is left", "Nothing was dead-lettered, the invoices number without a gap and add up to the purchases.", addsUp},
	}
}

func eur(amount int64) map[string]any { return map[string]any{"amount": amount, "currency": "EUR"} }

func subscribe(r *run) error {
	body := map[string]any{
		"customerRef": r.customer, "sellerRef": "AG-HORIZON", "ceiling": eur(ceiling), "validFrom": "2026-01-01T00:00:00Z",
		"buyer": map[string]any{"legalName": "CSE ACME", "siren": "732829320", "vatNumber": "FR44732829320",
			"billingAddress": map[string]any{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}},
	}
	a := r.send(request{to: r.c.Contract, method: http.MethodPost, path: "/contracts", key: r.newKey("c"), body: body})
	r.check(a.status == http.StatusCreated && a.text("status") == "PENDING", "status %d: %v", a.status, a.body)
	r.contract, r.etag = a.text("contractRef"), a.header.Get("ETag")
	r.flowed(on(contractLog, "Subscribed"), on(contractFacts, "ContractSubscribed"), on(billingLog, "ContractObserved"))
	e := r.outstanding(0, 0)
	r.check(e.text("status") == "PENDING" && e.at("eligible") == false, "billing: %v", e.body)
	return nil
}

func mandate(rum string) map[string]any {
	return map[string]any{"rum": rum, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": time.Now().UTC().Add(-time.Minute).Format(time.RFC3339),
		"iban": "FR76 3000 6000 0112 3456 7890 189", "bic": "AGRIFRPP", "owner": "CSE ACME"}
}

func signFirst(r *run) error {
	a := r.onContract(http.MethodPut, "/mandate", mandate("RUM-CE-ACME-1"))
	r.check(a.text("mandate.status") == "SIGNED" && a.text("mandate.ibanLastFour") == "0189", "mandate: %v", a.body)
	taken := r.flowed(on(contractLog, "MandateAccepted"), on(contractFacts, "MandateSigned"), on(billingLog, "ContractObserved"))
	for _, rec := range taken {
		r.check(rec.Topic == contractLog || !contains(rec.Value, "30006000"), "%s @%d carries the account: %v", rec.Topic, rec.Offset, rec.Value)
	}
	return errGoesOn
}

func becomesActive(r *run) error {
	r.flowed(on(contractLog, "Activated"), on(contractFacts, "ContractActivated"), on(billingLog, "ContractObserved"))
	r.refresh("ACTIVE")
	e := r.outstanding(0, 0)
	r.check(e.text("status") == "ACTIVE" && e.at("eligible") == true, "billing: %v", e.body)
	return nil
}

// refresh reads the contract, wants a status, and keeps the ETag for the next change.
func (r *run) refresh(status string) answer {
	a := r.send(request{to: r.c.Contract, method: http.MethodGet, path: "/contracts/" + r.contract, fresh: r.position(contractLog)})
	r.check(a.status == http.StatusOK && a.text("status") == status, "contract is %d %s, want %s", a.status, a.text("status"), status)
	r.etag = a.header.Get("ETag")
	return a
}

func asksEligibility(r *run) error {
	r.check(r.eligibility(ceiling).at("eligible") == true, "a purchase up to the ceiling must be possible")
	e := r.eligibility(ceiling + 1)
	r.check(e.at("eligible") == false && fmt.Sprint(e.at("reasons")) == "[CEILING_EXCEEDED]", "over the ceiling: %v", e.body)
	return nil
}

// order is the body of a purchase.
func (r *run) order(amount int64) map[string]any {
	return map[string]any{"type": "PURCHASE", "contractRef": r.contract, "orderRef": fmt.Sprintf("ORD-%d", len(r.purchases)+1), "amount": eur(amount)}
}

// purchase sends a new purchase, which must be accepted, and says what flowed.
func (r *run) purchase(to *cluster.Service, amount int64) purchase {
	p := purchase{key: r.newKey("o"), body: r.order(amount)}
	a := r.send(request{to: to, method: http.MethodPost, path: "/operations", key: p.key, body: p.body})
	r.check(a.status == http.StatusCreated && a.text("status") == "ACCEPTED", "purchase: %d %v", a.status, a.body)
	p.ref = a.text("operationRef")
	r.purchases = append(r.purchases, p)
	r.flowed(accepted(p.ref))
	return p
}

// accepted are the record and the event of an accepted operation.
func accepted(ref string) []one {
	isIt := func(rec observer.Record) bool { return rec.Value["operationRef"] == ref }
	return []one{{billingLog, "PurchaseAccepted", isIt}, {billingEvents, "OperationAccepted", isIt}}
}

func (r *run) buys(instance int, amount, outstanding int64) error {
	r.purchase(r.billing(instance), amount)
	r.outstanding(outstanding, 0)
	return nil
}

// again sends a purchase of before once more and wants the same answer.
func (r *run) again(to *cluster.Service, p purchase) {
	a := r.send(request{to: to, method: http.MethodPost, path: "/operations", key: p.key, body: p.body})
	r.check(a.status == http.StatusCreated && a.text("operationRef") == p.ref && a.replayed(), "the same request: %d %v", a.status, a.body)
}

func sendsAgain(r *run) error {
	r.again(r.billing(2), r.purchases[1])
	r.again(r.billing(1), r.purchases[1])
	r.again(r.billing(2), r.purchases[0])
	r.outstanding(320000, 0)
	return nil
}

func reusesKey(r *run) error {
	a := r.send(request{to: r.billing(1), method: http.MethodPost, path: "/operations", key: r.purchases[0].key, body: r.order(100)})
	r.check(a.status == http.StatusUnprocessableEntity && a.text("code") == "idempotency-key-reused", "another body: %d %v", a.status, a.body)
	a = r.send(request{to: r.billing(1), method: http.MethodPost, path: "/operations", body: r.order(100)})
	r.check(a.status == http.StatusBadRequest && a.text("code") == "idempotency-key-missing", "no key: %d %v", a.status, a.body)
	r.outstanding(320000, 0)
	return nil
}

// refused sends a purchase that must be refused for one reason.
func (r *run) refused(to *cluster.Service, amount int64, reason string) answer {
	a := r.send(request{to: to, method: http.MethodPost, path: "/operations", key: r.newKey("o"), body: r.order(amount)})
	r.check(a.status == http.StatusUnprocessableEntity && a.text("code") == "purchase-refused", "purchase: %d %v", a.status, a.body)
	r.check(fmt.Sprint(a.at("reasons")) == "["+reason+"]", "reasons %v, want %s", a.at("reasons"), reason)
	r.flowed(refusal())
	return a
}

// refusal is the record and the event of a refused purchase.
func refusal() []one {
	return []one{{topic: billingLog, kind: "PurchaseRefused"}, {topic: billingEvents, kind: "OperationRefused"}}
}

func overCeiling(r *run) error {
	a := r.refused(r.billing(1), 250000, "CEILING_EXCEEDED")
	r.check(a.amount("outstanding") == 320000 && a.amount("ceiling") == ceiling && a.amount("available") == 180000, "figures: %v", a.body)
	r.outstanding(320000, 0)
	return nil
}

func refunds(r *run) error {
	body := map[string]any{"type": "REFUND", "purchaseRef": r.purchases[0].ref, "amount": eur(40000), "reason": "one traveller less"}
	a := r.send(request{to: r.billing(2), method: http.MethodPost, path: "/operations", key: r.newKey("o"), body: body})
	r.check(a.status == http.StatusCreated && a.text("type") == "REFUND", "refund: %d %v", a.status, a.body)
	r.flowed(on(billingLog, "RefundAccepted"), on(billingEvents, "OperationAccepted"))
	body["amount"] = eur(90000)
	a = r.send(request{to: r.billing(1), method: http.MethodPost, path: "/operations", key: r.newKey("o"), body: body})
	r.check(a.status == http.StatusUnprocessableEntity && a.text("code") == "refund-exceeds-purchase" && a.amount("available") == 80000, "too much: %d %v", a.status, a.body)
	r.outstanding(280000, 0)
	return nil
}

func revokes(r *run) error {
	a := r.onContract(http.MethodDelete, "/mandate?reason=bank+changed", nil)
	r.check(a.text("mandate.status") == "REVOKED" && a.text("status") == "ACTIVE", "contract: %v", a.body)
	r.flowed(on(contractLog, "MandateWithdrawn"), on(contractFacts, "MandateRevoked"), on(billingLog, "ContractObserved"))
	r.refused(r.billing(2), 1000, "MANDATE_NOT_VALID")
	e := r.outstanding(280000, 0)
	r.check(e.text("mandate.status") == "REVOKED", "billing: %v", e.body)
	return nil
}

func signAgain(r *run) error {
	r.onContract(http.MethodPut, "/mandate", mandate("RUM-CE-ACME-2"))
	r.flowed(on(contractLog, "MandateAccepted"), on(contractFacts, "MandateSigned"), on(billingLog, "ContractObserved"))
	r.check(r.outstanding(280000, 0).at("eligible") == true, "billing must know the mandate")
	return nil
}

func withoutContract(r *run) error {
	stop, cancel := context.WithTimeout(r.ctx, 15*time.Second)
	defer cancel()
	r.must(r.c.Contract.Stop(stop))
	r.t.line("    contract-1 is stopped")
	r.purchase(r.billing(1), 30000)
	r.outstanding(310000, 0)
	return nil
}

func suspends(r *run) error {
	r.must(cluster.StartReady(r.ctx, r.c.Contract.Process))
	r.t.line("    contract-1 is ready again")
	a := r.onContract(http.MethodPatch, "", map[string]any{"action": "SUSPEND", "reason": "payment incident elsewhere"})
	r.check(a.text("status") == "SUSPENDED" && a.text("suspension.cause") == "REQUESTED", "contract: %v", a.body)
	r.flowed(on(contractLog, "Suspended"), on(contractFacts, "ContractSuspended"), on(billingLog, "ContractObserved"))
	r.refused(r.billing(2), 1000, "CONTRACT_NOT_ACTIVE")
	r.outstanding(310000, 0)
	return nil
}

func reinstates(r *run) error {
	a := r.onContract(http.MethodPatch, "", map[string]any{"action": "REINSTATE"})
	r.check(a.text("status") == "ACTIVE", "contract: %v", a.body)
	r.flowed(on(contractLog, "Reinstated"), on(contractFacts, "ContractReinstated"), on(billingLog, "ContractObserved"))
	r.check(r.outstanding(310000, 0).at("eligible") == true, "billing must know that it is active again")
	return nil
}

func kills(r *run) error {
	first := r.billing(1)
	r.must(first.Kill())
	r.t.line("    billing-1 is killed")
	p := r.purchase(r.billing(2), 10000)
	r.must(cluster.StartReady(r.ctx, first.Process))
	r.t.line("    billing-1 is ready again")
	r.again(first, p)
	r.again(first, r.purchases[0])
	r.outstanding(320000, 0)
	return nil
}
