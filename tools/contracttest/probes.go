package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
)

// prober sends requests that the story does not send: further reads, and mistakes, each of which
// must get the answer that the contract describes.
type prober struct {
	client   *http.Client
	contract string // base URL
	billing  string
	run      string // makes the keys unique
	next     atomic.Int64
	api      *judge.API
	access   *access
	plain    *http.Client // sends requests with their own credentials
	faults   func(format string, args ...any)
}

// probe is a request and its expected answer.
type probe struct {
	method, path string
	body         string
	header       map[string]string
	as           http.Header // the credentials; nil: those of the operation
	status       int
	code         string // of the problem, if it is one
}

// subjects are resources that the story has created.
type subjects struct{ contract, customer, subscription, operation, refused, invoice, period string }

func (p *prober) all(ctx context.Context) error {
	s, err := p.find(ctx)
	if err != nil {
		return err
	}
	for _, probe := range contractProbes(s) {
		p.send(ctx, p.contract+"/refcontract/v1", probe)
	}
	for _, probe := range billingProbes(s) {
		p.send(ctx, p.billing+"/billing/v1", probe)
	}
	if err := p.sweep(ctx, s); err != nil {
		return err
	}
	p.refusals(ctx, s)
	if err := p.amend(ctx, s.contract); err != nil {
		return err
	}
	p.reusedKey(ctx, p.contract+"/refcontract/v1/contracts", newContract, strings.Replace(newContract, "CE-PROBE", "CE-OTHER", 1), http.StatusCreated)
	p.reusedKey(ctx, p.billing+"/billing/v1/operations", refusedPurchase(s), strings.Replace(refusedPurchase(s), "ORD-PROBE", "ORD-OTHER", 1), http.StatusUnprocessableEntity)
	return nil
}

const newContract = `{"customerRef":"CE-PROBE","sellerRef":"AG-PROBE","ceiling":{"amount":100000,"currency":"EUR"},"validFrom":"2026-01-01T00:00:00Z",
"buyer":{"legalName":"CSE PROBE","siren":"732829320","vatNumber":"FR44732829320","billingAddress":{"line1":"12 rue de la Paix","postalCode":"75002","city":"Paris","country":"FR"}}}`

const signedMandate = `{"rum":"RUM-PROBE","ics":"FR72ZZZ123456","scheme":"B2B","signedAt":"2026-01-01T00:00:00Z","iban":"FR76 3000 6000 0112 3456 7890 189","owner":"CSE"}`

func refusedPurchase(s subjects) string {
	return fmt.Sprintf(`{"type":"PURCHASE","contractRef":%q,"orderRef":"ORD-PROBE","amount":{"amount":1,"currency":"USD"}}`, s.contract)
}

// none removes a header.
const none = "-"

