package specfile

import (
	"os"
	"testing"

	"github.com/twmb/avro"
)

func TestReferenceToOtherFile(t *testing.T) {
	doc, err := NewSet().Open("../../specs/contract/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	channel := doc.Get("channels", "billingEvents")
	if got := channel.Get("address").Str(); got != "billing.events.v1" {
		t.Errorf("channel of another document has address %q", got)
	}
	if got, want := channel.Name(), "billingEvents"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
	if doc.Get("channels", "noSuch", "address").Ok() {
		t.Error("a path without a target returned a value")
	}
}

func TestMessageLooksUpTraits(t *testing.T) {
	doc, err := NewSet().Open("../../specs/contract/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	messages := Messages(doc.Get("channels", "contractFacts"))
	if len(messages) != 10 {
		t.Fatalf("%d messages, want 10", len(messages))
	}
	for _, m := range messages {
		if got := m.Lookup("bindings", "kafka", "key", "x-key-field").Str(); got != "contractRef" {
			t.Errorf("%s: key field %q", m.Name, got)
		}
	}
}

func TestAvroTextIsSelfContained(t *testing.T) {
	set := NewSet()
	for _, file := range []string{"contract/asyncapi.yaml", "contract/internal.asyncapi.yaml", "billing/asyncapi.yaml", "billing/internal.asyncapi.yaml"} {
		doc, err := set.Open("../../specs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, channel := range doc.Get("channels").Members() {
			for _, m := range Messages(channel.Value) {
				schema, format := m.Payload()
				if !IsAvro(format) {
					continue
				}
				text, err := AvroText(schema)
				if err != nil {
					t.Errorf("%s %s: %v", file, m.Name, err)
					continue
				}
				if _, err := avro.Parse(text); err != nil {
					t.Errorf("%s %s: %v in\n%s", file, m.Name, err, text)
				}
			}
		}
	}
}

func TestRecordWithoutFields(t *testing.T) {
	file := t.TempDir() + "/A.avsc"
	if err := os.WriteFile(file, []byte(`{"type":"record","name":"A","fields":[]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	v, err := NewSet().Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := AvroText(v); err != nil || text != `{"type":"record","name":"A","fields":[]}` {
		t.Errorf("%s, %v", text, err)
	}
}
