package judge

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/contracttest/kafkatest"
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

// judging is a judge of the records of the services.
type judging struct {
	*Events
	*kafkatest.Judge
}

// judge returns the name of a record's message and its violations.
func (j judging) judge(ctx context.Context, r kafkatest.Record) (string, []string) {
	v := j.Judge.Judge(ctx, r)
	return v.Name(), v.Violations
}

// examples returns a record for the first example of each message.
func examples(t *testing.T) (judging, *registry, map[string]kafkatest.Record) {
	t.Helper()
	ev, err := LoadEvents(eventFiles...)
	if err != nil {
		t.Fatal(err)
	}
	reg := &registry{}
	records := map[string]kafkatest.Record{}
	for _, topic := range ev.Topics() {
		for _, m := range ev.Channel(topic).Messages {
			records[m.Name] = record(t, topic, m, len(reg.texts), m.Examples[0].Payload)
			reg.texts = append(reg.texts, m.Schema())
			reg.subjects = append(reg.subjects, topic+"-"+m.Full)
		}
	}
	return judging{ev, kafkatest.NewJudge(ev.Contract, reg, Rules())}, reg, records
}

// record returns an example in Confluent's framing.
func record(t *testing.T, topic string, m *kafkatest.Message, id int, example any) kafkatest.Record {
	t.Helper()
	body, err := m.Encode(example)
	if err != nil {
		t.Fatalf("%s: %v", m.Name, err)
	}
	key := map[string]string{"contract.facts.v1": "contractRef", "billing.events.v1": "customerRef"}[topic]
	members := example.(map[string]any)
	ref, _ := members[key].(string)
	at, _ := members["occurredAt"].(string)
	return kafkatest.Record{
		Topic: topic, Key: []byte(ref), Value: append([]byte{0, 0, 0, 0, byte(id)}, body...),
		Headers: []kafkatest.Header{
			{Name: "ce_id", Value: []byte("5f0c1a52-0-" + m.Name)}, {Name: "ce_source", Value: []byte("contract")}, {Name: "ce_type", Value: []byte(m.Full)},
			{Name: "ce_specversion", Value: []byte("1.0")}, {Name: "ce_time", Value: []byte(at)}, {Name: "ce_subject", Value: []byte(ref)},
		},
	}
}

func TestExamplesAsRecords(t *testing.T) {
	ev, reg, records := examples(t)
	if len(records) < 17 {
		t.Errorf("only %d messages", len(records))
	}
	for name, r := range records {
		// the examples are not one history
		ev.Judge = kafkatest.NewJudge(ev.Events.Contract, reg, Rules())
		got, violations := ev.judge(t.Context(), r)
		if got != name || len(violations) > 0 {
			t.Errorf("%s: judged as %s: %v", name, got, violations)
		}
	}
}

func TestMutatedRecords(t *testing.T) {
	setHeader := func(name, value string) func(*kafkatest.Record) {
		return func(r *kafkatest.Record) {
			for i, h := range r.Headers {
				if h.Name == name {
					r.Headers[i].Value = []byte(value)
				}
			}
		}
	}
	for name, tt := range map[string]struct {
		says  string
		plant func(*kafkatest.Record)
	}{
		"another topic":             {`no message with ce_type "deferpay.event.ContractSuspended"`, func(r *kafkatest.Record) { r.Topic = "billing.events.v1" }},
		"unknown topic":             {"no document describes the topic", func(r *kafkatest.Record) { r.Topic = "contract.log.v1" }},
		"no key":                    {"the record has no key", func(r *kafkatest.Record) { r.Key = nil }},
		"key of another contract":   {`key "CTR-8", but contractRef is CTR-7`, func(r *kafkatest.Record) { r.Key = []byte("CTR-8") }},
		"tombstone":                 {"a tombstone", func(r *kafkatest.Record) { r.Value = nil }},
		"empty value":               {"magic byte", func(r *kafkatest.Record) { r.Value = []byte{} }},
		"no magic byte":             {"magic byte", func(r *kafkatest.Record) { r.Value[0] = 1 }},
		"unknown schema id":         {"schema id 200: schema not found", func(r *kafkatest.Record) { r.Value[4] = 200 }},
		"schema of another message": {"is not the contract's schema of ContractSuspended", func(r *kafkatest.Record) { r.Value[4]++ }},
		"cut short":                 {"payload: ", func(r *kafkatest.Record) { r.Value = r.Value[:len(r.Value)-1] }},
		"trailing bytes":            {"1 bytes follow the payload", func(r *kafkatest.Record) { r.Value = append(r.Value, 0) }},
		"type of another":           {"is not the contract's schema of ContractTerminated", setHeader("ce_type", "deferpay.event.ContractTerminated")},
		"unknown type":              {"no message with ce_type", setHeader("ce_type", "deferpay.event.Nothing")},
		"no id":                     {"missing property 'ce_id'", func(r *kafkatest.Record) { r.Headers = r.Headers[1:] }},
		"version of CloudEvents":    {"headers: ", setHeader("ce_specversion", "0.3")},
		"another subject":           {"ce_subject is CTR-8, the key CTR-7", setHeader("ce_subject", "CTR-8")},
		"another time":              {"ce_time is 2026-11-12T09:30:01Z", setHeader("ce_time", "2026-11-12T09:30:01Z")},
		"no time":                   {"ce_time is yesterday", setHeader("ce_time", "yesterday")},
	} {
		ev, _, records := examples(t)
		r := records["ContractSuspended"]
		tt.plant(&r)
		if _, violations := ev.judge(t.Context(), r); !strings.Contains(strings.Join(violations, "; "), tt.says) {
			t.Errorf("%s: %q, want %q", name, violations, tt.says)
		}
	}
}

func TestVersionOutOfOrder(t *testing.T) {
	ev, _, records := examples(t)
	judge := func(name string) []string {
		_, violations := ev.judge(t.Context(), records[name])
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
	ev, _, records := examples(t)
	first, second := records["ContractSuspended"], records["ContractReinstated"]
	second.Headers[0] = first.Headers[0]
	for range 2 { // publishing twice is allowed
		if _, v := ev.judge(t.Context(), first); len(v) > 0 {
			t.Fatal(v)
		}
	}
	if _, v := ev.judge(t.Context(), second); len(v) == 0 {
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
		ev, _, records := examples(t)
		r := records["ContractSuspended"]
		m := ev.Channel(r.Topic).Message("ContractSuspended")
		payload, err := m.Decode(r.Value[5:])
		if err != nil {
			t.Fatal(err)
		}
		members := payload.(map[string]any)
		spoil(members, members["contract"].(map[string]any))
		body, err := m.Encode(payload)
		if err != nil {
			t.Fatal(err)
		}
		r.Value = append(r.Value[:5:5], body...)
		if _, v := ev.judge(t.Context(), r); len(v) != 1 || !strings.Contains(v[0], where+" ") {
			t.Errorf("%s: not caught: %v", where, v)
		}
	}
}

func TestOtherLogicalType(t *testing.T) {
	ev, reg, records := examples(t)
	r := records["ContractSuspended"]
	id := int(r.Value[4])
	reg.texts[id] = strings.Replace(reg.texts[id], `"timestamp-micros"`, `"timestamp-millis"`, 1)
	if _, v := ev.judge(t.Context(), r); len(v) != 1 {
		t.Errorf("not caught: %v", v)
	}
}
