package model

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

// seal plans the sealed interface of a channel. It is in the package of its types, because only
// there can they have an unexported method. If the types are in several packages, the method is
// exported and the interface is in the package of the document.
func (p *pkgBuilder) seal(c *parse.Channel, f *Framed, roots []*avro.Root) {
	byPackage := map[string][]string{}
	var packages []string
	for _, r := range roots {
		g := r.Go(avro.Config{})
		if byPackage[g.Package] == nil {
			packages = append(packages, g.Package)
		}
		byPackage[g.Package] = append(byPackage[g.Package], g.Name)
	}
	f.Together = len(packages) == 1
	if f.Together {
		t := byPackage[packages[0]]
		slices.Sort(t)
		s := p.addSealed(&Sealed{Package: packages[0], Go: f.Go, Marker: "is" + f.Go, Types: t, Pos: c.Pos, Sources: []string{p.doc.File}, Together: true})
		f.Interface = packages[0] + "." + s.Go
		return
	}
	f.Marker = "Is" + f.Go
	for _, pkg := range packages {
		slices.Sort(byPackage[pkg])
		s := p.addSealed(&Sealed{Package: pkg, Go: f.Go, Marker: f.Marker, Types: byPackage[pkg], Pos: c.Pos, Sources: []string{p.doc.File}})
		f.Marker = s.Marker
	}
}

// addSealed shares the interface of another document if it has the same types, and otherwise gives
// this one another name.
func (p *pkgBuilder) addSealed(s *Sealed) *Sealed {
	for _, other := range p.sealed {
		if other.Package != s.Package || other.Go != s.Go {
			continue
		}
		if slices.Equal(other.Types, s.Types) && other.Together == s.Together {
			other.Sources = append(other.Sources, p.doc.File)
			return other
		}
		s.Go += "Of" + goname.Exported(p.out.Name)
		s.Marker = s.Marker[:2] + s.Go
	}
	p.sealed = append(p.sealed, s)
	return s
}
