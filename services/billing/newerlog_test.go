package billing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// An instance that meets a record of a newer version is not ready, and /readyz says why and what to
// do.
func TestRecordOfANewerVersion(t *testing.T) {
	s := start(t)
	url := s.run(s.config("billing-1"))
	value, err := avrobin.EncodeSingleObject(&journalrecord.JournalRecord{
		Kind: "PurchaseDisputed", Attempt: journalrecord.AttemptID{1}, DecidedAt: time.Now(), Writer: "billing-9",
		Expects: []journalrecord.Expectation{{Stream: "contract/CTR-9"}},
		Body:    []byte("\xc3\x01\x08\x07\x06\x05\x04\x03\x02\x01"), // of a schema that nobody has
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, err := client.ProduceSync(t.Context(), &kgo.Record{Topic: billinginternal.LogTopic, Value: value}).First()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`record @%d of billing.log.v1 has the kind \"PurchaseDisputed\", which this version cannot read; run a newer version`, r.Offset)
	s.until("not ready", func() error {
		if a := readiness(t, url); a.status != 503 || !strings.Contains(a.text, want) {
			return fmt.Errorf("%d %s, want %s", a.status, a.text, want)
		}
		return nil
	})
	if a := s.buy(url, "CTR-7", 100); a.status != 503 || !strings.Contains(a.text, want) {
		t.Errorf("a purchase: %d %s", a.status, a.text)
	}
}
