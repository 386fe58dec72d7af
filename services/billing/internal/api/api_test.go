package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/services/billing/internal/api"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/runs"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem/problemtest"
	"github.com/deferpay/deferpay/services/internal/waittest"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// system is an embedded broker with a log, and instances of billing on it, without the bus.
type system struct {
	t       *testing.T
	broker  *kfake.Cluster
	options []kgo.Opt
	offset  atomic.Int64 // nanoseconds added to the clock of every instance
	keys    int
}

type instance struct {
	*system
	store *store.Store
	url   string
	stop  func()
}

var paris = func() *time.Location {
	l, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return l
}()

// start is the time that the clocks of a test begin at: the middle of a month.
var start = time.Date(2026, 3, 14, 9, 0, 0, 123456000, time.UTC)

func newSystem(t *testing.T) *system {
	broker := journaltest.Broker(t)
	options := journaltest.Options(broker)
	journaltest.Create(t, options, store.Log, journaltest.LogConfig())
	journaltest.Create(t, options, store.Positions, map[string]string{"cleanup.policy": "compact"})
	return &system{t: t, broker: broker, options: options}
}

// slow makes the broker take a while for each record from now on.
func (s *system) slow() {
	s.broker.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.broker.KeepControl()
		s.broker.SleepControl(func() { time.Sleep(10 * time.Millisecond) })
		return nil, nil, false
	})
}

func (s *system) now() time.Time { return start.Add(time.Duration(s.offset.Load())) }

func (s *system) instance(name string) *instance {
	s.t.Helper()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.New(store.Config{Config: ledger.Config{Writer: name, ClientOptions: s.options, Now: s.now, Logger: logger}, Paris: paris})
	if err != nil {
		s.t.Fatal(err)
	}
	runner := &runs.Runner{Store: st, Paris: paris, Now: s.now, Logger: logger}
	h, err := api.New(api.Config{Config: logapi.Config{Ready: st.Ready, Access: access.Insecure(), Logger: logger}, Store: st, Runs: runner})
	if err != nil {
		s.t.Fatal(err)
	}
	server := httptest.NewServer(problemtest.Open(s.t, openAPI).Handler(s.t, h))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- st.Run(ctx) }()
	go func() { ended <- runner.Run(ctx) }()
	i := &instance{system: s, store: st, url: server.URL}
	var once atomic.Bool
	i.stop = func() {
		if once.Swap(true) {
			return
		}
		server.Close()
		cancel()
		for range 2 {
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				s.t.Errorf("%s ended: %v", name, err)
			}
		}
	}
	s.t.Cleanup(i.stop)
	s.until("ready", func() bool { return st.Ready() == nil })
	return i
}

func (s *system) until(what string, done func() bool) {
	s.t.Helper()
	waittest.True(s.t, 10*time.Second, what, done)
}

// contract makes billing know an active contract with a ceiling of 5,000 EUR, then changes it.
func (i *instance) contract(n int, version int64, change func(*billing.Contract)) {
	i.t.Helper()
	c := billing.Contract{
		Ref: fmt.Sprint("CTR-", n), SubscriptionRef: fmt.Sprint("SUB-", n), CustomerRef: "CE-ACME", SellerRef: "AGENCY", Version: version, Status: billing.StatusActive,
		Ceiling: billing.Money{Amount: 500000, Currency: "EUR"}, ValidFrom: start.AddDate(0, -2, 0),
		Buyer:   billing.Company{LegalName: "CSE Acme", SIREN: "732829320", Address: billing.Address{Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR"}},
		Mandate: billing.Mandate{RUM: "RUM-1", ICS: "FR72ZZZ123456", Scheme: "B2B", IBANLastFour: "0189", SignedAt: start.AddDate(0, -2, 0)},
	}
	if change != nil {
		change(&c)
	}
	if err := i.store.Observe(i.t.Context(), billing.Observe{ContractObserved: billing.ContractObserved{Contract: c, Fact: "ContractActivated", EventID: fmt.Sprint(n, "-", version), OccurredAt: start}}); err != nil {
		i.t.Fatal(err)
	}
}

// answer is an HTTP answer with its JSON.
type answer struct {
	status int
	header http.Header
	json   map[string]any
	text   string
}

func (i *instance) do(method, path, key, body string, headers ...string) answer {
	i.t.Helper()
	req, err := http.NewRequest(method, i.url+"/billing/v1"+path, strings.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	for h := 0; h < len(headers); h += 2 {
		req.Header.Set(headers[h], headers[h+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		i.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(data)}
	if err := json.Unmarshal(data, &a.json); err != nil {
		i.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, data)
	}
	return a
}

func (i *instance) post(path, body string) answer {
	i.t.Helper()
	i.keys++
	return i.do("POST", path, fmt.Sprint("k-", i.keys), body)
}

func (i *instance) get(path string, headers ...string) answer {
	i.t.Helper()
	return i.do("GET", path, "", "", headers...)
}

var ordered atomic.Int64

// purchase is a purchase of an order of its own.
func purchase(contract string, cents int64) string {
	return order(contract, fmt.Sprint("ORD-", ordered.Add(1)), cents)
}

func order(contract, ref string, cents int64) string {
	return fmt.Sprintf(`{"type":"PURCHASE","contractRef":%q,"orderRef":%q,"amount":{"amount":%d,"currency":"EUR"},"label":"Lisbon"}`, contract, ref, cents)
}

func refund(purchase string, cents int64) string {
	return fmt.Sprintf(`{"type":"REFUND","purchaseRef":%q,"amount":{"amount":%d,"currency":"EUR"},"reason":"ill"}`, purchase, cents)
}

// at looks up a value by its path of members and indices.
func (a answer) at(path string) string {
	var v any = a.json
	for _, p := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			n := 0
			fmt.Sscan(p, &n)
			if n >= len(x) {
				return "<none>"
			}
			v = x[n]
		default:
			return "<none>"
		}
	}
	if v == nil {
		return "<none>"
	}
	b := &bytes.Buffer{}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return strings.Trim(strings.TrimSpace(b.String()), `"`)
}

// want checks the status and members of an answer.
func (a answer) want(t *testing.T, status int, members ...string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	for m := 0; m < len(members); m += 2 {
		if got := a.at(members[m]); got != members[m+1] {
			t.Errorf("%s is %s, want %s in %s", members[m], got, members[m+1], a.text)
		}
	}
}

// problem checks a problem document: its code, that it says what to do, and that its status is the
// answer's.
func (a answer) problem(t *testing.T, status int, code string, members ...string) {
	t.Helper()
	a.want(t, status, append([]string{"code", code, "type", "urn:deferpay:problem:" + code, "status", fmt.Sprint(status)}, members...)...)
	if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("%s has the content type %s", code, ct)
	}
	if a.at("detail") == "<none>" || a.at("title") == "<none>" || a.at("hint") == "<none>" && a.at("errors") == "<none>" {
		t.Errorf("%s does not say what is wrong or what to do: %s", code, a.text)
	}
}

func TestPurchaseAndRefund(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	i.contract(7, 3, nil)
	a := i.post("/operations", order("CTR-7", "ORD-1", 120000))
	a.want(t, 201, "type", "PURCHASE", "operationRef", "BOP-7-1", "status", "ACCEPTED", "subscriptionRef", "SUB-7", "customerRef", "CE-ACME", "orderRef", "ORD-1",
		"label", "Lisbon", "amount.amount", "120000", "refunded.amount", "0", "period", "2026-03", "invoiceRef", "<none>", "decidedAt", "2026-03-14T09:00:00.123456Z",
		"judgement.contractVersion", "3", "judgement.outstanding.amount", "120000", "judgement.available.amount", "380000", "judgement.ceiling.amount", "500000", "judgement.reasons", "[]")
	if p := a.header.Get("Log-Position"); !strings.HasPrefix(p, "billing.log.v1:") || a.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("headers %v", a.header)
	}
	i.post("/operations", refund("BOP-7-1", 20000)).want(t, 201, "type", "REFUND", "operationRef", "BOP-7-2", "purchaseRef", "BOP-7-1", "orderRef", "ORD-1", "reason", "ill", "period", "2026-03")
	i.get("/operations/BOP-7-1").want(t, 200, "refunded.amount", "20000", "amount.amount", "120000")
	i.get("/operations/BOP-7-2").want(t, 200, "type", "REFUND")
	i.get("/subscriptions/SUB-7").want(t, 200, "contractRef", "CTR-7", "status", "ACTIVE", "contractVersion", "3", "mandate.status", "VALID", "mandate.scheme", "B2B",
		"buyer.legalName", "CSE Acme", "ceiling.amount", "500000", "ingestedAt", "2026-03-14T09:00:00.123456Z", "validUntil", "<none>")
	i.get("/eligibility/CE-ACME").want(t, 200, "contracts.0.eligible", "true", "contracts.0.outstanding.total.amount", "100000", "contracts.0.outstanding.notInvoiced.amount", "100000",
		"contracts.0.outstanding.notSettled.amount", "0", "contracts.0.available.amount", "400000", "contracts.0.contractVersion", "3", "contracts.0.reasons", "[]")
	i.get("/eligibility/CE-ACME?amount=400001").want(t, 200, "contracts.0.eligible", "false", "contracts.0.reasons", `["CEILING_EXCEEDED"]`, "contracts.0.judged.amount", "400001")
	i.get("/eligibility/CE-ACME?amount=1&currency=USD").want(t, 200, "contracts.0.eligible", "false", "contracts.0.reasons", `["CURRENCY_MISMATCH"]`)
}

