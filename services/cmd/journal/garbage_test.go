package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/services/journal/admin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// Every kind of garbage is shown by cat, named by verify, and can be declared void. What a newer
// version might have written needs a flag of its own.
func TestKindsOfGarbage(t *testing.T) {
	body, err := avrobin.EncodeSingleObject(&contractlog.Activated{ContractRef: "CTR-1"})
	if err != nil {
		t.Fatal(err)
	}
	attempt := byte(0)
	envelope := func(kind string, body []byte) []byte {
		attempt++
		value, err := avrobin.EncodeSingleObject(&journalrecord.JournalRecord{
			Kind: kind, Attempt: journalrecord.AttemptID{7, attempt}, DecidedAt: time.Now(), Writer: "stranger", Body: body,
			Expects: []journalrecord.Expectation{{Stream: "contract/CTR-900"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	whole := envelope("Activated", body)
	b := recorded(t)
	before := b.verify("-log contract")
	kinds := []struct {
		name    string
		value   []byte
		unknown bool
	}{
		{"null", nil, false},
		{"empty", []byte{}, false},
		{"990 KB", bytes.Repeat([]byte("x"), 990_000), false},
		{"an envelope that is cut", whole[:len(whole)-3], false},
		{"an envelope with more behind it", append(bytes.Clone(whole), 1, 2, 3), false},
		{"a body that is cut", envelope("Activated", body[:len(body)-2]), false},
		{"no body", envelope("Activated", nil), false},
		{"a body that is no Avro", envelope("Activated", []byte("nonsense")), false},
		{"a body of another kind", envelope("Tomorrow", body), false},
		{"a body of an unknown schema", envelope("Tomorrow", append([]byte{0xc3, 1, 9, 9, 9, 9, 9, 9, 9, 9}, body[10:]...)), true},
		{"a kind that the journal may get", envelope("journal.tomorrow", body), true},
		{"a declaration that cannot be read", envelope("journal.void", []byte("x")), false},
		{"a release that cannot be read", envelope("journal.release", body), false},
		{"a forgetting without a body", envelope("journal.forget", nil), false},
	}
	for _, k := range kinds {
		offset := b.write("contract.log.v1", &kgo.Record{Value: k.value})
		r := b.run("verify -log contract")
		if words := fmt.Sprintf("the first one @%d", offset); r.status != 1 || !strings.Contains(r.errors, words) || len(r.errors) > 1000 {
			t.Errorf("%s: verify: status %d, %.1000s", k.name, r.status, r.errors)
		}
		shown := decode[admin.Reading](t, b.must(fmt.Sprintf("cat -log contract -from %d", offset)))
		if legible := shown.Body != nil || bytes.Equal(shown.Value, k.value); shown.Outcome != admin.Unreadable || !legible || shown.Why == "" {
			t.Errorf("%s: cat shows %s, %.200s", k.name, shown.Outcome, shown.Why)
		}
		void := fmt.Sprint("void -log contract -reason test -offset ", offset)
		if k.unknown {
			b.refused(1, "was perhaps written by a newer version", void)
			void += " -unknown-kind"
		}
		b.must(void)
	}
	after := b.verify("-log contract")
	if after.Hash != before.Hash || after.Outcomes[admin.DeclaredVoid] != int64(len(kinds)) {
		t.Errorf("after it\ngot  %+v\nwas  %+v", after, before)
	}
}
