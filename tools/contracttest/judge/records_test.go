package judge

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/specfile"
)

var eventFiles = []string{"../../../specs/contract/asyncapi.yaml", "../../../specs/billing/asyncapi.yaml"}

// registry has a schema for each message; ids are indexes.
type registry struct{ texts, subjects []string }

func (r registry) SchemaTextByID(_ context.Context, id int) (string, error) {
	if id >= len(r.texts) {
		return "", errors.New("schema not found")
	}
	return r.texts[id], nil
}

func (r registry) SubjectsByID(_ context.Context, id int) ([]string, error) {
	return []string{r.subjects[id]}, nil
}

// examples returns a record for the first example of each message.
func examples(t *testing.T) (*Events, registry, map[string]Record) {
	t.Helper()
	ev, err := LoadEvents(eventFiles...)
	if err != nil {
		t.Fatal(err)
	}
	var reg registry
	records := map[string]Record{}
	set := specfile.NewSet()
	for _, file := range eventFiles {
		root, err := set.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range root.Get("channels").Members() {
			topic := ch.Get("address").Str()
			for _, m := range specfile.Messages(ch.Value) {
				if _, ok := records[m.Name]; ok {
					continue // the channel of the other document
				}
				loaded, err := loadMessage(m)
				if err != nil {
					t.Fatal(err)
				}
				records[m.Name] = record(t, topic, loaded, len(reg.texts), m.Get("examples").Items()[0].Get("payload"))
				reg.texts = append(reg.texts, loaded.text)
				reg.subjects = append(reg.subjects, topic+"-"+loaded.full)
			}
		}
	}
	return ev, reg, records
}

func record(t *testing.T, topic string, m *message, id int, example specfile.Value) Record {
	t.Helper()
	value, err := fromExample(shapeOf(m.schema.Root()), m.schema.Root(), example)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	body, err := m.schema.Encode(value)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	key := map[string]string{"contract.facts.v1": "contractRef", "billing.events.v1": "customerRef"}[topic]
	ref := example.Get(key).Str()
	return Record{
		Topic: topic, Key: []byte(ref), Value: append([]byte{0, 0, 0, 0, byte(id)}, body...),
		Headers: []Header{
			{"ce_id", []byte("5f0c1a52-0-" + m.name)}, {"ce_source", []byte("contract")}, {"ce_type", []byte(m.full)}, {"ce_specversion", []byte("1.0")},
			{"ce_time", []byte(example.Get("occurredAt").Str())}, {"ce_subject", []byte(ref)},
		},
	}
}

func TestExamplesAsRecords(t *testing.T) {
	ev, reg, records := examples(t)
	if len(records) < 17 {
		t.Errorf("only %d messages", len(records))
	}
	for name, r := range records {
		clear(ev.versions) // the examples are not one history
		got, violations := ev.Judge(t.Context(), reg, r)
		if got != name || len(violations) > 0 {
			t.Errorf("%s: judged as %s: %v", name, got, violations)
		}
	}
}

func TestMutatedRecords(t *testing.T) {
	setHeader := func(name, value string) func(*Record) {
		return func(r *Record) {
			for i, h := range r.Headers {
				if h.Name == name {
					r.Headers[i].Value = []byte(value)
				}
			}
		}
	}
	for name, tt := range map[string]struct {
		says  string
		plant func(*Record)
	}{
		"another topic":             {`no message with ce_type "deferpay.event.ContractSuspended"`, func(r *Record) { r.Topic = "billing.events.v1" }},
		"unknown topic":             {"no document describes the topic", func(r *Record) { r.Topic = "contract.log.v1" }},
		"no key":                    {"the record has no key", func(r *Record) { r.Key = nil }},
		"key of another contract":   {`key "CTR-8", but contractRef is CTR-7`, func(r *Record) { r.Key = []byte("CTR-8") }},
		"tombstone":                 {"a tombstone", func(r *Record) { r.Value = nil }},
		"empty value":               {"magic byte", func(r *Record) { r.Value = []byte{} }},
		"no magic byte":             {"magic byte", func(r *Record) { r.Value[0] = 1 }},
		"unknown schema id":         {"schema id 200: schema not found", func(r *Record) { r.Value[4] = 200 }},
		"schema of another message": {"is not the contract's schema of ContractSuspended", func(r *Record) { r.Value[4]++ }},
		"cut short":                 {"payload: ", func(r *Record) { r.Value = r.Value[:len(r.Value)-1] }},
		"trailing bytes":            {"1 bytes follow the payload", func(r *Record) { r.Value = append(r.Value, 0) }},
		"type of another":           {"is not the contract's schema of ContractTerminated", setHeader("ce_type", "deferpay.event.ContractTerminated")},
		"unknown type":              {"no message with ce_type", setHeader("ce_type", "deferpay.event.Nothing")},
		"no id":                     {"missing property 'ce_id'", func(r *Record) { r.Headers = r.Headers[1:] }},
		"version of CloudEvents":    {"headers: ", setHeader("ce_specversion", "0.3")},
		"another subject":           {"ce_subject is CTR-8, the key CTR-7", setHeader("ce_subject", "CTR-8")},
		"another time":              {"ce_time is 2026-11-12T09:30:01Z", setHeader("ce_time", "2026-11-12T09:30:01Z")},
		"no time":                   {"ce_time is yesterday", setHeader("ce_time", "yesterday")},
	} {
		ev, reg, records := examples(t)
		r := records["ContractSuspended"]
		tt.plant(&r)
		if _, violations := ev.Judge(t.Context(), reg, r); !strings.Contains(strings.Join(violations, "; "), tt.says) {
			t.Errorf("%s: %q, want %q", name, violations, tt.says)
		}
	}
}

