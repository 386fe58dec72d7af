package schema

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// otherDrafts returns a schema in which keywords of other drafts that have one meaning only are
// those of draft-07, and warns about them: the flags of draft-04 and of OpenAPI 3.0, and keywords
// of 2019-09 and 2020-12 for items, dependencies and members that are not named.
func (l *Loader) otherDrafts(n *source.Node) *source.Node {
	if l.flags(n) {
		n = fromFlags(n)
	}
	if n.Get("prefixItems").Is(source.Seq) && !n.Get("items").Is(source.Seq) && n.Get("additionalItems") == nil {
		n = l.renamed(n, "prefixItems", map[string]string{"prefixItems": "items", "items": "additionalItems"})
	}
	for _, name := range []string{"dependentRequired", "dependentSchemas"} {
		if n.Get(name).Is(source.Map) && n.Get("dependencies") == nil {
			n = l.renamed(n, name, map[string]string{name: "dependencies"})
		}
	}
	// Beside nothing that evaluates members elsewhere it means what additionalProperties means.
	if n.Get("unevaluatedProperties") != nil && n.Get("additionalProperties") == nil && !applies(n) {
		n = l.renamed(n, "unevaluatedProperties", map[string]string{"unevaluatedProperties": "additionalProperties"})
	}
	return n
}

// applies reports whether a schema applies other schemas to the value itself.
func applies(n *source.Node) bool {
	return slices.ContainsFunc([]string{"$ref", "allOf", "anyOf", "oneOf", "if", "dependencies", "dependentSchemas"}, func(name string) bool { return n.Get(name) != nil })
}

// renamed returns a schema with other names of keywords, and warns about the one that requires it.
func (l *Loader) renamed(n *source.Node, keyword string, names map[string]string) *source.Node {
	out := &source.Node{Pos: n.Pos, Kind: source.Map}
	for _, p := range n.Pairs {
		if p.Key.Value == keyword {
			l.Diags.Warnf(p.Key.Pos, later[keyword], "%s belongs to a later draft than draft-07, and is read as %s", keyword, names[keyword])
		}
		if name := names[p.Key.Value]; name != "" {
			p.Key = &source.Node{Pos: p.Key.Pos, Kind: source.String, Value: name}
		}
		out.Pairs = append(out.Pairs, p)
	}
	return out
}

// bounds are the bounds with the flags that make them exclusive before draft-06.
var bounds = []struct{ bound, flag string }{{"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}}

// fromFlags returns a schema without the flags of its bounds, which become exclusive themselves.
func fromFlags(n *source.Node) *source.Node {
	out := &source.Node{Pos: n.Pos, Kind: source.Map}
	for _, p := range n.Pairs {
		left := false
		for _, b := range bounds {
			flag := n.Get(b.flag)
			left = left || p.Key.Value == b.flag && flag.Is(source.Bool)
			if p.Key.Value == b.bound && flag.Is(source.Bool) && flag.Value == "true" {
				p.Key = &source.Node{Pos: p.Key.Pos, Kind: source.String, Value: b.flag}
				break
			}
		}
		if !left {
			out.Pairs = append(out.Pairs, p)
		}
	}
	return out
}

// flags reports whether a schema has flags of its bounds, and warns about them. It reports false if
// there is a flag without a bound, which is an error.
func (l *Loader) flags(n *source.Node) bool {
	var found []int
	for i, b := range bounds {
		if flag := n.Get(b.flag); flag.Is(source.Bool) {
			if flag.Value == "true" && n.Get(b.bound) == nil {
				return false
			}
			found = append(found, i)
		}
	}
	for _, i := range found {
		flag, hint := n.Get(bounds[i].flag), "leave it out"
		if flag.Value == "true" {
			hint = "write " + bounds[i].flag + ": " + n.Get(bounds[i].bound).Value + ", without " + bounds[i].bound
		}
		l.Diags.Warnf(flag.Pos, hint, "%s is a number since draft-06, and is read as the flag that it was before", bounds[i].flag)
	}
	return len(found) > 0
}
