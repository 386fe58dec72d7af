package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/contract"
	"github.com/deferpay/deferpay/services/internal/clock"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	runtimebus "github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

const patience = 30 * time.Second

// world is a broker and a registry with everything the service needs, and the service.
type world struct {
	t        *testing.T
	brokers  []string
	registry string
	offsets  string // clock offset file
	log      *lockedBuffer
	url      string // of the API
	admin    string // of health and metrics
	stop     func() error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	schemas := srfake.New()
	t.Cleanup(schemas.Close)
	w := &world{t: t, brokers: cluster.ListenAddrs(), registry: schemas.URL(), offsets: filepath.Join(t.TempDir(), "offset"), log: &lockedBuffer{}}
	for _, s := range slices.Concat(contractbus.Subjects(), billingbus.Subjects()) {
		if _, _, err := schemas.RegisterSchema(s.Name, sr.Schema{Schema: s.Schema, Type: sr.TypeAvro}); err != nil {
			t.Fatalf("register %s: %v", s.Name, err)
		}
	}
	w.provision(slices.Concat(contractinternal.Topics(), contractbus.Topics(), billingbus.Topics()))
	return w
}

func (w *world) provision(all []topics.Topic) {
	w.t.Helper()
	if _, err := topics.Apply(w.t.Context(), w.client(), all); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(w.brokers...))...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// start runs the service. The function stop ends it and returns the error of Run.
func (w *world) start() {
	w.t.Helper()
	listening, admin := make(chan net.Addr, 1), make(chan net.Addr, 1)
	cfg := contract.Config{
		Common: settings.Common{
			HTTPAddr: "127.0.0.1:0", Brokers: w.brokers, Registry: w.registry, InsecureDev: true, ClockOffsetFile: w.offsets, Writer: "contract-1",
		},
		Tick: 20 * time.Millisecond, Forget: 20 * time.Millisecond, LogOutput: w.log, Listening: func(a net.Addr) { listening <- a },
		Admin: func(a net.Addr) { admin <- a },
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- contract.Run(ctx, cfg) }()
	w.stop = sync.OnceValue(func() error { cancel(); return <-done })
	w.t.Cleanup(func() {
		if err := w.stop(); err != nil {
			w.t.Errorf("service: %v\n%s", err, w.log)
		}
	})
	select {
	case a := <-listening:
		w.url, w.admin = "http://"+a.String(), "http://"+(<-admin).String()
	case err := <-done:
		done <- err
		w.t.Fatalf("the service ended: %v", err)
	}
}

// eventually asks until f has no complaint: a service does not tell when something has changed in
// it.
func (w *world) eventually(f func() error) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("still %v\n%s", err, w.log)
		}
	}
}

func (w *world) ready() {
	w.t.Helper()
	w.eventually(func() error {
		if status, body := w.get("/readyz"); status != 200 {
			return fmt.Errorf("not ready: %s", body)
		}
		return nil
	})
}