func TestRefusalsCarryTheirFigures(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	i.contract(7, 3, nil)
	i.post("/operations", purchase("CTR-7", 420000)).want(t, 201)
	a := i.post("/operations", purchase("CTR-7", 120000))
	a.problem(t, 422, "purchase-refused", "operationRef", "BOP-7-2", "reasons", `["CEILING_EXCEEDED"]`, "contractVersion", "3",
		"outstanding.amount", "420000", "ceiling.amount", "500000", "available.amount", "80000")
	if a.header.Get("Log-Position") == "" {
		t.Error("a refused purchase is recorded and says where")
	}
	i.contract(7, 4, func(c *billing.Contract) { c.Status = billing.StatusSuspended; c.Mandate.RevokedAt = start })
	i.post("/operations", purchase("CTR-7", 120000)).problem(t, 422, "purchase-refused", "reasons", `["CONTRACT_NOT_ACTIVE","MANDATE_NOT_VALID","CEILING_EXCEEDED"]`, "contractVersion", "4")
	i.get("/operations?status=REFUSED&contractRef=CTR-7").want(t, 200, "total", "2", "items.0.operationRef", "BOP-7-2", "items.0.judgement.outstanding.amount", "420000", "items.0.period", "<none>")
	i.post("/operations", refund("BOP-7-2", 1)).problem(t, 409, "refund-not-possible")
	i.post("/operations", refund("BOP-7-1", 420001)).problem(t, 422, "refund-exceeds-purchase", "available.amount", "420000")
	i.post("/operations", refund("BOP-7-1", 420000)).want(t, 201) // whatever the contract's status
}

