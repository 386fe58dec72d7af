package judge

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/specfile"
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

// Registry is the part of a schema registry that the judge uses: the schema of an id, and the
// subjects under which it is registered.
type Registry interface {
	SchemaTextByID(ctx context.Context, id int) (string, error)
	SubjectsByID(ctx context.Context, id int) ([]string, error)
}

// Events checks records against AsyncAPI documents.
type Events struct {
	channels map[string]*channel // by topic
	order    []string            // topics, in the order of the documents
	// values by ce_id: an event that is published twice must be the same
	seen map[string][]byte
	// the highest version by topic and key: a fact is published once its predecessors are
	versions map[[2]string]int64
}

type channel struct {
	topic    string
	messages []*message
}

type message struct {
	name     string
	full     string // full name of the Avro record, which is its ce_type
	schema   *avro.Schema
	text     string // the schema as compact JSON
	headers  *jsonschema.Schema
	key      *jsonschema.Schema
	keyField string
}

// LoadEvents reads AsyncAPI documents. It knows the channels that a document sends to.
func LoadEvents(files ...string) (*Events, error) {
	ev := &Events{channels: map[string]*channel{}, seen: map[string][]byte{}, versions: map[[2]string]int64{}}
	set := specfile.NewSet()
	for _, file := range files {
		root, err := set.Open(file)
		if err != nil {
			return nil, err
		}
		for _, op := range root.Get("operations").Members() {
			if op.Get("action").Str() != "send" {
				continue
			}
			ch, err := loadChannel(op.Get("channel"))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			ev.channels[ch.topic] = ch
			ev.order = append(ev.order, ch.topic)
		}
	}
	return ev, nil
}

func loadChannel(v specfile.Value) (*channel, error) {
	ch := &channel{topic: v.Get("address").Str()}
	if t := v.Get("bindings", "kafka", "topic").Str(); t != "" {
		ch.topic = t
	}
	for _, m := range specfile.Messages(v) {
		loaded, err := loadMessage(m)
		if err != nil {
			return nil, fmt.Errorf("message %s: %w", m.Name, err)
		}
		ch.messages = append(ch.messages, loaded)
	}
	return ch, nil
}

func loadMessage(m specfile.Message) (*message, error) {
	schema, format := m.Payload()
	if !specfile.IsAvro(format) {
		return nil, fmt.Errorf("only Avro payloads can be judged, not %q", format)
	}
	if enc := m.Lookup("bindings", "kafka", "schemaIdPayloadEncoding").Str(); enc != "confluent" {
		return nil, fmt.Errorf("only Confluent framing can be judged, not %q", enc)
	}
	text, err := specfile.AvroText(schema)
	if err != nil {
		return nil, err
	}
	parsed, err := avro.Parse(text)
	if err != nil {
		return nil, err
	}
	node := parsed.Root()
	out := &message{name: m.Name, full: node.Namespace + "." + node.Name, schema: parsed, text: text}
	if out.headers, err = compileAlone(m.Lookup("headers")); err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	key := m.Lookup("bindings", "kafka", "key")
	if out.key, err = compileAlone(key); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	out.keyField = key.Get("x-key-field").Str()
	return out, nil
}

