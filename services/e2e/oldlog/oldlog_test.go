package oldlog

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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/billing"
	"github.com/deferpay/deferpay/services/contract"
	"github.com/deferpay/deferpay/services/internal/clock"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/services/internal/waittest"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

const patience = 30 * time.Second

// running is a restored recording with the present services on it.
type running struct {
	*Recording
	kafka *embedded.Kafka
	bases map[string]string // URL by service
}

func restore(t *testing.T, dir string) *running {
	t.Helper()
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	k := embeddedtest.Start(t)
	if err := r.Restore(t.Context(), []string{k.Broker}, k.Registry); err != nil {
		t.Fatal(err)
	}
	return &running{Recording: r, kafka: k, bases: map[string]string{}}
}

// start runs both services on the restored topics until the test ends. They do nothing by
// themselves: no contract is activated, and no month is billed, because it has become due.
func (r *running) start(t *testing.T) {
	t.Helper()
	offset := filepath.Join(t.TempDir(), "offset")
	if err := clock.SetOffset(offset, r.ClockOffset(time.Now())); err != nil {
		t.Fatal(err)
	}
	common := func(name string) settings.Common {
		return settings.Common{HTTPAddr: "127.0.0.1:0", Brokers: []string{r.kafka.Broker}, Registry: r.kafka.Registry,
			InsecureDev: true, ClockOffsetFile: offset, Writer: name + "-today", LogLevel: slog.LevelWarn}
	}
	r.bases[ContractService] = serve(t, func(ctx context.Context, log *lockedBuffer, listening func(net.Addr)) error {
		return contract.Run(ctx, contract.Config{Common: common("contract"), Tick: time.Hour, LogOutput: log, Listening: listening})
	})
	r.bases[BillingService] = serve(t, func(ctx context.Context, log *lockedBuffer, listening func(net.Addr)) error {
		return billing.Run(ctx, billing.Config{Common: common("billing"), LogOutput: log, Listening: listening})
	})
}

// serve runs a service until the test ends. It returns the URL of the service once it is ready.
func serve(t *testing.T, run func(context.Context, *lockedBuffer, func(net.Addr)) error) string {
	t.Helper()
	log := &lockedBuffer{}
	addr := make(chan net.Addr, 1)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = run(ctx, log, func(a net.Addr) { addr <- a })
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if err != nil {
			t.Errorf("service: %v", err)
		}
		if t.Failed() {
			t.Logf("%s", log)
		}
	})
	select {
	case a := <-addr:
		base := "http://" + a.String()
		ready(t, base)
		return base
	case <-ended:
		t.Fatalf("the service ended: %v", err)
	}
	return ""
}

// ready waits until a service is ready.
func ready(t *testing.T, base string) {
	t.Helper()
	waittest.Nil(t, patience, "the service becomes ready", func() error {
		resp, err := http.Get(base + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s", body)
		}
		return err
	})
}

// ask sends recorded requests and compares the answers with the recorded ones.
func (r *running) ask(t *testing.T, exchanges []Exchange) {
	t.Helper()
	if len(exchanges) == 0 {
		t.Fatal("nothing was recorded")
	}
	for _, e := range exchanges {
		now, err := e.Ask(t.Context(), http.DefaultClient, r.bases[e.Service])
		if err != nil {
			t.Fatalf("%v: %v", e, err)
		}
		for _, difference := range Differences(e.Answer, now) {
			t.Errorf("%v: %s", e, difference)
		}
	}
}

func TestP16OldLogsAnsweredAlike(t *testing.T) {
	dirs, err := filepath.Glob("testdata/log-*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			r := restore(t, dir)
			r.start(t)
			t.Run("reads", func(t *testing.T) { r.ask(t, r.Reads) })
			t.Run("repeated commands", func(t *testing.T) { r.ask(t, r.Commands) })
			r.referencesAreTaken(t)
			r.change(t)
			r.takenInAgain(t)
			added, err := r.Added(r.atRest(t))
			added = slices.DeleteFunc(added, takenIn)
			want := []string{"billing.events.v1: deferpay.event.OperationAccepted", "billing.log.v1: ContractObserved", "billing.log.v1: PurchaseAccepted",
				"billing.log.v1: RunStarted", "billing.log.v1: RunCompleted",
				"contract.facts.v1: deferpay.event.ContractAmended", "contract.log.v1: Amended"}
			if err != nil || !slices.Equal(added, want) {
				t.Errorf("a change, a purchase and a billing run added %q, want %q: %v", added, want, err)
			}
		})
	}
}

