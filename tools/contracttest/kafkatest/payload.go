package kafkatest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/specfile"
)

// Framing is what is before a payload in the value of a record.
type Framing string

// The framings.
const (
	Bare         Framing = "none"
	Confluent    Framing = "confluent"          // 0, and the schema id in four bytes
	SingleObject Framing = "avro-single-object" // c3 01, and the fingerprint of the schema
)

// codec encodes and decodes payloads without their frame.
type codec interface {
	encode(value any) ([]byte, error)
	// decode returns an error if the payload is not valid. What follows it is in rest.
	decode(data []byte) (value any, rest int, err error)
}

type avroCodec struct {
	schema *avro.Schema
	text   string // self-contained
	full   string // full name of the type; for a type without a name, what it is
	shape  shape
}

func newAvroCodec(v specfile.Value) (*avroCodec, error) {
	text, err := specfile.AvroText(v)
	if err != nil {
		return nil, err
	}
	return parseAvro(text)
}

func parseAvro(text string) (*avroCodec, error) {
	parsed, err := avro.Parse(text)
	if err != nil {
		return nil, err
	}
	root := parsed.Root()
	full := root.Type
	if root.Name != "" {
		full = strings.TrimPrefix(root.Namespace+"."+root.Name, ".")
	}
	return &avroCodec{parsed, text, full, shapeOf(root)}, nil
}

func (c *avroCodec) encode(value any) ([]byte, error) {
	v, err := c.shape.value(c.schema.Root(), value)
	if err != nil {
		return nil, err
	}
	return c.schema.Encode(v)
}

func (c *avroCodec) decode(data []byte) (any, int, error) {
	var out any
	rest, err := c.schema.Decode(data, &out)
	return out, len(rest), err
}

// fingerprint returns the fingerprint of the single-object encoding.
func (c *avroCodec) fingerprint() []byte {
	sum := c.schema.Fingerprint(avro.NewRabin())
	return binary.LittleEndian.AppendUint64(nil, binary.BigEndian.Uint64(sum))
}

// Schema returns the Avro schema of the message as one text, "" for other formats.
func (m *Message) Schema() string {
	if c, ok := m.payload.(*avroCodec); ok {
		return c.text
	}
	return ""
}

// Encode returns a payload without its frame. Its values are as examples have them, or as Decode
// returns them.
func (m *Message) Encode(payload any) ([]byte, error) {
	if m.payload == nil {
		return nil, fmt.Errorf("%s: its documents have no schema that is read", m.Name)
	}
	return m.payload.encode(payload)
}

// Decode returns a payload without its frame. An error is returned if it is not valid or bytes
// follow it.
func (m *Message) Decode(data []byte) (any, error) {
	if m.payload == nil {
		return nil, fmt.Errorf("%s: its documents have no schema that is read", m.Name)
	}
	value, rest, err := m.payload.decode(data)
	if err == nil && rest > 0 {
		err = fmt.Errorf("%d bytes follow the payload", rest)
	}
	return value, err
}

type jsonCodec struct{ schema *jsonschema.Schema }

func (c jsonCodec) encode(value any) ([]byte, error) { return json.Marshal(value) }

func (c jsonCodec) decode(data []byte) (any, int, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, 0, fmt.Errorf("not JSON: %w", err)
	}
	return value, 0, c.schema.Validate(value)
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
		s[strings.TrimPrefix(n.Namespace+"."+n.Name, ".")] = n
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
	if named, ok := s[n.Type]; ok {
		return named
	}
	return n
}

