package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/services/contract/internal/api"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/problem/problemtest"
	"github.com/deferpay/deferpay/services/internal/waittest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

const (
	logTopic = "contract.log.v1"
	patience = 20 * time.Second
)

// service is the interface on a log of its own, on an embedded broker.
type service struct {
	t       *testing.T
	brokers []string
	handler http.Handler
	store   *store.Store
	now     atomic.Pointer[time.Time]
	log     lockedBuffer // of the interfaces
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var start = time.Date(2026, 10, 5, 9, 0, 0, 0, time.UTC)

func newService(t *testing.T) *service {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	s := &service{t: t, brokers: cluster.ListenAddrs()}
	s.now.Store(&start)
	admin := kadm.NewClient(s.client())
	forever, stamp, keep := "-1", "LogAppendTime", "delete"
	if _, err := admin.CreateTopic(t.Context(), 1, 1, map[string]*string{
		"retention.ms": &forever, "retention.bytes": &forever, "message.timestamp.type": &stamp, "cleanup.policy": &keep,
	}, logTopic); err != nil {
		t.Fatal(err)
	}
	keys := slices.DeleteFunc(contractinternal.Topics(), func(t topics.Topic) bool { return t.Name != contractinternal.PersonalDataKeysTopic })
	if _, err := topics.Apply(t.Context(), s.client(), keys); err != nil {
		t.Fatal(err)
	}
	s.store, s.handler = s.instance("contract-1")
	return s
}

func (s *service) client(opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.brokers...))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// instance starts another instance on the same log and waits until it is ready.
func (s *service) instance(writer string) (*store.Store, http.Handler) {
	s.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.New(store.Config{
		Writer: writer, ClientOptions: []kgo.Opt{kgo.SeedBrokers(s.brokers...)},
		Now: func() time.Time { return *s.now.Load() }, Logger: quiet,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			s.t.Errorf("%s: %v", writer, err)
		}
	})
	waittest.Nil(s.t, patience, writer+" is ready", st.Ready)
	h, err := api.New(api.Config{Config: logapi.Config{Ready: st.Ready, Access: s.access(), Logger: s.logger()}, Store: st})
	if err != nil {
		s.t.Fatal(err)
	}
	return st, problemtest.Open(s.t, openAPI).Handler(s.t, h)
}

// catchUp waits until h has applied what the first instance has. What an instance decides on a
// state that is behind leaves a record that nobody applies, so a test that counts records calls it
// first.
func (s *service) catchUp(h http.Handler) {
	s.t.Helper()
	position := s.must(200, call{method: "GET", path: "/contracts"}).header.Get("Log-Position")
	s.must(200, call{method: "GET", path: "/contracts", on: h, header: [2]string{"Log-Position", position}})
}

func (s *service) logger() *slog.Logger { return slog.New(slog.NewTextHandler(&s.log, nil)) }

func (s *service) access() *access.Control {
	path := filepath.Join(s.t.TempDir(), "keys.json")
	text := fmt.Sprintf(`[{"subject":"agency","sha256":%q,"scopes":["read","write"]},{"subject":"other","sha256":%q,"scopes":["read","write"]},
		{"subject":"admin","sha256":%q,"scopes":["read","write","admin"]},{"subject":"reader","sha256":%q,"scopes":["read"]},
		{"subject":"treasury","sha256":%q,"scopes":["payments"]}]`,
		access.Hash("agency-key"), access.Hash("other-key"), access.Hash("admin-key"), access.Hash("reader-key"), access.Hash("payments-key"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	c, err := access.Open(access.Config{File: path, Audit: s.logger()})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// records reads the log from its start and returns what is not a barrier.
func (s *service) records() (out []journalrecord.JournalRecord) {
	s.t.Helper()
	ends, err := kadm.NewClient(s.client()).ListEndOffsets(s.t.Context(), logTopic)
	if err != nil {
		s.t.Fatal(err)
	}
	end, _ := ends.Lookup(logTopic, 0)
	c := s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{logTopic: {0: kgo.NewOffset().AtStart()}}))
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for next := int64(0); next < end.Offset; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			s.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			var j journalrecord.JournalRecord
			_, body, err := avrobin.CutSingleObject(r.Value)
			if err == nil {
				err = j.DecodeAvro(body)
			}
			if err != nil {
				s.t.Fatalf("record %d: %v", r.Offset, err)
			}
			if j.Kind != "barrier" {
				out = append(out, j)
			}
		})
	}
	return out
}

