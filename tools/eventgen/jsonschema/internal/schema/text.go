package schema

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Text returns a copy of a schema that needs no other file: the targets of its references are in
// definitions, by their Go names.
func (l *Loader) Text(root *Schema) *source.Node {
	if root.Bool != nil {
		return root.Node
	}
	t := &texter{Loader: l, root: root}
	out := t.schema(root.Node)
	pairs := []source.Pair{member("$schema", &source.Node{Kind: source.String, Value: "http://json-schema.org/draft-07/schema#"})}
	pairs = append(pairs, out.Pairs...)
	definitions := &source.Node{Kind: source.Map}
	for i := 0; i < len(t.queue); i++ { // the queue grows
		definitions.Pairs = append(definitions.Pairs, member(t.queue[i].GoName, t.schema(t.queue[i].Node)))
	}
	if len(definitions.Pairs) > 0 {
		pairs = append(pairs, member("definitions", definitions))
	}
	return &source.Node{Kind: source.Map, Pairs: pairs}
}

type texter struct {
	*Loader
	root  *Schema
	queue []*Schema
}

func member(name string, v *source.Node) source.Pair {
	return source.Pair{Key: &source.Node{Kind: source.String, Value: name}, Value: v}
}

// left are members of a schema that have no meaning in another place.
var left = []string{"definitions", "$defs", "$id", "$schema"}

// schema copies a node that is a schema or contains schemas.
func (t *texter) schema(n *source.Node) *source.Node {
	s, known := t.schemas[n]
	if known && s.ref != nil {
		return t.reference(s.Final())
	}
	if known {
		n = s.Node
	}
	switch n.Kind {
	case source.Map:
		out := &source.Node{Kind: source.Map}
		if known && s.Implied != 0 {
			out.Pairs = append(out.Pairs, member("type", &source.Node{Kind: source.String, Value: TypeName(s.Implied)}))
		}
		for _, p := range n.Pairs {
			switch {
			case known && slices.Contains(left, p.Key.Value):
			case known && p.Key.Value == "discriminator" && s.mapping.Is(source.Map):
				out.Pairs = append(out.Pairs, source.Pair{Key: p.Key, Value: t.discriminator(s, p.Value)})
			default:
				out.Pairs = append(out.Pairs, source.Pair{Key: p.Key, Value: t.tagged(s, p, t.schema(p.Value))})
			}
		}
		return out
	case source.Seq:
		out := &source.Node{Kind: source.Seq}
		for _, it := range n.Items {
			out.Items = append(out.Items, t.schema(it))
		}
		return out
	}
	return n
}

// tagged expresses a discriminator in JSON Schema: each alternative requires its value of the
// property.
func (t *texter) tagged(s *Schema, p source.Pair, list *source.Node) *source.Node {
	if s == nil || p.Key.Value != "oneOf" && p.Key.Value != "anyOf" {
		return list
	}
	tags := s.Tags(p.Key.Value)
	if tags == nil {
		return list
	}
	text := func(v string) *source.Node { return &source.Node{Kind: source.String, Value: v} }
	object := func(name string, v *source.Node) *source.Node {
		return &source.Node{Kind: source.Map, Pairs: []source.Pair{member(name, v)}}
	}
	out := &source.Node{Kind: source.Seq}
	for i, b := range s.Group(p.Key.Value) {
		item := list.Items[i]
		if !s.requiresTag(b.Final(), tags[i]) {
			value := object("const", text(tags[i][0]))
			if len(tags[i]) > 1 {
				list := &source.Node{Kind: source.Seq}
				for _, v := range tags[i] {
					list.Items = append(list.Items, text(v))
				}
				value = object("enum", list)
			}
			told := object("properties", object(s.Discriminator, value))
			told.Pairs = append(told.Pairs, member("required", &source.Node{Kind: source.Seq, Items: []*source.Node{text(s.Discriminator)}}))
			item = object("allOf", &source.Node{Kind: source.Seq, Items: []*source.Node{item, told}})
		}
		out.Items = append(out.Items, item)
	}
	return out
}

// discriminator copies a discriminator with a mapping. The references of the mapping become those
// of the copy.
func (t *texter) discriminator(s *Schema, n *source.Node) *source.Node {
	mapping := &source.Node{Kind: source.Map}
	for _, p := range s.mapping.Pairs {
		at := p.Value
		for _, b := range slices.Concat(s.OneOf, s.AnyOf) {
			if f := b.Final(); b.ref != nil && f.Key == keyOf(p.Value.Value) {
				at = t.reference(f).Get("$ref")
			}
		}
		if at != nil {
			mapping.Pairs = append(mapping.Pairs, source.Pair{Key: p.Key, Value: at})
		}
	}
	out := &source.Node{Kind: source.Map}
	for _, p := range n.Pairs {
		if p.Value == s.mapping {
			p.Value = mapping
		}
		out.Pairs = append(out.Pairs, p)
	}
	return out
}

func (t *texter) reference(to *Schema) *source.Node {
	at := "#"
	switch {
	case to.Bool != nil || to != t.root && to.GoName == "":
		return t.schema(to.Node)
	case to != t.root:
		at = "#/definitions/" + to.GoName
		if !slices.Contains(t.queue, to) {
			t.queue = append(t.queue, to)
		}
	}
	return &source.Node{Kind: source.Map, Pairs: []source.Pair{member("$ref", &source.Node{Kind: source.String, Value: at})}}
}
