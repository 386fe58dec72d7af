package kafkatest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// Record is one Kafka record as a foreign consumer reads it.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte // nil without a key
	Value     []byte // nil for a tombstone
	Headers   []Header
}

// Header is one header of a record; names may repeat.
type Header struct {
	Name  string
	Value []byte
}

// Header returns the last value of a header, "" if there is none.
func (r Record) Header(name string) string { return r.headers()[name] }

func (r Record) headers() map[string]string {
	out := map[string]string{}
	for _, h := range r.Headers {
		out[h.Name] = string(h.Value)
	}
	return out
}

// Registry is the part of a schema registry that the judge uses: the schema of an id, and the
// subjects under which it is registered.
type Registry interface {
	SchemaTextByID(ctx context.Context, id int) (string, error)
	SubjectsByID(ctx context.Context, id int) ([]string, error)
}

// Rules are what AsyncAPI documents do not declare. The zero value has none.
type Rules struct {
	// Type is the header that has the full name of the Avro record or the name of the message. It
	// is ce_type if it is empty and a record has such a header.
	Type string
	// ID is the header that identifies a message. A message that is published twice has to be the
	// same.
	ID string
	// Version is the field of the payload that grows with every message of a key.
	Version string
	// Former are released documents. A record may be written with a schema of theirs.
	Former []*Contract
	// Further returns further violations of a record.
	Further func(r Record, m *Message, payload any) []string
}

// Verdict is what a record is by the documents.
type Verdict struct {
	Record     Record
	Message    *Message // nil: the record is of no message
	Payload    any      // nil: it could not be decoded, or there is none
	Violations []string
}

// Name returns the name of the message, "" if it is not known.
func (v Verdict) Name() string {
	if v.Message == nil {
		return ""
	}
	return v.Message.Name
}

// Judge checks records against documents. It remembers the records before.
type Judge struct {
	contract *Contract
	registry Registry // nil: none
	rules    Rules

	seen       map[string][]byte     // values by id
	versions   map[[2]string]int64   // the highest version by topic and key
	partitions map[[2]string]int32   // by topic and key
	aliases    map[string]*Operation // requests by the topics that they name for the reply
}

// NewJudge returns a judge. The registry may be nil.
func NewJudge(c *Contract, registry Registry, rules Rules) *Judge {
	return &Judge{contract: c, registry: registry, rules: rules, seen: map[string][]byte{}, versions: map[[2]string]int64{},
		partitions: map[[2]string]int32{}, aliases: map[string]*Operation{}}
}

// Contract returns the documents.
func (j *Judge) Contract() *Contract { return j.contract }

const noKey = "the record has no key"

// Judge returns what a record is.
func (j *Judge) Judge(ctx context.Context, r Record) Verdict {
	v := Verdict{Record: r}
	messages, compacted, ok := j.channel(r.Topic)
	if !ok {
		v.Violations = []string{"no document describes the topic"}
		return v
	}
	if r.Value == nil && compacted && j.typeOf(r) == "" {
		return v // a tombstone, which removes a key
	}
	v.Message = j.find(ctx, messages, r)
	if v.Message == nil {
		v.Violations = []string{j.stranger(r)}
		return v
	}
	m := v.Message
	if err := m.headers.validate(r.headers()); err != nil {
		v.Violations = append(v.Violations, "headers: "+oneLine(err))
	}
	var faults []string
	v.Payload, faults = j.payload(ctx, m, r)
	v.Violations = append(v.Violations, faults...)
	v.Violations = append(v.Violations, j.key(ctx, m, r, v.Payload)...)
	if j.rules.Further != nil && v.Payload != nil {
		v.Violations = append(v.Violations, j.rules.Further(r, m, v.Payload)...)
	}
	v.Violations = append(v.Violations, j.history(r, v.Payload)...)
	return v
}

func (j *Judge) channel(topic string) (messages []*Message, compacted, ok bool) {
	if op := j.aliases[topic]; op != nil {
		return op.Reply.Messages, false, true
	}
	ch := j.contract.Channel(topic)
	if ch == nil {
		return nil, false, false
	}
	return ch.Messages, ch.Compacted, true
}

// typeOf returns what a record's header says that it is, "" if it says nothing.
func (j *Judge) typeOf(r Record) string {
	if j.rules.Type != "" {
		return r.Header(j.rules.Type)
	}
	return r.Header("ce_type")
}

func (j *Judge) stranger(r Record) string {
	if kind := j.typeOf(r); kind != "" || len(r.Value) == 0 {
		return fmt.Sprintf("the channel has no message with ce_type %q", kind)
	}
	return "the record is none of the messages of the channel"
}

