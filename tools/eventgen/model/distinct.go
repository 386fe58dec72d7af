package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/payload"
)

// apartness is how a reader can tell two messages apart.
type apartness int

const (
	sure  apartness = iota // by schema id or header
	tried                  // by trying to read the payload
	hard                   // only by taking the first message that the payload can be read as
	never
)

// distinct reports messages of a channel that a reader could not tell apart. It is an error for the
// side that reads them and a warning for the other.
func (p *pkgBuilder) distinct(c *parse.Channel, o *parse.Operation, sends bool) {
	var all []*parse.ChannelMessage
	for _, same := range p.sameTopic(c) {
		all = append(all, same.Messages...)
	}
	for i, b := range all {
		worst, with := sure, (*parse.ChannelMessage)(nil)
		for _, a := range all[:i] {
			if a.Message == b.Message || a.Broken || b.Broken {
				continue
			}
			how := p.compare(a, b)
			if how == sure || how == hard && o.InOrder || how == tried && sends {
				continue
			}
			if how > worst {
				worst, with = how, a
			}
		}
		// one for each message, because hundreds of messages are thousands of pairs
		if with != nil {
			p.diags.Add(p.alike(worst, sends, c, with, b))
		}
	}
}

// toldApart describes how a reader tells the messages of a topic apart.
func (p *pkgBuilder) toldApart(o *parse.Operation) string {
	var all []*parse.ChannelMessage
	for _, same := range p.sameTopic(o.Channel) {
		all = append(all, same.Messages...)
	}
	ids, headers := true, true
	for i, b := range all {
		r := p.roots[b.Payload]
		f, _ := p.builder.framing(b)
		ids = ids && f != "Bare" && r != nil && r.Avro != nil
		for _, a := range all[:i] {
			headers = headers && p.apartByHeader(a.Message, b.Message)
		}
	}
	switch {
	case len(all) == 1:
		return "by its topic, which has no other"
	case ids:
		return "by the id or the fingerprint of its schema"
	case headers:
		return "by its headers"
	case o.InOrder:
		return "by taking the first whose payload fits, in the order of the operation"
	}
	return "by its schema or headers if they differ, and else by trying its payload"
}

// alike returns the diagnostic for two messages that are hard to tell apart.
func (p *pkgBuilder) alike(how apartness, sends bool, c *parse.Channel, a, b *parse.ChannelMessage) diag.Diagnostic {
	d := diag.Diagnostic{Pos: b.Message.Pos, Hint: "add a header with a const of its own to each, or set headers in a config"}
	if sends || how == tried {
		d.Severity = diag.Warning
	}
	what := fmt.Sprintf("messages %s and %s of channel %s", a.Name, b.Name, c.Name)
	switch how {
	case tried:
		d.Message = what + " differ only in their payloads: a reader tries both, and refuses a payload that fits both"
	case hard:
		d.Message = what + " cannot be told apart by a reader"
		d.Hint += ", or a header ce_type, or the schemaIdPayloadEncoding confluent or avro-single-object, or x-dispatch: in-order to the operation that reads them"
	case never:
		if a.Payload == nil {
			d.Message = what + " have no payload, so a reader cannot tell them apart"
			break
		}
		d.Message = fmt.Sprintf("%s have the same schema %s, so a reader cannot tell them apart", what, p.roots[b.Payload].Name())
		d.Hint += ", or define a schema of its own for one of them"
	}
	return d
}

func (p *pkgBuilder) compare(a, b *parse.ChannelMessage) apartness {
	ra, rb := p.roots[a.Payload], p.roots[b.Payload]
	fa, _ := p.builder.framing(a)
	fb, _ := p.builder.framing(b)
	same := ra == rb || ra != nil && rb != nil && ra.JSON != nil && ra.JSON == rb.JSON || ra != nil && rb != nil && ra.Avro != nil && rb.Avro != nil && ra.Avro.Name != "" && ra.Avro.Name == rb.Avro.Name
	json := func(r *payload.Root) bool { return r != nil && r.JSON != nil }
	switch {
	case fa != fb, fa != "Bare" && json(ra) != json(rb):
		return sure
	case fa != "Bare" && !json(ra) && same:
		return never
	case fa != "Bare" && !json(ra):
		return sure
	case p.apartByHeader(a.Message, b.Message):
		return sure
	case same:
		return never
	case ra != nil && rb != nil && ra.JSON != nil && rb.JSON != nil && p.apartByPayload(ra, rb):
		return sure
	case (ra == nil || ra.JSON != nil) && (rb == nil || rb.JSON != nil):
		return tried
	}
	return hard
}

// apartByHeader reports whether a header has other values in one message than in the other, or
// contains the name of the message.
func (b *builder) apartByHeader(x, y *parse.Message) bool {
	other := b.constants(y)
	for name, va := range b.constants(x) {
		vb, ok := other[name]
		if ok && (name == "ce_type" && len(va)+len(vb) == 0 || len(va) > 0 && len(vb) > 0 && !slices.ContainsFunc(va, func(v string) bool { return slices.Contains(vb, v) })) {
			return true
		}
	}
	return false
}

// apartByPayload reports whether two payloads have different types, or are objects with a member
// that has other values in one than in the other.
func (b *builder) apartByPayload(x, y *payload.Root) bool {
	if tx, ty := x.Node.Get("type").Str(), y.Node.Get("type").Str(); tx != "" && ty != "" && tx != ty && tx+ty != "integernumber" && tx+ty != "numberinteger" {
		return true
	}
	for _, one := range b.members(x.JSON) {
		for _, other := range b.members(y.JSON) {
			if slices.Equal(one.Path, other.Path) && !slices.ContainsFunc(one.Values, func(v string) bool { return slices.Contains(other.Values, v) }) {
				return true
			}
		}
	}
	return false
}

// members returns the required members of a payload that have only listed values.
func (b *builder) members(r *jsonschema.Root) []jsonschema.Constant {
	out, ok := b.listed[r]
	if !ok {
		out = slices.DeleteFunc(r.Constants(), func(c jsonschema.Constant) bool { return !c.Required })
		b.listed[r] = out
	}
	return out
}

// constants returns the possible values of headers. An empty list means any value.
func (b *builder) constants(m *parse.Message) map[string][]string {
	if out, ok := b.consts[m]; ok {
		return out
	}
	out := map[string][]string{}
	b.consts[m] = out
	if m.Headers != nil {
		for _, h := range m.Headers.Props {
			switch {
			case h.Const != "":
				out[h.Name] = []string{h.Const}
			default:
				out[h.Name] = h.Enum
			}
		}
	}
	if r := b.heads[m.HeaderRef]; r != nil {
		for _, c := range r.JSON.Constants() {
			if len(c.Path) == 1 || c.Required { // a constant inside a header is not filled in
				out[strings.Join(c.Path, "/")] = c.Values
			}
		}
	}
	return out
}
