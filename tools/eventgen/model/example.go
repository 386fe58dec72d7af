package model

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// examples adds a function for each message that has an example without a fault.
func (p *pkgBuilder) examples() {
	seen := map[string]bool{}
	for _, c := range p.doc.Channels {
		for _, m := range c.Messages {
			r := p.roots[m.Payload]
			if r == nil || seen[m.Message.Name] || !p.uses(m, c) {
				continue
			}
			seen[m.Message.Name] = true
			for _, e := range m.Examples {
				if e.Payload != nil && p.example(m, r, e) {
					break
				}
			}
		}
	}
}

// uses reports whether the package sends or handles a message, or has its codec. A message that it
// ignores is not used.
func (p *pkgBuilder) uses(m *parse.ChannelMessage, c *parse.Channel) bool {
	if m.Encoding == "avro-single-object" && c.File == p.doc.File {
		return true
	}
	s := p.specs[m]
	return s != nil && slices.ContainsFunc(slices.Concat(p.out.Senders, p.out.Receivers, p.out.Requesters), func(o Operation) bool {
		return slices.Contains(o.Answers, s) || slices.ContainsFunc(o.Methods, func(m Method) bool { return m.Spec == s })
	})
}

// example adds a function that returns an example. It reports whether the example has no fault;
// checkExamples reports the faults.
func (p *pkgBuilder) example(m *parse.ChannelMessage, r *payload.Root, e parse.Example) bool {
	expr, ok := p.literal(r, e.Payload)
	if !ok {
		return false
	}
	t, _ := p.goType(r)
	p.out.Examples = append(p.out.Examples, Example{Go: p.scope.take("Example" + goname.Exported(m.Message.Name)), Type: t, Expr: expr, message: m.Message.Name, node: e.Payload,
		Doc: "returns the example of " + m.Message.Name + " in the document."})
	return true
}

// checkExamples checks every example against its schemas. A fault is a warning, because no type
// depends on an example.
func (p *pkgBuilder) checkExamples() {
	for _, c := range p.doc.Channels {
		for _, m := range c.Messages {
			for _, e := range m.Examples {
				if e.Payload != nil {
					p.diags.Add(p.roots[m.Payload].CheckExample(e.Payload).Warnings()...)
				}
				if e.Headers == nil {
					continue
				}
				if m.Headers != nil {
					p.checkHeaders(m, e.Headers)
				}
				if r := p.builder.heads[m.HeaderRef]; r != nil {
					p.diags.Add(r.CheckExample(e.Headers).Warnings()...)
				}
			}
		}
	}
}

func (p *pkgBuilder) checkHeaders(m *parse.ChannelMessage, n *source.Node) {
	for i := range m.Headers.Props {
		h := &m.Headers.Props[i]
		v := n.Get(h.Name)
		switch {
		case v == nil && h.Required && h.Const == "":
			p.diags.Warnf(n.Pos, "", "example of message %s: header %s is missing", m.Message.Name, h.Name)
		case v != nil:
			header := RuntimeHeader(h)
			if err := header.CheckText(v.Value); err != nil {
				p.diags.Warnf(v.Pos, "", "example of message %s: header %s %v", m.Message.Name, h.Name, err)
			}
		}
	}
}