func contractProbes(s subjects) []probe {
	one := "/contracts/" + s.contract
	big := `{"customerRef":"` + strings.Repeat("x", 2<<20) + `"}`
	suspend := `{"action":"SUSPEND","reason":"probe"}`
	anotherCompany := strings.NewReplacer("CE-PROBE", s.customer, "FR44732829320", "FR96552100554", "732829320", "552100554").Replace(newContract)
	mandate := strings.Replace(signedMandate, "7890 189", "7890 188", 1) // a wrong check digit
	lapsed := strings.Replace(signedMandate, "2026-01-01", "2020-01-01", 1)
	revoked := strings.Replace(signedMandate, "RUM-PROBE", "RUM-"+s.customer+"-1", 1)
	return []probe{
		{method: "GET", path: "/contracts?limit=1", status: 200},
		{method: "GET", path: "/contracts?customerRef=CE-NOBODY", status: 200},
		{method: "GET", path: one, status: 200},
		{method: "GET", path: "/contracts/CTR-999999", status: 404, code: "contract-not-found"},
		{method: "GET", path: "/contracts/seven", status: 400, code: "invalid-request"},
		{method: "GET", path: "/contracts?limit=0", status: 400, code: "invalid-request"},
		{method: "GET", path: one, header: map[string]string{"Log-Position": "contract.log.v1:99999999"}, status: 503, code: "position-not-reached"},
		{method: "GET", path: "/nothing", status: 404, code: "not-found"},
		{method: "PUT", path: "/contracts", body: `{}`, status: 405, code: "method-not-allowed"},
		{method: "POST", path: "/contracts", body: newContract, header: map[string]string{"Idempotency-Key": none}, status: 400, code: "idempotency-key-missing"},
		{method: "POST", path: "/contracts", body: strings.Replace(newContract, `{`, `{"creditLimit":5,`, 1), status: 400, code: "invalid-request"},
		{method: "POST", path: "/contracts", body: strings.Replace(newContract, `100000`, `"100000"`, 1), status: 400, code: "invalid-request"},
		{method: "POST", path: "/contracts", body: `{`, status: 400, code: "invalid-request"},
		{method: "POST", path: "/contracts", body: anotherCompany, status: 409, code: "customer-identity-differs"},
		{method: "POST", path: "/contracts", body: big, status: 413, code: "body-too-large"},
		{method: "POST", path: "/contracts", body: newContract, header: map[string]string{"Content-Type": "text/plain"}, status: 415, code: "unsupported-media-type"},
		{method: "PATCH", path: one, body: suspend, status: 428, code: "precondition-required"},
		{method: "PATCH", path: one, body: suspend, header: map[string]string{"If-Match": `"999"`}, status: 412, code: "precondition-failed"},
		{method: "PATCH", path: one, body: `{"action":"FREEZE"}`, header: map[string]string{"If-Match": `"1"`}, status: 400, code: "invalid-request"},
		{method: "PATCH", path: "/contracts/CTR-999999", body: suspend, header: map[string]string{"If-Match": `"1"`}, status: 404, code: "contract-not-found"},
		{method: "PUT", path: one + "/mandate", body: lapsed, header: map[string]string{"If-Match": "*"}, status: 409, code: "mandate-lapsed"},
		{method: "PUT", path: one + "/mandate", body: revoked, header: map[string]string{"If-Match": "*"}, status: 409, code: "mandate-revoked"},
		{method: "PUT", path: one + "/mandate", body: mandate, header: map[string]string{"If-Match": `"1"`}, status: 400, code: "invalid-request"},
		{method: "GET", path: one + "/mandate/account", status: 410, code: "personal-data-erased"},
		{method: "GET", path: "/contracts/CTR-999999/mandate/account", status: 404, code: "contract-not-found"},
		{method: "DELETE", path: one + "/personal-data", status: 202},
		{method: "DELETE", path: one + "/personal-data", header: map[string]string{"Idempotency-Key": none}, status: 400, code: "idempotency-key-missing"},
		{method: "DELETE", path: "/contracts/CTR-999999/personal-data", status: 404, code: "contract-not-found"},
		{method: "POST", path: one + "/republication", body: `{"aboveVersion":0}`, status: 400, code: "invalid-request"},
		{method: "POST", path: "/contracts/CTR-999999/republication", body: `{}`, status: 404, code: "contract-not-found"},
		{method: "POST", path: one + "/republication", body: `{"aboveVersion":100}`, status: 202},
	}
}

