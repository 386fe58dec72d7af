package schema

import "github.com/deferpay/deferpay/tools/eventgen/source"

// fromOpenAPI returns a schema of OpenAPI 3.0 as a JSON Schema: nullable becomes the type null, and
// a bound with the flag exclusiveMinimum or exclusiveMaximum becomes exclusive. Schemas inside it
// are left as they are.
func fromOpenAPI(n *source.Node) *source.Node {
	flag := func(name string) bool { f := n.Get(name); return f.Is(source.Bool) && f.Value == "true" }
	null := flag("nullable")
	exclusive := map[string]string{}
	for limit, name := range map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"} {
		if flag(name) {
			exclusive[limit] = name
		}
	}
	out := &source.Node{Pos: n.Pos, Kind: source.Map}
	for _, p := range n.Pairs {
		switch key := p.Key.Value; {
		case key == "nullable" && p.Value.Is(source.Bool), (key == "exclusiveMinimum" || key == "exclusiveMaximum") && p.Value.Is(source.Bool):
			continue
		case key == "type" && null && p.Value.Is(source.String):
			null := &source.Node{Pos: p.Value.Pos, Kind: source.String, Value: "null"}
			p.Value = &source.Node{Pos: p.Value.Pos, Kind: source.Seq, Items: []*source.Node{p.Value, null}}
		case exclusive[key] != "":
			p.Key = &source.Node{Pos: p.Key.Pos, Kind: source.String, Value: exclusive[key]}
		}
		out.Pairs = append(out.Pairs, p)
	}
	return out
}
