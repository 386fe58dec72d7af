package schema

import "github.com/deferpay/deferpay/tools/eventgen/source"

// fromOpenAPI returns a schema of OpenAPI as a JSON Schema, from which otherDrafts makes one of
// draft-07. What only OpenAPI 3.0 has is read here: nullable becomes the type null, and
// a bound with the flag exclusiveMinimum or exclusiveMaximum becomes exclusive. Schemas inside it
// are left as they are.
func fromOpenAPI(n *source.Node) *source.Node {
	null := n.Get("nullable").Is(source.Bool) && n.Get("nullable").Value == "true"
	out := &source.Node{Pos: n.Pos, Kind: source.Map}
	for _, p := range fromFlags(n).Pairs {
		switch key := p.Key.Value; {
		case key == "nullable" && p.Value.Is(source.Bool):
			continue
		case key == "type" && null && p.Value.Is(source.String):
			null := &source.Node{Pos: p.Value.Pos, Kind: source.String, Value: "null"}
			p.Value = &source.Node{Pos: p.Value.Pos, Kind: source.Seq, Items: []*source.Node{p.Value, null}}
		}
		out.Pairs = append(out.Pairs, p)
	}
	return out
}
