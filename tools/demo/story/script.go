package story

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/demo/story/internal/call"
	"github.com/deferpay/deferpay/tools/demo/story/internal/flow"
	"github.com/deferpay/deferpay/tools/observer"
)

const ceiling = 500000 // in minor units, like all amounts here

// steps returns the steps of the story. Each builds on those before it.
func steps() []step {
	return []step{
		{"A works council subscribes", "Contract records the subscription and publishes it with its full state. Billing learns of it from Kafka alone.", subscribe},
		{"It signs the direct debit mandate", "Contract keeps the account sealed, for the one endpoint that returns it. Facts have the reference of the mandate and the last four characters of the IBAN.", signFirst},
		{"The contract becomes active", "By itself, once the mandate is signed and the validity has begun.", becomesActive},
		{"What may it buy?", "A query: each instance of billing answers from its own copy, at least as fresh as the requested log position.", asksEligibility},
		{"It buys 1,200.00 EUR on billing-1", "Decided at once, from billing's log alone. The public event is derived from the log record, not written beside it.", func(r *run) error {
			return r.buys(1, 120000, 120000)
		}},
		{"It buys 2,000.00 EUR on billing-2", "Either instance decides. A record names the records it builds on, so two instances cannot spend the same euro.", func(r *run) error {
			return r.buys(2, 200000, 320000)
		}},
		{"The same requests are repeated, on either instance", "The idempotency key is a stream of the log: there is one effect, and every instance gives the same answer.", sendsAgain},
		{"The same key with another body", "A key names one request. The second one is refused and nothing is recorded.", reusesKey},
		{"It tries to buy 2,500.00 EUR, above the ceiling", "Refused, with the figures of the decision. A refusal is recorded and published too.", overCeiling},
		{"400.00 EUR of the first purchase are refunded", "While the month is open, a refund lowers its total and the outstanding amount.", refunds},
		{"A purchase is cancelled", "Nothing of it was refunded and its month is open, so it no longer counts and will be on no invoice.", cancels},
		{"It revokes the mandate", "The contract keeps its status. Purchases are refused because there is no valid mandate.", revokes},
		{"It signs a new mandate", "Purchases are possible again once billing has read the fact.", signAgain},
		{"The contract service is stopped, and purchases go on", "Billing never calls it, so it stays available when contract is not.", withoutContract},
		{"Contract is started again, and the contract is suspended", "Billing refuses purchases from the record on with which it learned of the suspension.", suspends},
		{"The contract is reinstated", "", reinstates},
		{"The contract is published again", "An operator does so when a reader has a wrong state. The version is raised above the one that the reader has.", republishes},
		{"billing-1 is killed with SIGKILL and started again", "Its state is its log, so it answers as before. No instance publishes until its session times out (6 s). Events whose publication it had not confirmed are published again.", kills},
		{"The month ends", "One record per customer closes the month and issues the invoice, with a part for each contract. A second run adds nothing.", monthEnds},
		{"200.00 EUR are given back after the invoice", "An issued invoice never changes. A credit note, numbered in a series of its own, lowers what is due on it.", credits},
		{"The invoice is collected", "Collecting an invoice lowers the outstanding amount, issuing it does not.", collects},
		{"The collected debit comes back from the bank", "What was collected is owed again, and contract suspends the contract. The debit is presented again under the mandate and collected.", returned},
		{"It signs a second contract, and buys on it", "Each contract has a ceiling and a mandate of its own. What one has left cannot be used by the other.", secondContract},
		{"The next month's debit is rejected for one contract", "One invoice has a part for each contract. One part is collected. Billing publishes the rejection of the other, contract receives it and suspends that contract, and billing receives that.", rejected},
		{"The rejected invoice is paid by transfer", "A transfer needs no mandate, so no debt is stuck. It frees the ceiling as a collected debit does.", paysByTransfer},
		{"The validity ends, and is prolonged", "The contract expires by itself. An amendment gives back the status that it had, here SUSPENDED.", expires},
		{"Reinstated, then terminated", "Termination is final. Accepted purchases are still owed.", terminates},
		{"The last month is still invoiced", "Each accepted purchase is on exactly one invoice, and refused ones are on none.", lastInvoice},
		{"Three years later the mandate has lapsed", "A mandate that was not used for 36 months is void, so the last invoice cannot be debited. It is paid by transfer.", lapses},
		{"Its personal data is erased", "The log keeps the account sealed for ever, and the key that opens it is destroyed. The invoices stay as they are.", erases},
		{"The books are checked", "There are no dead letters. The invoice numbers have no gap, and the totals add up to the purchases.", addsUp},
	}
}

