package billing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing"
	"github.com/deferpay/deferpay/services/internal/clock"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/observer"
	"github.com/deferpay/deferpay/tools/process"
)

const patience = 20 * time.Second

// system is a broker with a registry, the service on it, and the contract service's side of the
// topics.
type system struct {
	t         *testing.T
	kafka     *embedded.Kafka
	offset    string // file
	publisher message.Publisher
	facts     *contractbus.Publisher
	topics    *observer.Observer
	keys      int
}

func start(t *testing.T) *system {
	t.Helper()
	k := embeddedtest.Start(t)
	if _, _, err := cluster.Deploy(t.Context(), []string{k.Broker}, k.Registry); err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, kafka: k, offset: filepath.Join(t.TempDir(), "offset")}
	s.publish()
	s.observe()
	return s
}

// observe reads the topics of billing from their beginnings.
func (s *system) observe() {
	s.t.Helper()
	root, err := process.Root()
	if err != nil {
		s.t.Fatal(err)
	}
	s.topics, err = observer.Open([]string{s.kafka.Broker}, s.kafka.Registry, filepath.Join(root, "specs"), "billing.log.v1", "billing.events.v1", "billing.dlq.v1")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.topics.Close)
}

// publish makes the publisher of facts.
func (s *system) publish() {
	s.t.Helper()
	var err error
	s.publisher, err = kafkabus.NewPublisher(kafkabus.Config{Brokers: []string{s.kafka.Broker}, ClientID: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = s.publisher.Close() })
	schemas, err := registry.NewClient(s.kafka.Registry)
	if err != nil {
		s.t.Fatal(err)
	}
	s.facts = contractbus.NewPublisher(s.publisher, bus.SendWithRegistry(schemas), bus.SendWithSource("contract"))
}

func (s *system) config(writer string) billing.Config {
	return billing.Config{Common: settings.Common{
		HTTPAddr: "127.0.0.1:0", Brokers: []string{s.kafka.Broker}, Registry: s.kafka.Registry, InsecureDev: true, ClockOffsetFile: s.offset, Writer: writer,
	}}
}

// run starts an instance and returns its address once it is ready.
func (s *system) run(cfg billing.Config) (url string) {
	s.t.Helper()
	url = launch(s.t, cfg)
	s.until("ready", func() error {
		if resp := readiness(s.t, url); resp.status != 200 {
			return fmt.Errorf("%d %s", resp.status, resp.text)
		}
		return nil
	})
	return url
}

// admins are the addresses of health and metrics, by the address of the API.
var admins sync.Map

// readiness is the answer of /readyz with its reasons.
func readiness(t *testing.T, url string) answer {
	t.Helper()
	admin, _ := admins.Load(url)
	return request(t, "GET", fmt.Sprint(admin, "/readyz"), "", "")
}

func launch(t *testing.T, cfg billing.Config) (url string) {
	t.Helper()
	listening, admin := make(chan net.Addr, 1), make(chan net.Addr, 1)
	cfg.Listening, cfg.Admin = func(a net.Addr) { listening <- a }, func(a net.Addr) { admin <- a }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- billing.Run(ctx, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s ended with %v", cfg.Writer, err)
		}
	})
	select {
	case a := <-listening:
		url = "http://" + a.String()
		admins.Store(url, "http://"+(<-admin).String())
		return url
	case <-time.After(patience):
		t.Fatal("not listening")
	}
	return ""
}

type answer struct {
	status int
	text   string
	json   map[string]any
}

func request(t *testing.T, method, url, key, body string) answer {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, text: string(data)}
	_ = json.Unmarshal(data, &a.json)
	return a
}

func (s *system) post(url, path, body string) answer {
	s.t.Helper()
	s.keys++
	return request(s.t, "POST", url+"/billing/v1"+path, fmt.Sprint("k", s.keys), body)
}

func (s *system) buy(url, contract string, cents int) answer {
	s.t.Helper()
	return s.post(url, "/operations", fmt.Sprintf(`{"type":"PURCHASE","contractRef":%q,"orderRef":"O-%d","amount":{"amount":%d,"currency":"EUR"}}`, contract, s.keys, cents))
}

