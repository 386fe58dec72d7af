package journal

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/twmb/avro"

	"github.com/deferpay/deferpay/gen/journalrecord"
)

func exampleEnvelopes() []envelope {
	return []envelope{
		{kind: barrierKind, attempt: Attempt{1}, decidedAt: 1, writer: "w", body: []byte{}},
		{kind: "bought", attempt: Attempt{15: 9}, decidedAt: 1_700_000_000_000_001, writer: "billing-1", traceparent: "00-1-2-01",
			expects: []expectation{{"contract/CTR-7", Attempt{3: 4}}, {"key/shop/o-17", Attempt{}}}, body: []byte("body"),
			sealed: &Sealed{KeyID: "k", Nonce: []byte{1}, Ciphertext: []byte{2}}},
	}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	for _, e := range exampleEnvelopes() {
		data, err := new(encoder).encode(&e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeEnvelope(data); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%+v came back as %+v (%v)", e, got, err)
		}
		if attemptIn(data) != e.attempt {
			t.Errorf("attempt %s was found in the bytes, want %s", attemptIn(data), e.attempt)
		}
	}
}

// An independent Avro library reads what the journal writes.
func TestEnvelopeIsAvro(t *testing.T) {
	schema, err := avro.Parse(journalrecord.SchemaOfJournalRecord)
	if err != nil {
		t.Fatal(err)
	}
	e := exampleEnvelopes()[1]
	data, err := new(encoder).encode(&e)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if _, err := schema.Decode(data[10:], &got); err != nil {
		t.Fatal(err)
	}
	if got["kind"] != "bought" || got["writer"] != "billing-1" || len(got["expects"].([]any)) != 2 {
		t.Errorf("read by another library: %v", got)
	}
}

// Whatever bytes are on the log, decoding ends, and what it accepts is what would
// be written.
func FuzzEnvelope(f *testing.F) {
	for _, e := range exampleEnvelopes() {
		data, err := new(encoder).encode(&e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEnvelope(data)
		if err != nil {
			return
		}
		again, err := new(encoder).encode(&e)
		if err != nil {
			return // what is not to be written, such as a time out of range
		}
		e2, err := decodeEnvelope(again)
		if err != nil || !reflect.DeepEqual(e, e2) {
			t.Errorf("%+v came back as %+v (%v)", e, e2, err)
		}
		if third, _ := new(encoder).encode(&e2); !bytes.Equal(again, third) {
			t.Error("two encodings of one envelope")
		}
	})
}
