package parse

import (
	"mime"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

func (p *parser) message(name string, at *source.Node) *Message {
	n := p.Deref(at)
	if n == nil {
		return nil
	}
	if m, ok := p.messages[n]; ok {
		return m
	}
	m := &Message{Pos: n.Pos, Name: name}
	p.messages[n] = m
	if !n.Is(source.Map) {
		p.diags.Errorf(n.Pos, "message %s must be an object, not %s", name, n.Kind)
		return m
	}
	if f, ok := n.Pair("schemaFormat"); ok {
		p.diags.ErrorHint(f.Key.Pos, "since AsyncAPI 3: payload: {schemaFormat: ..., schema: ...}", "schemaFormat stands beside the payload of message %s", name)
	} else {
		p.fields(n, "a message", messageFields)
	}
	n = p.withTraits(n, "a message", "payload", "traits")
	p.unsupported(n, "message "+name, "correlationId")
	if own := p.text(n, "name"); own != "" {
		m.Name = own
	}
	m.Title, m.Summary, m.Description = p.text(n, "title"), p.text(n, "summary"), p.text(n, "description")
	m.ContentType = p.text(n, "contentType")
	m.Headers = p.headers(n, m.Name)
	m.Payload = p.payload(n.Get("payload"))
	m.Broken = m.Payload == nil && n.Get("payload") != nil
	p.messageKafka(m, n)
	for _, e := range p.list(n, "examples") {
		if e = p.Deref(e); e != nil {
			m.Examples = append(m.Examples, Example{Name: p.text(e, "name"), Pos: e.Pos, Payload: p.Deref(e.Get("payload")), Headers: p.Deref(e.Get("headers"))})
		}
	}
	return m
}

var messageKafkaFields = []string{"key", "schemaIdLocation", "schemaIdPayloadEncoding", "schemaLookupStrategy", "bindingVersion"}

func (p *parser) messageKafka(m *Message, n *source.Node) {
	k := p.kafka(n)
	if k == nil {
		return
	}
	p.fields(k, "a message's Kafka binding", messageKafkaFields)
	if loc := k.Get("schemaIdLocation"); loc != nil && loc.Value != "payload" {
		p.diags.ErrorHint(loc.Pos, "supported is payload", "schemaIdLocation %s of message %s is not supported yet", loc.Value, m.Name)
	}
	if e := k.Get("schemaIdPayloadEncoding"); e != nil {
		m.Encoding, m.EncodingPos = p.text(k, "schemaIdPayloadEncoding"), e.Pos
	}
	if l := k.Get("schemaLookupStrategy"); l != nil {
		m.Lookup, m.LookupPos = p.text(k, "schemaLookupStrategy"), l.Pos
	}
	if key := k.Get("key"); key != nil {
		if m.Key = p.scalar(key, "the key"); m.Key != nil && m.Key.Type != "string" {
			p.diags.ErrorHint(m.Key.Pos, "keys are text: type: string", "a key of type %s is not supported yet", m.Key.Type)
		}
	}
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
		return &Payload{Format: JSONSchema, Schema: n, Ref: at}
	}
	f := n.Get("schemaFormat")
	format, ok := formatOf(f.Str())
	if !ok {
		p.diags.ErrorHint(f.Pos, "application/vnd.apache.avro+json;version=1.12.0 is one that is", "schemaFormat %q is not supported", f.Value)
		return nil
	}
	schema := n.Get("schema")
	if schema == nil {
		p.diags.Errorf(n.Pos, "schemaFormat without schema")
		return nil
	}
	target := p.Deref(schema)
	if target == nil {
		return nil
	}
	return &Payload{Format: format, Schema: target, Ref: schema}
}

// formatOf tells a schema format's language, liberal about version and blanks.
func formatOf(s string) (Format, bool) {
	kind, _, err := mime.ParseMediaType(s)
	if err != nil {
		kind, _, _ = strings.Cut(s, ";")
	}
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/vnd.apache.avro", "application/vnd.apache.avro+json", "application/vnd.apache.avro+yaml":
		return Avro, true
	case "application/vnd.aai.asyncapi", "application/vnd.aai.asyncapi+json", "application/vnd.aai.asyncapi+yaml",
		"application/schema+json", "application/schema+yaml":
		return JSONSchema, true
	}
	return 0, false
}

// headers reads a headers schema: an object whose properties are scalars.
func (p *parser) headers(n *source.Node, message string) *Object {
	at := n.Get("headers")
	if at == nil {
		return nil
	}
	h := p.Deref(at)
	if h == nil {
		return nil
	}
	if h.Get("type").Str() != "object" || h.Get("properties") == nil {
		p.diags.ErrorHint(h.Pos, "headers are type: object with properties", "the headers of message %s are not an object with properties", message)
		return nil
	}
	p.fields(h, "a headers schema", []string{"type", "title", "description", "required", "properties", "additionalProperties", "examples"})
	o := &Object{Pos: h.Pos, Title: p.text(h, "title"), Doc: p.text(h, "description")}
	required := map[string]*source.Node{}
	for _, r := range p.list(h, "required") {
		required[r.Value] = r
	}
	for _, m := range members(p.object(h, "properties")) {
		s := p.scalar(m.Value, "header "+m.Key.Value)
		if s == nil {
			continue
		}
		o.Props = append(o.Props, Prop{Name: m.Key.Value, Required: required[m.Key.Value] != nil, Scalar: *s})
		delete(required, m.Key.Value)
	}
	for _, r := range p.list(h, "required") {
		if required[r.Value] != nil {
			p.diags.ErrorHint(r.Pos, diag.OneOf("properties", r.Value, h.Get("properties").Keys()), "required names %q, which is not a property", r.Value)
		}
	}
	return o
}