func (s *system) until(what string, done func() error) {
	s.t.Helper()
	var err error
	// a service sends no notice when its state changes
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = done(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s: %v", what, err)
}

// contract is what a fact carries; version decides what is newest.
func contract(ref string, version int64, status event.ContractStatus) event.Contract {
	return event.Contract{
		ContractRef: ref, SubscriptionRef: strings.Replace(ref, "CTR", "SUB", 1), CustomerRef: "CE-" + ref, SellerRef: "AG", Version: version, Status: status,
		Buyer:   event.Company{LegalName: "CSE Acme", Siren: "732829320", VATNumber: "FR44732829320", BillingAddress: event.Address{Line1: "1", PostalCode: "75002", City: "Paris", Country: "FR"}},
		Ceiling: event.Money{Amount: 500000, Currency: "EUR"}, ValidFrom: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Mandate: &event.Mandate{Rum: "RUM-1", Ics: "FR72ZZZ123456", Scheme: event.MandateSchemeB2B, IBANLastFour: "0189", SignedAt: time.Now().UTC().Add(-time.Hour).Truncate(time.Microsecond)},
	}
}

func (s *system) activated(ref string, version int64) {
	s.t.Helper()
	now := time.Now().UTC()
	err := s.facts.ContractActivated(s.t.Context(), contractbus.ContractKey(ref), event.ContractActivated{
		ContractRef: ref, Version: version, Contract: contract(ref, version, event.ContractStatusActive), OccurredAt: now,
	}, contractbus.CloudEventsHeaders{ID: fmt.Sprint(ref, "-", version), Time: now})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) suspended(ref string, version int64) {
	s.t.Helper()
	now := time.Now().UTC()
	err := s.facts.ContractSuspended(s.t.Context(), contractbus.ContractKey(ref), event.ContractSuspended{
		ContractRef: ref, Version: version, Contract: contract(ref, version, event.ContractStatusSuspended), Cause: event.SuspensionCauseRequested, Reason: "test", OccurredAt: now,
	}, contractbus.CloudEventsHeaders{ID: fmt.Sprint(ref, "-", version), Time: now})
	if err != nil {
		s.t.Fatal(err)
	}
}

// raw puts a record on the facts topic as it is; a nil value is a tombstone.
func (s *system) raw(key string, value []byte) {
	s.t.Helper()
	m := message.NewMessage("raw", value)
	m.Metadata[metadata.Key] = key
	if err := s.publisher.Publish(contractbus.ContractFactsTopic, m); err != nil {
		s.t.Fatal(err)
	}
}

// knows waits until an instance answers with a version of the contract.
func (s *system) knows(url, ref string, version int64) {
	s.t.Helper()
	s.until(fmt.Sprint(ref, " at version ", version), func() error {
		a := request(s.t, "GET", url+"/billing/v1/subscriptions/"+strings.Replace(ref, "CTR", "SUB", 1), "", "")
		if a.status != 200 || a.json["contractVersion"] != float64(version) {
			return fmt.Errorf("%d %s", a.status, a.text)
		}
		return nil
	})
}

func TestFactsJudgePurchases(t *testing.T) {
	s := start(t)
	one, two := s.run(s.config("billing-1")), s.run(s.config("billing-2"))
	t.Run("P13 billing decides without contract", func(t *testing.T) { judgedByFacts(t, s, one, two) })
	t.Run("P15 poison holds up its contract alone", func(t *testing.T) { poisoned(t, s, one, two) })
}

// judgedByFacts buys while facts come and contract is not running.
func judgedByFacts(t *testing.T, s *system, one, two string) {
	if a := s.buy(one, "CTR-7", 100); a.status != 409 || a.json["code"] != "contract-unknown" {
		t.Fatalf("%d %s", a.status, a.text)
	}
	s.activated("CTR-7", 3)
	s.activated("CTR-8", 1)
	for _, url := range []string{one, two} {
		s.knows(url, "CTR-7", 3)
		s.knows(url, "CTR-8", 1)
		if a := s.buy(url, "CTR-7", 100); a.status != 201 {
			t.Fatalf("%d %s", a.status, a.text)
		}
	}
	s.suspended("CTR-7", 4)
	s.activated("CTR-7", 3) // late, and known
	s.raw("CTR-7", nil)     // says nothing
	s.activated("CTR-8", 2) // comes after them all
	s.knows(one, "CTR-8", 2)
	s.knows(one, "CTR-7", 4)
	if a := s.buy(one, "CTR-7", 100); a.status != 422 || fmt.Sprint(a.json["reasons"]) != "[CONTRACT_NOT_ACTIVE]" || a.json["contractVersion"] != float64(4) {
		t.Fatalf("%d %s", a.status, a.text)
	}
}

// poisoned sends facts that cannot be read: they become dead letters, their contract waits, and the
// others go on.
func poisoned(t *testing.T, s *system, one, two string) {
	for _, poison := range [][]byte{{}, []byte("nonsense"), {0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		s.raw("CTR-8", poison)
	}
	s.raw("CTR-99", []byte("nonsense")) // nobody to protect
	s.activated("CTR-7", 5)
	s.knows(two, "CTR-7", 5)
	if a := s.buy(two, "CTR-8", 100); a.status != 503 || a.json["code"] != "contract-unreadable" {
		t.Fatalf("%d %s", a.status, a.text)
	}
	if a := s.buy(two, "CTR-7", 100); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.text)
	}
	s.activated("CTR-8", 3)
	s.knows(two, "CTR-8", 3)
	if a := s.buy(two, "CTR-8", 100); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.text)
	}
	dead := s.wait(func(r observer.Record) bool { return r.Topic == "billing.dlq.v1" }, 4)
	for _, r := range dead {
		if r.Headers["dl_topic"] != contractbus.ContractFactsTopic || r.Headers["dl_error"] == "" || r.Key != "CTR-8" && r.Key != "CTR-99" {
			t.Errorf("dead letter %s %v", r.Key, r.Headers)
		}
	}
}

