package story

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // for Europe/Paris on machines without a time zone database

	"github.com/deferpay/deferpay/tools/demo/story/internal/call"
	"github.com/deferpay/deferpay/tools/demo/story/internal/flow"
	"github.com/deferpay/deferpay/tools/demo/story/internal/screen"
)

// errGoesOn is returned by a step whose last records may belong to the next step already. It is not
// a failure.
var errGoesOn = errors.New("the next step continues this one")

func contains(v map[string]any, text string) bool { return strings.Contains(fmt.Sprint(v), text) }

// afterMonth returns the time five minutes after the end of a period.
func afterMonth(period string) (time.Time, error) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return time.Time{}, err
	}
	first, err := time.ParseInLocation("2006-01", period, paris)
	if err != nil {
		return time.Time{}, err
	}
	return first.AddDate(0, 1, 0).Add(5 * time.Minute), nil
}

// periodOf returns the billing period of an operation.
func (r *run) periodOf(operation string) string {
	a := r.ask(call.Request{To: r.billing(1), Method: http.MethodGet, Path: "/operations/" + operation, Fresh: r.flow.Position(billingLog)})
	r.check(a.Status == http.StatusOK, "%s: %d %v", operation, a.Status, a.Body)
	return a.Text("period")
}

// bill moves the clock to the end of the month of the last purchase and runs its billing, which
// must issue one invoice with the given total and a part for each of so many contracts.
func (r *run) bill(total int64, parts int) {
	period := r.periodOf(r.purchases[len(r.purchases)-1].ref)
	end, err := afterMonth(period)
	r.must(err)
	r.setClock(end)
	a := r.send(call.Request{To: r.billing(2), Method: http.MethodPost, Path: "/billing-runs", Key: r.newKey("run"), Body: map[string]any{"period": period, "dryRun": true}})
	r.check(a.Status == http.StatusOK && a.Text("status") == "DRY_RUN", "dry run: %d %v", a.Status, a.Body)
	a = r.send(call.Request{To: r.billing(1), Method: http.MethodPost, Path: "/billing-runs", Key: r.newKey("run"), Body: map[string]any{"period": period, "dryRun": false}})
	r.check(a.Status == http.StatusOK, "run: %d %v", a.Status, a.Body)
	closed := slices.Repeat([]string{"BillingPeriodClosed"}, parts)
	taken := r.flowed(flow.On(billingLog, "RunStarted", "PeriodClosed", "RunCompleted"), flow.On(billingEvents, append(closed, "InvoiceIssued")...))
	var invoice string
	for _, rec := range taken {
		if rec.Type == "InvoiceIssued" {
			invoice, _ = rec.Value["invoiceRef"].(string)
			r.check(screen.Money(rec.Value["total"]) == screen.Minor(total)+" EUR" && rec.Value["period"] == period, "invoice %v, want %s for %s", rec.Value, screen.Minor(total), period)
		}
	}
	r.periods, r.invoices = append(r.periods, period), append(r.invoices, invoice)
	a = r.send(call.Request{To: r.billing(2), Method: http.MethodGet, Path: "/billing-runs/" + period + "?limit=200", Fresh: r.flow.Position(billingLog)})
	r.check(a.Text("status") == "COMPLETED" && r.lineOf(a) == "INVOICED "+invoice, "the run: %v", a.Body)
	a = r.invoice(invoice, "ISSUED")
	found, _ := a.Body["parts"].([]any)
	r.check(a.Amount("total") == total && a.Amount("open") == total && a.Text("period") == period && len(found) == parts, "invoice: %v", a.Body)
}

// lineOf returns the outcome of the invoice of the contract in a run. On a broker that was used
// before, the run may have other customers too.
func (r *run) lineOf(a call.Answer) string {
	lines, _ := a.Body["lines"].([]any)
	for _, l := range lines {
		line, _ := l.(map[string]any)
		if contains(line, "contractRef:"+r.contract+" ") {
			return fmt.Sprintf("%v %v", line["outcome"], line["invoiceRef"])
		}
	}
	return "none"
}

// invoice reads an invoice, which must have a status.
func (r *run) invoice(ref, status string) call.Answer {
	a := r.send(call.Request{To: r.billing(2), Method: http.MethodGet, Path: "/invoices/" + ref, Fresh: r.flow.Position(billingLog)})
	r.check(a.Status == http.StatusOK && a.Text("status") == status, "%s: %d %s, want %s", ref, a.Status, a.Text("status"), status)
	return a
}

