package model

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// framings are the payload encodings of the Kafka binding that are known, as the runtime calls them.
var framings = map[string]string{"confluent": "Confluent", "avro-single-object": "SingleObject", "": "Bare"}

// spec describes a message on a channel; nil after telling why it cannot be.
func (p *pkgBuilder) spec(c *parse.Channel, m *parse.ChannelMessage) *Spec {
	if s, ok := p.specs[m]; ok {
		return s
	}
	r := p.payload(m.Payload)
	if r == nil && (m.Broken || m.Payload != nil) {
		return nil // told already
	}
	if r == nil {
		p.diags.ErrorHint(m.Message.Pos, "give it a payload", "message %s is sent or received but has no payload", m.Message.Name)
		return nil
	}
	if r.avro != nil && !r.avro.IsRecord() {
		p.diags.ErrorHint(m.Payload.Ref.Pos, "make the payload a record", "the payload of message %s is %s, which is not supported yet", m.Message.Name, r.avro.Kind)
		return nil
	}
	goName := avro.GoName(m.Message.Name)
	if !p.free(goName) {
		goName += avro.GoName(c.Name)
	}
	goName = p.scope.take(goName)
	s := &Spec{Go: goName, Alias: p.scope.take(goName + "Message"), Var: p.scope.take(avro.Unexported(goName) + "Spec"), Name: m.Message.Name,
		Title: sentence(m.Title, m.Summary, r.doc(), "the message "+m.Message.Name), Doc: m.Description, Topic: p.topic[c], Content: m.ContentType, Own: c.File == p.doc.File, text: r.schemaText()}
	var pkg string
	s.Value, pkg = p.goType(r)
	s.Schema = pkg + ".SchemaOf" + strings.TrimPrefix(s.Value, pkg+".")
	if r.avro != nil {
		s.Record, s.Codec = r.avro.Name, fmt.Sprintf("bus.Avro[%s]()", s.Value)
		p.framing(s, c, m, r.avro)
	} else {
		s.Record, s.Codec, s.Framing = s.Name, fmt.Sprintf("bus.JSON[%s](%q)", s.Value, s.Name), "Bare"
		if m.Encoding != "" {
			p.diags.ErrorHint(m.EncodingPos, "leave it out: the payload is the JSON alone", "schemaIdPayloadEncoding %q is not supported for the JSON of message %s", m.Encoding, m.Message.Name)
		}
	}
	p.key(s, m, r)
	p.headers(s, m)
	p.specs[m] = s
	p.out.Specs = append(p.out.Specs, s)
	return s
}

// free says whether the names that follow from a message's are free.
func (p *pkgBuilder) free(goName string) bool {
	return !p.scope[goName] && !p.scope[goName+"Message"]
}

func (p *pkgBuilder) framing(s *Spec, c *parse.Channel, m *parse.ChannelMessage, r *avro.Root) {
	f, ok := framings[m.Encoding]
	if !ok {
		p.diags.ErrorHint(m.EncodingPos, "supported are confluent and avro-single-object", "schemaIdPayloadEncoding %q of message %s is not supported", m.Encoding, m.Message.Name)
	}
	s.Framing = f
	if f != "Confluent" {
		return
	}
	switch strategy := m.Lookup[strings.LastIndex(m.Lookup, ".")+1:]; strategy {
	case "TopicRecordNameStrategy":
		s.Subject = c.Kafka.Topic + "-" + r.Name
	case "RecordNameStrategy", "RecordIdStrategy":
		s.Subject = r.Name
	case "", "TopicNameStrategy", "TopicIdStrategy":
		s.Subject = c.Kafka.Topic + "-value"
	default:
		p.diags.ErrorHint(m.LookupPos, "supported are TopicRecordNameStrategy, RecordNameStrategy and TopicNameStrategy", "schemaLookupStrategy %q of message %s is not supported", m.Lookup, m.Message.Name)
	}
}

func (p *pkgBuilder) key(s *Spec, m *parse.ChannelMessage, r *root) {
	s.Key = "bus.NoKey"
	k := m.Key
	if k == nil {
		return
	}
	s.Keyed, s.Key = true, p.keyType(k, s)
	if k.KeyField == "" {
		return
	}
	goType, text, ok := r.field(k.KeyField)
	names := r.fieldNames()
	switch {
	case !ok:
		hint := "its fields are " + strings.Join(names, ", ")
		if near, ok := diag.Nearest(k.KeyField, names); ok {
			hint = "did you mean " + near + "? Its fields are " + strings.Join(names, ", ")
		}
		p.diags.ErrorHint(k.FieldPos, hint, "message %s: key field %q is not in %s", m.Message.Name, k.KeyField, path.Base(m.Payload.Schema.Pos.File))
	case text == "":
		p.diags.ErrorHint(k.FieldPos, "a key's field is a string that is always there", "message %s: key field %q is %s, not a string", m.Message.Name, k.KeyField, goType)
	default:
		s.KeyField, s.KeyGo = k.KeyField, text
	}
}