// TestP14LateConsumerConverges starts billing a day after the facts were published.
func TestP14LateConsumerConverges(t *testing.T) {
	s := start(t)
	for version := int64(1); version <= 9; version++ {
		s.activated("CTR-7", version)
		s.activated("CTR-8", version)
	}
	s.suspended("CTR-8", 10)
	s.activated("CTR-8", 9) // published again
	if err := clock.SetOffset(s.offset, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	one, two := s.run(s.config("billing-1")), s.run(s.config("billing-2"))
	for _, url := range []string{one, two} {
		s.knows(url, "CTR-7", 9)
		s.knows(url, "CTR-8", 10)
		if a := s.buy(url, "CTR-7", 100); a.status != 201 {
			t.Errorf("%d %s", a.status, a.text)
		}
		if a := s.buy(url, "CTR-8", 100); a.status != 422 || a.json["contractVersion"] != float64(10) {
			t.Errorf("%d %s", a.status, a.text)
		}
	}
}

// A wrong fact left a version that the contract never had, and another one that no reader takes in.
func TestRepublicationMendsHighVersion(t *testing.T) {
	s := start(t)
	url := s.run(s.config("billing-1"))
	s.activated("CTR-7", 3)
	s.suspended("CTR-7", 40) // contract never had it
	s.knows(url, "CTR-7", 40)
	s.activated("CTR-7", 4) // and this is what contract says
	if a := s.buy(url, "CTR-7", 100); a.status != 422 {
		t.Fatalf("%d %s", a.status, a.text)
	}
	s.suspended("CTR-7", 1<<53)
	s.wait(func(r observer.Record) bool { return r.Topic == "billing.dlq.v1" }, 1)
	if a := s.buy(url, "CTR-7", 100); a.status != 503 || a.json["code"] != "contract-unreadable" {
		t.Fatalf("%d %s", a.status, a.text)
	}
	now := time.Now().UTC()
	err := s.facts.ContractRepublished(t.Context(), "CTR-7", event.ContractRepublished{
		ContractRef: "CTR-7", Version: 41, Contract: contract("CTR-7", 41, event.ContractStatusActive), OccurredAt: now,
	}, contractbus.CloudEventsHeaders{ID: "republished", Time: now})
	if err != nil {
		t.Fatal(err)
	}
	s.knows(url, "CTR-7", 41)
	if a := s.buy(url, "CTR-7", 100); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.text)
	}
}

