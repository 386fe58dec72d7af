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

// apartness is how well a reader can tell two messages apart.
type apartness int

const (
	sure  apartness = iota // by schema id or header
	tried                  // by what the payload can be read as
	hard                   // only by taking the first that it can be read as
	never
)

// distinct tells of messages of a channel that a reader could not tell apart: an error for the one
// who reads it.
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
			how := p.compare(a.Message, b.Message)
			if how == sure || how == hard && o.InOrder || how == tried && sends {
				continue
			}
			if how > worst {
				worst, with = how, a
			}
		}
		if with != nil { // once for each message: hundreds on one channel are thousands of pairs
			p.diags.Add(p.alike(worst, sends, c, with, b))
		}
	}
}

// alike says how hard it is to tell two messages apart.
func (p *pkgBuilder) alike(how apartness, sends bool, c *parse.Channel, a, b *parse.ChannelMessage) diag.Diagnostic {
	d := diag.Diagnostic{Pos: b.Message.Pos, Hint: "give each a header with a const of its own"}
	if sends || how == tried {
		d.Severity = diag.Warning
	}
	what := fmt.Sprintf("messages %s and %s of channel %s", a.Name, b.Name, c.Name)
	switch how {
	case tried:
		d.Message = what + " differ in their payloads only: a reader finds out by trying, and takes what fits both for neither"
	case hard:
		d.Message = what + " do not tell a reader which one they are"
		d.Hint += " or a header ce_type, or the schemaIdPayloadEncoding confluent or avro-single-object, or the operation that reads them x-dispatch: in-order"
	case never:
		if a.Payload == nil {
			d.Message = what + " have no payload, so that a reader cannot tell them apart"
			break
		}
		d.Message = fmt.Sprintf("%s have the same schema %s, so that a reader cannot tell them apart", what, p.roots[b.Payload].Name())
		d.Hint += ", or one of them a schema of its own"
	}
	return d
}

func (p *pkgBuilder) compare(a, b *parse.Message) apartness {
	ra, rb := p.roots[a.Payload], p.roots[b.Payload]
	fa, _ := framing(a)
	fb, _ := framing(b)
	same := ra == rb || ra != nil && rb != nil && ra.JSON != nil && ra.JSON == rb.JSON || ra != nil && rb != nil && ra.Avro != nil && rb.Avro != nil && ra.Avro.Name != "" && ra.Avro.Name == rb.Avro.Name
	switch {
	case fa != fb && (fa == "Bare") == (fb == "Bare"), fa != "Bare" && fb == "Bare", fa == "Bare" && fb != "Bare":
		return sure
	case fa != "Bare" && same:
		return never
	case fa != "Bare":
		return sure
	case p.apartByHeader(a, b):
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

// apartByHeader says whether a header has other values in one message than in the other, or names
// the message.
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

// apartByPayload says whether two payloads are of other types, or of objects that hold a member
// which has other values in one than in the other.
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

// members gives the members of a payload that are always there and have listed values only.
func (b *builder) members(r *jsonschema.Root) []jsonschema.Constant {
	out, ok := b.listed[r]
	if !ok {
		out = slices.DeleteFunc(r.Constants(), func(c jsonschema.Constant) bool { return !c.Required })
		b.listed[r] = out
	}
	return out
}

// constants gives the values that headers can have: none means any.
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
			if len(c.Path) == 1 || c.Required { // nobody fills in one inside a header
				out[strings.Join(c.Path, "/")] = c.Values
			}
		}
	}
	return out
}