// compileAlone compiles a schema without external references. It returns nil if v is absent.
func compileAlone(v specfile.Value) (*jsonschema.Schema, error) {
	if !v.Ok() {
		return nil, nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.Node.JSON()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	if err := c.AddResource(schemaURL, value); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

// Topics returns the topics of the documents.
func (ev *Events) Topics() []string { return slices.Clone(ev.order) }

// Messages returns the messages of a topic, in the order of the contract.
func (ev *Events) Messages(topic string) []string {
	var out []string
	for _, m := range ev.channels[topic].messages {
		out = append(out, m.name)
	}
	return out
}

// Judge returns the name of a record's message and its violations of the contract.
func (ev *Events) Judge(ctx context.Context, reg Registry, r Record) (name string, violations []string) {
	ch, ok := ev.channels[r.Topic]
	if !ok {
		return "", []string{"no document describes the topic"}
	}
	headers := map[string]any{}
	for _, h := range r.Headers {
		headers[h.Name] = string(h.Value)
	}
	ceType, _ := headers["ce_type"].(string)
	i := slices.IndexFunc(ch.messages, func(m *message) bool { return m.full == ceType })
	if i < 0 {
		return "", []string{fmt.Sprintf("the channel has no message with ce_type %q", ceType)}
	}
	m := ch.messages[i]
	if m.headers != nil {
		if err := m.headers.Validate(headers); err != nil {
			violations = append(violations, "headers: "+oneLine(err))
		}
	}
	payload, faults := m.decode(ctx, reg, r)
	violations = append(violations, faults...)
	if payload != nil {
		violations = append(violations, m.judgeKey(r, payload)...)
		violations = append(violations, judgeEnvelope(headers, string(r.Key), payload)...)
		violations = append(violations, shapeOf(m.schema.Root()).wrongValues(m.schema.Root(), payload, m.name)...)
	}
	id, _ := headers["ce_id"].(string)
	return m.name, append(violations, ev.judgeHistory(r, id, payload)...)
}

// judgeHistory compares a record with those before it. An event may be published again, as it was.
func (ev *Events) judgeHistory(r Record, id string, payload map[string]any) (violations []string) {
	before, again := ev.seen[id]
	if again && !bytes.Equal(before, r.Value) {
		violations = append(violations, fmt.Sprintf("ce_id %s is on two records with different values", id))
	}
	ev.seen[id] = r.Value
	version, versioned := payload["version"].(int64)
	if again || !versioned {
		return violations
	}
	of := [2]string{r.Topic, string(r.Key)}
	if last := ev.versions[of]; version <= last {
		violations = append(violations, fmt.Sprintf("version %d of %s comes after version %d", version, r.Key, last))
	}
	ev.versions[of] = max(ev.versions[of], version)
	return violations
}

// decode checks that the frame has the id of the contract's schema and decodes the payload with it.
func (m *message) decode(ctx context.Context, reg Registry, r Record) (map[string]any, []string) {
	if r.Value == nil {
		return nil, []string{"the value is null: a tombstone"}
	}
	if len(r.Value) < 5 || r.Value[0] != 0 {
		return nil, []string{"the value does not start with magic byte 0 and a schema id"}
	}
	violations := m.judgeSchema(ctx, reg, r.Topic, int(binary.BigEndian.Uint32(r.Value[1:5])))
	var payload map[string]any
	rest, err := m.schema.Decode(r.Value[5:], &payload)
	if err != nil {
		return nil, append(violations, "payload: "+oneLine(err))
	}
	if len(rest) > 0 {
		violations = append(violations, fmt.Sprintf("%d bytes follow the payload", len(rest)))
	}
	return payload, violations
}

func (m *message) judgeSchema(ctx context.Context, reg Registry, topic string, id int) []string {
	text, err := reg.SchemaTextByID(ctx, id)
	if err != nil {
		return []string{fmt.Sprintf("schema id %d: %v", id, err)}
	}
	var out []string
	if !sameJSON(text, m.text) {
		out = append(out, fmt.Sprintf("schema id %d is not the contract's schema of %s", id, m.name))
	}
	subject := topic + "-" + m.full
	subjects, err := reg.SubjectsByID(ctx, id)
	if err != nil {
		return append(out, fmt.Sprintf("subjects of schema id %d: %v", id, err))
	}
	if !slices.Contains(subjects, subject) {
		out = append(out, fmt.Sprintf("schema id %d is registered under %v, not under %s", id, subjects, subject))
	}
	return out
}

func (m *message) judgeKey(r Record, payload map[string]any) []string {
	if m.key == nil {
		return nil
	}
	if r.Key == nil {
		return []string{"the record has no key"}
	}
	key := string(r.Key)
	if err := m.key.Validate(key); err != nil {
		return []string{"key: " + oneLine(err)}
	}
	if m.keyField != "" && payload[m.keyField] != key {
		return []string{fmt.Sprintf("key %q, but %s is %v", key, m.keyField, payload[m.keyField])}
	}
	return nil
}

// judgeEnvelope compares what the headers, the key and the payload say of the same thing.
func judgeEnvelope(headers map[string]any, key string, payload map[string]any) []string {
	var out []string
	if headers["ce_subject"] != key {
		out = append(out, fmt.Sprintf("ce_subject is %v, the key %s", headers["ce_subject"], key))
	}
	text, _ := headers["ce_time"].(string)
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

// shape has the named types of a schema by name. In the tree a type is defined once and referred to
// by name afterwards.
type shape map[string]*avro.SchemaNode

func shapeOf(n *avro.SchemaNode) shape {
	s := shape{}
	s.collect(n)
	return s
}

func (s shape) collect(n *avro.SchemaNode) {
	if n == nil {
		return
	}
	if n.Name != "" {
		s[n.Namespace+"."+n.Name] = n
	}
	for i := range n.Fields {
		s.collect(&n.Fields[i].Type)
	}
	for i := range n.Branches {
		s.collect(&n.Branches[i])
	}
	s.collect(n.Items)
	s.collect(n.Values)
}

func (s shape) resolve(n *avro.SchemaNode) *avro.SchemaNode {
	if n == nil {
		return nil
	}
	if named, ok := s[n.Type]; ok {
		return named
	}
	return n
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
func (s shape) wrongValues(n *avro.SchemaNode, value any, path string) []string {
	var out []string
	n = s.resolve(n)
	if n == nil || value == nil {
		return nil
	}
	switch n.Type {
	case "record":
		fields, _ := value.(map[string]any)
		for i := range n.Fields {
			f := &n.Fields[i]
			if text, ok := fields[f.Name].(string); ok {
				if wrong := wrongForm(f.Name, text); wrong != "" {
					out = append(out, path+"."+f.Name+" "+wrong)
				}
			}
			out = append(out, s.wrongValues(&f.Type, fields[f.Name], path+"."+f.Name)...)
		}
	case "array":
		items, _ := value.([]any)
		for i, it := range items {
			out = append(out, s.wrongValues(n.Items, it, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case "union":
		for i := range n.Branches {
			out = append(out, s.wrongValues(&n.Branches[i], value, path)...)
		}
	case "enum":
		if value == "UNKNOWN" {
			out = append(out, path+" was written as UNKNOWN")
		}
	}
	return out
}

// sameJSON reports whether two schemas are equal apart from the order of members and the form of
// names.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	nx, err1 := json.Marshal(inFull(x, ""))
	ny, err2 := json.Marshal(inFull(y, ""))
	return err1 == nil && err2 == nil && bytes.Equal(nx, ny)
}

// inFull replaces the names of a schema by full names.
func inFull(v any, namespace string) any {
	switch t := v.(type) {
	case string:
		return t
	case []any:
		out := make([]any, len(t))
		for i, it := range t {
			out[i] = typeName(it, namespace)
		}
		return out
	case map[string]any:
		return fullNames(t, namespace)
	}
	return v
}

func fullNames(t map[string]any, namespace string) map[string]any {
	out := map[string]any{}
	for k, v := range t {
		out[k] = v
	}
	if name, ok := t["name"].(string); ok {
		if kind, _ := t["type"].(string); kind == "record" || kind == "enum" || kind == "fixed" {
			if ns, ok := t["namespace"].(string); ok {
				namespace = ns
			}
			if i := strings.LastIndex(name, "."); i >= 0 {
				namespace = name[:i]
			} else if namespace != "" {
				name = namespace + "." + name
			}
			out["name"] = name
			delete(out, "namespace")
		}
	}
	for _, k := range []string{"type", "items", "values"} {
		if v, ok := t[k]; ok {
			out[k] = typeName(v, namespace)
		}
	}
	if fields, ok := t["fields"].([]any); ok {
		list := make([]any, len(fields))
		for i, f := range fields {
			list[i] = inFull(f, namespace)
		}
		out["fields"] = list
	}
	return out
}

func typeName(v any, namespace string) any {
	s, ok := v.(string)
	if !ok {
		return inFull(v, namespace)
	}
	switch s {
	case "null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "fixed", "array", "map":
		return s
	}
	if namespace != "" && !strings.Contains(s, ".") {
		return namespace + "." + s
	}
	return s
}