func monthEnds(r *run) error {
	r.bill(320000, 1)
	r.outstanding(0, 320000)
	a := r.send(call.Request{To: r.billing(2), Method: http.MethodPost, Path: "/billing-runs", Key: r.newKey("run"), Body: map[string]any{"period": r.periods[0]}})
	r.check(a.Status == http.StatusOK && r.lineOf(a) == "INVOICED "+r.invoices[0], "a second run: %d %v", a.Status, a.Body)
	return nil
}

// settle records a step of the collection of the contract's part of an invoice, with the reason
// code of the bank or the reference of a transfer.
func (r *run) settle(invoice, outcome, reason string) call.Answer {
	a := r.step(invoice, outcome, reason)
	r.check(a.Status == http.StatusOK, "%s: %d %v", outcome, a.Status, a.Body)
	return a
}

// step asks for a step as settle does. It names the part unless the invoice has one.
func (r *run) step(invoice, outcome, reason string) call.Answer {
	body := map[string]any{"outcome": outcome}
	if r.contracts > 1 {
		body["contractRef"] = r.contract
	}
	switch {
	case outcome == "SETTLED_OTHERWISE":
		body["reference"] = reason
	case reason != "":
		body["reason"] = reason
	}
	return r.send(call.Request{To: r.billing(1), Method: http.MethodPost, Path: "/invoices/" + invoice + "/settlement", Key: r.newKey("s"), Body: body})
}

func credits(r *run) error {
	invoice := r.invoices[0]
	body := map[string]any{"type": "REFUND", "purchaseRef": r.purchases[1].ref, "amount": eur(20000), "reason": "a night less"}
	a := r.send(call.Request{To: r.billing(1), Method: http.MethodPost, Path: "/operations", Key: r.newKey("o"), Body: body})
	r.check(a.Status == http.StatusCreated && a.Text("creditNoteRef") != "" && a.Text("invoiceRef") == invoice, "credit note: %d %v", a.Status, a.Body)
	r.flowed(flow.On(billingLog, "CreditNoteRecorded"), flow.On(billingEvents, "OperationAccepted", "CreditNoteIssued"))
	a = r.invoice(invoice, "ISSUED")
	r.check(a.Amount("total") == 320000 && a.Amount("due") == 300000 && a.Amount("open") == 300000, "invoice: %v", a.Body)
	r.outstanding(0, 300000)
	return nil
}

func collects(r *run) error {
	invoice := r.invoices[0]
	r.settle(invoice, "PRESENTED", "")
	r.flowed(flow.On(billingLog, "DebitPresented"))
	r.outstanding(0, 300000)
	r.settle(invoice, "COLLECTED", "")
	r.flowed(flow.On(billingLog, "DebitCollected"), flow.On(billingEvents, "InvoiceSettled"))
	a := r.invoice(invoice, "SETTLED")
	r.check(a.Amount("open") == 0 && a.Amount("collected") == 300000, "invoice: %v", a.Body)
	r.outstanding(0, 0)
	return nil
}

func returned(r *run) error {
	invoice := r.invoices[0]
	r.settle(invoice, "RETURNED", "MD01")
	r.flowed(append(changed("Suspended", "ContractSuspended"), flow.On(billingLog, "DebitReturned"), flow.On(billingEvents, "DirectDebitRejected"))...)
	a := r.refresh("SUSPENDED")
	r.check(a.Text("suspension.cause") == "DIRECT_DEBIT_RETURNED" && a.Text("suspension.invoiceRef") == invoice, "contract: %v", a.Body)
	r.invoice(invoice, "RETURNED")
	r.outstanding(0, 300000)
	r.settle(invoice, "PRESENTED", "")
	r.flowed(flow.On(billingLog, "DebitPresented"))
	r.settle(invoice, "COLLECTED", "")
	r.flowed(flow.On(billingLog, "DebitCollected"), flow.On(billingEvents, "InvoiceSettled"))
	r.onContract(http.MethodPatch, "", map[string]any{"action": "REINSTATE", "reason": "the bank has the mandate now"})
	r.flowed(changed("Reinstated", "ContractReinstated")...)
	r.outstanding(0, 0)
	return nil
}

func paysByTransfer(r *run) error {
	invoice := r.invoices[1]
	r.settle(invoice, "SETTLED_OTHERWISE", "VIR-88213")
	r.flowed(flow.On(billingLog, "SettledOtherwise"), flow.On(billingEvents, "InvoiceSettled"))
	a := r.invoice(invoice, "SETTLED")
	r.check(a.Amount("open") == 0 && a.Amount("collected") == 230000, "invoice: %v", a.Body)
	r.outstanding(0, 0)
	return nil
}

// about plays something with the second contract of the customer instead of the first.
func (r *run) about(contract string, play func()) {
	first, etag := r.contract, r.etag
	r.contract = contract
	play()
	r.contract, r.etag = first, etag
}