// wait waits until n records match, and returns all that do.
func (s *system) wait(match func(observer.Record) bool, n int) (found []observer.Record) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	err := s.topics.Wait(ctx, 0, func(all []observer.Record) bool {
		found = found[:0]
		for _, r := range all {
			if match(r) {
				found = append(found, r)
			}
		}
		return len(found) >= n
	})
	if err != nil {
		s.t.Fatalf("%d of %d records: %v", len(found), n, err)
	}
	return found
}

func TestDecisionsBecomeEvents(t *testing.T) {
	s := start(t)
	url := s.run(s.config("billing-1"))
	s.activated("CTR-7", 3)
	s.knows(url, "CTR-7", 3)
	steps := []answer{
		s.buy(url, "CTR-7", 399999), s.buy(url, "CTR-7", 1), s.buy(url, "CTR-7", 200000),
		s.post(url, "/operations", `{"type":"REFUND","purchaseRef":"BOP-7-1","amount":{"amount":99999,"currency":"EUR"}}`),
		s.buy(url, "CTR-7", 5), s.post(url, "/operations/BOP-7-5/cancellation", `{"reason":"booked twice"}`),
	}
	if err := clock.SetOffset(s.offset, 32*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	period := time.Now().In(paris).Format("2006-01")
	s.until("billed", func() error { // the offset is read now and then
		if a := s.post(url, "/billing-runs", fmt.Sprintf(`{"period":%q}`, period)); a.status != 200 {
			return fmt.Errorf("%d %s", a.status, a.text)
		}
		return nil
	})
	invoices := request(t, "GET", url+"/billing/v1/invoices", "", "")
	ref := fmt.Sprint(invoices.json["items"].([]any)[0].(map[string]any)["invoiceRef"])
	for _, body := range []string{`{"outcome":"PRESENTED"}`, `{"outcome":"REJECTED","reason":"AM04"}`, `{"outcome":"PRESENTED"}`, `{"outcome":"COLLECTED"}`} {
		steps = append(steps, s.post(url, "/invoices/"+ref+"/settlement", body))
	}
	steps = append(steps, s.post(url, "/operations", `{"type":"REFUND","purchaseRef":"BOP-7-2","amount":{"amount":1,"currency":"EUR"}}`))
	for n, a := range steps {
		if a.status >= 300 && a.status != 422 {
			t.Fatalf("step %d: %d %s", n, a.status, a.text)
		}
	}

	events := s.wait(func(r observer.Record) bool { return r.Topic == "billing.events.v1" }, 13)
	log := map[string]observer.Record{}
	// the last of them
	s.wait(func(r observer.Record) bool { return r.Topic == "billing.log.v1" && r.Type == "CreditNoteRecorded" }, 1)
	for _, r := range s.wait(func(r observer.Record) bool { return r.Topic == "billing.log.v1" && r.Envelope.Applied }, 1) {
		log[r.Envelope.Attempt] = r
	}
	want := []struct{ name, index, of string }{
		{"OperationAccepted", "0", "PurchaseAccepted"}, {"OperationAccepted", "0", "PurchaseAccepted"}, {"CeilingThresholdReached", "1", "PurchaseAccepted"},
		{"OperationRefused", "0", "PurchaseRefused"}, {"OperationAccepted", "0", "RefundAccepted"}, {"OperationAccepted", "0", "PurchaseAccepted"},
		{"OperationCancelled", "0", "PurchaseCancelled"}, {"BillingPeriodClosed", "0", "PeriodClosed"},
		{"InvoiceIssued", "1", "PeriodClosed"}, {"DirectDebitRejected", "0", "DebitRejected"}, {"InvoiceSettled", "0", "DebitCollected"},
		{"OperationAccepted", "0", "CreditNoteRecorded"}, {"CreditNoteIssued", "1", "CreditNoteRecorded"},
	}
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d", len(events), len(want))
	}
	for n, e := range events {
		id := e.Headers["ce_id"]
		cut := strings.LastIndexByte(id, '-')
		record := log[id[:cut]]
		if e.Type != want[n].name || id[cut+1:] != want[n].index || record.Type != want[n].of || e.Key != "CE-CTR-7" || e.Headers["ce_source"] != "billing" || e.Headers["traceparent"] == "" ||
			e.Headers["ce_time"] != record.Envelope.DecidedAt.Format(time.RFC3339Nano) || e.Value["contractRef"] != "CTR-7" {
			t.Errorf("event %d is %s %v of a %s, want %v: %v", n, e.Type, e.Headers, record.Type, want[n], e.Value)
		}
	}
	if p := fmt.Sprint(events[2].Value["percent"], events[2].Value["outstanding"]); !strings.HasPrefix(p, "80 ") || !strings.Contains(p, "400000") {
		t.Errorf("threshold %s", p)
	}
	if total := fmt.Sprint(events[8].Value["total"]); !strings.Contains(total, "300001") || fmt.Sprint(events[8].Value["invoiceRef"]) != ref {
		t.Errorf("invoice %v", events[8].Value)
	}
	if r := events[4].Value; fmt.Sprint(r["kind"]) != "REFUND" || !strings.Contains(fmt.Sprint(r["purchaseRef"]), "BOP-7-1") || r["orderRef"] != "O-0" {
		t.Errorf("refund %v", r)
	}
}

