package model

import (
	"cmp"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// spec returns the description of a message on a channel, or nil if it has a fault.
func (p *pkgBuilder) spec(c *parse.Channel, m *parse.ChannelMessage) *Spec {
	if s, ok := p.specs[m]; ok {
		return s
	}
	r := p.roots[m.Payload]
	if r == nil && m.Payload != nil || m.Broken {
		return nil // reported already
	}
	goName := goname.Exported(m.Message.Name)
	if !p.free(goName) {
		goName += goname.Exported(c.Name)
	}
	goName = p.scope.take(goName)
	s := &Spec{Go: goName, Alias: p.alias(goName), Var: p.scope.take(goname.Unexported(goName) + "Spec"), Name: m.Message.Name,
		Title: sentence(beyond(goName, m.Title), beyond(goName, m.Summary), beyond(goName, r.Doc())), Doc: strings.Join(append([]string{m.Description}, m.More...), "\n\n"), Topic: p.topic[c], Content: p.content(m, r),
		Own: c.File == p.doc.File, Empty: r == nil, root: r}
	if s.Topic == "" {
		s.Topic = `""`
	}
	var pkg string
	s.Value, pkg = p.goType(r)
	s.Codec = p.codec(r, s.Value)
	if r != nil && r.Raw == "" {
		s.Record, s.text = r.Record(), r.SchemaText()
		s.Schema = pkg + ".SchemaOf" + strings.TrimPrefix(s.Value, pkg+".")
	}
	p.framing(s, c, m, r)
	p.key(s, c, m, r)
	p.headers(s, m)
	if m.Correlation != nil {
		s.Reply = p.location(m.Correlation, m, r, s.Value, "the correlation id of message "+m.Message.Name)
	}
	p.specs[m] = s
	p.out.Specs = append(p.out.Specs, s)
	return s
}

// beyond returns a text, or "" if it only repeats the name of a message.
func beyond(goName, text string) string {
	if same := goname.Exported(strings.TrimRight(strings.TrimSpace(text), ".")); same == goName || same+"Message" == goName {
		return ""
	}
	return text
}

// free reports whether a name, and the names that are derived from it, are free.
func (p *pkgBuilder) free(goName string) bool {
	return !p.scope[goName] && !p.scope[goName+"Message"]
}

// alias returns the name of the type of a received message: that of the message, which is taken,
// with Message at its end.
func (p *pkgBuilder) alias(goName string) string {
	if strings.HasSuffix(goName, "Message") {
		return goName
	}
	return p.scope.take(goName + "Message")
}

// subject returns the name of a schema in the registry.
func (p *pkgBuilder) subject(c *parse.Channel, m *parse.ChannelMessage, record, suffix string) string {
	byTopic := p.topic[c] != ""
	out := ""
	switch strategy := m.Lookup[strings.LastIndex(m.Lookup, ".")+1:]; strategy {
	case "TopicRecordNameStrategy":
		out = c.Kafka.Topic + "-" + record
	case "RecordNameStrategy", "RecordIdStrategy":
		byTopic, out = true, record
	case "", "TopicNameStrategy", "TopicIdStrategy", "SimpleTopicIdStrategy":
		out = c.Kafka.Topic + suffix
	default:
		p.diags.ErrorHint(m.LookupPos, "supported are TopicRecordNameStrategy, RecordNameStrategy and TopicNameStrategy", "schemaLookupStrategy %q of message %s is not supported", m.Lookup, m.Message.Name)
	}
	if !byTopic {
		p.diags.ErrorHint(m.Message.Pos, "write schemaLookupStrategy: RecordNameStrategy", "the schema of message %s is looked up by the topic, but channel %s has no fixed one", m.Message.Name, c.Name)
	}
	return out
}

func (p *pkgBuilder) key(s *Spec, c *parse.Channel, m *parse.ChannelMessage, r *payload.Root) {
	s.Key, s.KeyCodec = "bus.NoKey", ""
	k := m.Key
	if k == nil {
		return
	}
	s.Keyed, s.keyOf, s.keyRoot = true, k, p.roots[k.Payload]
	switch kr := s.keyRoot; {
	case kr == nil:
		s.Key = p.keyType(k, s)
		s.KeyCodec = map[string]string{"integer": "bus.IntKey["}[k.Scalar.Type]
		if s.KeyCodec == "" {
			s.KeyCodec = "bus.TextKey["
		}
		s.KeyCodec += s.Key + "]()"
	case kr.JSON != nil:
		s.Key, _ = p.goType(kr)
		s.KeyCodec = "bus.JSONKey[" + s.Key + "]()"
	case kr.Avro != nil:
		s.Key, _ = p.goType(kr)
		subject := ""
		if s.Framing == "Confluent" {
			subject = p.subject(c, m, kr.Avro.Name, "-key")
			s.KeySubject, s.keyText = subject, kr.Avro.SchemaText()
			_, pkg := p.goType(kr)
			s.KeySchema = pkg + ".SchemaOf" + strings.TrimPrefix(s.Key, pkg+".")
		}
		s.KeyCodec = "bus.AvroKey[" + s.Key + "](" + quote(subject) + ")"
	default:
		p.diags.ErrorHint(k.Ref.Pos, "write it as JSON Schema or Avro", "the key of message %s in format %q is not supported", m.Message.Name, k.Name)
	}
	if k.Field != "" {
		p.keyField(s, m, r)
	}
}

// keyField finds the field of the payload that the key repeats.
func (p *pkgBuilder) keyField(s *Spec, m *parse.ChannelMessage, r *payload.Root) {
	k := m.Key
	f, ok := r.Field(k.Field)
	var names []string
	for _, f := range r.Fields() {
		names = append(names, f.Name)
	}
	text := f.AsText("m")
	in := "the payload, as there is none"
	switch {
	case r != nil && r.Node.File() == m.Message.Pos.File:
		in = r.Name()
	case r != nil:
		in = path.Base(r.Node.File())
	}
	switch {
	case !ok:
		hint := "its fields are " + strings.Join(names, ", ")
		if near, ok := diag.Nearest(k.Field, names); ok {
			hint = "did you mean " + near + "? Its fields are " + strings.Join(names, ", ")
		}
		p.diags.ErrorHint(k.FieldPos, hint, "message %s: key field %q is not in %s", m.Message.Name, k.Field, in)
	case text == "":
		p.diags.ErrorHint(k.FieldPos, "the field has to be text, an integer or a UUID, and required", "message %s: key field %q is %s", m.Message.Name, k.Field, f.GoType)
	default:
		s.KeyField, s.KeyText = f.Name, text
	}
}

// keyType returns the Go type of a key. It is named after the component or trait, the title, or the
// message.
func (p *pkgBuilder) keyType(key *parse.Key, s *Spec) string {
	k := key.Scalar
	for other, name := range p.keys {
		if reflect.DeepEqual(other, k) { // messages with the same key share the type
			return name
		}
	}
	name := s.Go + "Key"
	if wish := cmp.Or(key.Name, k.Title); wish != "" {
		name = goname.Exported(wish)
	}
	name = p.scope.take(name)
	p.keys[k] = name
	base := map[string]string{"integer": "int64"}[k.Type]
	if base == "" {
		base = "string"
	}
	p.out.Keys = append(p.out.Keys, Key{Go: name, Base: base, Doc: sentence(k.Doc), Scalar: *k})
	return name
}

func (p *pkgBuilder) headers(s *Spec, m *parse.ChannelMessage) {
	s.Headers = "bus.Headers"
	if r := p.builder.heads[m.HeaderRef]; r != nil {
		s.head = r
		s.Headers, _ = p.goType(r)
		s.Write = "metadata.WriteJSON[" + s.Headers + "]"
		s.Constants = r.JSON.Constants()
		known, texts := headerNames(r)
		s.Read = "func(m message.Metadata) (" + s.Headers + ", error) { return metadata.ReadJSON[" + s.Headers + "](m, " + known + ", " + texts + ") }"
		return
	}
	if m.Headers == nil {
		return
	}
	h := p.headersType(m.Headers, s)
	if s.Table = h.Table; h.Go == "" {
		s.Fixed = true
		return
	}
	s.Headers = h.Go
	s.Write, s.Read = "(*"+h.Go+").write", "read"+h.Go
}

// headerNames returns the Go of the headers that a schema names, which is nil if it has rules for
// others too, and of those that are text.
func headerNames(r *payload.Root) (known, texts string) {
	var all, text []string
	for _, f := range r.JSON.Fields() {
		all = append(all, quote(f.Name))
		one := r.Node.Get("properties").Get(f.Name)
		if f.Kind == "string" || f.Kind == "enum" || f.Kind == "" && one.Get("const").Is(source.String) {
			text = append(text, quote(f.Name))
		}
	}
	known, texts = "[]string{"+strings.Join(all, ", ")+"}", "nil"
	if more := r.Node.Get("additionalProperties"); !r.JSON.IsObject() || more != nil && more.Value != "false" || r.Node.Get("patternProperties") != nil {
		known = "nil"
	}
	if len(text) > 0 {
		texts = "[]string{" + strings.Join(text, ", ") + "}"
	}
	return known, texts
}

func quote(s string) string { return strconv.Quote(s) }

func (p *pkgBuilder) headersType(o *parse.Object, s *Spec) *Headers {
	for other, h := range p.flat {
		if reflect.DeepEqual(other, o) { // objects of one place may be merged with different traits
			return h
		}
	}
	name := s.Go + "Headers"
	if wish := cmp.Or(o.Name, o.Title); wish != "" {
		name = goname.Exported(wish)
	}
	h := &Headers{Doc: sentence(o.Doc)}
	if slices.ContainsFunc(o.Props, func(p parse.Prop) bool { return p.Const == "" }) {
		h.Go = p.scope.take(name)
		name = h.Go
	}
	h.Table = p.scope.take(goname.Unexported(name) + "Table")
	fields := scope{}
	for i := range o.Props {
		h.Props = append(h.Props, headerField(&o.Props[i], fields))
	}
	p.flat[o] = h
	p.out.Headers = append(p.out.Headers, *h)
	return h
}

// headerField returns the field of a header. Attributes of CloudEvents lose their prefix: ce_id is
// ID.
func headerField(prop *parse.Prop, fields scope) HeaderField {
	f := HeaderField{Prop: prop, Doc: strings.TrimSpace(prop.Doc)}
	if f.Doc == "" {
		f.Doc = "Header " + prop.Name + "."
	}
	if prop.Const != "" {
		return f
	}
	f.Go = fields.take(goname.Exported(strings.TrimPrefix(prop.Name, "ce_")))
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

// framed adds the codec of a channel without operations whose messages are in single-object
// encoding.
func (p *pkgBuilder) framed(c *parse.Channel) {
	f := Framed{Go: goname.Exported(c.Name), Doc: sentence(c.Title)}
	var roots []*avro.Root
	methods := scope{}
	for _, m := range c.Messages {
		at := p.roots[m.Payload]
		if at == nil || at.Avro == nil || m.Encoding != "avro-single-object" || !at.Avro.IsRecord() {
			continue
		}
		r := at.Avro
		t, pkg := p.goType(at)
		f.Members = append(f.Members, Member{m.Message.Name, t, pkg + ".FingerprintOf" + strings.TrimPrefix(t, pkg+"."), methods.take(goname.Exported(m.Message.Name)), r.Former(), r.Fingerprint()})
		roots = append(roots, r)
	}
	switch len(f.Members) {
	case 0:
		return
	case 1:
		f.Go, f.Single = goname.Exported(f.Members[0].Name), true
		if slices.ContainsFunc(p.out.Framed, func(o Framed) bool { return o.Go == f.Go }) {
			return // the same message on another channel
		}
	default:
		p.distinctFingerprints(c, f.Members)
		f.Go = p.scope.takeWith(f.Go, "Encode%s", "Decode%s", "KindOf%s", "%sMessages", "%sVisitor", "Visit%s")
		p.seal(c, &f, roots)
	}
	p.out.Framed = append(p.out.Framed, f)
}

func (p *pkgBuilder) distinctFingerprints(c *parse.Channel, members []Member) {
	seen := map[uint64]string{}
	for _, m := range members {
		if other, ok := seen[m.fingerprint]; ok {
			p.diags.ErrorHint(c.Pos, "the fingerprint does not include docs, defaults and logical types", "messages %s and %s of channel %s have the same fingerprint, so a reader cannot tell them apart", other, m.Name, c.Name)
		}
		seen[m.fingerprint] = m.Name
	}
}

// RuntimeHeader returns the constraints of a header for the runtime.
func RuntimeHeader(h *parse.Prop) metadata.Header {
	return metadata.Header{Name: h.Name, Required: h.Required, Const: h.Const, Enum: h.Enum, MinLength: int(h.MinLength), MaxLength: int(h.MaxLength), Pattern: h.Pattern, Format: h.Format}
}
