package judge

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/contracttest/kafkatest"
)

// Events are the AsyncAPI documents of the services, with what the project promises beyond them.
type Events struct {
	*kafkatest.Contract
	topics []string
}

// EventsOf returns anybody's documents, with all of their topics.
func EventsOf(c *kafkatest.Contract) *Events {
	ev := &Events{Contract: c}
	for _, ch := range c.Channels {
		ev.topics = append(ev.topics, ch.Topic)
	}
	return ev
}

// LoadEvents reads AsyncAPI documents. An error is returned if something of them cannot be judged.
// Without files there are no topics.
func LoadEvents(files ...string) (*Events, error) {
	if len(files) == 0 {
		return &Events{Contract: &kafkatest.Contract{}}, nil
	}
	c, err := kafkatest.Load(files)
	if err != nil {
		return nil, err
	}
	if len(c.NotJudged) > 0 {
		return nil, fmt.Errorf("cannot be judged: %s", strings.Join(c.NotJudged, "; "))
	}
	return &Events{Contract: c, topics: c.Sent()}, nil
}

// Rules are what the documents do not declare: identities, versions, the envelope, the forms of
// references.
func Rules() kafkatest.Rules {
	return kafkatest.Rules{ID: "ce_id", Version: "version", Further: further}
}

// Topics returns the topics that the services send to, or all topics of anybody's documents.
func (ev *Events) Topics() []string { return ev.topics }

// Messages returns the messages of a topic, in the order of the contract.
func (ev *Events) Messages(topic string) (names []string) {
	for _, m := range ev.Channel(topic).Messages {
		names = append(names, m.Name)
	}
	return names
}

func further(r kafkatest.Record, m *kafkatest.Message, payload any) []string {
	fields, _ := payload.(map[string]any)
	if fields == nil || m.Full == "" {
		return nil
	}
	return append(judgeEnvelope(r, fields), wrongValues(m, payload)...)
}

// judgeEnvelope compares what the headers, the key and the payload say of the same thing.
func judgeEnvelope(r kafkatest.Record, payload map[string]any) []string {
	var out []string
	if subject := r.Header("ce_subject"); subject != string(r.Key) {
		out = append(out, fmt.Sprintf("ce_subject is %s, the key %s", subject, r.Key))
	}
	text := r.Header("ce_time")
	at, err := time.Parse(time.RFC3339Nano, text)
	if occurred, ok := payload["occurredAt"].(time.Time); ok && (err != nil || !at.Equal(occurred)) {
		out = append(out, fmt.Sprintf("ce_time is %s, occurredAt %s", text, occurred.Format(time.RFC3339Nano)))
	}
	if contract, ok := payload["contract"].(map[string]any); ok {
		for _, field := range []string{"contractRef", "version"} {
			if contract[field] != payload[field] {
				out = append(out, fmt.Sprintf("%s is %v, but %v in the state of the contract", field, payload[field], contract[field]))
			}
		}
	}
	return out
}

// forms are the patterns of text fields by the end of their names. In Avro they are plain strings.
var forms = []struct{ suffix, form string }{
	{"contractRef", `^CTR-[1-9][0-9]*$`},
	{"subscriptionRef", `^SUB-[1-9][0-9]*$`},
	{"operationRef", `^BOP-[1-9][0-9]*-[1-9][0-9]*$`},
	{"invoiceRef", `^BIL-[0-9]{4}-[0-9]{6,}$`},
	{"Ref", `.`},
	{"currency", `^[A-Z]{3}$`},
	{"period", `^[0-9]{4}-(0[1-9]|1[0-2])$`},
}

// wrongForm returns what is wrong with the text of a field, or "".
func wrongForm(field, text string) string {
	for _, f := range forms {
		if strings.HasSuffix(field, f.suffix) {
			if !regexp.MustCompile(f.form).MatchString(text) {
				return fmt.Sprintf("is %q, which does not match %s", text, f.form)
			}
			return ""
		}
	}
	return ""
}

// wrongValues returns what the schema allows and the contract does not: UNKNOWN, which only readers
// use, and references of the wrong form.
func wrongValues(m *kafkatest.Message, payload any) (out []string) {
	m.Walk(payload, func(p kafkatest.Place) {
		text, _ := p.Value.(string)
		switch p.Node.Type {
		case "string":
			if wrong := wrongForm(p.Field, text); wrong != "" {
				out = append(out, p.Path+" "+wrong)
			}
		case "enum":
			if text == "UNKNOWN" {
				out = append(out, p.Path+" was written as UNKNOWN")
			}
		}
	})
	return out
}