// value converts a value of an example to what the codec encodes. In examples, bytes are base64,
// instants are RFC 3339 and decimals are numbers or texts.
func (s shape) value(n *avro.SchemaNode, v any) (any, error) {
	n = s.resolve(n)
	switch n.Type {
	case "union":
		return s.branch(n, v)
	case "record", "error":
		return s.record(n, v)
	case "array":
		items, ok := v.([]any)
		if !ok {
			return nil, fmt.Errorf("%v is no list", v)
		}
		out := make([]any, len(items))
		for i, it := range items {
			var err error
			if out[i], err = s.value(n.Items, it); err != nil {
				return nil, err
			}
		}
		return out, nil
	case "map":
		entries, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%v is no map", v)
		}
		out := map[string]any{}
		for k, e := range entries {
			var err error
			if out[k], err = s.value(n.Values, e); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return scalar(n, v)
}

func (s shape) branch(n *avro.SchemaNode, v any) (any, error) {
	var err error
	for i := range n.Branches {
		b := s.resolve(&n.Branches[i])
		if (b.Type == "null") != (v == nil) {
			continue
		}
		if v == nil {
			return nil, nil
		}
		var out any
		if out, err = s.value(b, v); err == nil {
			return out, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("no branch of the union takes %v", v)
	}
	return nil, err
}

func (s shape) record(n *avro.SchemaNode, v any) (any, error) {
	members, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v is no record %s", v, n.Name)
	}
	out := map[string]any{}
	for i := range n.Fields {
		f := &n.Fields[i]
		member, given := members[f.Name]
		if !given && f.HasDefault {
			continue
		}
		value, err := s.value(&f.Type, member)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		out[f.Name] = value
	}
	return out, nil
}

func scalar(n *avro.SchemaNode, v any) (any, error) {
	number, isNumber := v.(json.Number)
	str, isText := v.(string)
	switch {
	case n.LogicalType == "decimal" && (isNumber || isText):
		if r, ok := new(big.Rat).SetString(string(number) + str); ok {
			return r, nil
		}
		return nil, fmt.Errorf("%v is no decimal", v)
	case strings.Contains(n.LogicalType, "timestamp") && isText:
		return time.Parse(time.RFC3339Nano, str)
	case n.LogicalType == "date" && isText:
		return time.Parse(time.DateOnly, str)
	case (n.Type == "bytes" || n.Type == "fixed") && isText:
		return base64.StdEncoding.DecodeString(str)
	case (n.Type == "long" || n.Type == "int") && isNumber:
		return number.Int64()
	case (n.Type == "double" || n.Type == "float") && isNumber:
		return number.Float64()
	case (n.Type == "string" || n.Type == "enum") && !isText:
		return nil, fmt.Errorf("%v is no text", v)
	}
	return v, nil
}

// invent returns a valid value of a schema, for a message without an example.
func (s shape) invent(n *avro.SchemaNode, depth int) any {
	n = s.resolve(n)
	switch n.Type {
	case "union":
		for i := range n.Branches {
			if b := s.resolve(&n.Branches[i]); b.Type == "null" == (depth > 8) {
				return s.invent(b, depth+1)
			}
		}
		return s.invent(&n.Branches[0], depth+1)
	case "record", "error":
		out := map[string]any{}
		for i := range n.Fields {
			out[n.Fields[i].Name] = s.invent(&n.Fields[i].Type, depth+1)
		}
		return out
	case "array":
		return []any{}
	case "map":
		return map[string]any{}
	}
	return inventScalar(n)
}

func inventScalar(n *avro.SchemaNode) any {
	switch {
	case n.LogicalType == "uuid" && n.Type == "string":
		return "5f0c1a52-9f0e-4c3a-8a39-0c2a4f1f8f5e"
	case n.LogicalType == "decimal":
		return json.Number("1")
	case strings.Contains(n.LogicalType, "timestamp"):
		return "2026-11-12T09:30:00Z"
	case n.LogicalType == "date":
		return "2026-11-12"
	}
	switch n.Type {
	case "null":
		return nil
	case "boolean":
		return true
	case "string":
		return "text"
	case "enum":
		return n.Symbols[0]
	case "bytes":
		return "AA=="
	case "fixed":
		return base64.StdEncoding.EncodeToString(make([]byte, n.Size))
	}
	return json.Number("1")
}

// frame returns a payload with its frame.
func (m *Message) frame(id int, payload []byte) ([]byte, error) {
	switch m.Framing {
	case Confluent:
		return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), payload...), nil
	case SingleObject:
		c, ok := m.payload.(*avroCodec)
		if !ok {
			return nil, errors.New("single-object encoding is of Avro alone")
		}
		return append(append([]byte{0xc3, 0x01}, c.fingerprint()...), payload...), nil
	}
	return payload, nil
}
