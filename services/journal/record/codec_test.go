package record

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/twmb/avro"

	"github.com/deferpay/deferpay/gen/journalrecord"
)

func exampleEnvelopes() []Envelope {
	return []Envelope{
		{Kind: Barrier, Attempt: Attempt{1}, DecidedAt: 1, Writer: "w", Body: []byte{}},
		{Kind: "bought", Attempt: Attempt{15: 9}, DecidedAt: 1_700_000_000_000_001, Writer: "billing-1", Traceparent: "00-1-2-01",
			Expects: []Expectation{{"contract/CTR-7", Attempt{3: 4}}, {"key/shop/o-17", Attempt{}}}, Body: []byte("body"),
			Sealed: &Sealed{KeyID: "k", Nonce: []byte{1}, Ciphertext: []byte{2}}},
	}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	for _, e := range exampleEnvelopes() {
		data, err := new(Encoder).Encode(&e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(data); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%+v came back as %+v (%v)", e, got, err)
		}
		if AttemptIn(data) != e.Attempt {
			t.Errorf("attempt %s was found in the bytes, want %s", AttemptIn(data), e.Attempt)
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
	data, err := new(Encoder).Encode(&e)
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

// Decode ends on any bytes, and what it accepts is encoded and decoded to the same envelope.
func FuzzEnvelope(f *testing.F) {
	for _, e := range exampleEnvelopes() {
		data, err := new(Encoder).Encode(&e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(data)
		if err != nil {
			return
		}
		again, err := new(Encoder).Encode(&e)
		if err != nil {
			return // what the schema has no room for, such as a time out of range
		}
		e2, err := Decode(again)
		if err != nil || !reflect.DeepEqual(e, e2) {
			t.Errorf("%+v came back as %+v (%v)", e, e2, err)
		}
		if third, _ := new(Encoder).Encode(&e2); !bytes.Equal(again, third) {
			t.Error("two encodings of one envelope")
		}
	})
}