func billingProbes(s subjects) []probe {
	invoice := "/invoices/" + s.invoice
	purchase := func(ref string) string {
		return fmt.Sprintf(`{"type":"PURCHASE","contractRef":%q,"orderRef":"ORD-P","amount":{"amount":100,"currency":"EUR"}}`, ref)
	}
	return []probe{
		{method: "GET", path: "/operations?contractRef=" + s.contract + "&limit=2", status: 200},
		{method: "GET", path: "/operations?invoiceRef=" + s.invoice, status: 200},
		{method: "GET", path: "/operations?orderRef=ORD-1", status: 200},
		{method: "GET", path: "/operations/" + s.operation, status: 200},
		{method: "GET", path: "/operations/BOP-1-999999", status: 404, code: "operation-not-found"},
		{method: "GET", path: "/subscriptions?customerRef=" + s.customer, status: 200},
		{method: "GET", path: "/subscriptions/" + s.subscription, status: 200},
		{method: "GET", path: "/subscriptions/SUB-999999", status: 404, code: "subscription-not-found"},
		{method: "GET", path: "/eligibility/" + s.customer + "?amount=100&currency=EUR", status: 200},
		{method: "GET", path: "/eligibility/CE-NOBODY", status: 404, code: "customer-not-found"},
		{method: "GET", path: "/billing-runs/" + s.period, status: 200},
		{method: "GET", path: "/billing-runs/2001-01", status: 404, code: "billing-run-not-found"},
		{method: "GET", path: "/invoices?contractRef=" + s.contract, status: 200},
		{method: "GET", path: invoice, status: 200},
		{method: "GET", path: "/invoices/BIL-2026-999999", status: 404, code: "invoice-not-found"},
		{method: "GET", path: "/invoices?limit=201", status: 400, code: "invalid-request"},
		{method: "GET", path: invoice, header: map[string]string{"Log-Position": "billing.log.v1:99999999"}, status: 503, code: "position-not-reached"},
		{method: "POST", path: "/operations", body: purchase(s.contract), header: map[string]string{"Idempotency-Key": none}, status: 400, code: "idempotency-key-missing"},
		{method: "POST", path: "/operations", body: purchase("CTR-999999"), status: 409, code: "contract-unknown"},
		{method: "POST", path: "/operations", body: strings.Replace(purchase(s.contract), `"amount":100`, `"amount":0`, 1), status: 400, code: "invalid-request"},
		{method: "POST", path: "/operations", body: strings.Replace(purchase(s.contract), `{`, `{"surprise":true,`, 1), status: 400, code: "invalid-request"},
		{method: "POST", path: "/operations", body: `{"x":"` + strings.Repeat("x", 2<<20) + `"}`, status: 413, code: "body-too-large"},
		{method: "POST", path: "/operations", body: `{"type":"REFUND","purchaseRef":"BOP-1-999999","amount":{"amount":1,"currency":"EUR"}}`, status: 404, code: "operation-not-found"},
		{method: "POST", path: "/operations", body: fmt.Sprintf(`{"type":"REFUND","purchaseRef":%q,"amount":{"amount":1,"currency":"EUR"}}`, s.refused), status: 409, code: "refund-not-possible"},
		{method: "POST", path: "/operations/" + s.operation + "/cancellation", body: `{}`, status: 409, code: "transition-forbidden"},
		{method: "POST", path: "/operations", body: fmt.Sprintf(`{"type":"REFUND","purchaseRef":%q,"amount":{"amount":1,"currency":"EUR"}}`, s.operation), status: 201},
		{method: "POST", path: "/operations", body: fmt.Sprintf(`{"type":"REFUND","purchaseRef":%q,"amount":{"amount":1,"currency":"USD"}}`, s.operation), status: 409, code: "refund-currency-differs"},
		{method: "POST", path: "/operations", body: strings.Replace(purchase(s.contract), "EUR", "ZZZ", 1), status: 400, code: "invalid-request"},
		{method: "GET", path: "/eligibility/" + s.customer + "?currency=ZZZ", status: 400, code: "invalid-request"},
		{method: "POST", path: "/billing-runs", body: `{"period":"2999-01"}`, status: 409, code: "period-not-ended"},
		{method: "POST", path: "/billing-runs", body: fmt.Sprintf(`{"period":%q,"dryRun":true}`, s.period), status: 200},
		{method: "POST", path: invoice + "/settlement", body: `{"outcome":"RETURNED","reason":"ZZ99"}`, status: 400, code: "invalid-request"},
		{method: "POST", path: invoice + "/settlement", body: `{"outcome":"COLLECTED"}`, status: 409, code: "transition-forbidden"},
		{method: "POST", path: invoice + "/settlement", body: `{"outcome":"PRESENTED","contractRef":"CTR-999999"}`, status: 400, code: "invalid-request"},
		{method: "POST", path: "/invoices/BIL-2026-999999/settlement", body: `{"outcome":"PRESENTED"}`, status: 404, code: "invoice-not-found"},
	}
}

