package parse

import (
	"path"
	"strings"
	"unicode"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/schemaformat"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

func (p *parser) message(name string, at *source.Node) *Message {
	n := p.Deref(at)
	if n == nil {
		return nil
	}
	if m, ok := p.messages[n]; ok {
		p.again(n)
		return m
	}
	m := &Message{Pos: n.Pos, Name: name}
	p.messages[n] = m
	p.keep(n, func() { p.readMessage(m, n) })
	return m
}

func (p *parser) readMessage(m *Message, n *source.Node) {
	name := m.Name
	if !n.Is(source.Map) {
		p.diags.Errorf(n.Pos, "message %s must be an object, not %s", name, n.Kind)
		m.Broken = true
		return
	}
	beside, _ := n.Pair("schemaFormat")
	p.fields(n, "a message", messageFields, "schemaFormat")
	own := p.text(n, "name")
	n = p.withTraits(n, "a message", "payload", "traits", "x-versions")
	// messages that share a trait also share the name in it, so it is the last resort
	if own == "" && !goodName(name) {
		own = p.text(n, "name")
	}
	if own != "" {
		m.Name = own
	}
	m.Title, m.Summary, m.Description = p.text(n, "title"), p.text(n, "summary"), p.text(n, "description")
	m.ContentType = p.text(n, "contentType")
	m.More = p.more(n)
	if m.Title == "" && m.Summary == "" && m.Name == name && n.Get("name") == nil && !goodName(name) {
		p.diags.Warnf(n.Pos, "add a name", "message %s has no name", name)
	}
	if c := p.object(n, "correlationId"); c != nil {
		m.Correlation = p.location(c, "location")
	}
	p.headers(m, n)
	if at := n.Get("payload"); at != nil && !at.Is(source.Null) {
		m.Payload = p.payload(at)
		m.Broken = m.Payload == nil
	}
	p.besidePayload(m, beside)
	p.messageKafka(m, n)
	m.Versions = p.versions(m, n)
	for _, e := range p.list(n, "examples") {
		if e = p.Deref(e); e != nil && !e.Is(source.Map) {
			p.diags.ErrorHint(e.Pos, "write {payload: ...}, {headers: ...} or both", "an example of message %s must be an object, not %s", m.Name, e.Kind)
		} else if e != nil {
			m.Examples = append(m.Examples, Example{Name: p.text(e, "name"), Pos: e.Pos, Payload: p.example(e.Get("payload")), Headers: p.example(e.Get("headers"))})
		}
	}
}

// example follows the reference of an example. One that leads nowhere is a warning, because no type
// depends on an example. A fault of another file stays an error.
func (p *parser) example(n *source.Node) (at *source.Node) {
	found := p.faults(func() { at = p.Deref(n) })
	found.Warn(func(d diag.Diagnostic) bool { return d.File == n.File() })
	p.diags.Add(found...)
	return at
}

// besidePayload reports a schemaFormat where AsyncAPI 2 has it. It is an error if it would change
// how the payload is read.
func (p *parser) besidePayload(m *Message, f source.Pair) {
	if f.Key == nil {
		return
	}
	const hint = "in AsyncAPI 3, write payload: {schemaFormat: ..., schema: ...}"
	switch language := schemaformat.Of(f.Value.Str()); {
	case m.Payload == nil && !m.Broken:
		p.diags.Warnf(f.Key.Pos, "remove it", "message %s has a schemaFormat and no payload", m.Name)
	case m.Payload != nil && language != schemaformat.Unknown && language == m.Payload.language():
		p.diags.Warnf(f.Key.Pos, hint, "schemaFormat is beside the payload of message %s, which is read in that format without it", m.Name)
	default:
		p.diags.ErrorHint(f.Key.Pos, hint, "schemaFormat is beside the payload of message %s", m.Name)
	}
}

// language returns the language that a payload is read in.
func (p *Payload) language() schemaformat.Language {
	switch {
	case p.Name != "":
		return schemaformat.Of(p.Name)
	case p.Format == Avro:
		return schemaformat.Avro
	}
	return schemaformat.JSONSchema
}

var messageKafkaFields = []string{"key", "schemaIdLocation", "schemaIdPayloadEncoding", "schemaLookupStrategy", "bindingVersion"}

func (p *parser) messageKafka(m *Message, n *source.Node) {
	k := p.kafka(n)
	if k == nil {
		return
	}
	p.fields(k, "a message's Kafka binding", messageKafkaFields)
	if loc := k.Get("schemaIdLocation"); loc != nil {
		m.LocationPos = loc.Pos
		if m.InHeader = loc.Value == "header"; !m.InHeader && loc.Value != "payload" {
			p.diags.ErrorHint(loc.Pos, "the values are header and payload", "the schemaIdLocation %q of message %s is not known", loc.Value, m.Name)
		}
	}
	if e := k.Get("schemaIdPayloadEncoding"); e != nil {
		m.Encoding, m.EncodingPos = p.text(k, "schemaIdPayloadEncoding"), e.Pos
	}
	if l := k.Get("schemaLookupStrategy"); l != nil {
		m.Lookup, m.LookupPos = p.text(k, "schemaLookupStrategy"), l.Pos
	}
	if key := k.Get("key"); key != nil {
		m.Key = p.key(key)
		m.Broken = m.Broken || m.Key == nil
	}
}

func (p *parser) key(at *source.Node) *Key {
	schema := p.payload(at)
	if schema == nil {
		return nil
	}
	k := &Key{Payload: schema, Name: p.nameOf(at), Field: p.text(schema.Schema, "x-key-field")}
	if f := schema.Schema.Get("x-key-field"); f != nil {
		k.FieldPos = f.Pos
	}
	if schema.Format == JSONSchema && p.isScalar(schema.Schema) {
		k.Scalar = p.scalar(schema.Schema, "the key")
	}
	return k
}

// nameOf returns the name of a schema that is defined elsewhere, by a reference or in a trait.
func (p *parser) nameOf(at *source.Node) string {
	if name := refName(at); name != "" {
		return name
	}
	return p.traits[at]
}

// payload reads a payload: a Multi Format Schema Object or a plain schema.
func (p *parser) payload(at *source.Node) *Payload {
	if at == nil {
		return nil
	}
	n := p.Deref(at)
	if n == nil {
		return nil
	}
	if n.Get("schemaFormat") == nil {
		return p.unnamed(at, n)
	}
	f := n.Get("schemaFormat")
	format, ok := formats[schemaformat.Of(f.Str())]
	if !ok && !p.raw {
		p.diags.ErrorHint(f.Pos, "supported are Avro (application/vnd.apache.avro+json;version=1.12.0) and JSON Schema (application/schema+json;version=draft-07); with -allow-raw, other formats are bytes",
			"schemaFormat %q is not supported", f.Value)
		return nil
	}
	if !ok {
		format = Raw
	}
	if format == JSONSchema && strings.Contains(f.Value, "draft") && !strings.Contains(f.Value, "draft-07") {
		p.diags.Warnf(f.Pos, "write application/schema+json;version=draft-07", "the schema in format %q is read as draft-07", f.Value)
	}
	schema := n.Get("schema")
	if schema == nil {
		p.diags.Errorf(n.Pos, "schemaFormat without schema")
		return nil
	}
	if format == Raw && !reference.Is(schema) {
		return &Payload{Name: f.Value, Format: Raw, Schema: schema, Ref: schema}
	}
	if format == Raw {
		// what it leads to may not be YAML
		return &Payload{Name: f.Value, Format: Raw, Schema: n, Ref: schema}
	}
	target := p.Deref(schema)
	if target == nil {
		return nil
	}
	return &Payload{Name: f.Value, Format: format, Schema: target, Ref: schema}
}

// unnamed reads a payload without a format.
func (p *parser) unnamed(at, n *source.Node) *Payload {
	if inner := n.Get("schema"); inner != nil && len(n.Pairs) == 1 {
		p.diags.Warnf(n.Pairs[0].Key.Pos, "write schemaFormat: application/schema+json;version=draft-07 beside it", "a schema without schemaFormat is read as AsyncAPI's own")
		if at, n = inner, p.Deref(inner); n == nil {
			return nil
		}
	}
	if path.Ext(n.Pos.File) == ".avsc" {
		p.diags.Warnf(at.Pos, "write {schemaFormat: application/vnd.apache.avro+json;version=1.12.0, schema: ...}", "a file .avsc without schemaFormat is read as Avro")
		return &Payload{Format: Avro, Schema: n, Ref: at}
	}
	return &Payload{Format: JSONSchema, Schema: n, Ref: at}
}

// formats are the formats of the languages that payloads are read in.
var formats = map[schemaformat.Language]Format{schemaformat.Avro: Avro, schemaformat.JSONSchema: JSONSchema, schemaformat.OpenAPI: JSONSchema}

// goodName reports whether a name can be a Go name on its own.
func goodName(name string) bool {
	return strings.ContainsFunc(name, unicode.IsLetter)
}

// headers reads a headers schema: as an Object if all properties are scalars, otherwise as any JSON
// Schema.
func (p *parser) headers(m *Message, n *source.Node) {
	at := n.Get("headers")
	if at == nil || at.Is(source.Null) {
		return
	}
	schema := p.payload(at)
	if schema == nil {
		m.Broken = true
		return
	}
	h := schema.Schema
	if schema.Format == Avro {
		p.avroHeaders(m, h)
		return
	}
	if schema.Format != JSONSchema {
		p.diags.ErrorHint(at.Pos, "write them as JSON Schema (type: object with properties) or Avro (a record)", "headers of message %s in format %q are not supported", m.Name, schema.Name)
		return
	}
	if t := h.Get("type"); t != nil && t.Value != "object" || !h.Is(source.Map) {
		p.diags.ErrorHint(h.Pos, "write type: object with properties", "the headers of message %s are not an object", m.Name)
		return
	}
	m.HeaderNode = h
	if !p.isFlat(h) {
		if len(h.Pairs) > 0 && (len(h.Pairs) > 1 || h.Get("type") == nil) {
			m.HeaderRef, m.HeaderName = schema.Ref, p.nameOf(at)
		}
		return
	}
	o := &Object{Pos: h.Pos, Name: p.nameOf(at), Title: p.text(h, "title"), Doc: p.text(h, "description")}
	if more := h.Get("additionalProperties"); more != nil {
		o.Closed = more.Value == "false"
	}
	required := map[string]*source.Node{}
	for _, r := range p.list(h, "required") {
		required[r.Value] = r
	}
	for _, m := range members(p.object(h, "properties")) {
		if s := p.scalar(m.Value, "header "+m.Key.Value); s != nil {
			o.Props = append(o.Props, Prop{Name: m.Key.Value, Required: required[m.Key.Value] != nil, Scalar: *s})
			delete(required, m.Key.Value)
		}
	}
	for _, r := range p.list(h, "required") {
		if required[r.Value] != nil {
			p.diags.ErrorHint(r.Pos, diag.OneOf("properties", r.Value, h.Get("properties").Keys()), "required names %q, which is not a property", r.Value)
		}
	}
	m.Headers = o
}

var flatFields = []string{"type", "title", "description", "required", "properties", "additionalProperties", "examples", "$schema", "$id", "$comment"}

// isFlat reports whether an object has only scalar properties and no other constraint.
func (p *parser) isFlat(h *source.Node) bool {
	if more := h.Get("additionalProperties"); more != nil && !more.Is(source.Bool) || h.Get("properties") == nil {
		return false
	}
	for _, m := range h.Pairs {
		if !contains(flatFields, m.Key.Value) && !strings.HasPrefix(m.Key.Value, "x-") {
			return false
		}
	}
	for _, m := range members(p.object(h, "properties")) {
		if !p.isScalar(p.Deref(m.Value)) {
			return false
		}
	}
	return true
}
