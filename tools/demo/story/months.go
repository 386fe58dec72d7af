package story

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	_ "time/tzdata" // periods are months of Europe/Paris, on machines without a time zone database too
)

// errGoesOn is returned by a step whose consequences the next step takes: what is on the topics
// already may be the next one's.
var errGoesOn = fmt.Errorf("the next step goes on from here")

func contains(v map[string]any, text string) bool { return strings.Contains(fmt.Sprint(v), text) }

// afterMonth is five minutes after the end of a period.
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

// periodOf asks for the month that an operation belongs to.
func (r *run) periodOf(operation string) string {
	a := r.send(request{to: r.billing(1), method: http.MethodGet, path: "/operations/" + operation, fresh: r.position(billingLog), quiet: true})
	r.check(a.status == http.StatusOK, "%s: %d %v", operation, a.status, a.body)
	return a.text("period")
}

// bill lets the month of the last purchase end and runs its billing, which must issue one invoice
// of a total.
func (r *run) bill(total int64) {
	period := r.periodOf(r.purchases[len(r.purchases)-1].ref)
	end, err := afterMonth(period)
	r.must(err)
	r.setClock(end)
	a := r.send(request{to: r.billing(2), method: http.MethodPost, path: "/billing-runs", key: r.newKey("run"), body: map[string]any{"period": period, "dryRun": true}})
	r.check(a.status == http.StatusOK && a.text("status") == "DRY_RUN", "dry run: %d %v", a.status, a.body)
	a = r.send(request{to: r.billing(1), method: http.MethodPost, path: "/billing-runs", key: r.newKey("run"), body: map[string]any{"period": period, "dryRun": false}})
	r.check(a.status == http.StatusOK, "run: %d %v", a.status, a.body)
	taken := r.flowed(on(billingLog, "RunStarted", "PeriodClosed", "RunCompleted"), on(billingEvents, "BillingPeriodClosed", "InvoiceIssued"))
	var invoice string
	for _, rec := range taken {
		if rec.Type == "InvoiceIssued" {
			invoice, _ = rec.Value["invoiceRef"].(string)
			r.check(money(rec.Value["total"]) == minor(total)+" EUR" && rec.Value["period"] == period, "invoice %v, want %s for %s", rec.Value, minor(total), period)
		}
	}
	r.periods, r.invoices = append(r.periods, period), append(r.invoices, invoice)
	a = r.send(request{to: r.billing(2), method: http.MethodGet, path: "/billing-runs/" + period + "?limit=200", fresh: r.position(billingLog)})
	r.check(a.text("status") == "COMPLETED" && r.lineOf(a) == "INVOICED "+invoice, "the run: %v", a.body)
	a = r.invoice(invoice, "ISSUED")
	r.check(a.amount("total") == total && a.amount("open") == total && a.text("period") == period, "invoice: %v", a.body)
}

// lineOf gives the outcome of our contract in a run, which may bill others' too on a broker that is
// not new.
func (r *run) lineOf(a answer) string {
	lines, _ := a.body["lines"].([]any)
	for _, l := range lines {
		line, _ := l.(map[string]any)
		if line["contractRef"] == r.contract {
			return fmt.Sprintf("%v %v", line["outcome"], line["invoiceRef"])
		}
	}
	return "none"
}

// invoice reads an invoice and wants a status.
func (r *run) invoice(ref, status string) answer {
	a := r.send(request{to: r.billing(2), method: http.MethodGet, path: "/invoices/" + ref, fresh: r.position(billingLog)})
	r.check(a.status == http.StatusOK && a.text("status") == status, "%s: %d %s, want %s", ref, a.status, a.text("status"), status)
	return a
}

func monthEnds(r *run) error {
	r.bill(320000)
	r.outstanding(0, 320000)
	a := r.send(request{to: r.billing(2), method: http.MethodPost, path: "/billing-runs", key: r.newKey("run"), body: map[string]any{"period": r.periods[0]}})
	r.check(a.status == http.StatusOK && r.lineOf(a) == "INVOICED "+r.invoices[0], "a second run: %d %v", a.status, a.body)
	return nil
}

// settle says what the bank reports of an invoice.
func (r *run) settle(invoice, outcome, reason string) answer {
	body := map[string]any{"outcome": outcome}
	if reason != "" {
		body["reason"] = reason
	}
	a := r.send(request{to: r.billing(1), method: http.MethodPost, path: "/invoices/" + invoice + "/settlement", key: r.newKey("s"), body: body})
	r.check(a.status == http.StatusOK, "%s: %d %v", outcome, a.status, a.body)
	return a
}

func collects(r *run) error {
	invoice := r.invoices[0]
	r.settle(invoice, "PRESENTED", "")
	r.flowed(on(billingLog, "DebitPresented"))
	r.outstanding(0, 320000)
	r.settle(invoice, "COLLECTED", "")
	r.flowed(on(billingLog, "DebitCollected"), on(billingEvents, "InvoiceSettled"))
	a := r.invoice(invoice, "SETTLED")
	r.check(a.amount("open") == 0 && a.amount("collected") == 320000, "invoice: %v", a.body)
	r.outstanding(0, 0)
	return nil
}

