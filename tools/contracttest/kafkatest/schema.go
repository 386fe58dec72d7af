package kafkatest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/specfile"
)

// schemas compiles JSON Schemas of documents, with the files that they refer to.
type schemas struct {
	compiler *jsonschema.Compiler
	merged   map[string]*jsonschema.Schema // of headers, by the names of their resources
}

func newSchemas() schemas {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	c.UseLoader(files{})
	return schemas{c, map[string]*jsonschema.Schema{}}
}

// files loads documents, YAML and JSON, from the disk and from nowhere else.
type files struct{}

// Load implements jsonschema.URLLoader.
func (files) Load(at string) (any, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "file" {
		return nil, fmt.Errorf("%s is not fetched", at)
	}
	data, err := os.ReadFile(filepath.FromSlash(u.Path))
	if err != nil {
		return nil, err
	}
	n, faults := source.Parse(filepath.ToSlash(u.Path), data)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(n.JSON()))
}

func (s schemas) compile(v specfile.Value) (*jsonschema.Schema, error) {
	at, err := fileURL(v.File)
	if err != nil {
		return nil, err
	}
	at.Fragment = v.Pointer
	compiled, err := s.compiler.Compile(at.String())
	if err != nil {
		return nil, errors.New(oneLine(err))
	}
	return compiled, nil
}

// headers are the declared headers of a message.
type headers struct {
	schema *jsonschema.Schema
	names  []string
	texts  map[string]specfile.Value // schemas by name
	needed []string
}

// headers returns the headers of a message, which its traits and the message itself may declare.
// The last declaration counts most.
func (s schemas) headers(declared []specfile.Value) (*headers, error) {
	var parts []specfile.Value
	for _, v := range declared {
		if schema := v.Get("schema"); schema.Ok() && v.Get("schemaFormat").Ok() {
			if !isJSONSchema(v.Get("schemaFormat").Str()) {
				return nil, fmt.Errorf("schemas of the format %q are not read", v.Get("schemaFormat").Str())
			}
			v = schema
		}
		parts = append(parts, v)
	}
	switch len(parts) {
	case 0:
		return nil, nil
	case 1:
		compiled, err := s.compile(parts[0])
		if err != nil {
			return nil, err
		}
		return newHeaders(compiled, parts[0]), nil
	}
	return s.mergedHeaders(parts)
}

func newHeaders(compiled *jsonschema.Schema, v specfile.Value) *headers {
	h := &headers{schema: compiled, texts: map[string]specfile.Value{}}
	for _, p := range v.Get("properties").Members() {
		h.names = append(h.names, p.Name)
		h.texts[p.Name] = p.Value
	}
	for _, r := range v.Get("required").Items() {
		h.needed = append(h.needed, r.Str())
	}
	return h
}

// typed returns the value of a header as its schema has it. On the wire it is text.
func (h *headers) typed(name, text string) any {
	switch h.texts[name].Get("type").Str() {
	case "integer", "number", "boolean", "object", "array":
		if v, err := jsonschema.UnmarshalJSON(strings.NewReader(text)); err == nil {
			return v
		}
	}
	return text
}

func (h *headers) validate(values map[string]string) error {
	if h == nil {
		return nil
	}
	all := map[string]any{}
	for name, text := range values {
		all[name] = h.typed(name, text)
	}
	return h.schema.Validate(all)
}

// constants returns the headers that have one value in every message.
func (h *headers) constants() map[string]string {
	out := map[string]string{}
	if h == nil {
		return out
	}
	for name, schema := range h.texts {
		if c := schema.Get("const"); c.Ok() {
			out[name] = c.Text()
		} else if all := schema.Get("enum").Items(); len(all) == 1 {
			out[name] = all[0].Text()
		}
	}
	return out
}

// keySchema is the declared key of a message.
type keySchema struct {
	json  *jsonschema.Schema
	avro  *avroCodec
	kinds []string // types of the JSON Schema
	field string   // x-key-field
}

func (s schemas) key(v specfile.Value) (*keySchema, error) {
	if !v.Ok() {
		return nil, nil
	}
	out := &keySchema{field: v.Get("x-key-field").Str()}
	format, schema := v.Get("schemaFormat").Str(), v
	if format != "" {
		schema = v.Get("schema")
	}
	if specfile.IsAvro(format) || strings.HasSuffix(v.File, ".avsc") {
		codec, err := newAvroCodec(schema)
		out.avro = codec
		return out, err
	}
	if !isJSONSchema(format) {
		return nil, fmt.Errorf("schemas of the format %q are not read", format)
	}
	var err error
	if out.json, err = s.compile(schema); err != nil {
		return nil, err
	}
	for _, t := range append(schema.Get("type").Items(), schema.Get("type")) {
		if t.Str() != "" {
			out.kinds = append(out.kinds, t.Str())
		}
	}
	return out, nil
}

// value returns a key as its schema has it. A text that may be a string is one.
func (k *keySchema) value(key []byte) any {
	if len(k.kinds) == 0 || slices.Contains(k.kinds, "string") {
		return string(key)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(key))
	if err != nil {
		return string(key)
	}
	return v
}

// oneLine returns the text of an error as one line.
func oneLine(err error) string {
	text := err.Error()
	if _, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(text, "jsonschema") {
		text = rest
	}
	var parts []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "- ")); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// sameValue reports whether a value of a payload and one of a key or a header are equal as texts.
func sameValue(a, b any) bool { return text(a) == text(b) }

func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	out, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(out)
}