func eur(amount int64) map[string]any { return map[string]any{"amount": amount, "currency": "EUR"} }

func subscribe(r *run) error {
	r.subscribes()
	r.flowed(subscribed()...)
	e := r.outstanding(0, 0)
	r.check(e.Text("status") == "PENDING" && e.At("eligible") == false, "billing: %v", e.Body)
	return nil
}

// subscribes creates a contract of the customer, which is the present one from then on.
func (r *run) subscribes() {
	body := map[string]any{
		"customerRef": r.customer, "sellerRef": "AG-HORIZON", "ceiling": eur(ceiling), "validFrom": "2026-01-01T00:00:00Z",
		"buyer": map[string]any{"legalName": "CSE ACME", "siren": "732829320", "vatNumber": "FR44732829320",
			"billingAddress": map[string]any{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}},
	}
	a := r.send(call.Request{To: r.c.Contract, Method: http.MethodPost, Path: "/contracts", Key: r.newKey("c"), Body: body})
	r.check(a.Status == http.StatusCreated && a.Text("status") == "PENDING", "status %d: %v", a.Status, a.Body)
	r.contract, r.etag = a.Text("contractRef"), a.Header.Get("ETag")
	r.contracts++
	r.owned = append(r.owned, r.contract)
}

// subscribed, signed and activated are the records of a change and what follows from it.
func subscribed() [][]flow.Want { return changed("Subscribed", "ContractSubscribed") }
func signed() [][]flow.Want     { return changed("MandateAccepted", "MandateSigned") }
func activated() [][]flow.Want  { return changed("Activated", "ContractActivated") }

// changed returns the record of a change of a contract, its fact, and the record of billing that
// has taken it in.
func changed(record, fact string) [][]flow.Want {
	return [][]flow.Want{flow.On(contractLog, record), flow.On(contractFacts, fact), flow.On(billingLog, "ContractObserved")}
}

func mandate(rum string) map[string]any {
	return map[string]any{"rum": rum, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": time.Now().UTC().Add(-time.Minute).Format(time.RFC3339),
		"iban": "FR76 3000 6000 0112 3456 7890 189", "bic": "AGRIFRPP", "owner": "CSE ACME"}
}

// account reads the account of the contract.
func (r *run) account() call.Answer {
	return r.send(call.Request{To: r.c.Contract, Method: http.MethodGet, Path: "/contracts/" + r.contract + "/mandate/account", Fresh: r.flow.Position(contractLog)})
}

func signFirst(r *run) error {
	none := r.account()
	r.check(none.Status == http.StatusNotFound && none.Text("code") == "account-not-found", "account: %d %v", none.Status, none.Body)
	a := r.onContract(http.MethodPut, "/mandate", mandate("RUM-"+r.customer+"-1"))
	r.check(a.Text("mandate.status") == "SIGNED" && a.Text("mandate.ibanLastFour") == "0189", "mandate: %v", a.Body)
	taken := r.flowed(signed()...)
	for _, rec := range taken {
		r.check(!contains(rec.Value, "30006000"), "%s @%d contains the account: %v", rec.Topic, rec.Offset, rec.Value)
	}
	kept := r.account()
	r.check(kept.Status == http.StatusOK && kept.Text("iban") == "FR7630006000011234567890189", "account: %d", kept.Status)
	return errGoesOn
}

func becomesActive(r *run) error {
	r.flowed(activated()...)
	r.refresh("ACTIVE")
	e := r.outstanding(0, 0)
	r.check(e.Text("status") == "ACTIVE" && e.At("eligible") == true, "billing: %v", e.Body)
	return nil
}

// refresh reads the contract, which must have a status, and keeps its ETag for the next change.
func (r *run) refresh(status string) call.Answer {
	a := r.send(call.Request{To: r.c.Contract, Method: http.MethodGet, Path: "/contracts/" + r.contract, Fresh: r.flow.Position(contractLog)})
	r.check(a.Status == http.StatusOK && a.Text("status") == status, "contract is %d %s, want %s", a.Status, a.Text("status"), status)
	r.etag = a.Header.Get("ETag")
	return a
}

func asksEligibility(r *run) error {
	r.check(r.eligibility(ceiling).At("eligible") == true, "a purchase up to the ceiling must be possible")
	e := r.eligibility(ceiling + 1)
	r.check(e.At("eligible") == false && fmt.Sprint(e.At("reasons")) == "[CEILING_EXCEEDED]", "over the ceiling: %v", e.Body)
	return nil
}

// order returns the body of the next purchase.
func (r *run) order(amount int64) map[string]any {
	return map[string]any{"type": "PURCHASE", "contractRef": r.contract, "orderRef": fmt.Sprintf("ORD-%d", len(r.purchases)+1), "amount": eur(amount)}
}

