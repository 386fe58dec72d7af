package shape

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Constant is a member of an object, or of an object inside it, that can only have listed values.
type Constant struct {
	Path     []string
	Values   []string // as in a header: strings without quotes
	Required bool     // every value has it
}

// deepest is how many objects deep constants are looked for: the number of paths can double with
// each step.
const deepest = 4

// Constants returns the constants of the objects that conform to all parts. References and allOf
// are followed.
func (p *Shaper) Constants(parts []Part, path []string, required bool, within map[string]bool) (out []Constant) {
	key := keyOfParts(parts)
	if within[key] || len(path) > deepest {
		return nil // an object inside itself, or too deep
	}
	within[key] = true
	defer delete(within, key)
	m := gather(p.flatten(parts))
	for _, name := range m.names {
		flat := p.flatten(m.parts[name])
		c := Constant{Path: append(slices.Clone(path), name), Required: required && m.required[name] != nil}
		list, listed := values(flat, kinds(flat))
		scalars := !slices.ContainsFunc(list, func(n *source.Node) bool { return !n.Is(source.String) && !n.Is(source.Bool) && !n.Is(source.Int) })
		if listed && scalars {
			for _, n := range list {
				c.Values = append(c.Values, n.Value)
			}
			out = append(out, c)
			continue
		}
		only := kinds(flat) == jsonvalue.Object
		out = append(out, p.Constants(m.parts[name], c.Path, c.Required && only, within)...)
	}
	return out
}