// only returns the message of a record if its headers or the documents leave one alone.
func (j *Judge) only(messages []*Message, r Record) *Message {
	if kind := j.typeOf(r); kind != "" {
		for _, m := range messages {
			if m.Full == kind || m.Name == kind {
				return m
			}
		}
		if j.named(messages) {
			return nil
		}
	}
	fit := slices.DeleteFunc(slices.Clone(messages), func(m *Message) bool {
		for name, value := range m.headers.constants() {
			if got := r.Header(name); got != "" && got != value && len(messages) > 1 {
				return true
			}
		}
		return false
	})
	if len(fit) == 1 {
		return fit[0]
	}
	return nil
}

// named reports whether the type header is declared, so that a record has to be of a known type.
func (j *Judge) named(messages []*Message) bool {
	name := j.rules.Type
	if name == "" {
		name = "ce_type"
	}
	return slices.ContainsFunc(messages, func(m *Message) bool { return m.headers != nil && slices.Contains(m.headers.names, name) })
}

// find returns the message of a record: by its type header, by constant headers, by the schema of
// its frame, and else the first one whose schema takes the payload.
func (j *Judge) find(ctx context.Context, messages []*Message, r Record) *Message {
	if m := j.only(messages, r); m != nil {
		return m
	}
	if j.typeOf(r) != "" && j.named(messages) {
		return nil
	}
	if id, ok := frameID(r.Value); ok && j.registry != nil {
		if text, err := j.registry.SchemaTextByID(ctx, id); err == nil {
			if c, err := parseAvro(text); err == nil {
				if i := slices.IndexFunc(messages, func(m *Message) bool { return m.Full == c.full }); i >= 0 {
					return messages[i]
				}
				return nil
			}
		}
	}
	for _, m := range messages {
		body, err := m.unframed(r.Value)
		if err != nil || m.payload == nil {
			continue
		}
		if _, rest, err := m.payload.decode(body); err == nil && rest == 0 {
			return m
		}
	}
	return nil
}

// frameID returns the schema id of a value in Confluent's framing.
func frameID(value []byte) (int, bool) {
	if len(value) < 5 || value[0] != 0 {
		return 0, false
	}
	return int(binary.BigEndian.Uint32(value[1:5])), true
}

// unframed returns the payload of a value.
func (m *Message) unframed(value []byte) ([]byte, error) {
	switch m.Framing {
	case Confluent:
		if _, ok := frameID(value); !ok {
			return nil, fmt.Errorf("the value does not start with magic byte 0 and a schema id")
		}
		return value[5:], nil
	case SingleObject:
		if len(value) < 10 || value[0] != 0xc3 || value[1] != 0x01 {
			return nil, fmt.Errorf("the value does not start with c3 01 and a fingerprint")
		}
		if c, ok := m.payload.(*avroCodec); ok && !bytes.Equal(value[2:10], c.fingerprint()) {
			return nil, fmt.Errorf("the fingerprint %x is not that of %s", value[2:10], m.Name)
		}
		return value[10:], nil
	}
	return value, nil
}

// payload checks the frame of a record and decodes its payload.
func (j *Judge) payload(ctx context.Context, m *Message, r Record) (any, []string) {
	if m.payload == nil {
		return nil, nil
	}
	if r.Value == nil {
		return nil, []string{"the value is null: a tombstone"}
	}
	body, err := m.unframed(r.Value)
	if err != nil {
		return nil, []string{err.Error()}
	}
	var violations []string
	with := m.payload
	if id, ok := frameID(r.Value); ok && m.Framing == Confluent && j.registry != nil {
		with, violations = j.schema(ctx, m, r.Topic, id)
	}
	value, rest, err := with.decode(body)
	if err != nil {
		return nil, append(violations, "payload: "+oneLine(err))
	}
	if rest > 0 {
		violations = append(violations, fmt.Sprintf("%d bytes follow the payload", rest))
	}
	return value, violations
}

// schema checks that a schema id is of the message and registered under its subject. It returns the
// codec to decode with: that of a former version if the id is of one.
func (j *Judge) schema(ctx context.Context, m *Message, topic string, id int) (codec, []string) {
	text, err := j.registry.SchemaTextByID(ctx, id)
	if err != nil {
		return m.payload, []string{fmt.Sprintf("schema id %d: %v", id, err)}
	}
	with, out := m.payload, []string(nil)
	if own, ok := m.payload.(*avroCodec); ok && !sameJSON(text, own.text) {
		former := j.former(m, topic, text)
		if former == nil {
			out = append(out, fmt.Sprintf("schema id %d is not the contract's schema of %s", id, m.Name))
		} else {
			with = former
		}
	}
	subjects, err := j.registry.SubjectsByID(ctx, id)
	if err != nil {
		return with, append(out, fmt.Sprintf("subjects of schema id %d: %v", id, err))
	}
	allowed := m.subjects(topic)
	if !slices.ContainsFunc(subjects, func(s string) bool { return slices.Contains(allowed, s) }) {
		out = append(out, fmt.Sprintf("schema id %d is registered under %v, not under %s", id, subjects, strings.Join(allowed, " or ")))
	}
	return with, out
}

