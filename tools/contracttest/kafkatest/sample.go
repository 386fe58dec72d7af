package kafkatest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Sample is what to send. The zero value is the first example of the message, with headers and a
// key as the documents declare them.
type Sample struct {
	Topic   string         // for a channel whose address has parameters
	Payload any            // as examples have it; nil: the first example, or an invented value
	Change  map[string]any // members that replace those of the payload
	Key     string         // empty: the field of x-key-field, or a made-up one
	Headers map[string]string
	Former  *Contract // write with the schema of these documents
}

// Record returns a valid record of a message. Schemas are registered as a producer does.
func (s *Session) Record(ctx context.Context, ch *Channel, m *Message, sample Sample) (Record, error) {
	s.injected++
	r := Record{Topic: cmp.Or(sample.Topic, ch.Topic)}
	fail := func(err error) (Record, error) { return r, fmt.Errorf("a sample of %s: %w", m.Name, err) }
	if ch.pattern != nil && sample.Topic == "" {
		return fail(fmt.Errorf("the address %s has parameters: set Sample.Topic", ch.Topic))
	}
	writer, err := writerOf(ch, m, sample.Former)
	if err != nil {
		return fail(err)
	}
	payload, err := writer.sampled(sample)
	if err != nil {
		return fail(err)
	}
	if r.Value, err = s.encode(ctx, r.Topic, writer, payload); err != nil {
		return fail(err)
	}
	if r.Key, err = s.makeKey(ctx, m, r.Topic, payload, sample.Key); err != nil {
		return fail(err)
	}
	headers, err := s.makeHeaders(writer, string(r.Key), sample.Headers)
	if err != nil {
		return fail(err)
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		r.Headers = append(r.Headers, Header{name, []byte(headers[name])})
	}
	return r, nil
}

// Fresh returns a sample for Hostile that a consumer does not mistake for an earlier message: the
// field that the key repeats and the header that identifies the message have new values, where the
// documents allow them.
func (s *Session) Fresh(m *Message, _ int) Sample {
	s.injected++
	var out Sample
	if field, value := s.freshField(m); value != nil {
		out.Change = map[string]any{field: value}
	}
	id := cmp.Or(s.rules.ID, "ce_id")
	if m.headers == nil && s.rules.ID == "" || m.headers != nil && !m.headers.texts[id].Ok() {
		return out
	}
	given := map[string]string{id: s.unique()}
	if m.headers != nil && m.headers.texts[id].Get("format").Str() == "uuid" {
		given[id] = s.uuid()
	}
	if _, err := s.makeHeaders(m, "", given); err == nil {
		out.Headers = given
	}
	return out
}

// freshField returns the field of the payload that the key repeats, with a value that no other
// sample has. The value is nil if there is none.
func (s *Session) freshField(m *Message) (string, any) {
	if m.key == nil || m.key.json == nil || m.payload == nil {
		return "", nil
	}
	payload, err := m.sampled(Sample{})
	fields, ok := payload.(map[string]any)
	if err != nil || !ok || fields[m.key.field] == nil {
		return "", nil
	}
	former := fields[m.key.field]
	_, isText := former.(string)
	for _, key := range s.freshKeys(text(former)) {
		value := any(key)
		if !isText {
			key = cmp.Or(strings.TrimLeft(key, "0"), "0")
			value = json.Number(key)
		}
		if m.key.json.Validate(m.key.value([]byte(key))) == nil && m.takes(m.key.field, value) {
			return m.key.field, value
		}
	}
	return "", nil
}

// takes reports whether a field of the payload may have a value.
func (m *Message) takes(field string, value any) bool {
	changed, err := m.sampled(Sample{Change: map[string]any{field: value}})
	if err != nil {
		return false
	}
	body, err := m.payload.encode(changed)
	if err != nil {
		return false
	}
	_, _, err = m.payload.decode(body)
	return err == nil
}

var lastDigits = regexp.MustCompile(`^(.*?)([0-9]+)([^0-9]*)$`)

// freshKeys returns new keys in the form of an existing one, longer ones first.
func (s *Session) freshKeys(like string) []string {
	m := lastDigits.FindStringSubmatch(like)
	if m == nil {
		return []string{s.unique()}
	}
	return []string{
		fmt.Sprintf("%s%d%04d%s", m[1], s.run, s.injected, m[3]),
		fmt.Sprintf("%s%0*d%s", m[1], len(m[2]), s.injected, m[3]),
	}
}

// writerOf returns the version of a message to write with.
func writerOf(ch *Channel, m *Message, former *Contract) (*Message, error) {
	if former == nil {
		return m, nil
	}
	if old := former.Channel(ch.Topic); old != nil {
		if w := old.Message(m.Name); w != nil {
			return w, nil
		}
	}
	return nil, errors.New("the former documents do not have the message")
}

