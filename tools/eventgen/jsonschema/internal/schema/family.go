package schema

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// A family is a schema with subtypes that contain it in their allOf, as tools write a class and its
// subclasses. It has a discriminator, or lists its subtypes in oneOf or anyOf. A reference to it
// means one of the subtypes, except in the allOf of a subtype, where it means what all of them have
// in common.
type family struct {
	common  *source.Node // without the subtypes
	whole   *source.Node // one of the subtypes
	derived map[*source.Node]bool
}

// most is how many schemas deep a subtype is looked for.
const most = 20

// family returns the family of a schema, or nil if it has none.
func (l *Loader) family(n *source.Node) *family {
	f, ok := l.families[n]
	if ok || !n.Is(source.Map) {
		return f
	}
	l.families[n] = nil // while its subtypes are looked for
	if f = l.listed(n); f == nil {
		f = l.implied(n)
	}
	if l.families[n] = f; f != nil {
		l.origin[f.common], l.origin[f.whole] = n, n
		l.families[f.common], l.families[f.whole] = nil, nil
	}
	return f
}

// listed returns the family of a schema that lists its subtypes.
func (l *Loader) listed(n *source.Node) *family {
	for _, group := range []string{"oneOf", "anyOf"} {
		f, all := &family{derived: map[*source.Node]bool{}}, true
		if list := n.Get(group); list.Is(source.Seq) {
			for _, it := range list.Items {
				all = l.descends(l.target(it), n, f.derived, 0) && all
			}
		}
		if len(f.derived) == 0 {
			continue
		}
		f.common = without(n, group, "discriminator")
		f.whole = without(n)
		if all { // they have what is common
			f.whole = alternatives(n, group, n.Get(group))
		}
		return f
	}
	return nil
}

// implied returns the family of a schema with a discriminator whose subtypes only refer to it.
func (l *Loader) implied(n *source.Node) *family {
	if n.Get("discriminator") == nil || n.Get("oneOf") != nil || n.Get("anyOf") != nil || l.roots == nil {
		return nil
	}
	f, list := &family{derived: map[*source.Node]bool{}}, &source.Node{Pos: n.Pos, Kind: source.Seq}
	var found []*source.Node
	for _, root := range l.roots(n.File()) {
		for _, section := range []string{"/components/schemas", "/schemas", "/definitions", "/$defs"} {
			named, _, _ := root.Lookup(section)
			if !named.Is(source.Map) {
				continue
			}
			for _, p := range named.Pairs {
				at := l.target(p.Value)
				if at == n || slices.Contains(found, at) || !l.descends(at, n, f.derived, 0) || l.family(at) != nil {
					continue // a subtype with subtypes of its own is one of those
				}
				found = append(found, at)
				ref := &source.Node{Pos: p.Key.Pos, Kind: source.String, Value: "#" + section + "/" + source.Escape(p.Key.Value)}
				list.Items = append(list.Items, &source.Node{Pos: p.Key.Pos, Kind: source.Map, Pairs: []source.Pair{member("$ref", ref)}})
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	f.common = without(n, "discriminator")
	f.whole = alternatives(n, "oneOf", list)
	return f
}

// descends reports whether a schema contains another one in its allOf, and notes those that refer
// to it.
func (l *Loader) descends(n, from *source.Node, derived map[*source.Node]bool, depth int) (found bool) {
	if list := n.Get("allOf"); list.Is(source.Seq) && depth < most {
		for _, it := range list.Items {
			switch t := l.target(it); {
			case t == from:
				derived[n], found = true, true
			case t != nil && l.descends(t, from, derived, depth+1):
				found = true
			}
		}
	}
	return found
}

// target follows the references of a node. It returns nil if they lead nowhere.
func (l *Loader) target(n *source.Node) *source.Node {
	ref := n.Get("$ref")
	if !ref.Is(source.String) {
		return n
	}
	if at := l.byID(ref.Value); at != nil {
		return at
	}
	return l.deref(n)
}

// inFamily returns what is read instead of a schema: of a schema with subtypes, one of these; of a
// subtype, one that contains what is common.
func (l *Loader) inFamily(n *source.Node) *source.Node {
	origin := n
	if at := l.origin[n]; at != nil {
		origin = at
	} else if f := l.family(n); f != nil {
		n = f.whole
	}
	list := n.Get("allOf")
	if !list.Is(source.Seq) {
		return n
	}
	items := slices.Clone(list.Items)
	for i, it := range items {
		at := l.target(it)
		if at == nil {
			continue
		}
		if f := l.family(at); f != nil && f.derived[origin] {
			items[i] = f.common
			l.commonOf[f.common] = keyOf(it.Get("$ref").Str())
		}
	}
	if slices.Equal(items, list.Items) {
		return n
	}
	out := without(n)
	for i, p := range out.Pairs {
		if p.Key.Value == "allOf" {
			out.Pairs[i].Value = &source.Node{Pos: list.Pos, Kind: source.Seq, Items: items}
		}
	}
	return out
}

// without returns a copy of an object without some members.
func without(n *source.Node, names ...string) *source.Node {
	out := &source.Node{Pos: n.Pos, Kind: source.Map}
	for _, p := range n.Pairs {
		if !slices.Contains(names, p.Key.Value) {
			out.Pairs = append(out.Pairs, p)
		}
	}
	return out
}

// alternatives returns a schema that is one of a list, with the annotations of another.
func alternatives(n *source.Node, group string, list *source.Node) *source.Node {
	out := &source.Node{Pos: n.Pos, Kind: source.Map}
	for _, p := range n.Pairs {
		if slices.Contains([]string{"title", "description", "discriminator", "type", "nullable", "default", "example", "examples", "deprecated"}, p.Key.Value) || strings.HasPrefix(p.Key.Value, "x-") {
			out.Pairs = append(out.Pairs, p)
		}
	}
	out.Pairs = append(out.Pairs, source.Pair{Key: &source.Node{Pos: n.Pos, Kind: source.String, Value: group}, Value: list})
	return out
}
