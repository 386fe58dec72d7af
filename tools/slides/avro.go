package slides

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// piece is a part of a message: its bytes, and the field that they are.
type piece struct {
	Bytes             []byte
	Field, Type, Text string
}

// framing is the length of what stands before a value on a public topic: a zero and the schema id.
const framing = 5

// decoder reads a value of an Avro schema, piece by piece. It knows what the public schemas use.
type decoder struct {
	dir    string // of the schemas, one named type a file
	data   []byte
	at     int
	pieces []piece
}

// decodeMessage returns the value of a message of a public topic, and its pieces.
func decodeMessage(dir, typeName string, data []byte) (any, []piece, error) {
	if len(data) < framing || data[0] != 0 {
		return nil, nil, errors.New("the message has no schema id")
	}
	d := &decoder{dir: dir, data: data, at: framing}
	d.pieces = []piece{
		{data[:1], "", "magic", "0"},
		{data[1:framing], "", "schema id", fmt.Sprint(binary.BigEndian.Uint32(data[1:framing]))},
	}
	v, err := d.value("", typeName)
	if err == nil && d.at != len(data) {
		err = fmt.Errorf("%d bytes are left", len(data)-d.at)
	}
	return v, d.pieces, err
}

// value reads a value of a schema, which is decoded JSON.
func (d *decoder) value(path string, schema any) (any, error) {
	switch s := schema.(type) {
	case string:
		return d.named(path, s, "")
	case []any:
		return d.union(path, s)
	case map[string]any:
		switch name, _ := s["type"].(string); name {
		case "record":
			return d.record(path, s)
		case "enum":
			return d.enum(path, s)
		case "array":
			return d.array(path, s)
		default:
			logical, _ := s["logicalType"].(string)
			return d.named(path, name, logical)
		}
	}
	return nil, fmt.Errorf("%s: schema %v", path, schema)
}

func (d *decoder) named(path, name, logical string) (any, error) {
	start := d.at
	switch name {
	case "string", "bytes":
		n, err := d.long()
		if err != nil {
			return nil, err
		}
		if n < 0 || n > int64(len(d.data)-d.at) {
			return nil, fmt.Errorf("%s: length %d", path, n)
		}
		text := string(d.data[d.at : d.at+int(n)])
		d.at += int(n)
		if name == "bytes" {
			text = fmt.Sprintf("%x", text)
		}
		d.add(start, path, name, text)
		return text, nil
	case "long", "int":
		n, err := d.long()
		if err != nil {
			return nil, err
		}
		if logical == "timestamp-micros" {
			text := time.UnixMicro(n).UTC().Format(time.RFC3339Nano)
			d.add(start, path, logical, text)
			return text, nil
		}
		d.add(start, path, name, fmt.Sprint(n))
		return n, nil
	}
	text, err := os.ReadFile(filepath.Join(d.dir, name+".avsc"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s.avsc: %w", name, err)
	}
	return d.value(path, s)
}

func (d *decoder) record(path string, s map[string]any) (any, error) {
	fields, _ := s["fields"].([]any)
	value := map[string]any{}
	for _, f := range fields {
		field, _ := f.(map[string]any)
		name, _ := field["name"].(string)
		v, err := d.value(strings.TrimPrefix(path+"."+name, "."), field["type"])
		if err != nil {
			return nil, err
		}
		value[name] = v
	}
	return value, nil
}

func (d *decoder) enum(path string, s map[string]any) (any, error) {
	start := d.at
	symbols, _ := s["symbols"].([]any)
	n, err := d.long()
	if err != nil {
		return nil, err
	}
	if n < 0 || n >= int64(len(symbols)) {
		return nil, fmt.Errorf("%s: symbol %d of %d", path, n, len(symbols))
	}
	d.add(start, path, "enum", fmt.Sprint(symbols[n]))
	return symbols[n], nil
}

func (d *decoder) union(path string, branches []any) (any, error) {
	start := d.at
	n, err := d.long()
	if err != nil {
		return nil, err
	}
	if n < 0 || n >= int64(len(branches)) {
		return nil, fmt.Errorf("%s: branch %d of %d", path, n, len(branches))
	}
	if branches[n] == "null" {
		d.add(start, path, "null", "null")
		return nil, nil
	}
	d.add(start, path, "union", fmt.Sprint(n))
	return d.value(path, branches[n])
}

func (d *decoder) array(path string, s map[string]any) (any, error) {
	list := []any{}
	for {
		start := d.at
		n, err := d.long()
		if err != nil {
			return nil, err
		}
		if n < 0 {
			return nil, fmt.Errorf("%s: a block with a size", path)
		}
		d.add(start, path, "items", fmt.Sprint(n))
		if n == 0 {
			return list, nil
		}
		for range n {
			v, err := d.value(fmt.Sprintf("%s[%d]", path, len(list)), s["items"])
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	}
}

func (d *decoder) long() (int64, error) {
	n, size := binary.Varint(d.data[d.at:])
	if size <= 0 {
		return 0, fmt.Errorf("no number at byte %d", d.at)
	}
	d.at += size
	return n, nil
}

func (d *decoder) add(start int, path, kind, text string) {
	d.pieces = append(d.pieces, piece{d.data[start:d.at], path, kind, text})
}
