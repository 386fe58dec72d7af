package parse

import (
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// params reads the parameters of a channel, in the order of its address.
func (p *parser) params(c *Channel, n *source.Node) {
	names, ok := Placeholders(c.Address)
	if !ok {
		p.diags.ErrorHint(c.AddressPos, "write a parameter as a name in braces: orders/{region}", "the braces in the address %q of channel %s do not match", c.Address, c.Name)
		return
	}
	declared := p.object(n, "parameters")
	for _, name := range names {
		m, ok := declared.Pair(name)
		if !ok {
			p.diags.Warnf(c.AddressPos, diag.OneOf("parameters", name, declared.Keys()), "the parameter %s of channel %s is not declared", name, c.Name)
			c.Params = append(c.Params, &Param{Name: name, Pos: c.AddressPos})
			continue
		}
		if param := p.param(m); param != nil {
			c.Params = append(c.Params, param)
		}
	}
	for _, m := range members(declared) {
		if !contains(names, m.Key.Value) {
			p.diags.Warnf(m.Key.Pos, "", "the address of channel %s has no parameter {%s}", c.Name, m.Key.Value)
		}
	}
}

func (p *parser) param(m source.Pair) *Param {
	n := p.Deref(m.Value)
	if n == nil {
		return nil
	}
	p.fields(n, "a parameter", []string{"enum", "default", "description", "examples", "location"})
	out := &Param{Name: m.Key.Value, Pos: n.Pos, Description: p.text(n, "description"), Default: p.word(n, "default"), Location: p.location(n, "location")}
	for _, e := range p.list(n, "enum") {
		out.Enum = append(out.Enum, e.Value)
	}
	if out.Default != "" && len(out.Enum) > 0 && !contains(out.Enum, out.Default) {
		p.diags.ErrorHint(n.Get("default").Pos, diag.OneOf("values", out.Default, out.Enum), "the default %q of parameter %s is not in its enum", out.Default, out.Name)
	}
	return out
}

// Placeholders returns the names in braces of an address, each once, and reports whether the braces
// match.
func Placeholders(address string) (names []string, ok bool) {
	for rest := address; ; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			return names, true
		}
		j := strings.IndexAny(rest[i+1:], "{}")
		if rest[i] != '{' || j < 1 || rest[i+1+j] != '}' {
			return names, false
		}
		if name := rest[i+1 : i+1+j]; !contains(names, name) {
			names = append(names, name)
		}
		rest = rest[i+j+2:]
	}
}

// location reads a runtime expression. It returns nil if there is none or after reporting a fault.
func (p *parser) location(n *source.Node, name string) *Location {
	v := n.Get(name)
	text := p.text(n, name)
	if text == "" {
		return nil
	}
	l := &Location{Pos: v.Pos, Text: text}
	part, pointer, _ := strings.Cut(text, "#")
	switch part {
	case "$message.header", "$message.headers":
		l.Header = true
	case "$message.payload":
	default:
		part = ""
	}
	if part == "$message.payload" && pointer == "" {
		return l // the whole payload
	}
	if part == "" || !strings.HasPrefix(pointer, "/") || pointer == "/" {
		p.diags.ErrorHint(v.Pos, "write $message.header#/NAME or $message.payload#/NAME", "%s %q is not a runtime expression", name, text)
		return nil
	}
	for step := range strings.SplitSeq(pointer[1:], "/") {
		l.Path = append(l.Path, source.Unescape(step))
	}
	return l
}

var replyFields = []string{"address", "channel", "messages"}

// replyHeader is the header for the address of a reply that the document does not give any.
const replyHeader = "replyTo"

// reply reads the description of the answers to the messages of an operation.
func (p *parser) reply(o *Operation, n *source.Node, d *Document) *Reply {
	r := p.object(n, "reply")
	if r == nil {
		return nil
	}
	p.fields(r, "a reply", replyFields)
	out := &Reply{Pos: r.Pos}
	if a := p.object(r, "address"); a != nil {
		p.fields(a, "a reply address", []string{"location", "description"})
		if out.Address = p.location(a, "location"); out.Address == nil && a.Get("location") == nil {
			p.diags.ErrorHint(a.Pos, "write location: '$message.header#/replyTo'", "the reply address of operation %s has no location", o.Name)
		}
	}
	ref := r.Get("channel")
	if !reference.Is(ref) {
		p.diags.ErrorHint(r.Pos, "write channel: {$ref: '#/channels/NAME'}", "the reply of operation %s does not refer to a channel", o.Name)
		return nil
	}
	if out.Channel = p.documentChannel(ref, "the reply of operation "+o.Name, d); out.Channel == nil {
		return nil
	}
	var broken bool
	out.Messages, broken = p.messagesOf(r, "the reply of operation "+o.Name, out.Channel)
	o.Broken = o.Broken || broken
	if r.Get("address") == nil && out.Channel.Kafka.Topic == "" {
		p.diags.Warnf(r.Pos, "write address: {location: '$message.header#/NAME'}, or an address of the channel", "neither the reply of operation %s nor its channel %s has an address: a request names it in the header %s", o.Name, out.Channel.Name, replyHeader)
		out.Address = &Location{Pos: r.Pos, Text: "$message.header#/" + replyHeader, Header: true, Added: true, Path: []string{replyHeader}}
	}
	return out
}