func rejected(r *run) error {
	r.purchase(r.billing(2), 150000)
	r.bill(150000)
	invoice := r.invoices[1]
	r.settle(invoice, "PRESENTED", "")
	r.flowed(on(billingLog, "DebitPresented"))
	r.settle(invoice, "REJECTED", "AM04")
	r.flowed(on(billingLog, "DebitRejected"), on(billingEvents, "DirectDebitRejected"),
		on(contractLog, "Suspended"), on(contractFacts, "ContractSuspended"), on(billingLog, "ContractObserved"))
	a := r.refresh("SUSPENDED")
	r.check(a.text("suspension.cause") == "DIRECT_DEBIT_REJECTED" && a.text("suspension.invoiceRef") == invoice, "contract: %v", a.body)
	e := r.outstanding(0, 150000)
	r.check(e.text("status") == "SUSPENDED" && e.at("eligible") == false, "billing: %v", e.body)
	return nil
}

func terminates(r *run) error {
	r.onContract(http.MethodPatch, "", map[string]any{"action": "REINSTATE", "reason": "paid by transfer, on its way"})
	r.flowed(on(contractLog, "Reinstated"), on(contractFacts, "ContractReinstated"), on(billingLog, "ContractObserved"))
	r.purchase(r.billing(1), 25000)
	a := r.onContract(http.MethodPatch, "", map[string]any{"action": "TERMINATE", "reason": "the works council closes"})
	r.check(a.text("status") == "TERMINATED", "contract: %v", a.body)
	r.flowed(on(contractLog, "Terminated"), on(contractFacts, "ContractTerminated"), on(billingLog, "ContractObserved"))
	r.refused(r.billing(2), 1000, "CONTRACT_NOT_ACTIVE")
	stale := r.send(request{to: r.c.Contract, method: http.MethodPatch, path: "/contracts/" + r.contract, key: r.newKey("c"), match: r.etag,
		body: map[string]any{"action": "REINSTATE"}})
	r.check(stale.status == http.StatusConflict && stale.text("code") == "transition-forbidden", "termination is final: %d %v", stale.status, stale.body)
	r.outstanding(25000, 150000)
	return nil
}

func lastInvoice(r *run) error {
	r.bill(25000)
	r.outstanding(0, 175000)
	return nil
}

func addsUp(r *run) error {
	a := r.send(request{to: r.billing(1), method: http.MethodGet, path: "/invoices?contractRef=" + r.contract, fresh: r.position(billingLog), quiet: true})
	items, _ := a.body["items"].([]any)
	r.check(a.status == http.StatusOK && len(items) == 3, "invoices: %d %v", a.status, a.body)
	var total, lines int64
	last := map[int]int{} // number by year
	for i, item := range items {
		v, _ := item.(map[string]any)
		one := answer{status: a.status, body: v}
		r.t.line("    = %s", summary(one))
		total += one.amount("total")
		lines += integer(v["lineCount"])
		var year, number int
		_, err := fmt.Sscanf(one.text("invoiceRef"), "BIL-%d-%d", &year, &number)
		last[year]++
		r.check(err == nil && one.text("invoiceRef") == r.invoices[i] && (r.suffix != "" || number == last[year]), "the number %s leaves a gap", one.text("invoiceRef"))
	}
	ops := r.send(request{to: r.billing(2), method: http.MethodGet, path: "/operations?limit=200&status=ACCEPTED&contractRef=" + r.contract, fresh: r.position(billingLog), quiet: true})
	found, _ := ops.body["items"].([]any)
	var sum int64
	for _, item := range found {
		v, _ := item.(map[string]any)
		op := answer{body: v}
		r.check(op.text("invoiceRef") != "", "%s is on no invoice", op.text("operationRef"))
		if op.text("type") == "REFUND" {
			sum -= op.amount("amount")
		} else {
			sum += op.amount("amount")
		}
	}
	r.check(total == sum && lines == int64(len(found)), "invoices come to %s in %d lines, operations to %s in %d", minor(total), lines, minor(sum), len(found))
	r.t.line("    = %d operations, %s EUR, each on one invoice", len(found), minor(sum))
	r.totals()
	return nil
}

// totals shows what the topics hold, and wants no dead letter.
func (r *run) totals() {
	count, void := map[string]int{}, map[string]int{}
	for _, rec := range r.seen.Since(0) {
		count[rec.Topic]++
		if rec.Void() {
			void[rec.Topic]++
		}
	}
	for _, topic := range []string{contractLog, contractFacts, billingLog, billingEvents} {
		r.t.line("    = %-18s %3d records, %d void", topic, count[topic], void[topic])
	}
	r.check(r.suffix != "" || count[contractDead]+count[billingDead] == 0, "%d dead letters", count[contractDead]+count[billingDead])
}