// keyType gives the Go type of a key, named by its title or else by the message.
func (p *pkgBuilder) keyType(k *parse.Scalar, s *Spec) string {
	if name, ok := p.keys[p.sameKey(k)]; ok {
		return name
	}
	name := s.Go + "Key"
	if k.Title != "" {
		name = avro.GoName(k.Title)
	}
	name = p.scope.take(name)
	p.keys[k] = name
	p.out.Keys = append(p.out.Keys, Key{Go: name, Doc: sentence(k.Doc, "Key of "+s.Name+"."), Scalar: *k})
	return name
}

// sameKey finds a key schema read before from the same place, so that messages that share it share the type.
func (p *pkgBuilder) sameKey(k *parse.Scalar) *parse.Scalar {
	for other := range p.keys {
		if other.Pos == k.Pos {
			return other
		}
	}
	return k
}

func (p *pkgBuilder) headers(s *Spec, m *parse.ChannelMessage) {
	s.Headers = "bus.Headers"
	if m.Headers == nil {
		return
	}
	h := p.headersType(m.Headers, s)
	s.Headers, s.Table = h.Go, h.Table
}

func (p *pkgBuilder) headersType(o *parse.Object, s *Spec) *Headers {
	for other, h := range p.heads {
		if other.Pos == o.Pos {
			return h
		}
	}
	name := s.Go + "Headers"
	if o.Title != "" {
		name = avro.GoName(o.Title)
	}
	h := &Headers{Go: p.scope.take(name), Doc: sentence(o.Doc, "Headers of "+s.Name+".")}
	h.Table = p.scope.take(avro.Unexported(h.Go) + "Table")
	fields := scope{}
	for i := range o.Props {
		h.Props = append(h.Props, headerField(&o.Props[i], fields))
	}
	p.heads[o] = h
	p.out.Headers = append(p.out.Headers, *h)
	return h
}

// headerField names and types a header. The attributes of CloudEvents lose their prefix: ce_id is ID.
func headerField(prop *parse.Prop, fields scope) HeaderField {
	f := HeaderField{Prop: prop, Doc: strings.TrimSpace(prop.Doc)}
	if f.Doc == "" {
		f.Doc = "Header " + prop.Name + "."
	}
	if prop.Const != "" {
		return f
	}
	f.Go = fields.take(avro.GoName(strings.TrimPrefix(prop.Name, "ce_")))
	switch {
	case prop.Type == "integer":
		f.Type, f.Set, f.Get = "*int64", "SetInt", "Int"
	case prop.Type == "number":
		f.Type, f.Set, f.Get = "*float64", "SetFloat", "Float"
	case prop.Type == "boolean":
		f.Type, f.Set, f.Get = "*bool", "SetBool", "Bool"
	case prop.Format == "date-time":
		f.Type, f.Set, f.Get = "time.Time", "SetTime", "Time"
	default:
		f.Type, f.Set, f.Get = "string", "SetText", "Text"
	}
	return f
}

// framed makes the codec of a channel without operations whose messages are in single-object encoding.
func (p *pkgBuilder) framed(c *parse.Channel) {
	f := Framed{Go: avro.GoName(c.Name), Doc: sentence(c.Title)}
	var roots []*root
	for _, m := range c.Messages {
		r := p.avroRoots[m.Payload]
		if r == nil || m.Encoding != "avro-single-object" || !r.IsRecord() {
			continue
		}
		t, pkg := p.goType(&root{avro: r})
		f.Members = append(f.Members, Member{m.Message.Name, t, pkg + ".FingerprintOf" + strings.TrimPrefix(t, pkg+"."), r.Fingerprint()})
		roots = append(roots, &root{avro: r})
	}
	switch len(f.Members) {
	case 0:
		return
	case 1:
		f.Go, f.Single = avro.GoName(f.Members[0].Name), true
		if slices.ContainsFunc(p.out.Framed, func(o Framed) bool { return o.Go == f.Go }) {
			return // the same message on another channel
		}
	default:
		p.distinctFingerprints(c, f.Members)
		f.Go = p.scope.take(f.Go)
		p.seal(&f, roots)
	}
	p.out.Framed = append(p.out.Framed, f)
}

func (p *pkgBuilder) distinctFingerprints(c *parse.Channel, members []Member) {
	seen := map[uint64]string{}
	for _, m := range members {
		if other, ok := seen[m.fingerprint]; ok {
			p.diags.ErrorHint(c.Pos, "the fingerprint does not see docs, defaults and logical types", "messages %s and %s of channel %s have the same fingerprint, so that a reader cannot tell them apart", other, m.Name, c.Name)
		}
		seen[m.fingerprint] = m.Name
	}
}

// RuntimeHeader gives a scalar's constraints as the runtime checks them.
func RuntimeHeader(h *parse.Prop) bus.Header {
	return bus.Header{Name: h.Name, Required: h.Required, Const: h.Const, Enum: h.Enum, MinLength: int(h.MinLength), MaxLength: int(h.MaxLength), Pattern: h.Pattern, Format: h.Format}
}
