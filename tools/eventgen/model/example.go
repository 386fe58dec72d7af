package model

import (
	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// examples makes one function for each message with an example.
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
				if e.Payload == nil {
					continue
				}
				p.example(m, r, e)
				break
			}
		}
	}
}

// uses says whether the package has to do with a message: it sends or receives it, or has its
// codec.
func (p *pkgBuilder) uses(m *parse.ChannelMessage, c *parse.Channel) bool {
	return p.specs[m] != nil || m.Encoding == "avro-single-object" && c.File == p.doc.File
}

func (p *pkgBuilder) example(m *parse.ChannelMessage, r *root, e parse.Example) {
	expr, ok := p.literal(r, e.Payload)
	if !ok {
		return // told by checkExamples
	}
	t, _ := p.goType(r)
	p.out.Examples = append(p.out.Examples, Example{Go: p.scope.take("Example" + avro.GoName(m.Message.Name)), Type: t, Expr: expr,
		Doc: "gives the contract's example of " + m.Message.Name + "."})
}

// checkExamples checks every example against its schemas.
func (p *pkgBuilder) checkExamples() {
	for _, c := range p.doc.Channels {
		for _, m := range c.Messages {
			for _, e := range m.Examples {
				if e.Payload != nil {
					p.diags.Add(p.roots[m.Payload].checkExample(e.Payload)...)
				}
				if e.Headers == nil {
					continue
				}
				if m.Headers != nil {
					p.checkHeaders(m, e.Headers)
				}
				if r := p.builder.heads[m.HeaderRef]; r != nil {
					p.diags.Add(r.checkExample(e.Headers)...)
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
			p.diags.Errorf(n.Pos, "example of message %s: header %s is missing", m.Message.Name, h.Name)
		case v != nil:
			header := RuntimeHeader(h)
			if err := header.CheckText(v.Value); err != nil {
				p.diags.Errorf(v.Pos, "example of message %s: header %s %v", m.Message.Name, h.Name, err)
			}
		}
	}
}