func secondContract(r *run) error {
	r.about("", func() {
		r.subscribes()
		r.second = r.contract
		r.flowed(subscribed()...)
		r.onContract(http.MethodPut, "/mandate", mandate("RUM-"+r.customer+"-3"))
		r.flowed(append(signed(), activated()...)...)
		r.purchase(r.billing(1), 80000)
		r.outstanding(80000, 0)
	})
	a := r.ask(call.Request{To: r.billing(2), Method: http.MethodGet, Path: "/eligibility/" + r.customer, Fresh: r.flow.Position(billingLog)})
	sums, _ := a.Body["sums"].([]any)
	r.check(len(sums) == 1, "sums: %v", a.Body)
	sum := call.Answer{}
	sum.Body, _ = sums[0].(map[string]any)
	r.check(sum.Amount("ceiling") == 2*ceiling && sum.Amount("outstanding.total") == 80000 && sum.Amount("available") == 2*ceiling-80000, "sums: %v", sums)
	r.outstanding(0, 0)
	return nil
}

func rejected(r *run) error {
	r.purchase(r.billing(2), 150000)
	r.bill(230000, 2)
	invoice := r.invoices[1]
	r.about(r.second, func() {
		r.settle(invoice, "PRESENTED", "")
		r.flowed(flow.On(billingLog, "DebitPresented"))
		r.settle(invoice, "COLLECTED", "")
		r.flowed(flow.On(billingLog, "DebitCollected"), flow.On(billingEvents, "InvoiceSettled"))
	})
	r.settle(invoice, "PRESENTED", "")
	r.flowed(flow.On(billingLog, "DebitPresented"))
	r.settle(invoice, "REJECTED", "AM04")
	r.flowed(append(changed("Suspended", "ContractSuspended"), flow.On(billingLog, "DebitRejected"), flow.On(billingEvents, "DirectDebitRejected"))...)
	a := r.refresh("SUSPENDED")
	r.check(a.Text("suspension.cause") == "DIRECT_DEBIT_REJECTED" && a.Text("suspension.invoiceRef") == invoice, "contract: %v", a.Body)
	e := r.outstanding(0, 150000)
	r.check(e.Text("status") == "SUSPENDED" && e.At("eligible") == false, "billing: %v", e.Body)
	r.about(r.second, func() { r.check(r.outstanding(0, 0).At("eligible") == true, "the other contract must not be affected") })
	return nil
}

func expires(r *run) error {
	amended := func() {
		r.flowed(changed("Amended", "ContractAmended")...)
	}
	now := time.Now().Add(r.ahead)
	r.onContract(http.MethodPatch, "", map[string]any{"action": "AMEND", "validUntil": now.Add(time.Hour).UTC().Format(time.RFC3339)})
	amended()
	r.setClock(now.Add(2 * time.Hour))
	r.flowed(changed("Expired", "ContractExpired")...)
	a := r.refresh("EXPIRED")
	r.check(a.Text("expiry.statusBefore") == "SUSPENDED", "contract: %v", a.Body)
	e := r.outstanding(0, 0)
	r.check(e.Text("status") == "EXPIRED" && e.At("eligible") == false, "billing: %v", e.Body)
	r.onContract(http.MethodPatch, "", map[string]any{"action": "AMEND", "validUntil": nil, "reason": "prolonged"})
	amended()
	r.refresh("SUSPENDED")
	return nil
}

func terminates(r *run) error {
	r.onContract(http.MethodPatch, "", map[string]any{"action": "REINSTATE", "reason": "paid by transfer"})
	r.flowed(changed("Reinstated", "ContractReinstated")...)
	r.purchase(r.billing(1), 25000)
	a := r.onContract(http.MethodPatch, "", map[string]any{"action": "TERMINATE", "reason": "the works council closes"})
	r.check(a.Text("status") == "TERMINATED", "contract: %v", a.Body)
	r.flowed(changed("Terminated", "ContractTerminated")...)
	r.refused(r.billing(2), 1000, "CONTRACT_NOT_ACTIVE")
	stale := r.send(call.Request{To: r.c.Contract, Method: http.MethodPatch, Path: "/contracts/" + r.contract, Key: r.newKey("c"), Match: r.etag,
		Body: map[string]any{"action": "REINSTATE"}})
	r.check(stale.Status == http.StatusConflict && stale.Text("code") == "transition-forbidden", "termination is final: %d %v", stale.Status, stale.Body)
	r.outstanding(25000, 0)
	return nil
}