// former returns the codec of a released version of a message that has a schema, nil if none has.
func (j *Judge) former(m *Message, topic, text string) *avroCodec {
	for _, c := range j.rules.Former {
		ch := c.Channel(topic)
		if ch == nil {
			continue
		}
		for _, old := range ch.Messages {
			if codec, ok := old.payload.(*avroCodec); ok && (old.Name == m.Name || old.Full == m.Full) && sameJSON(text, codec.text) {
				return codec
			}
		}
	}
	return nil
}

// subjects returns the subjects under which the schema of a message may be registered: the one of
// its strategy, or any of the usual ones if it declares none.
func (m *Message) subjects(topic string) []string {
	byTopic, byRecord, byBoth := topic+"-value", m.Full, topic+"-"+m.Full
	switch m.Strategy {
	case "TopicNameStrategy", "TopicIdStrategy", "SimpleTopicIdStrategy":
		return []string{byTopic}
	case "RecordNameStrategy", "RecordIdStrategy":
		return []string{byRecord}
	case "TopicRecordNameStrategy", "TopicRecordIdStrategy":
		return []string{byBoth}
	}
	if m.Full == "" {
		return []string{byTopic}
	}
	return []string{byTopic, byRecord, byBoth}
}

func (j *Judge) key(ctx context.Context, m *Message, r Record, payload any) []string {
	k := m.key
	if k == nil {
		return nil
	}
	if r.Key == nil {
		return []string{noKey}
	}
	if k.avro != nil {
		return j.avroKey(ctx, m, r)
	}
	if err := k.json.Validate(k.value(r.Key)); err != nil {
		return []string{"key: " + oneLine(err)}
	}
	fields, _ := payload.(map[string]any)
	if k.field != "" && fields != nil && !sameValue(fields[k.field], string(r.Key)) {
		return []string{fmt.Sprintf("key %q, but %s is %v", r.Key, k.field, fields[k.field])}
	}
	return nil
}

func (j *Judge) avroKey(ctx context.Context, m *Message, r Record) (out []string) {
	body := r.Key
	if m.Framing == Confluent {
		id, ok := frameID(r.Key)
		if !ok {
			return []string{"the key does not start with magic byte 0 and a schema id"}
		}
		body = r.Key[5:]
		if j.registry != nil {
			if text, err := j.registry.SchemaTextByID(ctx, id); err != nil {
				out = append(out, fmt.Sprintf("schema id %d of the key: %v", id, err))
			} else if !sameJSON(text, m.key.avro.text) {
				out = append(out, fmt.Sprintf("schema id %d is not the contract's schema of the key", id))
			}
		}
	}
	if _, rest, err := m.key.avro.decode(body); err != nil || rest > 0 {
		out = append(out, fmt.Sprintf("the key is not as its schema has it: %v, %d bytes follow", err, rest))
	}
	return out
}

// history compares a record with those before it. A message may be published again, as it was. The
// records of a key are on one partition.
func (j *Judge) history(r Record, payload any) (violations []string) {
	of := [2]string{r.Topic, string(r.Key)}
	if r.Key != nil {
		if before, ok := j.partitions[of]; ok && before != r.Partition {
			violations = append(violations, fmt.Sprintf("the key %q is on the partitions %d and %d", r.Key, before, r.Partition))
		}
		j.partitions[of] = r.Partition
	}
	if id := r.Header(j.rules.ID); j.rules.ID != "" && id != "" {
		before, again := j.seen[id]
		if again && !bytes.Equal(before, r.Value) {
			violations = append(violations, fmt.Sprintf("%s %s is on two records with different values", j.rules.ID, id))
		}
		j.seen[id] = r.Value
		if again {
			return violations
		}
	}
	version, ok := number(payload, j.rules.Version)
	if !ok {
		return violations
	}
	if last, known := j.versions[of]; known && version <= last {
		violations = append(violations, fmt.Sprintf("version %d of %s comes after version %d", version, r.Key, last))
	}
	j.versions[of] = max(j.versions[of], version)
	return violations
}

// number returns the integer in a member of a payload.
func number(payload any, member string) (int64, bool) {
	fields, _ := payload.(map[string]any)
	switch v := fields[member].(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case interface{ Int64() (int64, error) }:
		n, err := v.Int64()
		return n, err == nil
	}
	return 0, false
}
