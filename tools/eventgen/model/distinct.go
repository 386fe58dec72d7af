package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// apartness is how well a reader can tell two messages apart.
type apartness int

const (
	sure  apartness = iota // by schema id or header
	tried                  // by what the payload can be read as
	hard                   // only by taking the first that it can be read as
	never
)

// distinct tells of messages of a channel that a reader could not tell apart: an error for the one who reads it.
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
		d.Message = fmt.Sprintf("%s have the same schema %s, so that a reader cannot tell them apart", what, p.roots[b.Payload].name())
		d.Hint += ", or one of them a schema of its own"
	}
	return d
}

func (p *pkgBuilder) compare(a, b *parse.Message) apartness {
	ra, rb := p.roots[a.Payload], p.roots[b.Payload]
	fa, _ := framing(a)
	fb, _ := framing(b)
	same := ra == rb || ra != nil && rb != nil && ra.json != nil && ra.json == rb.json || ra != nil && rb != nil && ra.avro != nil && rb.avro != nil && ra.avro.Name != "" && ra.avro.Name == rb.avro.Name
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
	case ra != nil && rb != nil && ra.json != nil && rb.json != nil && p.apartByPayload(ra.node, rb.node):
		return sure
	case (ra == nil || ra.json != nil) && (rb == nil || rb.json != nil):
		return tried
	}
	return hard
}

// apartByHeader says whether a header has other values in one message than in the other, or names the message.
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

// apartByPayload says whether two schemas are of other types, or of objects that require a property which has other values in one than in the other.
func (b *builder) apartByPayload(x, y *source.Node) bool {
	if tx, ty := x.Get("type").Str(), y.Get("type").Str(); tx != "" && ty != "" && tx != ty && tx+ty != "integernumber" && tx+ty != "numberinteger" {
		return true
	}
	values := func(n *source.Node, name string) []*source.Node {
		prop := b.files.Deref(n.Get("properties").Get(name))
		if c := prop.Get("const"); c != nil {
			return []*source.Node{c}
		}
		if e := prop.Get("enum"); e.Is(source.Seq) {
			return e.Items
		}
		return nil
	}
	if !x.Get("required").Is(source.Seq) || !y.Get("required").Is(source.Seq) {
		return false
	}
	for _, n := range x.Get("required").Items {
		if !slices.ContainsFunc(y.Get("required").Items, func(o *source.Node) bool { return source.Equal(n, o) }) {
			continue
		}
		vx, vy := values(x, n.Str()), values(y, n.Str())
		if len(vx) > 0 && len(vy) > 0 && !slices.ContainsFunc(vx, func(v *source.Node) bool {
			return slices.ContainsFunc(vy, func(w *source.Node) bool { return source.Equal(v, w) })
		}) {
			return true
		}
	}
	return false
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
		for _, c := range r.json.Constants() {
			if len(c.Path) == 1 || c.Required { // nobody fills in one inside a header
				out[strings.Join(c.Path, "/")] = c.Values
			}
		}
	}
	return out
}