func (w *world) get(path string) (int, string) {
	w.t.Helper()
	base := w.url
	if path == "/readyz" { // where the reasons are
		base = w.admin
	}
	r, err := http.Get(base + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

var requests int

// send makes a write with a key of its own and returns the answer.
func (w *world) send(method, path, body, ifMatch string) map[string]any {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+"/refcontract/v1"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	requests++
	r.Header.Set("Idempotency-Key", fmt.Sprint("k-", requests))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if ifMatch != "" {
		r.Header.Set("If-Match", ifMatch)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %d %v %v", method, path, res.StatusCode, answer, err)
	}
	return answer
}

const (
	newContract = `{"customerRef":"CE-ACME","sellerRef":"AG-1","buyer":{"legalName":"CSE ACME","siren":"732829320","vatNumber":"FR44732829320",
		"billingAddress":{"line1":"12 rue de la Paix","postalCode":"75002","city":"Paris","country":"FR"}},
		"ceiling":{"amount":500000,"currency":"EUR"},"validFrom":%q}`
	signedMandate = `{"rum":"RUM-1","ics":"FR72ZZZ123456","scheme":"B2B","signedAt":%q,
		"iban":"FR7630006000011234567890189","owner":"CSE ACME"}`
)

func (w *world) subscribed(validFrom time.Time) {
	w.t.Helper()
	w.send("POST", "/contracts", fmt.Sprintf(newContract, validFrom.Format(time.RFC3339)), "")
	w.send("PUT", "/contracts/CTR-1/mandate", fmt.Sprintf(signedMandate, time.Now().Add(-time.Hour).Format(time.RFC3339)), `"1"`)
}

func (w *world) reaches(status string) {
	w.t.Helper()
	w.eventually(func() error {
		if _, body := w.get("/refcontract/v1/contracts/CTR-1"); !strings.Contains(body, `"status":"`+status+`"`) {
			return fmt.Errorf("not %s: %s", status, body)
		}
		return nil
	})
}

// records reads n records of a topic.
func (w *world) records(topic string, n int) (out []*kgo.Record) {
	w.t.Helper()
	c := w.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for len(out) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatalf("%d of %d records of %s: %v\n%s", len(out), n, topic, err, w.log)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func decode(t *testing.T, r *kgo.Record, into interface{ DecodeAvro([]byte) error }) {
	t.Helper()
	_, body, err := avrobin.CutConfluent(r.Value)
	if err == nil {
		err = into.DecodeAvro(body)
	}
	if err != nil {
		t.Fatalf("%s: %v", header(r, "ce_type"), err)
	}
}

func TestEveryChangeIsPublishedOnce(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.ready()
	w.subscribed(time.Now().Add(-time.Hour))
	w.reaches("ACTIVE")
	w.send("PATCH", "/contracts/CTR-1", `{"action":"SUSPEND","reason":"dispute"}`, `"3"`)
	w.send("PATCH", "/contracts/CTR-1", `{"action":"REINSTATE","reason":"settled"}`, `"4"`)
	w.send("PATCH", "/contracts/CTR-1", `{"action":"AMEND","ceiling":{"amount":100,"currency":"EUR"},"reason":"smaller"}`, `"5"`)
	w.send("DELETE", "/contracts/CTR-1/mandate?reason=letter", "", `"6"`)
	w.send("PATCH", "/contracts/CTR-1", `{"action":"TERMINATE","reason":"left"}`, `"7"`)
	w.send("POST", "/contracts/CTR-1/republication", `{"aboveVersion":40}`, "")

	types := []string{"ContractSubscribed", "MandateSigned", "ContractActivated", "ContractSuspended", "ContractReinstated", "ContractAmended", "MandateRevoked", "ContractTerminated", "ContractRepublished"}
	facts := w.records(contractbus.ContractFactsTopic, len(types))
	ids := map[string]bool{}
	for i, r := range facts {
		if want := "deferpay.event." + types[i]; header(r, "ce_type") != want {
			t.Fatalf("fact %d is %s, want %s", i, header(r, "ce_type"), want)
		}
		if string(r.Key) != "CTR-1" || header(r, "ce_subject") != "CTR-1" || header(r, "ce_source") != "contract" || !strings.HasSuffix(header(r, "ce_id"), "-0") {
			t.Errorf("%s: key %s, headers %v", types[i], r.Key, r.Headers)
		}
		if byTicker := types[i] == "ContractActivated"; (header(r, "traceparent") == "") != byTicker {
			t.Errorf("%s: traceparent %q", types[i], header(r, "traceparent"))
		}
		ids[header(r, "ce_id")] = true
	}
	if len(ids) != len(types) {
		t.Errorf("ids %v", ids)
	}
	var suspended event.ContractSuspended
	decode(t, facts[3], &suspended)
	c := suspended.Contract
	if suspended.Version != 4 || c.Version != 4 || c.Status != event.ContractStatusSuspended || suspended.Cause != event.SuspensionCauseRequested ||
		suspended.Reason != "dispute" || c.Suspension == nil || c.SubscriptionRef != "SUB-1" || c.Mandate.IBANLastFour != "0189" || c.Ceiling.Amount != 500000 {
		t.Errorf("%+v", suspended)
	}
	var amended event.ContractAmended
	decode(t, facts[5], &amended)
	if amended.Contract.Ceiling.Amount != 100 || amended.Reason != "smaller" || amended.Contract.Suspension != nil {
		t.Errorf("%+v", amended)
	}
	var revoked event.MandateRevoked
	decode(t, facts[6], &revoked)
	if m := revoked.Contract.Mandate; m.RevokedAt == nil || revoked.Contract.Status != event.ContractStatusActive || revoked.Reason != "letter" {
		t.Errorf("%+v", revoked)
	}
	var again event.ContractRepublished
	decode(t, facts[8], &again)
	if c := again.Contract; again.Version != 41 || c.Version != 41 || c.Status != event.ContractStatusTerminated || c.Ceiling.Amount != 100 || c.Mandate.RevokedAt == nil {
		t.Errorf("%+v", again)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.ready()
	w.send("POST", "/contracts", fmt.Sprintf(newContract, "2026-01-01T00:00:00Z"), "")
	// Publication goes on where it stopped. A fact whose publication was not confirmed may come
	// again; it is not a new one.
	for n := len(types) + 1; ; n++ {
		last := w.records(contractbus.ContractFactsTopic, n)[n-1]
		if string(last.Key) == "CTR-2" {
			break
		}
		if !ids[header(last, "ce_id")] || n > len(types)+2 {
			t.Fatalf("fact %d after a restart: %v", n, last.Headers)
		}
	}
}

func TestActivationFollowsTheClock(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.ready()
	w.subscribed(time.Now().AddDate(0, 1, 0))
	// several ticks, none of which may do it: what does not happen cannot be waited for
	time.Sleep(200 * time.Millisecond)
	w.reaches("PENDING")
	if err := clock.SetOffset(w.offsets, 32*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	w.reaches("ACTIVE")
}

func TestExpiryFollowsTheClock(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.ready()
	w.subscribed(time.Now().Add(-time.Hour))
	w.reaches("ACTIVE")
	until := time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339)
	w.send("PATCH", "/contracts/CTR-1", fmt.Sprintf(`{"action":"AMEND","validUntil":%q}`, until), `"3"`)
	if err := clock.SetOffset(w.offsets, 32*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	w.reaches("EXPIRED")
	var expired event.ContractExpired
	decode(t, w.records(contractbus.ContractFactsTopic, 5)[4], &expired)
	if c := expired.Contract; expired.Version != 5 || c.Version != 5 || c.Status != event.ContractStatusExpired || c.ValidUntil.Format(time.RFC3339) != until {
		t.Errorf("%+v", expired)
	}
	w.send("PATCH", "/contracts/CTR-1", `{"action":"AMEND","validUntil":null}`, `"5"`)
	w.reaches("ACTIVE")
}

// An instance that was frozen puts a key on the topic after the erasure.
func TestLateKeyIsDestroyed(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.ready()
	w.subscribed(time.Now().Add(-time.Hour))
	if a := w.send("DELETE", "/contracts/CTR-1/personal-data", "", ""); a["completedAt"] == nil {
		t.Errorf("not completed: %v", a)
	}
	const topic = contractinternal.PersonalDataKeysTopic
	value, err := contractinternal.EncodePersonalDataKey(&contractlog.PersonalDataKey{KeyID: "late", Subject: "CTR-1/0", Key: make([]byte, 32), CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.client().ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("late"), Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		if last := w.records(topic, n)[n-1]; string(last.Key) == "late" && last.Value == nil {
			break
		}
	}
	if status, body := w.get("/refcontract/v1/contracts/CTR-1/mandate/account"); status != 410 {
		t.Errorf("%d %s", status, body)
	}
	if strings.Contains(w.log.String(), "FR76") || !strings.Contains(w.log.String(), `"action":"erasePersonalData"`) {
		t.Errorf("%s", w.log)
	}
}

// What billing publishes reaches the contract: once, whatever is delivered twice, and under the
// former key of the topic too, which was the contract; what is wrong goes aside.
func TestFailedDebitSuspendsTheContract(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.ready()
	w.subscribed(time.Now().Add(-time.Hour))
	w.reaches("ACTIVE")

	publisher, err := kafkabus.NewPublisher(kafkabus.Config{Brokers: w.brokers, ClientID: "billing", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer publisher.Close()
	schemas, err := registry.NewClient(w.registry)
	if err != nil {
		t.Fatal(err)
	}
	present := billingbus.NewPublisher(publisher, runtimebus.SendWithRegistry(schemas), runtimebus.SendWithSource("billing"))
	former := billingbus.NewPublisher(keyed{publisher, "CTR-1"}, runtimebus.SendWithRegistry(schemas), runtimebus.SendWithSource("billing"))
	publish := func(billing *billingbus.Publisher, id, ref, customer string, presentation int32) {
		t.Helper()
		m := billingbus.ExampleDirectDebitRejected()
		m.ContractRef, m.CustomerRef, m.Presentation = ref, customer, presentation
		h := billingbus.CloudEventsHeaders{ID: id, Time: time.Now()}
		if err := billing.DirectDebitRejected(t.Context(), billingbus.CustomerKey(m.CustomerRef), m, h); err != nil {
			t.Fatal(err)
		}
	}
	publish(present, "e-1", "CTR-99", "CUST-42", 1)
	other := billingbus.ExampleInvoiceSettled()
	if err := present.InvoiceSettled(t.Context(), billingbus.CustomerKey(other.CustomerRef), other, billingbus.CloudEventsHeaders{ID: "e-2", Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	publish(former, "e-3", "CTR-1", "CE-ACME", 1)
	w.reaches("SUSPENDED")
	if _, body := w.get("/refcontract/v1/contracts/CTR-1"); !strings.Contains(body, `"cause":"DIRECT_DEBIT_RE`) || !strings.Contains(body, `"version":4`) {
		t.Errorf("%s", body)
	}
	w.send("PATCH", "/contracts/CTR-1", `{"action":"REINSTATE","reason":"paid"}`, `"4"`)
	publish(present, "e-3", "CTR-1", "CE-ACME", 1)
	publish(present, "e-6", "CTR-1", "CUST-42", 3)
	publish(present, strings.Repeat("e", 300), "CTR-1", "CE-ACME", 4)
	// read after it, so what is before it had its effect
	publish(present, "e-4", "CTR-99", "CUST-42", 1)
	dead := map[string]*kgo.Record{}
	for _, r := range w.records(contractinternal.DeadLettersTopic, 4) {
		dead[header(r, "ce_id")] = r
	}
	for id, why := range map[string]string{
		"e-1": "no such contract", "e-4": "no such contract", "e-6": `the contract is of another customer: "CUST-42", not "CE-ACME"`, strings.Repeat("e", 300): "its id has 300 bytes",
	} {
		if r := dead[id]; r == nil || header(r, "dl_topic") != billingbus.BillingEventsTopic || !strings.Contains(header(r, "dl_error"), why) {
			t.Errorf("dead letter of %s: %v", id, r)
		}
	}
	w.reaches("ACTIVE")
	publish(present, "e-5", "CTR-1", "CE-ACME", 2)
	w.reaches("SUSPENDED")
}

// keyed publishes messages under a key of its own.
type keyed struct {
	message.Publisher
	key string
}

func (k keyed) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		m.Metadata[metadata.Key] = k.key
	}
	return k.Publisher.Publish(topic, messages...)
}

func TestABrokerThatComesLater(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	w := &world{t: t, brokers: []string{fmt.Sprint("127.0.0.1:", port)}, registry: "http://127.0.0.1:1", offsets: filepath.Join(t.TempDir(), "offset"), log: &lockedBuffer{}}
	w.start()
	w.eventually(func() error {
		status, body := w.get("/readyz")
		if status != 503 || !strings.Contains(body, "journal") || !strings.Contains(w.log.String(), "trying again") {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	if status, body := w.get("/refcontract/v1/contracts"); status != 503 || !strings.Contains(body, "not-ready") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := w.get("/healthz"); status != 200 {
		t.Errorf("not alive: %d", status)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w.provision(slices.Concat(contractinternal.Topics(), contractbus.Topics(), billingbus.Topics()))
	w.ready()
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

func TestAWrongTopicIsRefusedByName(t *testing.T) {
	for topic, c := range map[string]topics.Config{
		contractinternal.LogTopic:      {Name: "retention.ms", Value: "604800000"},
		contractbus.ContractFactsTopic: {Name: "cleanup.policy", Value: "delete"},
	} {
		w := newWorld(t)
		w.provision([]topics.Topic{{Name: topic, Configs: []topics.Config{c}}})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := contract.Run(ctx, contract.Config{Common: settings.Common{
			HTTPAddr: "127.0.0.1:0", Brokers: w.brokers, Registry: w.registry, InsecureDev: true, Writer: "contract-1",
		}})
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), topic) || !strings.Contains(err.Error(), c.Name) {
			t.Errorf("%s with %s: %v", topic, c.Name, err)
		}
		cancel()
	}
}

func TestUsage(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(empty, []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--help"}, 0, "-clock-offset-file"},
		{nil, 2, "-credentials FILE"},
		{[]string{"-nonsense"}, 2, "--help"},
		{[]string{"-insecure-dev", "-brokers", ""}, 2, "no Kafka brokers"},
		{[]string{"-credentials", "x", "-clock-offset-file", "f", "-http", ":8081"}, 2, "loopback address only"},
		{[]string{"-credentials", empty}, 1, "empty"},
	} {
		var out, errs bytes.Buffer
		status := contract.Main(t.Context(), nil, c.args, func(string) string { return "" }, &out, &errs)
		if status != c.status || !strings.Contains(out.String()+errs.String(), c.says) {
			t.Errorf("%v: status %d, %s%s", c.args, status, out.String(), errs.String())
		}
	}
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
