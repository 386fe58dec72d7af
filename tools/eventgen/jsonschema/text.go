package jsonschema

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// SchemaText is the schema as draft-07 with all it refers to inside, as a registry gets it.
func (r *Root) SchemaText() string { return string(r.set.loader.text(r.schema).JSON()) }

// text copies a schema. What its references lead to stands under definitions, by the Go names.
func (l *loader) text(root *schema) *source.Node {
	if root.bool != nil {
		return root.node
	}
	t := &texter{loader: l, root: root}
	out := t.schema(root.node)
	pairs := []source.Pair{member("$schema", &source.Node{Kind: source.String, Value: "http://json-schema.org/draft-07/schema#"})}
	pairs = append(pairs, out.Pairs...)
	definitions := &source.Node{Kind: source.Map}
	for i := 0; i < len(t.queue); i++ { // it grows
		definitions.Pairs = append(definitions.Pairs, member(t.queue[i].goName, t.schema(t.queue[i].node)))
	}
	if len(definitions.Pairs) > 0 {
		pairs = append(pairs, member("definitions", definitions))
	}
	return &source.Node{Kind: source.Map, Pairs: pairs}
}

type texter struct {
	*loader
	root  *schema
	queue []*schema
}

func member(name string, v *source.Node) source.Pair {
	return source.Pair{Key: &source.Node{Kind: source.String, Value: name}, Value: v}
}

// left are members of a schema that mean nothing in another place.
var left = []string{"definitions", "$defs", "$id", "$schema"}

// schema copies a node that is a schema, or holds some.
func (t *texter) schema(n *source.Node) *source.Node {
	s, known := t.schemas[n]
	if known && s.ref != nil {
		return t.reference(s.final())
	}
	switch n.Kind {
	case source.Map:
		out := &source.Node{Kind: source.Map}
		if known && s.implied != 0 {
			out.Pairs = append(out.Pairs, member("type", &source.Node{Kind: source.String, Value: typeName(s.implied)}))
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

// tagged says in JSON Schema what a discriminator says beside it: which alternative goes with which
// value.
func (t *texter) tagged(s *schema, p source.Pair, list *source.Node) *source.Node {
	if s == nil || p.Key.Value != "oneOf" && p.Key.Value != "anyOf" {
		return list
	}
	tags := s.tags(p.Key.Value)
	if tags == nil {
		return list
	}
	text := func(v string) *source.Node { return &source.Node{Kind: source.String, Value: v} }
	object := func(name string, v *source.Node) *source.Node {
		return &source.Node{Kind: source.Map, Pairs: []source.Pair{member(name, v)}}
	}
	out := &source.Node{Kind: source.Seq}
	for i, b := range s.group(p.Key.Value) {
		item := list.Items[i]
		if f := b.final(); s.ownTag(f) == "" || !slices.ContainsFunc(f.required, func(n *source.Node) bool { return n.Value == s.discriminator }) {
			told := object("properties", object(s.discriminator, object("const", text(tags[i]))))
			told.Pairs = append(told.Pairs, member("required", &source.Node{Kind: source.Seq, Items: []*source.Node{text(s.discriminator)}}))
			item = object("allOf", &source.Node{Kind: source.Seq, Items: []*source.Node{item, told}})
		}
		out.Items = append(out.Items, item)
	}
	return out
}

// discriminator copies a discriminator whose mapping names alternatives: they stand under
// definitions now.
func (t *texter) discriminator(s *schema, n *source.Node) *source.Node {
	mapping := &source.Node{Kind: source.Map}
	for _, p := range s.mapping.Pairs {
		at := p.Value
		for _, b := range slices.Concat(s.oneOf, s.anyOf) {
			if f := b.final(); b.ref != nil && f.key == keyOf(p.Value.Value) {
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

func (t *texter) reference(to *schema) *source.Node {
	at := "#"
	switch {
	case to.bool != nil || to != t.root && to.goName == "":
		return t.schema(to.node)
	case to != t.root:
		at = "#/definitions/" + to.goName
		if !slices.Contains(t.queue, to) {
			t.queue = append(t.queue, to)
		}
	}
	return &source.Node{Kind: source.Map, Pairs: []source.Pair{member("$ref", &source.Node{Kind: source.String, Value: at})}}
}
