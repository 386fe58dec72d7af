package contract_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	runtimebus "github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

const logTopic = "contract.log.v1"

// active makes contract number n, with a mandate of its own, and waits until it is active.
func (w *world) active(n int) {
	w.t.Helper()
	ref := fmt.Sprint("CTR-", n)
	w.send("POST", "/contracts", fmt.Sprintf(newContract, time.Now().Add(-time.Hour).Format(time.RFC3339)), "")
	mandate := strings.Replace(signedMandate, "RUM-1", fmt.Sprint("RUM-", n), 1)
	w.send("PUT", "/contracts/"+ref+"/mandate", fmt.Sprintf(mandate, time.Now().Add(-time.Hour).Format(time.RFC3339)), `"1"`)
	w.has(ref, "ACTIVE")
}

func (w *world) has(ref, status string) {
	w.t.Helper()
	w.eventually(func() error {
		if code, body := w.get("/refcontract/v1/contracts/" + ref); !strings.Contains(body, `"status":"`+status+`"`) {
			return fmt.Errorf("%s is not %s: %d %s", ref, status, code, body)
		}
		return nil
	})
}

// rejected publishes, as billing does, that direct debits on contracts were rejected, once each.
func (w *world) rejected(refs ...string) {
	w.t.Helper()
	publisher, err := kafkabus.NewPublisher(kafkabus.Config{Brokers: w.brokers, ClientID: "billing", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	defer publisher.Close()
	schemas, err := registry.NewClient(w.registry)
	if err != nil {
		w.t.Fatal(err)
	}
	billing := billingbus.NewPublisher(publisher, runtimebus.SendWithRegistry(schemas), runtimebus.SendWithSource("billing"))
	for _, ref := range refs {
		m := billingbus.ExampleDirectDebitRejected()
		requests++
		m.CustomerRef = "CE-ACME"
		m.ContractRef, m.InvoiceRef, m.Presentation, m.OccurredAt = ref, fmt.Sprint("INV-", requests), 1, time.Now()
		h := billingbus.CloudEventsHeaders{ID: fmt.Sprint("debit-", requests), Time: time.Now()}
		if err := billing.DirectDebitRejected(w.t.Context(), billingbus.CustomerKey(m.CustomerRef), m, h); err != nil {
			w.t.Fatal(err)
		}
	}
}

// end returns where a topic ends.
func (w *world) end(topic string) int {
	w.t.Helper()
	ends, err := kadm.NewClient(w.client()).ListEndOffsets(w.t.Context(), topic)
	if err != nil {
		w.t.Fatal(err)
	}
	o, _ := ends.Lookup(topic, 0)
	return int(o.Offset)
}

// recreate deletes a topic and creates it again, with copies of records.
func (w *world) recreate(topic string, records []*kgo.Record) {
	w.t.Helper()
	if _, err := kadm.NewClient(w.client()).DeleteTopics(w.t.Context(), topic); err != nil {
		w.t.Fatal(err)
	}
	w.provision(slices.Concat(contractinternal.Topics(), contractbus.Topics(), billingbus.Topics()))
	copies := make([]*kgo.Record, len(records))
	for i, r := range records {
		copies[i] = &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
	}
	if err := w.client().ProduceSync(w.t.Context(), copies...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// appended waits until the log has a record of a kind from an offset on.
func (w *world) appended(from int, kind string) {
	w.t.Helper()
	w.eventually(func() error {
		if end := w.end(logTopic); end > from {
			for _, r := range w.records(logTopic, end)[from:] {
				if strings.Contains(string(r.Value), kind) {
					return nil
				}
			}
		}
		return fmt.Errorf("no %s in the log from %d on", kind, from)
	})
}

func (w *world) halt() {
	w.t.Helper()
	if err := w.stop(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) again() {
	w.t.Helper()
	w.start()
	w.ready()
}

// Whatever happens to the log, the topics and the offsets of the group, a rejected debit that was
// published suspends its contract by itself.
func TestTakenInAgain(t *testing.T) {
	w := newWorld(t)
	w.again()
	for n := 1; n <= 4; n++ {
		w.active(n)
	}
	// after a dead letter the log says how far contract is
	w.rejected("CTR-99")
	w.appended(0, "TakenIn")
	old := w.records(logTopic, w.end(logTopic))
	w.rejected("CTR-1")
	w.has("CTR-1", "SUSPENDED")
	w.halt()
	// may be two: the members of an instance join the group one after another
	dead := w.end(contractinternal.DeadLettersTopic)

	t.Log("older log restored")
	w.recreate(logTopic, old)
	w.again()
	w.has("CTR-1", "SUSPENDED")
	if n := w.end(contractinternal.DeadLettersTopic); n != dead {
		t.Errorf("%d dead letters, %d before: what is below the offset in the log was read again", n, dead)
	}

	t.Log("log cut and grown again while it runs")
	w.recreate(logTopic, old)
	w.appended(len(old), "Suspended")
	w.has("CTR-1", "SUSPENDED")
	w.halt()

	t.Log("offsets of the group lost")
	if _, err := kadm.NewClient(w.client()).DeleteGroup(t.Context(), contractbus.OnBillingEventsGroup); err != nil {
		t.Fatal(err)
	}
	w.rejected("CTR-2")
	w.again()
	w.has("CTR-2", "SUSPENDED")

	t.Log("topic created again while it runs")
	w.recreate(billingbus.BillingEventsTopic, nil)
	w.rejected("CTR-99", "CTR-99", "CTR-99", "CTR-99", "CTR-3") // past the offset that was read to
	w.has("CTR-3", "SUSPENDED")
	w.halt()

	t.Log("topic created again while it does not run")
	w.recreate(billingbus.BillingEventsTopic, nil)
	w.rejected("CTR-4")
	w.rejected(slices.Repeat([]string{"CTR-99"}, 20)...)
	w.again()
	w.has("CTR-4", "SUSPENDED")
}