// change amends a contract, waits until billing has the new version, makes a purchase, and bills a
// month in which there is nothing.
func (r *running) change(t *testing.T) {
	t.Helper()
	const customer = "CE-TOURS" // has an active contract in every recording
	list := r.get(t, ContractService, "/refcontract/v1/contracts?customerRef="+customer)
	item := list["items"].([]any)[0].(map[string]any)
	ref, version := item["contractRef"].(string), item["version"].(float64)
	r.write(t, Exchange{Service: ContractService, Method: http.MethodPatch, Path: "/refcontract/v1/contracts/" + ref,
		Headers: map[string]string{"If-Match": fmt.Sprintf(`"%.0f"`, version)}, Body: []byte(`{"action":"AMEND","ceiling":{"amount":310000,"currency":"EUR"}}`)})
	waittest.Nil(t, patience, "billing learns of the change", func() error {
		known := r.get(t, BillingService, "/billing/v1/subscriptions?contractRef="+ref)
		if now := known["items"].([]any)[0].(map[string]any)["contractVersion"].(float64); now != version+1 {
			return fmt.Errorf("billing knows version %v, want %v", now, version+1)
		}
		return nil
	})
	r.write(t, Exchange{Service: BillingService, Method: http.MethodPost, Path: "/billing/v1/operations", Headers: map[string]string{},
		Body: fmt.Appendf(nil, `{"type":"PURCHASE","contractRef":%q,"orderRef":"ORD-NEW","amount":{"amount":100,"currency":"EUR"}}`, ref)})
	r.orderIsTaken(t, ref)
	r.write(t, Exchange{Service: BillingService, Method: http.MethodPost, Path: "/billing/v1/billing-runs", Headers: map[string]string{},
		Body: []byte(`{"period":"2020-02","dryRun":false}`)})
}

// orderIsTaken purchases an order of the old log again, which must be refused.
func (r *running) orderIsTaken(t *testing.T, contractRef string) {
	t.Helper()
	first := r.get(t, BillingService, "/billing/v1/operations?status=ACCEPTED&limit=1&contractRef="+contractRef)["items"].([]any)[0].(map[string]any)
	now, err := Exchange{Service: BillingService, Method: http.MethodPost, Path: "/billing/v1/operations",
		Headers: map[string]string{"Content-Type": "application/json", "Idempotency-Key": "today-taken"},
		Body:    fmt.Appendf(nil, `{"type":"PURCHASE","contractRef":%q,"orderRef":%q,"amount":{"amount":100,"currency":"EUR"}}`, contractRef, first["orderRef"]),
	}.Ask(t.Context(), http.DefaultClient, r.bases[BillingService])
	if err != nil || now.Status != http.StatusConflict || !bytes.Contains(now.Body, fmt.Appendf(nil, `"operationRef":%q`, first["operationRef"])) {
		t.Errorf("order %v of %v again: %d %s %v", first["orderRef"], first["operationRef"], now.Status, now.Body, err)
	}
}

func (r *running) get(t *testing.T, service, path string) (body map[string]any) {
	t.Helper()
	e := Exchange{Service: service, Method: http.MethodGet, Path: path}
	now, err := e.Ask(t.Context(), http.DefaultClient, r.bases[service])
	if err == nil {
		err = json.Unmarshal(now.Body, &body)
	}
	if err != nil || now.Status != http.StatusOK {
		t.Fatalf("%v: %d %s %v", e, now.Status, now.Body, err)
	}
	return body
}

// write sends a write with a new key.
func (r *running) write(t *testing.T, e Exchange) {
	t.Helper()
	e.Headers["Content-Type"], e.Headers["Idempotency-Key"] = "application/json", "today-"+e.Method+e.Path
	now, err := e.Ask(t.Context(), http.DefaultClient, r.bases[e.Service])
	if err != nil || now.Status >= http.StatusMultipleChoices {
		t.Fatalf("%v: %d %s %v", e, now.Status, now.Body, err)
	}
}

// takenInAgain waits until both services have taken in again what is on the public topics, because
// the old logs do not say how far that was done: what cannot be read is a dead letter once more.
func (r *running) takenInAgain(t *testing.T) {
	t.Helper()
	waittest.Nil(t, patience, "everything is taken in again", func() error {
		now, err := Dump(t.Context(), []string{r.kafka.Broker}, r.kafka.Registry)
		if err != nil {
			return err
		}
		added, err := r.Added(now)
		if err != nil {
			return err
		}
		for _, service := range []string{"billing", "contract"} {
			before := r.Topics[service+".dlq.v1"]
			again := originals(now.Topics[service+".dlq.v1"][len(before):])
			noted := slices.Contains(added, service+".log.v1: TakenIn")
			if want := originals(before); len(again) != len(want) || !noted {
				return fmt.Errorf("%s: dead letters of %d messages, want %d; the position is noted: %t", service, len(again), len(want), noted)
			}
		}
		return nil
	})
}

// originals returns where the messages were read of which records are dead letters. There may be
// two of a message: when a partition is assigned again, what was read since the position was noted
// is delivered again.
func originals(letters []Record) map[[3]string]bool {
	all := map[[3]string]bool{}
	for _, l := range letters {
		var at [3]string
		for _, h := range l.Headers {
			if i := slices.Index([]string{bus.DeadLetterTopic, bus.DeadLetterPartition, bus.DeadLetterOffset}, h[0]); i >= 0 {
				at[i] = h[1]
			}
		}
		all[at] = true
	}
	return all
}

// takenIn reports whether a record is there because everything is taken in again.
func takenIn(added string) bool {
	return strings.Contains(added, ".dlq.v1: ") || strings.HasSuffix(added, ".log.v1: TakenIn")
}

// atRest returns a dump of the system once everything is published and received.
func (r *running) atRest(t *testing.T) (now *Recording) {
	t.Helper()
	waittest.Nil(t, patience, "the system comes to rest", func() (err error) {
		if now, err = Dump(t.Context(), []string{r.kafka.Broker}, r.kafka.Registry); err != nil {
			return err
		}
		return now.Lag()
	})
	return now
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