func erases(r *run) error {
	erase := func() call.Answer {
		a := r.send(call.Request{To: r.c.Contract, Method: http.MethodDelete, Path: "/contracts/" + r.contract + "/personal-data", Key: r.newKey("c")})
		r.check(a.Status == http.StatusAccepted && a.Text("completedAt") != "", "erasure: %d %v", a.Status, a.Body)
		return a
	}
	first := erase()
	r.flowed(flow.On(contractLog, "PersonalDataErased"))
	a := r.account()
	r.check(a.Status == http.StatusGone && a.Text("code") == "personal-data-erased", "account: %d %v", a.Status, a.Body)
	r.check(erase().Text("requestedAt") == first.Text("requestedAt"), "a second erasure was recorded")
	r.refresh("TERMINATED")
	return nil
}

func lastInvoice(r *run) error {
	r.bill(25000, 1)
	r.outstanding(0, 25000)
	return nil
}

// lapses sets the clock back at its end: whoever uses the system afterwards signs mandates today.
func lapses(r *run) error {
	before := time.Now().Add(r.ahead)
	r.setClock(before.AddDate(0, 37, 0))
	invoice := r.invoices[2]
	a := r.step(invoice, "PRESENTED", "")
	r.check(a.Status == http.StatusConflict && a.Text("code") == "mandate-not-valid", "presented: %d %v", a.Status, a.Body)
	r.about(r.second, func() { r.refused(r.billing(1), 1000, "MANDATE_NOT_VALID") })
	r.settle(invoice, "SETTLED_OTHERWISE", "VIR-90112")
	r.flowed(flow.On(billingLog, "SettledOtherwise"), flow.On(billingEvents, "InvoiceSettled"))
	r.invoice(invoice, "SETTLED")
	r.outstanding(0, 0)
	r.setClock(before)
	return nil
}

func addsUp(r *run) error {
	a := r.ask(call.Request{To: r.billing(1), Method: http.MethodGet, Path: "/invoices?customerRef=" + r.customer, Fresh: r.flow.Position(billingLog)})
	items, _ := a.Body["items"].([]any)
	r.check(a.Status == http.StatusOK && len(items) == 3, "invoices: %d %v", a.Status, a.Body)
	var total, credited, lines int64
	last := map[int]int{} // number by year
	for i, item := range items {
		v, _ := item.(map[string]any)
		one := call.Answer{Status: a.Status, Body: v}
		r.screen.Line("    = %s", screen.Summary(one))
		total += one.Amount("total")
		credited += one.Amount("total") - one.Amount("due")
		lines += screen.Integer(v["lineCount"])
		var year, number int
		_, err := fmt.Sscanf(one.Text("invoiceRef"), "BIL-%d-%d", &year, &number)
		last[year]++
		r.check(err == nil && one.Text("invoiceRef") == r.invoices[i] && (r.suffix != "" || r.shared || number == last[year]), "invoice number %s leaves a gap", one.Text("invoiceRef"))
	}
	ops := r.ask(call.Request{To: r.billing(2), Method: http.MethodGet, Path: "/operations?limit=200&status=ACCEPTED&customerRef=" + r.customer, Fresh: r.flow.Position(billingLog)})
	found, _ := ops.Body["items"].([]any)
	var sum, notes, creditNotes int64
	for _, item := range found {
		v, _ := item.(map[string]any)
		op := call.Answer{Body: v}
		r.check(op.Text("invoiceRef") != "", "%s is on no invoice", op.Text("operationRef"))
		switch {
		case op.Text("creditNoteRef") != "":
			notes, creditNotes = notes+op.Amount("amount"), creditNotes+1
		case op.Text("type") == "REFUND":
			sum -= op.Amount("amount")
		default:
			sum += op.Amount("amount")
		}
	}
	r.check(credited == notes && creditNotes == 1, "%s were credited on the invoices, by %d credit notes of %s", screen.Minor(credited), creditNotes, screen.Minor(notes))
	r.check(total == sum && lines+creditNotes == int64(len(found)), "the invoices have a total of %s and %d lines, the operations %s and %d", screen.Minor(total), lines, screen.Minor(sum), len(found))
	r.screen.Line("    = %d operations, %s EUR, each on one invoice", len(found), screen.Minor(sum))
	r.totals()
	return nil
}

// totals prints the number of records on the topics. There must be no dead letters.
func (r *run) totals() {
	count, void := map[string]int{}, map[string]int{}
	for _, rec := range r.seen.Since(0) {
		count[rec.Topic]++
		if rec.Void() {
			void[rec.Topic]++
		}
	}
	for _, topic := range []string{contractLog, contractFacts, billingLog, billingEvents} {
		r.screen.Line("    = %-18s %3d records, %d void", topic, count[topic], void[topic])
	}
	r.check(r.suffix != "" || r.shared || count[contractDead]+count[billingDead] == 0, "%d dead letters", count[contractDead]+count[billingDead])
}