// purchase makes a purchase, which must be accepted, and waits for its record and its event.
func (r *run) purchase(to *cluster.Service, amount int64) purchase {
	p := purchase{key: r.newKey("o"), body: r.order(amount)}
	a := r.send(call.Request{To: to, Method: http.MethodPost, Path: "/operations", Key: p.key, Body: p.body})
	r.check(a.Status == http.StatusCreated && a.Text("status") == "ACCEPTED", "purchase: %d %v", a.Status, a.Body)
	p.ref = a.Text("operationRef")
	r.purchases = append(r.purchases, p)
	r.flowed(accepted(p.ref))
	return p
}

// accepted returns the record and the event of an accepted purchase.
func accepted(ref string) []flow.Want {
	isIt := func(rec observer.Record) bool { return rec.Value["operationRef"] == ref }
	return []flow.Want{{Topic: billingLog, Kind: "PurchaseAccepted", Is: isIt}, {Topic: billingEvents, Kind: "OperationAccepted", Is: isIt}}
}

func (r *run) buys(instance int, amount, outstanding int64) error {
	r.purchase(r.billing(instance), amount)
	r.outstanding(outstanding, 0)
	return nil
}

// again repeats an earlier purchase. The answer must be the same.
func (r *run) again(to *cluster.Service, p purchase) {
	a := r.send(call.Request{To: to, Method: http.MethodPost, Path: "/operations", Key: p.key, Body: p.body})
	r.check(a.Status == http.StatusCreated && a.Text("operationRef") == p.ref && a.Replayed(), "the same request: %d %v", a.Status, a.Body)
}

func sendsAgain(r *run) error {
	r.again(r.billing(2), r.purchases[1])
	r.again(r.billing(1), r.purchases[1])
	r.again(r.billing(2), r.purchases[0])
	r.outstanding(320000, 0)
	return nil
}

func reusesKey(r *run) error {
	a := r.send(call.Request{To: r.billing(1), Method: http.MethodPost, Path: "/operations", Key: r.purchases[0].key, Body: r.order(100)})
	r.check(a.Status == http.StatusUnprocessableEntity && a.Text("code") == "idempotency-key-reused", "another body: %d %v", a.Status, a.Body)
	a = r.send(call.Request{To: r.billing(1), Method: http.MethodPost, Path: "/operations", Body: r.order(100)})
	r.check(a.Status == http.StatusBadRequest && a.Text("code") == "idempotency-key-missing", "no key: %d %v", a.Status, a.Body)
	r.outstanding(320000, 0)
	return nil
}

// refused makes a purchase, which must be refused for one reason.
func (r *run) refused(to *cluster.Service, amount int64, reason string) call.Answer {
	a := r.send(call.Request{To: to, Method: http.MethodPost, Path: "/operations", Key: r.newKey("o"), Body: r.order(amount)})
	r.check(a.Status == http.StatusUnprocessableEntity && a.Text("code") == "purchase-refused", "purchase: %d %v", a.Status, a.Body)
	r.check(fmt.Sprint(a.At("reasons")) == "["+reason+"]", "reasons %v, want %s", a.At("reasons"), reason)
	r.flowed(refusal())
	return a
}

// refusal returns the record and the event of a refused purchase.
func refusal() []flow.Want {
	return append(flow.On(billingLog, "PurchaseRefused"), flow.On(billingEvents, "OperationRefused")...)
}

func overCeiling(r *run) error {
	a := r.refused(r.billing(1), 250000, "CEILING_EXCEEDED")
	r.check(a.Amount("outstanding") == 320000 && a.Amount("ceiling") == ceiling && a.Amount("available") == 180000, "figures: %v", a.Body)
	r.outstanding(320000, 0)
	return nil
}

func refunds(r *run) error {
	body := map[string]any{"type": "REFUND", "purchaseRef": r.purchases[0].ref, "amount": eur(40000), "reason": "one traveller less"}
	a := r.send(call.Request{To: r.billing(2), Method: http.MethodPost, Path: "/operations", Key: r.newKey("o"), Body: body})
	r.check(a.Status == http.StatusCreated && a.Text("type") == "REFUND", "refund: %d %v", a.Status, a.Body)
	r.flowed(flow.On(billingLog, "RefundAccepted"), flow.On(billingEvents, "OperationAccepted"))
	body["amount"] = eur(90000)
	a = r.send(call.Request{To: r.billing(1), Method: http.MethodPost, Path: "/operations", Key: r.newKey("o"), Body: body})
	r.check(a.Status == http.StatusUnprocessableEntity && a.Text("code") == "refund-exceeds-purchase" && a.Amount("available") == 80000, "too much: %d %v", a.Status, a.Body)
	r.outstanding(280000, 0)
	return nil
}

