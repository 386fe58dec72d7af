package model

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/payload"
)

// framings are the names that the runtime has for the payload encodings of the Kafka binding.
// "none" is a word of this generator.
var framings = map[string]string{"confluent": "Confluent", "apicurio-new": "Confluent", "avro-single-object": "SingleObject", "none": "Bare", "": "Bare"}

// ownFormat are the vendors of schema registries whose serializers write neither Confluent's wire
// format nor anything else that the runtime knows.
var ownFormat = []string{"aws", "glue", "azure", "cloudera", "hortonworks", "pulsar"}

func (b *builder) framing(m *parse.ChannelMessage) (string, bool) {
	return Framing(m.Message, b.registry[m] != nil)
}

// Framing returns the framing of a message, or false if its encoding is not known. A message with a
// lookup strategy or a location of the schema id has Confluent's framing by default. So has an Avro
// message of a channel whose server has a schema registry.
func Framing(m *parse.Message, registry bool) (string, bool) {
	if m.Payload == nil || m.Payload.Format == parse.Raw {
		return "Bare", true
	}
	avro := m.Payload.Format == parse.Avro
	f, ok := framings[m.Encoding]
	ok = ok && (avro || f != "SingleObject")
	switch {
	case m.InHeader:
		return "IDInHeader", ok
	case m.Encoding != "":
		return f, ok
	case m.Lookup != "", m.LocationPos.IsValid(), avro && registry:
		return "Confluent", true
	}
	return "Bare", true
}

// findRegistries finds the servers with a schema registry, by the messages of their channels.
func (b *builder) findRegistries(d *parse.Document) {
	for _, c := range d.Channels {
		if s := d.Registry(c); s != nil {
			for _, m := range c.Messages {
				b.registry[m] = s
			}
		}
	}
}

func (p *pkgBuilder) framing(s *Spec, c *parse.Channel, m *parse.ChannelMessage, r *payload.Root) {
	f, ok := p.builder.framing(m)
	if !ok {
		hint := "supported are confluent, apicurio-new, avro-single-object and none"
		if m.Payload.Format == parse.JSONSchema {
			hint = "supported for JSON are confluent, apicurio-new and none"
		}
		p.diags.ErrorHint(m.EncodingPos, hint, "schemaIdPayloadEncoding %q of message %s is not supported", m.Encoding, m.Message.Name)
	}
	if s.Framing = f; f == "Confluent" || f == "IDInHeader" {
		s.Subject = p.subject(c, m, s.Record, "-value")
	}
	if m.Encoding != "" || r == nil || r.Raw != "" {
		return
	}
	server := p.registry[m]
	switch {
	case f == "Bare" && (r.Avro != nil || server != nil):
		s.Unsaid = true
		p.unsaid = append(p.unsaid, m)
	case f == "Confluent" && server != nil:
		p.vendor(server)
	}
}

// vendor refuses a registry whose own format the runtime does not know, for messages that do not
// say how they are framed.
func (p *pkgBuilder) vendor(s *parse.Server) {
	name := strings.ToLower(s.Vendor)
	for _, own := range ownFormat {
		if strings.Contains(name, own) {
			p.diags.ErrorHint(s.VendorPos, "if the messages have another framing, add it to each: bindings: {kafka: {schemaIdPayloadEncoding: confluent}}, or avro-single-object or none",
				"the framing of schemaRegistryVendor %q of server %s is not supported", s.Vendor, s.Name)
			return
		}
	}
}

// unframed warns about messages for which nothing says whether the id of a schema precedes them.
func (p *pkgBuilder) unframed() {
	if len(p.unsaid) == 0 || p.second() {
		return
	}
	first := p.unsaid[0]
	names := map[string]bool{}
	for _, m := range p.unsaid {
		names[m.Message.Name] = true
	}
	what := "message " + first.Message.Name + " is"
	if more := len(names) - 1; more > 0 {
		what = fmt.Sprintf("messages %s and %d more are", first.Message.Name, more)
	}
	why, encodings := "nothing says how its schema is identified", "or apicurio-new, avro-single-object, or none"
	if len(names) > 1 {
		why = "nothing says how their schemas are identified"
	}
	if first.Payload.Format == parse.JSONSchema {
		why, encodings = "the server has a schema registry, and nothing says whether JSON is framed", "or none"
	}
	p.diags.Warnf(first.Message.Pos, "add it to the message: bindings: {kafka: {schemaIdPayloadEncoding: confluent}}; "+encodings+" if that is meant;\n"+
		"or write these lines into a file and name it with -config, or framing: confluent alone for all messages:\n"+
		"messages:\n  "+first.Message.Name+":\n    framing: confluent",
		"%s sent without the id of a schema: %s", what, why)
}

// content returns the content type of a message. Avro is never labelled as JSON.
func (p *pkgBuilder) content(m *parse.ChannelMessage, r *payload.Root) string {
	if r == nil {
		return m.ContentType
	}
	content := cmp.Or(m.ContentType, p.doc.Content)
	lower := strings.ToLower(content)
	if r.Avro == nil || !strings.Contains(lower, "json") || strings.Contains(lower, "avro") {
		return content
	}
	if m.ContentType != "" {
		p.diags.Warnf(m.Message.Pos, "write contentType: application/vnd.apache.avro", "message %s is in Avro's binary encoding, and is sent without its contentType %s", m.Message.Name, content)
	}
	return ""
}
