package model

import (
	"path"
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// seal plans the sealed interface of a channel. It stands beside its types, as only there types can have a method that nobody else can write; with types of several
// packages the method is exported, and the interface stands in the bus package.
func (p *pkgBuilder) seal(f *Framed, roots []*root) {
	byPackage := map[string][]string{}
	var packages []string
	for _, r := range roots {
		g := r.avro.Go(avro.Config{})
		if byPackage[g.Package] == nil {
			packages = append(packages, g.Package)
		}
		byPackage[g.Package] = append(byPackage[g.Package], g.Name)
	}
	f.Together = len(packages) == 1
	if f.Together {
		t := byPackage[packages[0]]
		slices.Sort(t)
		s := p.addSealed(&Sealed{Package: packages[0], Go: f.Go, Marker: "is" + f.Go, Types: t, Sources: []string{p.doc.File}, Together: true})
		f.Interface = p.qualify(roots[0], s.Go)
		return
	}
	f.Marker = "Is" + f.Go
	for _, pkg := range packages {
		slices.Sort(byPackage[pkg])
		s := p.addSealed(&Sealed{Package: pkg, Go: f.Go, Marker: f.Marker, Types: byPackage[pkg], Sources: []string{p.doc.File}})
		f.Marker = s.Marker
	}
}

// addSealed shares what another document asked for alike, and renames what it asked for otherwise.
func (p *pkgBuilder) addSealed(s *Sealed) *Sealed {
	for _, other := range p.sealed {
		if other.Package != s.Package || other.Go != s.Go {
			continue
		}
		if slices.Equal(other.Types, s.Types) && other.Together == s.Together {
			other.Sources = append(other.Sources, p.doc.File)
			return other
		}
		s.Go += "Of" + avro.GoName(p.out.Name)
		s.Marker = s.Marker[:2] + s.Go
	}
	p.sealed = append(p.sealed, s)
	return s
}

// examples makes one function for each message with an example.
func (p *pkgBuilder) examples() {
	seen := map[string]bool{}
	for _, c := range p.doc.Channels {
		for _, m := range c.Messages {
			r := p.payload(m.Payload)
			if r == nil || seen[m.Message.Name] || r.avro != nil && !r.avro.IsRecord() || !p.uses(m, c) {
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

// uses says whether the package has to do with a message: it sends or receives it, or has its codec.
func (p *pkgBuilder) uses(m *parse.ChannelMessage, c *parse.Channel) bool {
	return p.specs[m] != nil || m.Encoding == "avro-single-object" && c.File == p.doc.File
}

func (p *pkgBuilder) example(m *parse.ChannelMessage, r *root, e parse.Example) {
	expr, imports, faults := p.literal(r, e.Payload)
	if faults.HasErrors() {
		return // told by checkExamples
	}
	t, _ := p.goType(r)
	for _, i := range imports {
		p.out.Imports[path.Base(i)] = i
	}
	p.out.Examples = append(p.out.Examples, Example{Go: p.scope.take("Example" + avro.GoName(m.Message.Name)), Type: t, Expr: expr,
		Doc: "gives the contract's example of " + m.Message.Name + "."})
}

// checkExamples checks every example against its schemas.
func (p *pkgBuilder) checkExamples() {
	for _, c := range p.doc.Channels {
		for _, m := range c.Messages {
			for _, e := range m.Examples {
				if r := p.payload(m.Payload); r != nil && e.Payload != nil {
					p.diags.Add(r.checkExample(e.Payload)...)
				}
				if m.Headers != nil && e.Headers != nil {
					p.checkHeaders(m, e.Headers)
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