func cancels(r *run) error {
	p := r.purchase(r.billing(1), 30000)
	r.outstanding(310000, 0)
	cancel := func(to *cluster.Service, ref string) call.Answer {
		return r.send(call.Request{To: to, Method: http.MethodPost, Path: "/operations/" + ref + "/cancellation", Key: r.newKey("x"), Body: map[string]any{"reason": "booked twice"}})
	}
	a := cancel(r.billing(2), p.ref)
	r.check(a.Status == http.StatusOK && a.Text("status") == "CANCELLED", "cancellation: %d %v", a.Status, a.Body)
	r.flowed(flow.On(billingLog, "PurchaseCancelled"), flow.On(billingEvents, "OperationCancelled"))
	// the one is cancelled already, the other was refunded in part
	for _, ref := range []string{p.ref, r.purchases[0].ref} {
		a = cancel(r.billing(1), ref)
		r.check(a.Status == http.StatusConflict && a.Text("code") == "transition-forbidden", "cancellation of %s: %d %v", ref, a.Status, a.Body)
	}
	r.outstanding(280000, 0)
	return nil
}

func revokes(r *run) error {
	a := r.onContract(http.MethodDelete, "/mandate?reason=bank+changed", nil)
	r.check(a.Text("mandate.status") == "REVOKED" && a.Text("status") == "ACTIVE", "contract: %v", a.Body)
	r.flowed(changed("MandateWithdrawn", "MandateRevoked")...)
	r.refused(r.billing(2), 1000, "MANDATE_NOT_VALID")
	e := r.outstanding(280000, 0)
	r.check(e.Text("mandate.status") == "REVOKED", "billing: %v", e.Body)
	return nil
}

func signAgain(r *run) error {
	r.onContract(http.MethodPut, "/mandate", mandate("RUM-"+r.customer+"-2"))
	r.flowed(signed()...)
	r.check(r.outstanding(280000, 0).At("eligible") == true, "billing must show the mandate")
	return nil
}

func withoutContract(r *run) error {
	stop, cancel := context.WithTimeout(r.ctx, 15*time.Second)
	defer cancel()
	r.must(r.c.Contract.Stop(stop))
	r.screen.Line("    contract-1 is stopped")
	r.purchase(r.billing(1), 30000)
	r.outstanding(310000, 0)
	return nil
}

func suspends(r *run) error {
	r.must(cluster.StartReady(r.ctx, r.c.Contract.Process))
	r.screen.Line("    contract-1 is ready again")
	a := r.onContract(http.MethodPatch, "", map[string]any{"action": "SUSPEND", "reason": "payment incident elsewhere"})
	r.check(a.Text("status") == "SUSPENDED" && a.Text("suspension.cause") == "REQUESTED", "contract: %v", a.Body)
	r.flowed(changed("Suspended", "ContractSuspended")...)
	r.refused(r.billing(2), 1000, "CONTRACT_NOT_ACTIVE")
	r.outstanding(310000, 0)
	return nil
}

func reinstates(r *run) error {
	a := r.onContract(http.MethodPatch, "", map[string]any{"action": "REINSTATE"})
	r.check(a.Text("status") == "ACTIVE", "contract: %v", a.Body)
	r.flowed(changed("Reinstated", "ContractReinstated")...)
	r.check(r.outstanding(310000, 0).At("eligible") == true, "billing must show that it is active again")
	return nil
}

func republishes(r *run) error {
	a := r.send(call.Request{To: r.c.Contract, Method: http.MethodPost, Path: "/contracts/" + r.contract + "/republication", Key: r.newKey("c"), Body: map[string]any{"aboveVersion": 40}})
	r.check(a.Status == http.StatusAccepted && fmt.Sprint(a.At("version")) == "41", "republication: %d %v", a.Status, a.Body)
	r.flowed(changed("Republished", "ContractRepublished")...)
	r.refresh("ACTIVE")
	e := r.outstanding(310000, 0)
	r.check(fmt.Sprint(e.At("contractVersion")) == "41" && e.At("eligible") == true, "billing: %v", e.Body)
	return nil
}

func kills(r *run) error {
	first := r.billing(1)
	r.must(first.Kill())
	r.screen.Line("    billing-1 is killed")
	p := r.purchase(r.billing(2), 10000)
	r.must(cluster.StartReady(r.ctx, first.Process))
	r.screen.Line("    billing-1 is ready again")
	r.again(first, p)
	r.again(first, r.purchases[0])
	r.outstanding(320000, 0)
	return nil
}