// A topic that would lose what the service relies on: it does not start, and says which setting.
func TestAWrongTopicIsRefused(t *testing.T) {
	s := start(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	value := "3600000"
	if _, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, "billing.log.v1"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = billing.Run(ctx, s.config("billing-1"))
	if err == nil || !strings.Contains(err.Error(), "billing.log.v1") || !strings.Contains(err.Error(), "retention.ms") {
		t.Errorf("ended with %v", err)
	}
}

// A broker that is not there: the service says so, keeps trying, answers 503, and goes on when the
// broker comes.
func TestABrokerThatComesLate(t *testing.T) {
	ports, err := process.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, kafka: &embedded.Kafka{Broker: ports[0], Registry: "http://" + ports[1]}, offset: filepath.Join(t.TempDir(), "offset")}
	url := launch(t, s.config("billing-1"))
	if a := readiness(t, url); a.status != 503 || !strings.Contains(a.text, "journal") {
		t.Errorf("ready: %d %s", a.status, a.text)
	}
	if a := request(t, "GET", url+"/healthz", "", ""); a.status != 200 {
		t.Errorf("healthy: %d %s", a.status, a.text)
	}
	if a := s.buy(url, "CTR-7", 100); a.status != 503 || a.json["code"] != "not-ready" {
		t.Errorf("purchase: %d %s", a.status, a.text)
	}
	k, err := embedded.Start(t.Context(), embedded.Config{Broker: ports[0], Registry: ports[1], Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	if _, _, err := cluster.Deploy(t.Context(), []string{k.Broker}, k.Registry); err != nil {
		t.Fatal(err)
	}
	s.until("ready", func() error {
		if a := readiness(t, url); a.status != 200 {
			return fmt.Errorf("%d %s", a.status, a.text)
		}
		return nil
	})
}

func TestHelpAndWrongUsage(t *testing.T) {
	none := func(string) string { return "" }
	var out, errs bytes.Buffer
	if status := billing.Main(t.Context(), nil, []string{"--help"}, none, &out, &errs); status != 0 || !strings.Contains(out.String(), "-run-after") || !strings.Contains(out.String(), "KAFKA_BROKERS") {
		t.Errorf("status %d: %s%s", status, out.String(), errs.String())
	}
	if status := billing.Main(t.Context(), nil, nil, none, &out, &errs); status != 2 || !strings.Contains(errs.String(), "credentials") {
		t.Errorf("without credentials: status %d: %s", status, errs.String())
	}
}
