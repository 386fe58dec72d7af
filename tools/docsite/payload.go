package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Piece is a part of an encoded example: its bytes, and the field that they are.
type Piece struct{ Hex, Field, Type, Value string }

// encoder writes a value of an Avro schema, piece by piece.
type encoder struct {
	named  map[string]*source.Node // types by their full names and by their short ones
	pieces []Piece
}

// encodePayload returns the bytes of an example in JSON, a field at a time, without the framing. A
// value of a union is written as it is, not as Avro's JSON encoding has it.
func encodePayload(schema *source.Node, example []byte) ([]Piece, error) {
	d := json.NewDecoder(strings.NewReader(string(example)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	e := &encoder{named: map[string]*source.Node{}}
	e.collect(schema, "")
	err := e.value("", schema, v)
	return e.pieces, err
}

// collect keeps the named types of a schema.
func (e *encoder) collect(n *source.Node, namespace string) {
	for _, it := range n.Items {
		e.collect(it, namespace)
	}
	if !n.Is(source.Map) {
		return
	}
	if ns := n.Get("namespace"); ns != nil {
		namespace = ns.Str()
	}
	if name := n.Get("name"); name != nil && n.Get("type").Is(source.String) {
		e.named[name.Str()] = n
		e.named[namespace+"."+name.Str()] = n
	}
	for _, p := range n.Pairs {
		switch p.Key.Str() {
		case "type", "items", "values", "fields":
			e.collect(p.Value, namespace)
		}
	}
}

func (e *encoder) put(data []byte, field, kind, value string) {
	e.pieces = append(e.pieces, Piece{hex.EncodeToString(data), field, kind, value})
}

// value writes a value at a path of fields.
func (e *encoder) value(path string, schema *source.Node, v any) error {
	if schema.Is(source.Seq) {
		return e.union(path, schema, v)
	}
	kind, logical := schema.Str(), ""
	if schema.Is(source.Map) {
		kind, logical = schema.Get("type").Str(), ""
		if l := schema.Get("logicalType"); l != nil {
			logical = l.Str()
		}
		if !schema.Get("type").Is(source.String) {
			return e.value(path, schema.Get("type"), v)
		}
	}
	switch kind {
	case "record":
		return e.record(path, schema, v)
	case "enum":
		return e.enum(path, schema, v)
	case "array":
		return e.array(path, schema, v)
	case "map":
		return e.mapOf(path, schema, v)
	}
	if t := e.named[kind]; t != nil && t != schema {
		return e.value(path, t, v)
	}
	return e.scalar(path, kind, logical, v)
}

func (e *encoder) record(path string, schema *source.Node, v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: %v is not a record", path, v)
	}
	for _, f := range schema.Get("fields").Items {
		name := f.Get("name").Str()
		value, ok := m[name]
		if d := f.Get("default"); !ok && d != nil {
			if err := json.Unmarshal(d.JSON(), &value); err != nil {
				return err
			}
		} else if !ok {
			return fmt.Errorf("%s has no %s", path, name)
		}
		if err := e.value(strings.TrimPrefix(path+"."+name, "."), f.Get("type"), value); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) enum(path string, schema *source.Node, v any) error {
	for i, s := range schema.Get("symbols").Items {
		if s.Str() == v {
			e.put(zigzag(int64(i)), path, "enum "+schema.Get("name").Str(), s.Str())
			return nil
		}
	}
	return fmt.Errorf("%s: %v is no symbol of %s", path, v, schema.Get("name").Str())
}

func (e *encoder) array(path string, schema *source.Node, v any) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("%s: %v is not a list", path, v)
	}
	if len(list) > 0 {
		e.put(zigzag(int64(len(list))), path, "array", fmt.Sprintf("%d items follow", len(list)))
	}
	for i, it := range list {
		if err := e.value(fmt.Sprintf("%s[%d]", path, i), schema.Get("items"), it); err != nil {
			return err
		}
	}
	e.put([]byte{0}, path, "array", "end")
	return nil
}

func (e *encoder) mapOf(path string, schema *source.Node, v any) error {
	m, ok := v.(map[string]any)
	if !ok || len(m) > 1 {
		return fmt.Errorf("%s: only maps of at most one entry can be shown", path)
	}
	for key, value := range m {
		e.put(zigzag(1), path, "map", "1 entry follows")
		if err := e.scalar(path, "string", "", key); err != nil {
			return err
		}
		if err := e.value(path+"."+key, schema.Get("values"), value); err != nil {
			return err
		}
	}
	e.put([]byte{0}, path, "map", "end")
	return nil
}

// union writes the first branch that takes the value.
func (e *encoder) union(path string, schema *source.Node, v any) error {
	var failed error
	for i, branch := range schema.Items {
		if (branch.Str() == "null") != (v == nil) {
			continue
		}
		kept := e.pieces
		name := branch.Str()
		if branch.Is(source.Map) {
			name = avroTypeOf(branch).Name
		}
		e.put(zigzag(int64(i)), path, "union", "branch "+fmt.Sprint(i)+": "+name)
		if v == nil {
			return nil
		}
		if failed = e.value(path, branch, v); failed == nil {
			return nil
		}
		e.pieces = kept
	}
	return fmt.Errorf("%s: no branch of the union takes %v: %w", path, v, failed)
}

// scalar writes a primitive value; an instant is written in JSON as text.
func (e *encoder) scalar(path, kind, logical string, v any) error {
	label := kind
	if logical != "" {
		label += ", " + logical
	}
	switch kind {
	case "string":
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("%s: %v is not a string", path, v)
		}
		e.put(append(zigzag(int64(len(s))), s...), path, label, s)
	case "bytes":
		s, ok := v.(string)
		data, err := base64.StdEncoding.DecodeString(s)
		if !ok || err != nil {
			return fmt.Errorf("%s: %v are not bytes", path, v)
		}
		e.put(append(zigzag(int64(len(data))), data...), path, label, fmt.Sprintf("%d bytes", len(data)))
	case "boolean":
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("%s: %v is not a boolean", path, v)
		}
		e.put([]byte{map[bool]byte{true: 1}[b]}, path, label, fmt.Sprint(b))
	case "int", "long":
		n, err := integer(logical, v)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		e.put(zigzag(n), path, label, fmt.Sprint(v))
	case "double":
		n, ok := v.(json.Number)
		f, err := n.Float64()
		if !ok || err != nil {
			return fmt.Errorf("%s: %v is not a number", path, v)
		}
		e.put(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)), path, label, n.String())
	default:
		return fmt.Errorf("%s: a value of type %q cannot be shown", path, kind)
	}
	return nil
}

// integer returns the number that stands for a value.
func integer(logical string, v any) (int64, error) {
	switch x := v.(type) {
	case json.Number:
		return x.Int64()
	case float64: // a default
		return int64(x), nil
	case string:
		t, err := time.Parse(time.RFC3339Nano, x)
		if err != nil {
			return 0, err
		}
		switch logical {
		case "timestamp-micros":
			return t.UnixMicro(), nil
		case "timestamp-millis":
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%v is not an integer", v)
}

// zigzag returns a number as Avro writes it.
func zigzag(n int64) []byte { return binary.AppendVarint(nil, n) }