// amend raises the ceiling of a new contract and buys until the threshold is reached, which the
// story does not.
func (p *prober) amend(ctx context.Context, another string) error {
	var c struct {
		ContractRef, Status string
		Version             int64
	}
	contracts := p.contract + "/refcontract/v1/contracts"
	created := strings.Replace(newContract, "CE-PROBE", "CE-AMENDED-"+p.run, 1)
	p.send(ctx, contracts, probe{method: "POST", body: created, status: 201})
	var page struct {
		Items []struct{ ContractRef string }
	}
	if err := p.get(ctx, contracts+"?customerRef=CE-AMENDED-"+p.run, &page); err != nil || len(page.Items) != 1 {
		return fmt.Errorf("find the contract to amend: %d found: %w", len(page.Items), err)
	}
	one := contracts + "/" + page.Items[0].ContractRef
	p.send(ctx, one, probe{method: "DELETE", path: "/mandate", header: map[string]string{"If-Match": `"1"`}, status: 409, code: "transition-forbidden"})
	p.send(ctx, contracts, probe{method: "POST", body: created, status: 201})
	otherCompany := `{"action":"AMEND","buyer":{"legalName":"SA PROBE","siren":"552100554","vatNumber":"FR96552100554",` +
		`"billingAddress":{"line1":"12 rue de la Paix","postalCode":"75002","city":"Paris","country":"FR"}}}`
	p.send(ctx, one, probe{method: "PATCH", body: otherCompany, header: map[string]string{"If-Match": `"1"`}, status: 409, code: "customer-identity-differs"})
	mandate := strings.Replace(signedMandate, "RUM-PROBE", "RUM-PROBE-"+p.run, 1)
	p.send(ctx, one, probe{method: "PUT", path: "/mandate", body: mandate, header: map[string]string{"If-Match": `"1"`}, status: 200})
	p.send(ctx, contracts, probe{method: "PUT", path: "/" + another + "/mandate", body: mandate, header: map[string]string{"If-Match": "*"}, status: 409, code: "mandate-already-used"})
	err := p.until(ctx, "the contract is active", one, &c, func() bool { return c.Status == "ACTIVE" })
	if err != nil {
		return err
	}
	raise := `{"action":"AMEND","ceiling":{"amount":200000,"currency":"EUR"},"reason":"probe"}`
	p.send(ctx, one, probe{method: "PATCH", body: raise, header: map[string]string{"If-Match": fmt.Sprintf(`"%d"`, c.Version)}, status: 200})
	var known struct {
		Items []struct{ ContractVersion int64 }
	}
	err = p.until(ctx, "billing knows the new ceiling", p.billing+"/billing/v1/subscriptions?contractRef="+c.ContractRef, &known, func() bool {
		return len(known.Items) == 1 && known.Items[0].ContractVersion > c.Version
	})
	if err != nil {
		return err
	}
	purchase := fmt.Sprintf(`{"type":"PURCHASE","contractRef":%q,"orderRef":"ORD-AMENDED","amount":{"amount":170000,"currency":"EUR"}}`, c.ContractRef)
	p.send(ctx, p.billing+"/billing/v1/operations", probe{method: "POST", body: purchase, status: 201})
	p.send(ctx, p.billing+"/billing/v1/operations", probe{method: "POST", body: purchase, status: 409, code: "order-already-purchased"})
	cancel := "/BOP-" + strings.TrimPrefix(c.ContractRef, "CTR-") + "-1/cancellation"
	p.send(ctx, p.billing+"/billing/v1/operations", probe{method: "POST", path: cancel, body: `{"reason":"booked twice"}`, status: 200})
	return nil
}