// Whatever is wrong with a request, the answer says what to do and nothing is recorded.
func TestBadInputRecordsNothing(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	i.contract(7, 3, nil)
	i.post("/operations", purchase("CTR-7", 1000)).want(t, 201)
	if err := i.store.WaitFor(t.Context(), i.store.Position()); err != nil {
		t.Fatal(err)
	}
	good := purchase("CTR-7", 1)
	tests := map[string]struct {
		method, path, key, body string
		status                  int
		code                    string
	}{
		"unknown field":     {"POST", "/operations", "a", strings.Replace(good, `"orderRef"`, `"colour":"red","orderRef"`, 1), 400, "invalid-request"},
		"wrong type":        {"POST", "/operations", "b", strings.Replace(good, `{"amount":1,`, `{"amount":"1",`, 1), 400, "invalid-request"},
		"fraction":          {"POST", "/operations", "b", strings.Replace(good, `{"amount":1,`, `{"amount":1.5,`, 1), 400, "invalid-request"},
		"zero":              {"POST", "/operations", "b", purchase("CTR-7", 0), 400, "invalid-request"},
		"negative":          {"POST", "/operations", "b", purchase("CTR-7", -5), 400, "invalid-request"},
		"largest int64":     {"POST", "/operations", "b", purchase("CTR-7", math.MaxInt64), 400, "invalid-request"},
		"smallest int64":    {"POST", "/operations", "b", purchase("CTR-7", math.MinInt64), 400, "invalid-request"},
		"beyond int64":      {"POST", "/operations", "b", strings.Replace(good, `{"amount":1,`, `{"amount":9223372036854775808,`, 1), 400, "invalid-request"},
		"above the bound":   {"POST", "/operations", "b", purchase("CTR-7", 1e12+1), 400, "invalid-request"},
		"refund, int64":     {"POST", "/operations", "b", refund("BOP-7-1", math.MaxInt64), 400, "invalid-request"},
		"refund, largest":   {"POST", "/operations", "b", refund("BOP-7-1", 1e12), 422, "refund-exceeds-purchase"},
		"eligible, int64":   {"GET", "/eligibility/CE-ACME?amount=9223372036854775807", "", "", 400, "invalid-request"},
		"integer as 1.5":    {"POST", "/operations", "b", strings.Replace(good, `{"amount":1,`, `{"amount":1.5,`, 1), 400, "invalid-request"},
		"member twice":      {"POST", "/operations", "b", strings.Replace(good, `"amount":{`, `"amount":{"amount":9,"currency":"EUR"},"amount":{`, 1), 400, "invalid-request"},
		"invalid UTF-8":     {"POST", "/operations", "b", strings.Replace(good, `{`, "{\"label\":\"\xff\",", 1), 400, "invalid-request"},
		"lone surrogate":    {"POST", "/operations", "b", strings.Replace(good, `{`, `{"label":"\ud800",`, 1), 400, "invalid-request"},
		"line break":        {"POST", "/operations", "b", strings.Replace(good, `{`, `{"label":"a\nb",`, 1), 400, "invalid-request"},
		"hidden direction":  {"POST", "/operations", "b", strings.Replace(good, `{`, `{"label":"a\u202eb",`, 1), 400, "invalid-request"},
		"query with ;":      {"GET", "/operations?customerRef=CE-NOBODY;x", "", "", 400, "invalid-request"},
		"query with %":      {"GET", "/operations?customerRef=CE-NOBODY%", "", "", 400, "invalid-request"},
		"amount with ;":     {"GET", "/eligibility/CE-ACME?amount=999999999;x", "", "", 400, "invalid-request"},
		"unknown parameter": {"GET", "/operations?customer=CE-ACME", "", "", 400, "invalid-request"},
		"parameter twice":   {"GET", "/operations?limit=1&limit=2", "", "", 400, "invalid-request"},
		"no parameters":     {"GET", "/invoices/BIL-2026-000009?limit=1", "", "", 400, "invalid-request"},
		"missing field":     {"POST", "/operations", "c", `{"type":"PURCHASE","contractRef":"CTR-7"}`, 400, "invalid-request"},
		"unknown type":      {"POST", "/operations", "d", `{"type":"GIFT"}`, 400, "invalid-request"},
		"no type":           {"POST", "/operations", "d", `{}`, 400, "invalid-request"},
		"no JSON":           {"POST", "/operations", "e", `{"type":`, 400, "invalid-request"},
		"bad reference":     {"POST", "/operations", "f", purchase("7", 1), 400, "invalid-request"},
		"no key":            {"POST", "/operations", "", good, 400, "idempotency-key-missing"},
		"key too long":      {"POST", "/operations", strings.Repeat("k", 129), good, 400, "invalid-request"},
		"key reused":        {"POST", "/operations", "k-1", good, 422, "idempotency-key-reused"},
		"2 MB":              {"POST", "/operations", "g", `{"type":"PURCHASE","label":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "body-too-large"},
		"unknown contract":  {"POST", "/operations", "h", purchase("CTR-99", 1), 409, "contract-unknown"},
		"unknown purchase":  {"POST", "/operations", "i", refund("BOP-7-99", 1), 404, "operation-not-found"},
		"refund of nothing": {"POST", "/operations", "i", refund("BOP-99-1", 1), 404, "operation-not-found"},
		"refund too much":   {"POST", "/operations", "i", refund("BOP-7-1", 1001), 422, "refund-exceeds-purchase"},
		"other currency":    {"POST", "/operations", "i", strings.Replace(refund("BOP-7-1", 1), "EUR", "USD", 1), 409, "refund-currency-differs"},
		"no currency":       {"POST", "/operations", "i", strings.Replace(good, "EUR", "ZZZ", 1), 400, "invalid-request"},
		"test currency":     {"POST", "/operations", "i", strings.Replace(good, "EUR", "XTS", 1), 400, "invalid-request"},
		"refund, no such":   {"POST", "/operations", "i", strings.Replace(refund("BOP-7-1", 1), "EUR", "ZZZ", 1), 400, "invalid-request"},
		"eligibility":       {"GET", "/eligibility/CE-ACME?currency=ZZZ", "", "", 400, "invalid-request"},
		"cancellation":      {"POST", "/operations/BOP-7-99/cancellation", "j", `{}`, 404, "operation-not-found"},
		"operation":         {"GET", "/operations/BOP-7-99", "", "", 404, "operation-not-found"},
		"subscription":      {"GET", "/subscriptions/SUB-99", "", "", 404, "subscription-not-found"},
		"customer":          {"GET", "/eligibility/NOBODY", "", "", 404, "customer-not-found"},
		"invoice":           {"GET", "/invoices/BIL-2026-000009", "", "", 404, "invoice-not-found"},
		"run":               {"GET", "/billing-runs/2026-01", "", "", 404, "billing-run-not-found"},
		"not a month":       {"GET", "/billing-runs/2026-13", "", "", 400, "invalid-request"},
		"limit":             {"GET", "/operations?limit=201", "", "", 400, "invalid-request"},
		"offset":            {"GET", "/operations?offset=-1", "", "", 400, "invalid-request"},
		"path":              {"GET", "/nowhere", "", "", 404, "not-found"},
		"method":            {"PUT", "/operations", "", "", 405, "method-not-allowed"},
		"month not over":    {"POST", "/billing-runs", "k", `{"period":"2026-03"}`, 409, "period-not-ended"},
		"no such invoice":   {"POST", "/invoices/BIL-2026-000009/settlement", "l", `{"outcome":"PRESENTED"}`, 404, "invoice-not-found"},
		"returned":          {"POST", "/invoices/BIL-2026-000009/settlement", "m", `{"outcome":"RETURNED","reason":"MD01"}`, 404, "invoice-not-found"},
		"otherwise":         {"POST", "/invoices/BIL-2026-000009/settlement", "n", `{"outcome":"SETTLED_OTHERWISE","reference":"V-1"}`, 404, "invoice-not-found"},
		"no reason":         {"POST", "/invoices/BIL-2026-000009/settlement", "o", `{"outcome":"REJECTED"}`, 400, "invalid-request"},
		"bad reason":        {"POST", "/invoices/BIL-2026-000009/settlement", "p", `{"outcome":"REJECTED","reason":"because"}`, 400, "invalid-request"},
	}
	before := i.records()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := i.do(tt.method, tt.path, tt.key, tt.body)
			if tt.status == 404 && tt.code == "not-found" || tt.status == 405 || tt.status == 413 {
				a.want(t, tt.status, "code", tt.code)
				return
			}
			a.problem(t, tt.status, tt.code)
			if (tt.code == "contract-unknown") != (a.header.Get("Retry-After") != "") {
				t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
			}
		})
	}
	if after := i.records(); after != before {
		t.Errorf("%d records before, %d after", before, after)
	}
	i.do("POST", "/operations", "q", good, "Content-Type", "text/plain").want(t, 415, "code", "unsupported-media-type")
}

// records counts the records on the log that are not barriers.
func (s *system) records() (n int) {
	s.t.Helper()
	for _, kind := range s.log() {
		if kind != "barrier" {
			n++
		}
	}
	return n
}

// catchUp waits until i has applied what other has. What an instance decides on a state that is
// behind leaves a record that nobody applies, so a test that counts records calls it first.
func (i *instance) catchUp(other *instance) {
	i.t.Helper()
	i.get("/operations", "Log-Position", other.get("/operations").header.Get("Log-Position")).want(i.t, 200)
}

func TestP2KeyOnAnyInstance(t *testing.T) {
	s := newSystem(t)
	one, two := s.instance("billing-1"), s.instance("billing-2")
	one.contract(7, 3, nil)
	bought, tooMuch := purchase("CTR-7", 120000), purchase("CTR-7", 400000)
	first := one.do("POST", "/operations", "o-17", bought)
	first.want(t, 201, "operationRef", "BOP-7-1")
	over := two.do("POST", "/operations", "o-18", tooMuch)
	over.problem(t, 422, "purchase-refused", "operationRef", "BOP-7-2")
	gone := one.do("POST", "/operations", "o-19", refund("BOP-7-1", 120000))
	gone.want(t, 201, "operationRef", "BOP-7-3")
	two.catchUp(one)
	records := s.records()

	again := func(i *instance, key, body string, was answer) {
		t.Helper()
		a := i.do("POST", "/operations", key, body)
		if a.status != was.status || a.text != was.text || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("first %d %s\nagain %d %s %v", was.status, was.text, a.status, a.text, a.header)
		}
	}
	three := s.instance("billing-3") // begins after all that
	for _, i := range []*instance{one, two, three} {
		// as it was then, though it is refunded by now
		again(i, "o-17", bought, first)
		again(i, "o-18", tooMuch, over) // though it would fit by now
		again(i, "o-19", refund("BOP-7-1", 120000), gone)
		i.do("POST", "/operations", "o-17", strings.Replace(bought, "120000", "120001", 1)).problem(t, 422, "idempotency-key-reused")
		i.do("POST", "/invoices/BIL-2026-000001/settlement", "o-17", `{"outcome":"PRESENTED"}`).want(t, 404)
	}
	if after := s.records(); after != records {
		t.Errorf("%d records, then %d", records, after)
	}
	if one.get("/operations").text != three.get("/operations", "Log-Position", one.get("/operations").header.Get("Log-Position")).text {
		t.Error("instances disagree")
	}
}

func TestAMonthIsBilledOnce(t *testing.T) {
	s := newSystem(t)
	i, other := s.instance("billing-1"), s.instance("billing-2")
	for n := 7; n <= 10; n++ {
		i.contract(n, 1, func(c *billing.Contract) { c.CustomerRef = fmt.Sprint("CE-", n) })
	}
	i.post("/operations", purchase("CTR-7", 120000)).want(t, 201)
	i.post("/operations", purchase("CTR-7", 30000)).want(t, 201)
	i.post("/operations", refund("BOP-7-1", 20000)).want(t, 201)
	i.post("/operations", purchase("CTR-8", 500)).want(t, 201)
	i.post("/operations", refund("BOP-8-1", 500)).want(t, 201)
	i.post("/operations", purchase("CTR-9", 600000)).want(t, 422) // nothing to bill
	before := s.records()
	i.post("/billing-runs", `{"period":"2026-03","dryRun":true}`).want(t, 200, "status", "DRY_RUN", "invoiced", "2", "notInvoiced", "0", "startedAt", "<none>",
		"lines.0.parts.0.contractRef", "CTR-7", "lines.0.outcome", "TO_INVOICE", "lines.0.total.amount", "130000", "lines.0.operations", "3", "lines.1.total.amount", "0", "lines.2", "<none>")
	if s.records() != before {
		t.Error("a dry run recorded something")
	}

	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start))) // April
	run := i.do("POST", "/billing-runs", "run-1", `{"period":"2026-03"}`)
	run.want(t, 200, "status", "COMPLETED", "invoiced", "2", "notInvoiced", "0", "lines.0.invoiceRef", "BIL-2026-000001", "lines.0.outcome", "INVOICED",
		"lines.1.invoiceRef", "BIL-2026-000002", "lines.1.parts.0.contractRef", "CTR-8")
	i.get("/invoices/BIL-2026-000001").want(t, 200, "status", "ISSUED", "total.amount", "130000", "purchases.amount", "150000", "refunds.amount", "20000", "open.amount", "130000",
		"lineCount", "3", "buyer.legalName", "CSE Acme", "period", "2026-03", "parts.0.presentations", "0")
	i.get("/invoices/BIL-2026-000002").want(t, 200, "status", "SETTLED", "total.amount", "0", "settledAt", "2026-04-14T09:00:00.123456Z")
	i.get("/operations?invoiceRef=BIL-2026-000001").want(t, 200, "total", "3", "items.0.operationRef", "BOP-7-1", "items.2.type", "REFUND", "items.2.invoiceRef", "BIL-2026-000001")
	i.get("/eligibility/CE-7").want(t, 200, "contracts.0.outstanding.notInvoiced.amount", "0", "contracts.0.outstanding.notSettled.amount", "130000", "contracts.0.available.amount", "370000")

	other.catchUp(i)
	records := s.records()
	i.do("POST", "/billing-runs", "run-1", `{"period":"2026-03"}`).want(t, 200, "status", "COMPLETED", "invoiced", "2")
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "status", "COMPLETED", "invoiced", "2")
	other.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "status", "COMPLETED", "invoiced", "2")
	if after := s.records(); after != records {
		t.Errorf("running again recorded: %d, then %d", records, after)
	}
	other.get("/billing-runs/2026-03?limit=1&offset=1").want(t, 200, "status", "COMPLETED", "lines.0.parts.0.contractRef", "CTR-8", "lines.1", "<none>")
	i.post("/operations", purchase("CTR-7", 100)).want(t, 201, "period", "2026-04")
}

func TestCancellation(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	i.contract(7, 1, nil)
	i.post("/operations", purchase("CTR-7", 300)).want(t, 201)
	i.post("/operations", purchase("CTR-7", 200)).want(t, 201)
	i.post("/operations", purchase("CTR-7", 600000)).want(t, 422) // refused
	i.post("/operations", refund("BOP-7-2", 50)).want(t, 201)     // BOP-7-4
	const path = "/operations/BOP-7-1/cancellation"
	i.do("POST", path, "c", `{"reason":"booked twice"}`).want(t, 200, "status", "CANCELLED", "operationRef", "BOP-7-1", "invoiceRef", "<none>")
	records := s.records()
	i.do("POST", path, "c", `{"reason":"booked twice"}`).want(t, 200, "status", "CANCELLED")
	i.do("POST", path, "c", `{"reason":"ill"}`).problem(t, 422, "idempotency-key-reused")
	for name, ref := range map[string]string{"cancelled": "BOP-7-1", "refunded": "BOP-7-2", "refused": "BOP-7-3", "a refund": "BOP-7-4"} {
		i.post("/operations/"+ref+"/cancellation", `{}`).problem(t, 409, "transition-forbidden")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	i.post("/operations/BOP-7-2/cancellation", `{}`).want(t, 409, "available.amount", "150")
	i.post("/operations", refund("BOP-7-1", 1)).problem(t, 409, "refund-not-possible")
	if after := s.records(); after != records {
		t.Errorf("refusals recorded: %d, then %d", records, after)
	}
	i.get("/operations/BOP-7-1").want(t, 200, "status", "CANCELLED")
	i.get("/eligibility/CE-ACME").want(t, 200, "contracts.0.outstanding.notInvoiced.amount", "150")
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "invoiced", "1")
	i.get("/invoices/BIL-2026-000001").want(t, 200, "total.amount", "150", "lineCount", "2")
	i.get("/operations?invoiceRef=BIL-2026-000001").want(t, 200, "total", "2", "items.0.operationRef", "BOP-7-2")
	i.post("/operations/BOP-7-2/cancellation", `{}`).problem(t, 409, "transition-forbidden")
	again := s.instance("billing-2")
	again.get("/operations/BOP-7-1").want(t, 200, "status", "CANCELLED", "invoiceRef", "<none>")
}

func TestCreditNotes(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	i.contract(7, 1, nil)
	i.post("/operations", purchase("CTR-7", 1000)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "invoiced", "1")
	i.do("POST", "/operations", "r", refund("BOP-7-1", 400)).want(t, 201, "operationRef", "BOP-7-2", "creditNoteRef", "AVO-2026-000001", "invoiceRef", "BIL-2026-000001", "period", "2026-03")
	records := s.records()
	i.do("POST", "/operations", "r", refund("BOP-7-1", 400)).want(t, 201, "creditNoteRef", "AVO-2026-000001")
	i.post("/operations", refund("BOP-7-1", 601)).want(t, 422, "code", "refund-exceeds-purchase", "available.amount", "600")
	if after := s.records(); after != records {
		t.Errorf("a replay and a refusal recorded: %d, then %d", records, after)
	}
	i.get("/invoices/BIL-2026-000001").want(t, 200, "status", "ISSUED", "total.amount", "1000", "due.amount", "600", "open.amount", "600")
	i.post("/invoices/BIL-2026-000001/settlement", `{"outcome":"PRESENTED"}`).want(t, 200)
	i.post("/invoices/BIL-2026-000001/settlement", `{"outcome":"COLLECTED"}`).want(t, 200, "status", "SETTLED", "collected.amount", "600")
	i.post("/operations", refund("BOP-7-1", 600)).want(t, 201, "creditNoteRef", "AVO-2026-000002")
	again := s.instance("billing-2")
	again.get("/invoices/BIL-2026-000001").want(t, 200, "status", "SETTLED", "due.amount", "0", "open.amount", "0", "creditDue.amount", "600")
	again.get("/operations/BOP-7-1").want(t, 200, "refunded.amount", "1000")
	again.get("/operations?invoiceRef=BIL-2026-000001").want(t, 200, "total", "3", "items.2.creditNoteRef", "AVO-2026-000002")
	again.get("/eligibility/CE-ACME").want(t, 200, "contracts.0.outstanding.total.amount", "0")
}

func TestUnbillableContractIsLeftOut(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	i.contract(7, 1, nil)
	i.contract(8, 1, func(c *billing.Contract) { c.CustomerRef = "CE-BETA" })
	i.post("/operations", purchase("CTR-7", 100)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/operations", purchase("CTR-7", 100)).want(t, 201)
	i.post("/operations", purchase("CTR-8", 100)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 2, 0).Sub(start)))
	i.post("/billing-runs", `{"period":"2026-04"}`).want(t, 200, "status", "COMPLETED", "invoiced", "1", "notInvoiced", "1",
		"lines.0.parts.0.contractRef", "CTR-7", "lines.0.outcome", "NOT_POSSIBLE", "lines.1.invoiceRef", "BIL-2026-000001", "lines.1.parts.0.contractRef", "CTR-8")
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "invoiced", "1", "lines.0.invoiceRef", "BIL-2026-000002")
	i.post("/billing-runs", `{"period":"2026-04"}`).want(t, 200, "invoiced", "2", "notInvoiced", "0", "lines.0.invoiceRef", "BIL-2026-000003")
}

// Customers that a run left out are counted until they are billed, one by one.
func TestLeftOut(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	left := func(when string, want int) {
		t.Helper()
		if got := i.store.LeftOut(); got != want {
			t.Errorf("%s: %d customers are left out, want %d", when, got, want)
		}
	}
	i.contract(7, 1, nil)
	i.contract(8, 1, func(c *billing.Contract) { c.CustomerRef = "CE-BETA" })
	for month := range 2 {
		s.offset.Store(int64(start.AddDate(0, month, 0).Sub(start)))
		i.post("/operations", purchase("CTR-7", 100)).want(t, 201)
		i.post("/operations", purchase("CTR-8", 100)).want(t, 201)
	}
	s.offset.Store(int64(start.AddDate(0, 2, 0).Sub(start)))
	left("before a run", 0)
	i.post("/billing-runs", `{"period":"2026-04"}`).want(t, 200, "status", "COMPLETED", "invoiced", "0", "notInvoiced", "2")
	left("by April, because March is not billed", 2)
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "invoiced", "2")
	left("before April is billed", 2)
	possible, _ := i.store.ToClose(billing.Period{Year: 2026, Month: time.April})
	for n, c := range possible {
		if _, err := i.store.Decide(t.Context(), nil, c); err != nil {
			t.Fatal(err)
		}
		left("after "+c.Customer.CustomerRef, 1-n)
	}
}

func TestMonthsAreBilledUnasked(t *testing.T) {
	s := newSystem(t)
	one, two := s.instance("billing-1"), s.instance("billing-2")
	one.contract(7, 1, nil)
	one.post("/operations", purchase("CTR-7", 100)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	one.post("/operations", purchase("CTR-7", 100)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 2, 0).Sub(start)))
	for _, i := range []*instance{one, two} {
		runner := &runs.Runner{Store: i.store, Paris: paris, Now: s.now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), After: time.Hour, Every: 5 * time.Millisecond}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { _ = runner.Run(ctx); close(ended) }()
		t.Cleanup(func() { cancel(); <-ended })
	}
	s.until("billed", func() bool {
		return two.get("/invoices").at("total") == "2" && two.get("/billing-runs/2026-04").at("status") == "COMPLETED"
	})
	two.get("/invoices").want(t, 200, "items.0.period", "2026-03", "items.1.period", "2026-04")
	// The instances may still be at the end of the same run. After that, however often they look,
	// nothing more is recorded.
	s.until("quiet", func() bool {
		before := s.records()
		time.Sleep(100 * time.Millisecond) // twenty looks of each
		return s.records() == before
	})
	two.get("/invoices").want(t, 200, "total", "2")
}

// An unfinished run is resumed by any instance, even if months are billed only on request.
func TestUnfinishedRunIsResumed(t *testing.T) {
	s := newSystem(t)
	one, two := s.instance("billing-1"), s.instance("billing-2")
	one.contract(7, 1, nil)
	one.post("/operations", purchase("CTR-7", 100)).want(t, 201)
	april := int64(start.AddDate(0, 1, 0).Sub(start))
	s.offset.Store(april)
	if _, err := one.store.Decide(t.Context(), nil, billing.StartRun{Period: billing.Period{Year: 2026, Month: time.March}}); err != nil {
		t.Fatal(err)
	}
	one.stop() // and nothing of it was done
	runner := &runs.Runner{Store: two.store, Paris: paris, Now: s.now, Logger: slog.New(slog.DiscardHandler), Every: 5 * time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { _ = runner.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	two.get("/billing-runs/2026-03").want(t, 200, "status", "RUNNING", "notInvoiced", "1")
	if n := two.store.LeftOut(); n != 0 {
		t.Errorf("%d customers are left out by a run that is going on", n)
	}
	s.offset.Store(april + int64(50*time.Second))
	if d := two.store.OldestRun(); d != 50*time.Second {
		t.Errorf("a run of 50 s has been going on for %s", d)
	}
	s.offset.Store(april + int64(2*time.Minute))
	s.until("taken up", func() bool { return two.get("/billing-runs/2026-03").at("status") == "COMPLETED" })
	two.get("/billing-runs/2026-03").want(t, 200, "invoiced", "1", "notInvoiced", "0")
	if d := two.store.OldestRun(); d != 0 {
		t.Errorf("a run that is over has been going on for %s", d)
	}
	two.post("/operations", purchase("CTR-7", 100)).want(t, 201, "period", "2026-04")
	s.offset.Store(int64(start.AddDate(0, 3, 0).Sub(start)))
	// ten looks, none of which may do it: what does not happen cannot be waited for
	time.Sleep(50 * time.Millisecond)
	two.get("/billing-runs/2026-04").problem(t, 404, "billing-run-not-found")
}

func TestRunKeyIsNotReused(t *testing.T) {
	s := newSystem(t)
	i, other := s.instance("billing-1"), s.instance("billing-2")
	i.contract(7, 1, nil)
	i.post("/operations", purchase("CTR-7", 100)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/operations", purchase("CTR-7", 100)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 2, 0).Sub(start)))
	i.do("POST", "/billing-runs", "run-3", `{"period":"2026-03"}`).want(t, 200, "status", "COMPLETED")
	for _, on := range []*instance{i, other} {
		a := on.do("POST", "/billing-runs", "run-3", `{"period":"2026-03"}`)
		a.want(t, 200, "status", "COMPLETED")
		if a.header.Get("Idempotent-Replayed") != "true" {
			t.Error("a repetition does not say that it is one")
		}
		on.do("POST", "/billing-runs", "run-3", `{"period":"2026-03","dryRun":true}`).problem(t, 422, "idempotency-key-reused")
		on.do("POST", "/billing-runs", "run-3", `{"period":"2026-04"}`).problem(t, 422, "idempotency-key-reused")
	}
	if _, err := i.store.Decide(t.Context(), nil, billing.StartRun{Period: billing.Period{Year: 2026, Month: time.April}}); err != nil {
		t.Fatal(err)
	}
	other.do("POST", "/billing-runs", "run-3", `{"period":"2026-04"}`).problem(t, 422, "idempotency-key-reused")
	other.get("/billing-runs/2026-04").want(t, 200, "status", "RUNNING", "notInvoiced", "1")
	other.post("/billing-runs", `{"period":"2026-04"}`).want(t, 200, "status", "COMPLETED", "notInvoiced", "0")
}

func TestCollection(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	i.contract(7, 1, nil)
	i.post("/operations", purchase("CTR-7", 120000)).want(t, 201)
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "invoiced", "1")
	const path = "/invoices/BIL-2026-000001/settlement"

	i.post(path, `{"outcome":"COLLECTED"}`).problem(t, 409, "transition-forbidden", "allowed", `["PRESENTED","SETTLED_OTHERWISE"]`)
	i.contract(7, 2, func(c *billing.Contract) { c.Mandate.RevokedAt = start })
	i.post(path, `{"outcome":"PRESENTED"}`).problem(t, 409, "mandate-not-valid")
	i.contract(7, 3, nil)
	presented := i.do("POST", path, "present", `{"outcome":"PRESENTED"}`)
	presented.want(t, 200, "status", "PRESENTED", "parts.0.presentations", "1", "open.amount", "120000")
	i.post(path, `{"outcome":"REJECTED","reason":"AM04"}`).want(t, 200, "status", "REJECTED", "parts.0.rejection", "AM04", "open.amount", "120000")
	i.post(path, `{"outcome":"PRESENTED"}`).want(t, 200, "status", "PRESENTED", "parts.0.presentations", "2", "parts.0.rejection", "<none>")
	i.get("/eligibility/CE-ACME").want(t, 200, "contracts.0.available.amount", "380000", "contracts.0.mandate.lastPresentedAt", "2026-04-14T09:00:00.123456Z")
	i.post(path, `{"outcome":"COLLECTED"}`).want(t, 200, "status", "SETTLED", "collected.amount", "120000", "open.amount", "0", "creditDue.amount", "0", "settledAt", "2026-04-14T09:00:00.123456Z")
	i.get("/eligibility/CE-ACME").want(t, 200, "contracts.0.available.amount", "500000", "contracts.0.outstanding.total.amount", "0")
	i.post(path, `{"outcome":"PRESENTED"}`).problem(t, 409, "transition-forbidden")
	if again := i.do("POST", path, "present", `{"outcome":"PRESENTED"}`); again.text != presented.text || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("first %s\nagain %s", presented.text, again.text)
	}
	i.get("/invoices?status=SETTLED&customerRef=CE-ACME&period=2026-03").want(t, 200, "total", "1")
	i.get("/invoices?status=ISSUED").want(t, 200, "total", "0", "items", "[]")
}

func TestInvoiceOfTwoContracts(t *testing.T) {
	s := newSystem(t)
	i := s.instance("billing-1")
	i.contract(7, 1, nil)
	i.contract(8, 1, nil)
	i.contract(9, 1, nil) // buys nothing
	i.post("/operations", purchase("CTR-7", 120000)).want(t, 201)
	i.post("/operations", purchase("CTR-8", 30000)).want(t, 201)
	i.get("/eligibility/CE-ACME").want(t, 200, "sums.0.outstanding.total.amount", "150000", "sums.0.outstanding.notInvoiced.amount", "150000", "sums.0.ceiling.amount", "1500000",
		"sums.0.available.amount", "1350000", "sums.1", "<none>", "contracts.2.contractRef", "CTR-9")
	s.offset.Store(int64(start.AddDate(0, 1, 0).Sub(start)))
	i.post("/billing-runs", `{"period":"2026-03","dryRun":true}`).want(t, 200, "invoiced", "1", "lines.0.customerRef", "CE-ACME", "lines.0.total.amount", "150000", "lines.0.parts.1.total.amount", "30000", "lines.1", "<none>")
	i.post("/billing-runs", `{"period":"2026-03"}`).want(t, 200, "invoiced", "1", "lines.0.invoiceRef", "BIL-2026-000001", "lines.0.parts.1.contractRef", "CTR-8", "lines.1", "<none>")
	i.get("/invoices/BIL-2026-000001").want(t, 200, "total.amount", "150000", "parts.0.contractRef", "CTR-7", "parts.0.total.amount", "120000", "parts.1.subscriptionRef", "SUB-8", "parts.2", "<none>", "sellerRef", "AGENCY")
	for _, query := range []string{"contractRef=CTR-7", "contractRef=CTR-8&customerRef=CE-ACME", "customerRef=CE-ACME&period=2026-03", "period=2026-03&status=ISSUED"} {
		i.get("/invoices?"+query).want(t, 200, "total", "1")
	}
	i.get("/invoices?contractRef=CTR-9").want(t, 200, "total", "0")
	i.get("/operations?invoiceRef=BIL-2026-000001").want(t, 200, "total", "2", "items.0.contractRef", "CTR-7", "items.1.contractRef", "CTR-8")

	const path = "/invoices/BIL-2026-000001/settlement"
	before := s.records()
	i.post(path, `{"outcome":"PRESENTED"}`).problem(t, 400, "invalid-request", "errors.0.pointer", "/contractRef", "detail", "invoice BIL-2026-000001 has parts of CTR-7, CTR-8, and the step does not name one")
	i.post(path, `{"outcome":"PRESENTED","contractRef":"CTR-9"}`).problem(t, 400, "invalid-request", "errors.0.pointer", "/contractRef")
	i.post(path, `{"outcome":"REJECTED","contractRef":"CTR-7","reason":"ZZ99"}`).problem(t, 400, "invalid-request", "errors.0.pointer", "/reason")
	i.post(path, `{"outcome":"RETURNED","contractRef":"CTR-7","reason":"DT01"}`).problem(t, 400, "invalid-request", "errors.0.pointer", "/reason")
	i.post(path, `{"outcome":"RETURNED","contractRef":"CTR-7","reason":"MD06"}`).problem(t, 409, "transition-forbidden", "allowed", `["PRESENTED","SETTLED_OTHERWISE"]`)
	if after := s.records(); after != before {
		t.Errorf("refused steps recorded something: %d, then %d", before, after)
	}
	i.post(path, `{"outcome":"PRESENTED","contractRef":"CTR-7"}`).want(t, 200, "status", "PRESENTED", "parts.0.status", "PRESENTED", "parts.0.rum", "RUM-1", "parts.1.status", "ISSUED")
	i.post(path, `{"outcome":"COLLECTED","contractRef":"CTR-7"}`).want(t, 200, "status", "ISSUED", "parts.0.status", "SETTLED", "parts.0.method", "DIRECT_DEBIT", "collected.amount", "120000", "open.amount", "30000")
	i.contract(8, 2, func(c *billing.Contract) { c.Mandate.RevokedAt, c.Status = start, billing.StatusTerminated })
	i.post(path, `{"outcome":"PRESENTED","contractRef":"CTR-8"}`).problem(t, 409, "mandate-not-valid")
	transfer := i.do("POST", path, "transfer", `{"outcome":"SETTLED_OTHERWISE","contractRef":"CTR-8","reference":"VIR-1"}`)
	transfer.want(t, 200, "status", "SETTLED", "parts.1.method", "OTHER", "parts.1.reference", "VIR-1", "settledAt", "2026-04-14T09:00:00.123456Z")
	i.post(path, `{"outcome":"RETURNED","contractRef":"CTR-7","reason":"MD01"}`).want(t, 200, "status", "RETURNED", "parts.0.rejection", "MD01", "open.amount", "120000", "settledAt", "<none>")
	i.get("/eligibility/CE-ACME").want(t, 200, "contracts.0.outstanding.notSettled.amount", "120000", "contracts.1.outstanding.notSettled.amount", "0", "sums.0.outstanding.notSettled.amount", "120000")
	i.post(path, `{"outcome":"RETURNED","contractRef":"CTR-8","reason":"MD01"}`).problem(t, 409, "transition-forbidden", "allowed", "<none>")
	if again := i.do("POST", path, "transfer", `{"outcome":"SETTLED_OTHERWISE","contractRef":"CTR-8","reference":"VIR-1"}`); again.text != transfer.text {
		t.Errorf("first %s\nagain %s", transfer.text, again.text)
	}
}

// billers starts runners that bill due months by themselves, one on each instance.
func (s *system) billers(instances ...*instance) {
	for _, i := range instances {
		runner := &runs.Runner{Store: i.store, Paris: paris, Now: s.now, Logger: slog.New(slog.DiscardHandler), After: time.Hour, Every: 2 * time.Millisecond}
		ctx, cancel := context.WithCancel(s.t.Context())
		ended := make(chan struct{})
		go func() { _ = runner.Run(ctx); close(ended) }()
		s.t.Cleanup(func() { cancel(); <-ended })
	}
}

// Two months are due, and two instances begin with different ones: each customer is billed for
// both. In every other run the broker is slow.
func TestTwoMonthsDueOnTwoInstances(t *testing.T) {
	for n := range fulltest.Choose(6, 50) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newSystem(t)
			one, two := s.instance("billing-1"), s.instance("billing-2")
			const customers = 8
			for month := range 2 {
				for c := 1; c <= customers; c++ {
					if month == 0 {
						one.contract(c, 1, func(k *billing.Contract) { k.CustomerRef = fmt.Sprint("CE-", c) })
					}
					one.post("/operations", purchase(fmt.Sprint("CTR-", c), 100)).want(t, 201)
				}
				s.offset.Store(int64(start.AddDate(0, month+1, 0).Sub(start)))
			}
			if n%2 == 1 {
				s.slow()
			}
			second := make(chan answer)
			// the later month first
			go func() { second <- two.do("POST", "/billing-runs", "second", `{"period":"2026-04"}`) }()
			s.billers(one, two)
			(<-second).want(t, 200)
			s.until("both months are billed", func() bool { return one.get("/invoices").at("total") == fmt.Sprint(2*customers) })
			one.get("/billing-runs/2026-04").want(t, 200, "notInvoiced", "0")
			before := s.records()
			// ten looks: what does not happen cannot be waited for
			time.Sleep(20 * time.Millisecond)
			s.until("quiet", func() bool { was := before; before = s.records(); return was == before })
		})
	}
}

func TestPagesAreStable(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	for n := 1; n <= 12; n++ {
		i.contract(n, 1, func(c *billing.Contract) {
			if n%2 == 0 {
				c.CustomerRef = "CE-OTHER"
			}
		})
		i.post("/operations", purchase(fmt.Sprint("CTR-", n), 100)).want(t, 201)
	}
	var seen []string
	for offset := 0; offset < 12; offset += 5 {
		a := i.get(fmt.Sprintf("/operations?limit=5&offset=%d", offset))
		a.want(t, 200, "total", "12", "limit", "5", "offset", fmt.Sprint(offset))
		for n := range min(5, 12-offset) {
			seen = append(seen, a.at(fmt.Sprintf("items.%d.operationRef", n)))
		}
	}
	for n, ref := range seen {
		if ref != fmt.Sprintf("BOP-%d-1", n+1) {
			t.Errorf("item %d is %s", n, ref)
		}
	}
	i.get("/operations?customerRef=CE-OTHER&limit=2&offset=4").want(t, 200, "total", "6", "items.0.operationRef", "BOP-10-1", "items.1.operationRef", "BOP-12-1", "items.2", "<none>")
	i.get("/operations?customerRef=CE-OTHER&contractRef=CTR-1").want(t, 200, "total", "0")
	i.get("/operations?period=2026-03&status=ACCEPTED").want(t, 200, "total", "12")
	i.get("/operations?period=2026-04").want(t, 200, "total", "0")
	i.get("/subscriptions?customerRef=CE-OTHER&limit=1&offset=5").want(t, 200, "total", "6", "items.0.subscriptionRef", "SUB-12")
	i.get("/subscriptions?status=SUSPENDED").want(t, 200, "total", "0")
	i.get("/subscriptions?contractRef=CTR-3").want(t, 200, "total", "1", "items.0.contractRef", "CTR-3")
	i.get("/subscriptions?contractRef=CTR-99").want(t, 200, "total", "0")
}

func TestReadsWaitForAPosition(t *testing.T) {
	s := newSystem(t)
	one, two := s.instance("billing-1"), s.instance("billing-2")
	one.contract(7, 1, nil)
	for n := range 20 {
		at := one.post("/operations", purchase("CTR-7", 1)).header.Get("Log-Position")
		two.get(fmt.Sprintf("/operations/BOP-7-%d", n+1), "Log-Position", at).want(t, 200)
	}
	one.get("/operations", "Log-Position", "other.log.v1:1").problem(t, 400, "invalid-request")
	one.get("/operations", "Log-Position", "nonsense").want(t, 400)
	one.get("/operations", "Log-Position", "billing.log.v1:99999").problem(t, 503, "position-not-reached")
}

// TestNoReadMissesAWrite reads on one instance what another has answered a moment before.
func TestNoReadMissesAWrite(t *testing.T) {
	s := newSystem(t)
	one, two := s.instance("billing-1"), s.instance("billing-2")
	one.contract(7, 1, nil)
	for n := range 100 {
		one.post("/operations", purchase("CTR-7", 1)).want(t, 201)
		two.get(fmt.Sprintf("/operations/BOP-7-%d", n+1)).want(t, 200)
	}
	two.get("/operations/BOP-7-99999").problem(t, 404, "operation-not-found")
	two.get("/eligibility/CE-NOBODY").problem(t, 404, "customer-not-found")
	two.get("/billing-runs/2001-01").problem(t, 404, "billing-run-not-found")
}

func TestUnreadableContractWaits(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	i.contract(7, 3, nil)
	bad := billing.NoteUnreadable{ContractRef: "CTR-7", Source: billing.Source{Topic: "contract.facts.v1", Offset: 4}, Error: "broken"}
	if err := i.store.Unreadable(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	a := i.post("/operations", purchase("CTR-7", 1))
	a.problem(t, 503, "contract-unreadable")
	if a.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	i.get("/eligibility/CE-ACME").want(t, 200, "contracts.0.eligible", "false")
	i.contract(7, 3, nil) // known already
	i.post("/operations", purchase("CTR-7", 1)).want(t, 503)
	i.contract(7, 4, nil)
	i.post("/operations", purchase("CTR-7", 1)).want(t, 201)
	if err := i.store.Unreadable(t.Context(), bad); err != nil { // delivered again
		t.Fatal(err)
	}
	i.post("/operations", purchase("CTR-7", 1)).want(t, 201)
	bad.ContractRef = "CTR-8" // nothing to protect
	if err := i.store.Unreadable(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
}

func TestNotReadyBeforeLogIsRead(t *testing.T) {
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.New(store.Config{Config: ledger.Config{Writer: "w", ClientOptions: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, Now: time.Now, Logger: logger}, Paris: paris})
	if err != nil {
		t.Fatal(err)
	}
	h, err := api.New(api.Config{Config: logapi.Config{Ready: st.Ready, Access: access.Insecure(), Logger: logger}, Store: st, Runs: &runs.Runner{Store: st}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	i := &instance{system: &system{t: t}, store: st, url: server.URL}
	i.get("/operations").problem(t, 503, "not-ready")
	i.post("/operations", purchase("CTR-7", 1)).problem(t, 503, "not-ready")
}

func TestCredentialsComeFirst(t *testing.T) {
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.New(store.Config{Config: ledger.Config{Writer: "w", ClientOptions: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, Now: time.Now, Logger: logger}, Paris: paris})
	if err != nil {
		t.Fatal(err)
	}
	h, err := api.New(api.Config{Config: logapi.Config{Ready: st.Ready, Access: loadAccess(t), Logger: logger}, Store: st, Runs: &runs.Runner{Store: st}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	i := &instance{system: &system{t: t}, store: st, url: server.URL}
	a := i.do("POST", "/operations", "", `{"nonsense`)
	a.want(t, 401, "code", "unauthenticated")
	if a.header.Get("WWW-Authenticate") == "" {
		t.Error("no WWW-Authenticate")
	}
	i.do("POST", "/operations", "", `{"nonsense`, "X-API-Key", "wrong").want(t, 401)
	i.do("POST", "/operations", "", `{"nonsense`, "X-API-Key", "reader").want(t, 403, "code", "forbidden")
	i.do("POST", "/operations", "", `{"nonsense`, "X-API-Key", "writer").want(t, 400, "code", "invalid-request")
	i.do("POST", "/operations", "", purchase("CTR-7", 1), "X-API-Key", "writer").want(t, 503, "code", "not-ready")
	i.do("POST", "/billing-runs", "k", `{"period":"2026-03"}`, "X-API-Key", "writer").want(t, 403)
	i.do("GET", "/operations", "", "", "X-API-Key", "reader").want(t, 503)
	i.do("GET", "/operations", "", "", "Authorization", "Bearer x").want(t, 401)
}