// call is one request; the zero fields take what a good request has.
type call struct {
	method, path, body string
	key                string // Idempotency-Key; "-" sends none
	ifMatch            string
	apiKey             string // "-" sends none
	contentType        string
	header             [2]string
	on                 http.Handler
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

func (a answer) code() string { c, _ := a.body["code"].(string); return c }

var keyCount atomic.Int64

func (s *service) do(c call) answer {
	s.t.Helper()
	r := httptest.NewRequest(c.method, api.Prefix+c.path, strings.NewReader(c.body))
	set := func(name, value, fallback string) {
		if value == "" {
			value = fallback
		}
		if value != "-" && value != "" {
			r.Header.Set(name, value)
		}
	}
	set("X-API-Key", c.apiKey, "agency-key")
	if c.method != http.MethodGet {
		set("Idempotency-Key", c.key, fmt.Sprintf("k-%d", keyCount.Add(1)))
		set("If-Match", c.ifMatch, "")
	}
	if c.body != "" {
		set("Content-Type", c.contentType, "application/json")
	}
	set(c.header[0], c.header[1], "")
	h := c.on
	if h == nil {
		h = s.handler
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	d.UseNumber()
	if err := d.Decode(&a.body); err != nil && err != io.EOF {
		s.t.Fatalf("%s %s: %d, not JSON: %s", c.method, c.path, w.Code, w.Body)
	}
	return a
}

// must is do for a request that has to be answered with that status.
func (s *service) must(status int, c call) answer {
	s.t.Helper()
	a := s.do(c)
	if a.status != status {
		s.t.Fatalf("%s %s: %d %s, want %d", c.method, c.path, a.status, a.text, status)
	}
	return a
}

const (
	buyer = `"buyer":{"legalName":"CSE ACME","siren":"732829320","vatNumber":"FR44732829320",
		"billingAddress":{"line1":"12 rue de la Paix","postalCode":"75002","city":"Paris","country":"FR"}}`
	newContract = `{"customerRef":"CE-ACME","sellerRef":"AG-1",` + buyer + `,
		"ceiling":{"amount":500000,"currency":"EUR"},"validFrom":"2026-10-01T00:00:00Z","validUntil":"2027-10-01T00:00:00Z"}`
	signedMandate = `{"rum":"RUM-1","ics":"FR72ZZZ123456","scheme":"B2B","signedAt":"2026-09-28T14:00:00Z",
		"iban":"FR76 3000 6000 0112 3456 7890 189","bic":"AGRIFRPP","owner":"Jeanne Durand"}`
)

func (s *service) create() answer {
	s.t.Helper()
	return s.must(201, call{method: "POST", path: "/contracts", body: newContract})
}

// active makes a contract that is active, version 3.
func (s *service) active() string {
	s.t.Helper()
	ref := s.create().body["contractRef"].(string)
	s.must(200, call{method: "PUT", path: "/contracts/" + ref + "/mandate", body: signedMandate, ifMatch: `"1"`})
	s.advance()
	return ref
}

// advance makes the changes that are due.
func (s *service) advance() {
	s.t.Helper()
	for _, due := range s.store.Due(*s.now.Load()) {
		if err := s.store.Advance(s.t.Context(), due); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestLifeOverHTTP(t *testing.T) {
	s := newService(t)
	a := s.create()
	if a.body["contractRef"] != "CTR-1" || a.body["subscriptionRef"] != "SUB-1" || a.body["status"] != "PENDING" ||
		a.header.Get("Location") != api.Prefix+"/contracts/CTR-1" || a.header.Get("ETag") != `"1"` {
		t.Fatalf("%v %s", a.header, a.text)
	}
	at := "/contracts/CTR-1"
	a = s.must(200, call{method: "PUT", path: at + "/mandate", body: signedMandate, ifMatch: `"1"`})
	if m := a.body["mandate"].(map[string]any); m["ibanLastFour"] != "0189" || m["status"] != "SIGNED" || strings.Contains(a.text, "3000") {
		t.Fatalf("%s", a.text)
	}
	if err := s.store.Advance(t.Context(), "CTR-1"); err != nil {
		t.Fatal(err)
	}
	position := ""
	for _, k := range []struct{ method, path, body, tag, status, want string }{
		{"PATCH", at, `{"action":"SUSPEND","reason":"dispute"}`, `"3"`, "SUSPENDED", `"cause":"REQUESTED"`},
		{"PATCH", at, `{"action":"REINSTATE"}`, `"4"`, "ACTIVE", ``},
		{"PATCH", at, `{"action":"AMEND","ceiling":{"amount":0,"currency":"EUR"},"validUntil":null}`, `*`, "ACTIVE", `"amount":0`},
		{"DELETE", at + "/mandate?reason=by+letter", ``, `"6", "77"`, "ACTIVE", `"status":"REVOKED"`},
		{"PATCH", at, `{"action":"TERMINATE","reason":"left"}`, `"7"`, "TERMINATED", `"reason":"left"`},
	} {
		a = s.must(200, call{method: k.method, path: k.path, body: k.body, ifMatch: k.tag})
		if a.body["status"] != k.status || !strings.Contains(a.text, k.want) {
			t.Errorf("%s: %s", k.body, a.text)
		}
		position = a.header.Get("Log-Position")
	}
	a = s.must(200, call{method: "GET", path: at, header: [2]string{"Log-Position", position}})
	if a.header.Get("ETag") != `"8"` || a.body["version"] != json.Number("8") || a.body["validUntil"] != nil || a.header.Get("Log-Position") == "" {
		t.Errorf("%v %s", a.header, a.text)
	}
	kinds := ""
	for _, r := range s.records() {
		kinds += r.Kind + " "
	}
	if kinds != "Subscribed MandateAccepted Activated Suspended Reinstated Amended MandateWithdrawn Terminated " {
		t.Errorf("recorded %s", kinds)
	}
}

func TestInstantsKeepTheirMicroseconds(t *testing.T) {
	s := newService(t)
	a := s.must(201, call{method: "POST", path: "/contracts", body: strings.Replace(newContract, "2026-10-01T00:00:00Z", "2026-10-01T02:00:00.1234567+02:00", 1)})
	if a.body["validFrom"] != "2026-10-01T00:00:00.123456Z" {
		t.Errorf("%s", a.text)
	}
}

func TestSearch(t *testing.T) {
	s := newService(t)
	for range 3 {
		s.create()
	}
	s.must(201, call{method: "POST", path: "/contracts", body: strings.Replace(newContract, "CE-ACME", "CE-B", 1)})
	s.must(200, call{method: "PATCH", path: "/contracts/CTR-2", ifMatch: `"1"`, body: `{"action":"TERMINATE","reason":"left"}`})
	for query, want := range map[string]string{
		"":                                    "CTR-1 CTR-2 CTR-3 CTR-4 of 4",
		"?limit=2":                            "CTR-1 CTR-2 of 4",
		"?limit=2&offset=3":                   "CTR-4 of 4",
		"?offset=9":                           "of 4",
		"?customerRef=CE-ACME&status=PENDING": "CTR-1 CTR-3 of 2",
		"?customerRef=CE-B":                   "CTR-4 of 1",
		"?status=TERMINATED":                  "CTR-2 of 1",
		"?customerRef=nobody":                 "of 0",
		"?status=PENDING&limit=1&offset=1":    "CTR-3 of 3",
		"?customerRef=CE-B&status=TERMINATED": "of 0",
	} {
		a := s.must(200, call{method: "GET", path: "/contracts" + query})
		got := ""
		for _, item := range a.body["items"].([]any) {
			got += item.(map[string]any)["contractRef"].(string) + " "
		}
		if got += fmt.Sprint("of ", a.body["total"]); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
}

// Every request here is wrong: it gets the problem it deserves, which says what to do, and leaves
// no record.
func TestBadRequestsRecordNothing(t *testing.T) {
	s := newService(t)
	ref := s.active()
	at := "/contracts/" + ref
	suspend := `{"action":"SUSPEND","reason":"dispute"}`
	s.must(200, call{method: "PATCH", path: at, ifMatch: `"3"`, key: "used", body: suspend})
	before := len(s.records())
	replace := func(old, new string) string { return strings.Replace(newContract, old, new, 1) }
	post := func(body string) call { return call{method: "POST", path: "/contracts", body: body} }
	patch := func(body string) call { return call{method: "PATCH", path: at, body: body, ifMatch: `"4"`} }
	sign := func(old, new string) call {
		return call{method: "PUT", path: at + "/mandate", ifMatch: `"4"`, body: strings.Replace(signedMandate, old, new, 1)}
	}
	for name, k := range map[string]struct {
		call   call
		status int
		code   string
		says   string // in the body
	}{
		"no credentials":          {call{method: "GET", path: at, apiKey: "-"}, 401, "unauthenticated", "X-API-Key"},
		"unknown key":             {call{method: "GET", path: at, apiKey: "guess"}, 401, "unauthenticated", "X-API-Key"},
		"bearer token":            {call{method: "GET", path: at, apiKey: "-", header: [2]string{"Authorization", "Bearer x"}}, 401, "unauthenticated", "not accepted here"},
		"scope missing":           {call{method: "POST", path: "/contracts", body: newContract, apiKey: "reader-key"}, 403, "forbidden", "write"},
		"credentials come first":  {call{method: "POST", path: "/contracts", body: "{", key: "-", apiKey: "reader-key"}, 403, "forbidden", "write"},
		"admin only":              {call{method: "DELETE", path: at + "/personal-data"}, 403, "forbidden", "admin"},
		"unknown field":           {post(replace(`"sellerRef"`, `"creditLimit":5,"sellerRef"`)), 400, "invalid-request", "/creditLimit"},
		"unknown field inside":    {post(replace(`"city"`, `"town":"x","city"`)), 400, "invalid-request", "town"},
		"client sets status":      {post(replace(`"sellerRef"`, `"status":"ACTIVE","sellerRef"`)), 400, "invalid-request", "/status"},
		"wrong type":              {post(replace(`500000`, `"much"`)), 400, "invalid-request", "/ceiling/amount"},
		"fraction of a cent":      {post(replace(`500000`, `5000.5`)), 400, "invalid-request", "/ceiling/amount"},
		"negative ceiling":        {post(replace(`500000`, `-1`)), 400, "invalid-request", "/ceiling/amount"},
		"amount too large":        {post(replace(`500000`, `9007199254740992`)), 400, "invalid-request", "/ceiling/amount"},
		"missing field":           {post(replace(`"customerRef":"CE-ACME",`, ``)), 400, "invalid-request", "/customerRef"},
		"instant without zone":    {post(replace(`2026-10-01T00:00:00Z`, `2026-10-01T00:00:00`)), 400, "invalid-request", "/validFrom"},
		"SIREN mistyped":          {post(replace(`"siren":"732829320"`, `"siren":"732829321"`)), 400, "invalid-request", "/buyer/siren"},
		"VAT of another":          {post(replace(`FR44732829320`, `FR90552100554`)), 400, "invalid-request", "/buyer/vatNumber"},
		"ends before it begins":   {post(replace(`2027-10-01T00:00:00Z`, `2026-09-01T00:00:00Z`)), 400, "invalid-request", "/validUntil"},
		"not JSON":                {post(`{"customerRef":`), 400, "invalid-request", "detail"},
		"trailing data":           {post(newContract + "{}"), 400, "invalid-request", "detail"},
		"no body":                 {call{method: "POST", path: "/contracts"}, 400, "invalid-request", "detail"},
		"not announced as JSON":   {call{method: "POST", path: "/contracts", body: newContract, contentType: "text/plain"}, 415, "unsupported-media-type", "application/json"},
		"2 MB":                    {post(replace("CSE ACME", strings.Repeat("A", 2<<20))), 413, "body-too-large", "65536"},
		"key missing":             {call{method: "POST", path: "/contracts", body: newContract, key: "-"}, 400, "idempotency-key-missing", "send a new key"},
		"key missing on change":   {call{method: "PATCH", path: at, body: suspend, ifMatch: `"4"`, key: "-"}, 400, "idempotency-key-missing", "send a new key"},
		"key too long":            {call{method: "POST", path: "/contracts", body: newContract, key: strings.Repeat("k", 129)}, 400, "invalid-request", "Idempotency-Key"},
		"key reused":              {call{method: "PATCH", path: at, body: `{"action":"SUSPEND","reason":"other"}`, ifMatch: `"4"`, key: "used"}, 422, "idempotency-key-reused", "new key"},
		"key reused elsewhere":    {call{method: "POST", path: "/contracts", body: newContract, key: "used"}, 422, "idempotency-key-reused", "changeContract"},
		"key of another path":     {call{method: "PATCH", path: "/contracts/CTR-99", body: suspend, ifMatch: `"4"`, key: "used"}, 422, "idempotency-key-reused", "new key"},
		"If-Match missing":        {call{method: "PATCH", path: at, body: suspend}, 428, "precondition-required", "ETag"},
		"If-Match stale":          {call{method: "PATCH", path: at, body: suspend, ifMatch: `"3"`}, 412, "precondition-failed", "read it again"},
		"If-Match weak":           {call{method: "PATCH", path: at, body: suspend, ifMatch: `W/"4"`}, 412, "precondition-failed", "read it again"},
		"If-Match before state":   {call{method: "DELETE", path: at + "/mandate"}, 428, "precondition-required", "ETag"},
		"unknown contract":        {call{method: "GET", path: "/contracts/CTR-99"}, 404, "contract-not-found", "CTR-99"},
		"unknown, change":         {call{method: "PATCH", path: "/contracts/CTR-99", body: suspend}, 404, "contract-not-found", "CTR-99"},
		"unknown, mandate":        {call{method: "PUT", path: "/contracts/CTR-99/mandate", body: signedMandate}, 404, "contract-not-found", "CTR-99"},
		"no reference at all":     {call{method: "GET", path: "/contracts/7"}, 400, "invalid-request", "contractRef"},
		"wrong state":             {patch(suspend), 409, "transition-forbidden", "REINSTATE"},
		"nothing amended":         {patch(`{"action":"AMEND","reason":"none"}`), 400, "invalid-request", "at least one"},
		"other currency":          {patch(`{"action":"AMEND","ceiling":{"amount":1,"currency":"USD"}}`), 400, "invalid-request", "/ceiling/currency"},
		"unknown action":          {patch(`{"action":"PAUSE"}`), 400, "invalid-request", "detail"},
		"another action's term":   {patch(`{"action":"REINSTATE","ceiling":{"amount":1,"currency":"EUR"}}`), 400, "invalid-request", "ceiling"},
		"reason missing":          {patch(`{"action":"SUSPEND"}`), 400, "invalid-request", "reason"},
		"body before existence":   {call{method: "PUT", path: "/contracts/CTR-99/mandate", body: strings.Replace(signedMandate, "890 189", "890 188", 1)}, 400, "invalid-request", "/iban"},
		"body before If-Match":    {call{method: "PUT", path: at + "/mandate", ifMatch: `"1"`, body: strings.Replace(signedMandate, "890 189", "890 188", 1)}, 400, "invalid-request", "/iban"},
		"IBAN mistyped":           {sign("890 189", "890 188"), 400, "invalid-request", "/iban"},
		"IBAN of no SEPA country": {sign("FR76 3000 6000 0112 3456 7890 189", "TR330006100519786457841326"), 400, "invalid-request", "/iban"},
		"ceiling in dollars":      {post(replace(`"EUR"`, `"USD"`)), 400, "invalid-request", "must be EUR"},
		"no such currency":        {post(replace(`"EUR"`, `"ZZZ"`)), 400, "invalid-request", "/ceiling/currency"},
		"no such country":         {post(replace(`"country":"FR"`, `"country":"ZZ"`)), 400, "invalid-request", "/buyer/billingAddress/country"},
		"VAT of no country":       {post(replace(`FR44732829320`, `XX123456789`)), 400, "invalid-request", "/buyer/vatNumber"},
		"VAT mistyped":            {post(replace(`FR44732829320`, `FR45732829320`)), 400, "invalid-request", "/buyer/vatNumber"},
		"amended country":         {patch(`{"action":"AMEND",` + strings.Replace(buyer, `"FR"`, `"ZZ"`, 1) + `}`), 400, "invalid-request", "/buyer/billingAddress/country"},
		"BIC of no country":       {sign("AGRIFRPP", "AGRIZZPP"), 400, "invalid-request", "/bic"},
		"RUM with two slashes":    {sign("RUM-1", "RUM//1"), 400, "invalid-request", "/rum"},
		"signed in the future":    {sign("2026-09-28T14:00:00Z", "2026-10-05T09:01:00.000001Z"), 400, "invalid-request", "/signedAt"},
		"ICS mistyped":            {sign("FR72ZZZ123456", "FR73ZZZ123456"), 400, "invalid-request", "/ics"},
		"signed tomorrow":         {sign("2026-09-28", "2027-09-28"), 400, "invalid-request", "/signedAt"},
		"limit too large":         {call{method: "GET", path: "/contracts?limit=1000"}, 400, "invalid-request", "limit"},
		"unknown status":          {call{method: "GET", path: "/contracts?status=ACTIVATED"}, 400, "invalid-request", "status"},
		"position of another log": {call{method: "GET", path: at, header: [2]string{"Log-Position", "billing.log.v1:1"}}, 400, "invalid-request", `"header:Log-Position"`},
		"position to come":        {call{method: "GET", path: at, header: [2]string{"Log-Position", "contract.log.v1:100000"}}, 503, "position-not-reached", "repeat"},
		"unknown path":            {call{method: "GET", path: "/nowhere"}, 404, "not-found", "openapi"},
		"wrong method":            {call{method: "PUT", path: at, body: suspend}, 405, "method-not-allowed", "GET"},
		"account without scope":   {call{method: "GET", path: at + "/mandate/account", apiKey: "admin-key"}, 403, "forbidden", "payments"},
		"account of nobody":       {call{method: "GET", path: "/contracts/CTR-99/mandate/account", apiKey: "payments-key"}, 404, "contract-not-found", "CTR-99"},
		"erased by a writer":      {call{method: "DELETE", path: at + "/personal-data"}, 403, "forbidden", "admin"},
		"erased, no key":          {call{method: "DELETE", path: at + "/personal-data", apiKey: "admin-key", key: "-"}, 400, "idempotency-key-missing", "Idempotency-Key"},
		"erased, unknown":         {call{method: "DELETE", path: "/contracts/CTR-99/personal-data", apiKey: "admin-key"}, 404, "contract-not-found", "CTR-99"},
		"republished by a writer": {call{method: "POST", path: at + "/republication"}, 403, "forbidden", "admin"},
		"republished, no key":     {call{method: "POST", path: at + "/republication", apiKey: "admin-key", key: "-"}, 400, "idempotency-key-missing", "Idempotency-Key"},
		"republished, unknown":    {call{method: "POST", path: "/contracts/CTR-99/republication", apiKey: "admin-key"}, 404, "contract-not-found", "CTR-99"},
		"above no version":        {call{method: "POST", path: at + "/republication", apiKey: "admin-key", body: `{"aboveVersion":0}`}, 400, "invalid-request", "aboveVersion"},
		"above too high":          {call{method: "POST", path: at + "/republication", apiKey: "admin-key", body: `{"aboveVersion":9007199253692417}`}, 400, "invalid-request", "aboveVersion"},
		"default date":            {post(replace(`2027-10-01T00:00:00Z`, `0001-01-01T00:00:00Z`)), 400, "invalid-request", "/validUntil"},
		"default date, zone":      {post(replace(`2027-10-01T00:00:00Z`, `0001-01-01T01:00:00+01:00`)), 400, "invalid-request", "/validUntil"},
		"year of five digits":     {post(replace(`2027-10-01T00:00:00Z`, `9999-12-31T23:59:59-12:00`)), 400, "invalid-request", "/validUntil"},
		"before the year 0":       {post(replace(`2026-10-01T00:00:00Z`, `0000-01-01T00:00:00+14:00`)), 400, "invalid-request", "/validFrom"},
		"amended to the default":  {patch(`{"action":"AMEND","validUntil":"0001-01-01T00:00:00Z"}`), 400, "invalid-request", "/validUntil"},
		"NUL in a name":           {post(replace(`CSE ACME`, `CSE\u0000ACME`)), 400, "invalid-request", "/buyer/legalName"},
		"hidden direction":        {post(replace(`CSE ACME`, `CSE\u202eACME`)), 400, "invalid-request", "/buyer/legalName"},
		"invalid UTF-8":           {post(replace(`CSE ACME`, "CSE \xff")), 400, "invalid-request", "/buyer/legalName"},
		"member twice":            {post(replace(`"sellerRef"`, `"customerRef":"CE-2","sellerRef"`)), 400, "invalid-request", "/customerRef"},
		"reason not UTF-8":        {call{method: "DELETE", path: at + "/mandate?reason=%ff", ifMatch: `"4"`}, 400, "invalid-request", "query:reason"},
		"unknown parameter":       {call{method: "GET", path: "/contracts?subscriberRef=CE-1"}, 400, "invalid-request", "it has customerRef"},
		"query with ;":            {call{method: "GET", path: "/contracts?customerRef=CE-1;x"}, 400, "invalid-request", "%3B"},
		"charset":                 {call{method: "POST", path: "/contracts", body: newContract, contentType: "application/json; charset=utf-16"}, 415, "unsupported-media-type", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &service{t: t, brokers: s.brokers, handler: s.handler, store: s.store}
			a := s.do(k.call)
			if a.status != k.status || a.code() != k.code || !strings.Contains(a.text, k.says) {
				t.Fatalf("%d %s\nwant %d %s, saying %q", a.status, a.text, k.status, k.code, k.says)
			}
			if a.header.Get("Content-Type") != problem.ContentType || a.body["type"] != "urn:deferpay:problem:"+k.code || a.body["status"] != json.Number(fmt.Sprint(k.status)) {
				t.Errorf("not a problem document: %v %s", a.header, a.text)
			}
			if k.code != problem.MethodNotAllowed.String() && a.body["hint"] == nil && len(a.text) < 120 {
				t.Errorf("says nothing to do: %s", a.text)
			}
			if a.header.Get("Retry-After") != "" && a.body["retryAfter"] == nil {
				t.Errorf("Retry-After in the header alone: %s", a.text)
			}
		})
	}
	if after := len(s.records()); after != before {
		t.Errorf("%d records after, %d before", after, before)
	}
}

func TestTheSameKeyGivesTheSameAnswer(t *testing.T) {
	s := newService(t)
	_, second := s.instance("contract-2")
	create := call{method: "POST", path: "/contracts", body: newContract, key: "create"}
	first := s.must(201, create)
	suspend := call{method: "PATCH", path: "/contracts/CTR-1", body: `{"action":"TERMINATE","reason":"left"}`, ifMatch: `"1"`, key: "end"}
	ended := s.must(200, suspend)
	s.catchUp(second)
	before := len(s.records())

	for name, h := range map[string]http.Handler{"same instance": s.handler, "another": second} {
		create.on, suspend.on = h, h
		a := s.must(201, create)
		if a.text != first.text || a.header.Get("Idempotent-Replayed") != "true" || a.header.Get("ETag") != `"1"` || a.header.Get("Location") != first.header.Get("Location") {
			t.Errorf("%s: %v %s\nfirst %s", name, a.header, a.text, first.text)
		}
		if a := s.must(200, suspend); a.text != ended.text || a.header.Get("Idempotent-Replayed") != "true" || a.header.Get("ETag") != `"2"` {
			t.Errorf("%s: %v %s\nfirst %s", name, a.header, a.text, ended.text)
		}
	}
	create.on = nil
	create.body = strings.ReplaceAll(strings.Replace(newContract, `00:00:00Z`, `02:00:00+02:00`, 1), "\n", "\n ")
	if a := s.must(201, create); a.header.Get("Idempotent-Replayed") != "true" {
		t.Error("another way to write the same body was taken for another request")
	}
	create.apiKey = "other-key"
	if a := s.must(201, create); a.body["contractRef"] != "CTR-2" || a.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("another client's key: %s", a.text)
	}
	if first.header.Get("Idempotent-Replayed") != "" {
		t.Error("the first answer says that it is a repetition")
	}
	if n := len(s.records()); n != before+1 {
		t.Errorf("%d records, want %d", n, before+1)
	}
}

// Many clients send the same request to two instances at once: it happens once, and all hear of
// that one, now or when they ask again.
func TestTheSameKeyAtTheSameTime(t *testing.T) {
	s := newService(t)
	_, second := s.instance("contract-2")
	answers := make(chan answer)
	for i := range 20 {
		h := s.handler
		if i%2 == 1 {
			h = second
		}
		go func() {
			a := s.do(call{method: "POST", path: "/contracts", body: newContract, key: "same", on: h})
			for a.status == 409 && a.body["code"] == "request-in-progress" {
				a = s.do(call{method: "POST", path: "/contracts", body: newContract, key: "same", on: h})
			}
			answers <- a
		}()
	}
	fresh := 0
	for range 20 {
		a := <-answers
		if a.status != 201 || a.body["contractRef"] != "CTR-1" {
			t.Errorf("%d %s", a.status, a.text)
		}
		if a.header.Get("Idempotent-Replayed") == "" {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d answers were the first, want 1", fresh)
	}
	if a := s.must(200, call{method: "GET", path: "/contracts"}); a.body["total"] != json.Number("1") {
		t.Errorf("%s", a.text)
	}
}

func TestRepublicationRaisesVersion(t *testing.T) {
	s := newService(t)
	at := "/contracts/" + s.active() // version 3
	republish := func(body, key string, want int, replayed string) {
		t.Helper()
		a := s.must(202, call{method: "POST", path: at + "/republication", apiKey: "admin-key", body: body, key: key})
		if a.body["version"] != json.Number(fmt.Sprint(want)) || a.body["requestedAt"] == nil || a.header.Get("Idempotent-Replayed") != replayed || a.header.Get("Log-Position") == "" {
			t.Fatalf("%v %s, want version %d", a.header, a.text, want)
		}
	}
	before := s.must(200, call{method: "GET", path: at})
	republish("", "once", 4, "")
	republish("{}", "once", 4, "true")
	republish(`{"aboveVersion":40}`, "twice", 41, "")
	republish(`{"aboveVersion":7}`, "thrice", 42, "")
	republish("", "once", 4, "true")
	_, fresh := s.instance("contract-2")
	after := s.must(200, call{method: "GET", path: at, on: fresh})
	if after.header.Get("ETag") != `"42"` {
		t.Errorf("%v", after.header)
	}
	for _, changes := range []string{"version", "updatedAt"} {
		delete(before.body, changes)
		delete(after.body, changes)
	}
	if !reflect.DeepEqual(before.body, after.body) {
		t.Errorf("before %v\nafter %v", before.body, after.body)
	}
	s.must(200, call{method: "PATCH", path: at, ifMatch: `"42"`, body: `{"action":"TERMINATE","reason":"left"}`})
	republish("", "ended", 44, "")
}

// A hash of an account can be guessed, so the log has none.
func TestAccountIsNotHashed(t *testing.T) {
	s := newService(t)
	s.create()
	sign := call{method: "PUT", path: "/contracts/CTR-1/mandate", ifMatch: `"1"`, body: signedMandate, key: "sign"}
	s.must(200, sign)
	sign.body = strings.NewReplacer("FR76 3000 6000 0112 3456 7890 189", "FR2830006000011234567880189", "AGRIFRPP", "BNPAFRPP", "Jeanne", "Jean").Replace(signedMandate)
	if a := s.must(200, sign); a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("another account with the same last four characters: %v", a.header)
	}
}

func TestAccountAndErasure(t *testing.T) {
	s := newService(t)
	at := "/contracts/" + s.active()
	_, second := s.instance("contract-2")
	read := call{method: "GET", path: at + "/mandate/account", apiKey: "payments-key"}
	s.catchUp(second)
	for _, h := range []http.Handler{s.handler, second} {
		read.on = h
		a := s.must(200, read)
		want := map[string]any{"contractRef": "CTR-1", "rum": "RUM-1", "iban": "FR7630006000011234567890189", "bic": "AGRIFRPP", "owner": "Jeanne Durand"}
		if !reflect.DeepEqual(a.body, want) || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v %s", a.header, a.text)
		}
	}
	before := s.must(200, call{method: "GET", path: at})
	erase := call{method: "DELETE", path: at + "/personal-data", apiKey: "admin-key", key: "erase"}
	first := s.must(202, erase)
	if first.body["contractRef"] != "CTR-1" || first.body["requestedAt"] == nil || first.body["completedAt"] == nil {
		t.Errorf("%s", first.text)
	}
	s.catchUp(second)
	records := len(s.records())
	for key, replayed := range map[string]string{"erase": "true", "again": ""} {
		erase.key, erase.on = key, second
		if a := s.must(202, erase); a.body["requestedAt"] != first.body["requestedAt"] || a.body["completedAt"] == nil || a.header.Get("Idempotent-Replayed") != replayed {
			t.Errorf("key %s: %v %s, first %s", key, a.header, a.text, first.text)
		}
	}
	if n := len(s.records()); n != records {
		t.Errorf("%d records after a repeated erasure, want %d", n, records)
	}
	for _, h := range []http.Handler{s.handler, second} {
		read.on = h
		if a := s.must(410, read); a.code() != "personal-data-erased" || strings.Contains(a.text, "FR76") {
			t.Errorf("%s", a.text)
		}
	}
	if after := s.must(200, call{method: "GET", path: at}); after.text != before.text {
		t.Errorf("before %s\nafter %s", before.text, after.text)
	}
	s.create() // CTR-2 has no mandate
	if a := s.must(404, call{method: "GET", path: "/contracts/CTR-2/mandate/account", apiKey: "payments-key"}); a.code() != "account-not-found" {
		t.Errorf("%s", a.text)
	}
	s.audited(`action=getMandateAccount subject=treasury contract=CTR-1 outcome=done`, `action=getMandateAccount subject=treasury contract=CTR-1 outcome=personal-data-erased`,
		`action=erasePersonalData subject=admin contract=CTR-1 outcome=done`, `action=getMandateAccount subject=treasury contract=CTR-2 outcome=account-not-found`)
}

// audited fails the test unless the lines are in the log, and no personal data is.
func (s *service) audited(lines ...string) {
	s.t.Helper()
	text := s.log.String()
	for _, line := range lines {
		if !strings.Contains(text, line) {
			s.t.Errorf("%s is not in the log:\n%s", line, text)
		}
	}
	// the digits of a trace may be any
	text = regexp.MustCompile(`traceparent=\S+`).ReplaceAllString(text, "")
	for _, secret := range []string{"FR76", "30006000", "AGRIFRPP", "Jeanne", "0189"} {
		if strings.Contains(text, secret) {
			s.t.Errorf("%s is in the log:\n%s", secret, text)
		}
	}
}

func TestNoPersonalDataIsRecorded(t *testing.T) {
	s := newService(t)
	s.active()
	data, err := json.Marshal(s.records())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.records() {
		data = append(data, r.Body...)
	}
	for _, secret := range []string{"30006000", "3000 6000", "AGRIFRPP", "Jeanne", "Durand"} {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

func TestActivationHappensOnce(t *testing.T) {
	s := newService(t)
	second, _ := s.instance("contract-2")
	early := start.AddDate(0, 0, -10)
	s.now.Store(&early)
	s.create()
	s.must(200, call{method: "PUT", path: "/contracts/CTR-1/mandate", ifMatch: `"1"`, body: strings.Replace(signedMandate, "09-28", "09-20", 1)})
	if due := s.store.Due(early); len(due) != 0 {
		t.Fatalf("due before its validity: %v", due)
	}
	if err := s.store.Advance(t.Context(), "CTR-1"); err != nil {
		t.Fatal(err)
	}
	s.now.Store(&start)
	done := make(chan error)
	for _, st := range []*store.Store{s.store, second, s.store, second} {
		go func() { done <- st.Advance(t.Context(), "CTR-1") }()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	a := s.must(200, call{method: "GET", path: "/contracts/CTR-1"})
	if a.body["status"] != "ACTIVE" || a.body["version"] != json.Number("3") || len(s.store.Due(start)) != 0 {
		t.Errorf("%s", a.text)
	}
}

func TestExpiryOverHTTP(t *testing.T) {
	s := newService(t)
	at := "/contracts/" + s.active()
	end := time.Date(2027, 10, 1, 0, 0, 0, 0, time.UTC)
	before := end.Add(-time.Microsecond)
	if due := s.store.Due(before); len(due) != 0 {
		t.Fatalf("due before the end: %v", due)
	}
	s.now.Store(&end)
	s.advance()
	s.advance() // there is nothing more to do
	a := s.must(200, call{method: "GET", path: at})
	expiry, _ := a.body["expiry"].(map[string]any)
	if a.body["status"] != "EXPIRED" || a.body["version"] != json.Number("4") || expiry["statusBefore"] != "ACTIVE" || expiry["since"] != "2027-10-01T00:00:00Z" {
		t.Fatalf("%s", a.text)
	}
	if a := s.must(200, call{method: "GET", path: "/contracts?status=EXPIRED"}); a.body["total"] != json.Number("1") {
		t.Errorf("%s", a.text)
	}
	a = s.must(409, call{method: "PATCH", path: at, ifMatch: `"4"`, body: `{"action":"SUSPEND","reason":"dispute"}`})
	if fmt.Sprint(a.body["allowed"]) != "[TERMINATE AMEND SIGN_MANDATE REVOKE_MANDATE]" {
		t.Errorf("%s", a.text)
	}
	a = s.must(200, call{method: "PATCH", path: at, ifMatch: `"4"`, body: `{"action":"AMEND","validUntil":"2028-10-01T00:00:00Z"}`})
	if a.body["status"] != "ACTIVE" || a.body["version"] != json.Number("5") || a.body["expiry"] != nil {
		t.Errorf("%s", a.text)
	}
	next := end.AddDate(1, 0, 0)
	s.now.Store(&next)
	s.advance()
	if a := s.must(200, call{method: "GET", path: at}); a.body["status"] != "EXPIRED" {
		t.Errorf("not expired again: %s", a.text)
	}
	debit := contract.Debit{EventID: "e-0", InvoiceRef: "BIL-2027-000001", Presentation: 1, Reason: "AM04"}
	for range 2 { // the topic is read again
		if err := s.store.React(t.Context(), contract.Ref(strings.TrimPrefix(at, "/contracts/")), contract.ReactToDebit{Debit: debit, CustomerRef: "CE-ACME"}); err != nil {
			t.Fatal(err)
		}
	}
	a = s.must(200, call{method: "GET", path: at})
	if expiry, _ = a.body["expiry"].(map[string]any); a.body["status"] != "EXPIRED" || a.body["version"] != json.Number("7") || expiry["statusBefore"] != "SUSPENDED" || a.body["suspension"] == nil {
		t.Errorf("a debit that failed meanwhile: %s", a.text)
	}
	a = s.must(200, call{method: "PATCH", path: at, ifMatch: `"7"`, body: `{"action":"AMEND","validUntil":null}`})
	if a.body["status"] != "SUSPENDED" || !strings.Contains(a.text, "BIL-2027-000001") {
		t.Errorf("prolonged after it: %s", a.text)
	}
}

func TestReinstateSaysWhatToDo(t *testing.T) {
	s := newService(t)
	at := "/contracts/" + s.active()
	patch := func(status int, body, tag string) answer {
		t.Helper()
		return s.must(status, call{method: "PATCH", path: at, ifMatch: tag, body: body})
	}
	refused := func(tag, hint, allowed string) {
		t.Helper()
		a := patch(409, `{"action":"REINSTATE"}`, tag)
		if a.code() != "transition-forbidden" || a.body["hint"] != hint || fmt.Sprint(a.body["allowed"]) != allowed {
			t.Errorf("%s", a.text)
		}
	}
	patch(200, `{"action":"SUSPEND","reason":"dispute"}`, `"3"`)
	s.must(200, call{method: "DELETE", path: at + "/mandate", ifMatch: `"4"`})
	refused(`"5"`, "have a mandate signed first", "[TERMINATE AMEND SIGN_MANDATE]")
	s.must(200, call{method: "PUT", path: at + "/mandate", ifMatch: `"5"`, body: strings.Replace(signedMandate, "RUM-1", "RUM-2", 1)})
	end := time.Date(2027, 10, 1, 0, 0, 0, 0, time.UTC)
	s.now.Store(&end)
	refused(`"6"`, "amend validUntil first", "[TERMINATE AMEND SIGN_MANDATE REVOKE_MANDATE]")
	s.advance()
	refused(`"7"`, "amend validUntil first; the contract is SUSPENDED again then", "[TERMINATE AMEND SIGN_MANDATE REVOKE_MANDATE]")
	patch(200, `{"action":"AMEND","validUntil":null}`, `"7"`)
	if a := patch(200, `{"action":"REINSTATE"}`, `"8"`); a.body["status"] != "ACTIVE" {
		t.Errorf("%s", a.text)
	}
	patch(200, `{"action":"TERMINATE","reason":"left"}`, `"9"`)
	refused(`"10"`, "a terminated contract is not changed any more; subscribe a new one", "[]")
}

func TestValidFromIsAmended(t *testing.T) {
	s := newService(t)
	early := start.AddDate(0, 0, -10)
	s.now.Store(&early)
	s.create()
	a := s.must(200, call{method: "PATCH", path: "/contracts/CTR-1", ifMatch: `"1"`, body: `{"action":"AMEND","validFrom":"2026-10-04T02:00:00+02:00"}`})
	if a.body["validFrom"] != "2026-10-04T00:00:00Z" || a.body["validUntil"] != "2027-10-01T00:00:00Z" {
		t.Errorf("%s", a.text)
	}
	s.now.Store(&start)
	a = s.must(400, call{method: "PATCH", path: "/contracts/CTR-1", ifMatch: `"2"`, body: `{"action":"AMEND","validFrom":"2026-11-01T00:00:00Z"}`})
	if !strings.Contains(a.text, "/validFrom") || !strings.Contains(a.text, "2026-10-04T00:00:00Z") {
		t.Errorf("%s", a.text)
	}
}

// A mandate reference names one mandate for ever, whatever instance is asked.
func TestMandateReference(t *testing.T) {
	s := newService(t)
	_, second := s.instance("contract-2")
	s.active()
	s.create()
	sign := func(ref, tag, old, new string) call {
		return call{method: "PUT", path: "/contracts/" + ref + "/mandate", ifMatch: tag, body: strings.Replace(signedMandate, old, new, 1)}
	}
	refused := func(code string, c call) {
		t.Helper()
		for _, c.on = range []http.Handler{s.handler, second} {
			if a := s.must(409, c); a.code() != code || a.body["hint"] == nil || a.body["contractVersion"] == nil {
				t.Errorf("%s, want %s", a.text, code)
			}
		}
	}
	for _, same := range [][2]string{{"RUM-1", "RUM-1"}, {"RUM-1", "rum -1"}, {"FR72ZZZ123456", "FR72ABC123456"}} {
		refused("mandate-already-used", sign("CTR-2", `"1"`, same[0], same[1]))
	}
	// the contract's own mandate, with another account
	a := s.must(200, sign("CTR-1", `"3"`, "FR76 3000 6000 0112 3456 7890 189", "DE89370400440532013000"))
	if m := a.body["mandate"].(map[string]any); m["ibanLastFour"] != "3000" {
		t.Errorf("%s", a.text)
	}
	refused("mandate-lapsed", sign("CTR-2", `"1"`, `RUM-1","ics":"FR72ZZZ123456","scheme":"B2B","signedAt":"2026-09-28T14:00:00Z`,
		`RUM-2","ics":"FR72ZZZ123456","scheme":"B2B","signedAt":"2023-10-05T09:00:00Z`))
	s.must(200, call{method: "DELETE", path: "/contracts/CTR-1/mandate", ifMatch: `"4"`})
	refused("mandate-revoked", sign("CTR-1", `"5"`, "", ""))
	refused("mandate-already-used", sign("CTR-2", `"1"`, "", "")) // as before it was revoked
	s.must(200, sign("CTR-1", `"5"`, "RUM-1", "RUM-3"))
	refused("mandate-revoked", sign("CTR-1", `"6"`, "", "")) // not the contract's last one any more
	s.must(200, call{method: "PATCH", path: "/contracts/CTR-1", ifMatch: `"6"`, body: `{"action":"TERMINATE","reason":"left"}`})
	s.must(200, call{method: "DELETE", path: "/contracts/CTR-1/mandate", ifMatch: `"7"`})
	if a := s.must(200, sign("CTR-1", `"8"`, "RUM-1", "RUM-4")); a.body["status"] != "TERMINATED" {
		t.Errorf("signed on a contract that has ended: %s", a.text)
	}
}

// another is buyer with another SIREN.
var another = strings.NewReplacer("732829320", "552100554", "FR44732829320", "FR96552100554").Replace(buyer)

// A customer is one company, whatever instance is asked.
func TestCustomerIdentity(t *testing.T) {
	s := newService(t)
	_, second := s.instance("contract-2")
	s.create()
	create := func(by string) call {
		return call{method: "POST", path: "/contracts", body: strings.Replace(newContract, buyer, by, 1)}
	}
	amend := func(ref, tag, by string) call {
		return call{method: "PATCH", path: "/contracts/" + ref, ifMatch: tag, body: `{"action":"AMEND",` + by + `}`}
	}
	refused := func(c call, siren, on string) {
		t.Helper()
		for _, c.on = range []http.Handler{s.handler, second} {
			if a := s.must(409, c); a.code() != "customer-identity-differs" || a.body["hint"] == nil || !strings.Contains(a.text, siren+" on "+on) {
				t.Errorf("%s", a.text)
			}
		}
	}
	refused(create(another), "732829320", "CTR-1")
	s.must(200, amend("CTR-1", `"1"`, another)) // its only contract
	refused(create(buyer), "552100554", "CTR-1")
	s.must(201, create(another))
	refused(amend("CTR-1", `"2"`, buyer), "552100554", "CTR-2")
	s.must(200, call{method: "PATCH", path: "/contracts/CTR-2", ifMatch: `"1"`, body: `{"action":"TERMINATE","reason":"left"}`})
	refused(amend("CTR-1", `"2"`, buyer), "552100554", "CTR-2") // it may still owe
	s.must(200, amend("CTR-1", `"2"`, strings.Replace(another, "CSE ACME", "CSE NEW", 1)))
	other := create(buyer)
	other.body = strings.Replace(other.body, "CE-ACME", "CE-OTHER", 1)
	s.must(201, other)
	_, fresh := s.instance("contract-3")
	c := create(buyer)
	c.on = fresh
	s.must(409, c)
}

func TestTwoIdentitiesAtOnce(t *testing.T) {
	s := newService(t)
	_, second := s.instance("contract-2")
	for i := range 10 {
		answers := make(chan answer)
		for n, h := range []http.Handler{s.handler, second} {
			body := strings.Replace(newContract, buyer, []string{buyer, another}[n], 1)
			body = strings.Replace(body, "CE-ACME", fmt.Sprint("CE-", i), 1)
			go func() { answers <- s.do(call{method: "POST", path: "/contracts", body: body, on: h}) }()
		}
		if one, other := <-answers, <-answers; min(one.status, other.status) != 201 || max(one.status, other.status) != 409 {
			t.Fatalf("%s\n%s", one.text, other.text)
		}
	}
}

func TestMandateSignedTwiceAtOnce(t *testing.T) {
	s := newService(t)
	_, second := s.instance("contract-2")
	for i := range 10 {
		rum := fmt.Sprint("RUM-", i)
		var calls []call
		for _, h := range []http.Handler{s.handler, second} {
			ref := s.create().body["contractRef"].(string)
			s.must(200, call{method: "GET", path: "/contracts/" + ref, header: [2]string{"Log-Position", fmt.Sprintf("%s:%d", logTopic, s.store.Position())}, on: second})
			calls = append(calls, call{method: "PUT", path: "/contracts/" + ref + "/mandate", ifMatch: `"1"`, body: strings.Replace(signedMandate, "RUM-1", rum, 1), on: h})
		}
		answers := make(chan answer)
		for _, c := range calls {
			go func() { answers <- s.do(c) }()
		}
		if one, other := <-answers, <-answers; min(one.status, other.status) != 200 || max(one.status, other.status) != 409 {
			t.Fatalf("%s: %s\n%s", rum, one.text, other.text)
		}
	}
}

func TestRejectedDebitSuspendsOnce(t *testing.T) {
	s := newService(t)
	ref := contract.Ref(s.active())
	react := func(event string, presentation int) {
		t.Helper()
		err := s.store.React(t.Context(), ref, contract.ReactToDebit{Debit: contract.Debit{EventID: event, InvoiceRef: "BIL-2026-000001", Presentation: presentation, Reason: "AM04"}, CustomerRef: "CE-ACME"})
		if err != nil {
			t.Fatal(err)
		}
	}
	react("e-0", 1)
	react("e-0", 1)
	a := s.must(200, call{method: "GET", path: "/contracts/" + string(ref)})
	if a.body["status"] != "SUSPENDED" || !strings.Contains(a.text, `"cause":"DIRECT_DEBIT_REJECTED"`) || !strings.Contains(a.text, "BIL-2026-000001") {
		t.Fatalf("%s", a.text)
	}
	s.must(200, call{method: "PATCH", path: "/contracts/" + string(ref), ifMatch: `"4"`, body: `{"action":"REINSTATE","reason":"paid"}`})
	react("e-0", 1) // the topic is read again
	react("e-1", 1) // published under another id
	if a := s.must(200, call{method: "GET", path: "/contracts/" + string(ref)}); a.body["status"] != "ACTIVE" {
		t.Fatalf("suspended again: %s", a.text)
	}
	react("e-2", 2)
	if a := s.must(200, call{method: "GET", path: "/contracts/" + string(ref)}); a.body["status"] != "SUSPENDED" {
		t.Fatalf("the second presentation had no effect: %s", a.text)
	}
	if err := s.store.React(t.Context(), "CTR-99", contract.ReactToDebit{Debit: contract.Debit{EventID: "e-3"}}); err == nil {
		t.Error("a contract that does not exist was taken for one without effect")
	}
}

// An instance that reads the whole log answers as those that wrote it.
func TestANewInstanceGivesTheSameAnswers(t *testing.T) {
	s := newService(t)
	s.active()
	s.create()
	s.must(200, call{method: "PATCH", path: "/contracts/CTR-1", ifMatch: `"3"`, key: "amend", body: `{"action":"AMEND","validUntil":null,"ceiling":{"amount":1,"currency":"EUR"}}`})
	s.must(200, call{method: "DELETE", path: "/contracts/CTR-1/mandate", ifMatch: `"4"`})
	_, fresh := s.instance("contract-2")
	for _, c := range []call{
		{method: "GET", path: "/contracts"},
		{method: "GET", path: "/contracts/CTR-1"},
		{method: "GET", path: "/contracts?status=PENDING"},
		{method: "PATCH", path: "/contracts/CTR-1", ifMatch: `"3"`, key: "amend", body: `{"action":"AMEND","validUntil":null,"ceiling":{"amount":1,"currency":"EUR"}}`},
		{method: "PATCH", path: "/contracts/CTR-1", ifMatch: `"5"`, key: "again", body: `{"action":"REINSTATE"}`},
	} {
		old := s.do(c)
		c.on = fresh
		if a := s.do(c); a.status != old.status || a.text != old.text || a.header.Get("ETag") != old.header.Get("ETag") {
			t.Errorf("%s %s: %d %s\nbefore: %d %s", c.method, c.path, a.status, a.text, old.status, old.text)
		}
	}
}