func (m *Message) sampled(sample Sample) (any, error) {
	payload := sample.Payload
	if payload == nil && len(m.Examples) > 0 {
		payload = m.Examples[0].Payload
	}
	if c, ok := m.payload.(*avroCodec); ok && payload == nil {
		payload = c.shape.invent(c.schema.Root(), 0)
	}
	if payload == nil {
		return nil, errors.New("the documents have no example: set Sample.Payload")
	}
	if len(sample.Change) == 0 {
		return payload, nil
	}
	members, ok := payload.(map[string]any)
	if !ok {
		return nil, errors.New("Sample.Change is for payloads with members")
	}
	out := maps.Clone(members)
	maps.Copy(out, sample.Change)
	return out, nil
}

// encode returns the value of a record with its frame.
func (s *Session) encode(ctx context.Context, topic string, m *Message, payload any) ([]byte, error) {
	if m.payload == nil {
		return json.Marshal(payload)
	}
	body, err := m.payload.encode(payload)
	if err != nil {
		return nil, err
	}
	if _, _, err := m.payload.decode(body); err != nil {
		return nil, fmt.Errorf("it is not as its schema has it: %s", oneLine(err))
	}
	id := 0
	if m.Framing == Confluent {
		if id, err = s.schemaID(ctx, m.payload, m.subjects(topic)[0]); err != nil {
			return nil, err
		}
	}
	return m.frame(id, body)
}

// schemaID returns the id of a schema under a subject. Avro schemas are registered if they are not
// yet; of JSON Schema the last registered version is taken.
func (s *Session) schemaID(ctx context.Context, c codec, subject string) (int, error) {
	if s.schemas == nil {
		return 0, errors.New("a framed message can be sent with a registry only")
	}
	if a, ok := c.(*avroCodec); ok {
		return s.schemas.register(ctx, subject, a.text)
	}
	return s.schemas.last(ctx, subject)
}

// unique returns a name that no other record has.
func (s *Session) unique() string { return fmt.Sprintf("contracttest-%d-%d", s.run, s.injected) }

func (s *Session) uuid() string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", s.run&0xffffffff, s.injected)
}

func (s *Session) makeKey(ctx context.Context, m *Message, topic string, payload any, key string) ([]byte, error) {
	k := m.key
	switch {
	case key != "":
		return []byte(key), nil
	case k == nil:
		return nil, nil
	case k.avro != nil:
		body, err := k.avro.encode(k.avro.shape.invent(k.avro.schema.Root(), 0))
		if err != nil || m.Framing != Confluent {
			return body, err
		}
		id, err := s.schemaID(ctx, k.avro, topic+"-key")
		if err != nil {
			return nil, err
		}
		return (&Message{Framing: Confluent}).frame(id, body)
	}
	if fields, ok := payload.(map[string]any); ok && fields[k.field] != nil {
		return []byte(text(fields[k.field])), nil
	}
	out := s.unique()
	if slices.Contains(k.kinds, "integer") || slices.Contains(k.kinds, "number") {
		out = strconv.Itoa(s.injected)
	}
	if err := k.json.Validate(k.value([]byte(out))); err != nil {
		return nil, fmt.Errorf("no key could be made up, set Sample.Key: %s", oneLine(err))
	}
	return []byte(out), nil
}

// makeHeaders returns the required headers: as given, as in the example, as the schema has them, or
// as CloudEvents names them.
func (s *Session) makeHeaders(m *Message, key string, given map[string]string) (map[string]string, error) {
	out := map[string]string{}
	if m.headers == nil {
		maps.Copy(out, given)
		return out, nil
	}
	for _, name := range m.headers.needed {
		out[name] = s.makeHeader(m, name, key)
	}
	maps.Copy(out, m.headers.constants())
	if len(m.Examples) > 0 {
		maps.Copy(out, m.Examples[0].Headers)
	}
	maps.Copy(out, given)
	if err := m.headers.validate(out); err != nil {
		return nil, fmt.Errorf("no headers could be made up, set Sample.Headers: %s", oneLine(err))
	}
	return out, nil
}

func (s *Session) makeHeader(m *Message, name, key string) string {
	schema := m.headers.texts[name]
	if first := schema.Get("examples").Items(); len(first) > 0 {
		return first[0].Text()
	}
	if d := schema.Get("default"); d.Ok() {
		return d.Text()
	}
	if e := schema.Get("enum").Items(); len(e) > 0 {
		return e[0].Text()
	}
	switch name {
	case "ce_type":
		return cmp.Or(m.Full, m.Name)
	case "ce_subject":
		return cmp.Or(key, "contracttest")
	}
	switch schema.Get("format").Str() {
	case "date-time":
		return time.Now().UTC().Format(time.RFC3339Nano)
	case "uuid":
		return s.uuid()
	}
	switch schema.Get("type").Str() {
	case "integer", "number":
		return "1"
	case "boolean":
		return "true"
	}
	return s.unique()
}

// Value returns a JSON text as Sample.Payload takes it. It panics if the text is not JSON.
func Value(text string) any {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		panic(err)
	}
	return v
}