func TestVersionOutOfOrder(t *testing.T) {
	ev, reg, records := examples(t)
	judge := func(name string) []string {
		_, violations := ev.Judge(t.Context(), reg, records[name])
		return violations
	}
	// the last one is published again
	for _, name := range []string{"ContractSuspended", "ContractReinstated", "ContractSuspended"} {
		if v := judge(name); len(v) > 0 {
			t.Errorf("%s: %v", name, v)
		}
	}
	if v := judge("MandateSigned"); len(v) != 1 || v[0] != "version 2 of CTR-7 comes after version 6" {
		t.Errorf("version 2 after version 6: %v", v)
	}
}

func TestSameIDOtherValue(t *testing.T) {
	ev, reg, records := examples(t)
	first, second := records["ContractSuspended"], records["ContractReinstated"]
	second.Headers[0] = first.Headers[0]
	for range 2 { // publishing twice is allowed
		if _, v := ev.Judge(t.Context(), reg, first); len(v) > 0 {
			t.Fatal(v)
		}
	}
	if _, v := ev.Judge(t.Context(), reg, second); len(v) == 0 {
		t.Error("not caught")
	}
}

func TestValuesBeyondSchema(t *testing.T) {
	for where, spoil := range map[string]func(payload, contract map[string]any){
		"ContractSuspended.contract.status":           func(_, c map[string]any) { c["status"] = "UNKNOWN" },
		"ContractSuspended.contract.customerRef":      func(_, c map[string]any) { c["customerRef"] = "" },
		"ContractSuspended.contract.subscriptionRef":  func(_, c map[string]any) { c["subscriptionRef"] = "CTR-7" },
		"ContractSuspended.contract.ceiling.currency": func(_, c map[string]any) { c["ceiling"].(map[string]any)["currency"] = "euro" },
	} {
		ev, reg, records := examples(t)
		r := records["ContractSuspended"]
		m := ev.channels[r.Topic].messages[3]
		var payload map[string]any
		if _, err := m.schema.Decode(r.Value[5:], &payload); err != nil {
			t.Fatal(err)
		}
		spoil(payload, payload["contract"].(map[string]any))
		body, err := m.schema.Encode(payload)
		if err != nil {
			t.Fatal(err)
		}
		r.Value = append(r.Value[:5:5], body...)
		if _, v := ev.Judge(t.Context(), reg, r); len(v) != 1 || !strings.Contains(v[0], where+" ") {
			t.Errorf("%s: not caught: %v", where, v)
		}
	}
}

func TestOtherLogicalType(t *testing.T) {
	ev, reg, records := examples(t)
	r := records["ContractSuspended"]
	id := int(r.Value[4])
	reg.texts[id] = strings.Replace(reg.texts[id], `"timestamp-micros"`, `"timestamp-millis"`, 1)
	if _, v := ev.Judge(t.Context(), reg, r); len(v) != 1 {
		t.Errorf("not caught: %v", v)
	}
}

func TestSameSchemaOtherText(t *testing.T) {
	a := `{"type":"record","name":"A","namespace":"x","fields":[{"name":"b","type":{"type":"enum","name":"B","symbols":["S"]}},{"name":"c","type":["null","B"]}]}`
	b := `{"name":"x.A","fields":[{"type":{"name":"x.B","symbols":["S"],"type":"enum"},"name":"b"},{"name":"c","type":["null","x.B"]}],"type":"record"}`
	if !sameJSON(a, b) {
		t.Error("two texts of one schema differ")
	}
	if sameJSON(a, strings.Replace(b, `"S"`, `"T"`, 1)) {
		t.Error("schemas with different symbols are equal")
	}
}

// fromExample converts an example to the values that the codec encodes. In examples, bytes are
// base64 and instants are RFC 3339.
func fromExample(s shape, n *avro.SchemaNode, v specfile.Value) (any, error) {
	n = s.resolve(n)
	switch {
	case !v.Ok() || v.Text() == "null":
		return nil, nil
	case n.Type == "union":
		for i := range n.Branches {
			if n.Branches[i].Type != "null" {
				return fromExample(s, &n.Branches[i], v)
			}
		}
	case n.Type == "record":
		out := map[string]any{}
		for i := range n.Fields {
			f, err := fromExample(s, &n.Fields[i].Type, v.Get(n.Fields[i].Name))
			if err != nil {
				return nil, err
			}
			out[n.Fields[i].Name] = f
		}
		return out, nil
	case n.Type == "array":
		out := []any{}
		for _, it := range v.Items() {
			x, err := fromExample(s, n.Items, it)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	case n.Type == "bytes":
		var b []byte
		err := json.Unmarshal(v.Node.JSON(), &b)
		return b, err
	case n.LogicalType == "timestamp-micros":
		return time.Parse(time.RFC3339Nano, v.Str())
	case n.Type == "long", n.Type == "int":
		i, _ := v.Node.Int()
		return i, nil
	}
	return v.Str(), nil
}