// until reads url into a value until enough returns true, for a bounded time.
func (p *prober) until(ctx context.Context, what, url string, into any, enough func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		if err := p.get(ctx, url, into); err != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		if enough() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// send sends a probe and reports an unexpected answer. The judge checks it against the contract.
func (p *prober) send(ctx context.Context, base string, q probe) {
	status, code, err := p.do(ctx, base, q)
	if err != nil {
		p.faults("probe %s %s: %v", q.method, q.path, err)
		return
	}
	if status != q.status || code != q.code {
		p.faults("probe %s %s: got %d %s, want %d %s", q.method, shorten(q.path), status, code, q.status, q.code)
	}
}

// reusedKey sends a request twice and then another one with the same key.
func (p *prober) reusedKey(ctx context.Context, url, body, other string, status int) {
	key := map[string]string{"Idempotency-Key": fmt.Sprintf("probe-%s-%d", p.run, p.next.Add(1))}
	code := ""
	if status == http.StatusUnprocessableEntity {
		code = "purchase-refused"
	}
	for range 2 {
		p.send(ctx, url, probe{method: "POST", body: body, header: key, status: status, code: code})
	}
	p.send(ctx, url, probe{method: "POST", body: other, header: key, status: 422, code: "idempotency-key-reused"})
}

func (p *prober) do(ctx context.Context, base string, q probe) (status int, code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, base+q.path, strings.NewReader(q.body))
	if err != nil {
		return 0, "", err
	}
	if q.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.method != http.MethodGet {
		req.Header.Set("Idempotency-Key", fmt.Sprintf("probe-%s-%d", p.run, p.next.Add(1)))
	}
	for name, value := range q.header {
		req.Header.Set(name, value)
		if value == none {
			req.Header.Del(name)
		}
	}
	client := p.client
	if q.as != nil {
		client = p.plain
		maps.Copy(req.Header, q.as)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Code string }
	if data, err := io.ReadAll(resp.Body); err != nil {
		return 0, "", err
	} else if resp.StatusCode >= 400 && json.Unmarshal(data, &answer) != nil {
		answer.Code = "(not JSON)"
	}
	return resp.StatusCode, answer.Code, nil
}

// find asks billing for an invoice and what belongs to it.
func (p *prober) find(ctx context.Context) (subjects, error) {
	var invoices struct {
		Items []struct {
			InvoiceRef, CustomerRef, Period string
			Parts                           []struct{ ContractRef, SubscriptionRef string }
		}
	}
	if err := p.get(ctx, p.billing+"/billing/v1/invoices?limit=1", &invoices); err != nil {
		return subjects{}, err
	}
	if len(invoices.Items) == 0 || len(invoices.Items[0].Parts) == 0 {
		return subjects{}, fmt.Errorf("the story has issued no invoice with a part")
	}
	i := invoices.Items[0]
	var operations struct {
		Items []struct{ OperationRef string }
	}
	if err := p.get(ctx, p.billing+"/billing/v1/operations?limit=1&invoiceRef="+i.InvoiceRef, &operations); err != nil {
		return subjects{}, err
	}
	if len(operations.Items) == 0 {
		return subjects{}, fmt.Errorf("the invoice %s has no line", i.InvoiceRef)
	}
	var refusals struct {
		Items []struct{ OperationRef string }
	}
	if err := p.get(ctx, p.billing+"/billing/v1/operations?limit=1&status=REFUSED&customerRef="+i.CustomerRef, &refusals); err != nil {
		return subjects{}, err
	}
	if len(refusals.Items) == 0 {
		return subjects{}, fmt.Errorf("the story has no refused purchase of %s", i.CustomerRef)
	}
	part := i.Parts[0]
	return subjects{refused: refusals.Items[0].OperationRef, contract: part.ContractRef, customer: i.CustomerRef, subscription: part.SubscriptionRef, operation: operations.Items[0].OperationRef, invoice: i.InvoiceRef, period: i.Period}, nil
}

func (p *prober) get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
