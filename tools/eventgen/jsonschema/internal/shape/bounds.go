package shape

import (
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// bound is a keyword with its value.
type bound struct {
	keyword string
	node    *source.Node
	open    bool // the value itself is not allowed
}

// bounds returns the lower and the upper bounds that a schema has for a kind.
func bounds(s *schema.Schema, k jsonvalue.Kind) (least, most []bound) {
	switch {
	case k&^schema.Numbers == 0:
		return []bound{{"minimum", s.Min, false}, {"exclusiveMinimum", s.Above, true}}, []bound{{"maximum", s.Max, false}, {"exclusiveMaximum", s.Below, true}}
	case k == jsonvalue.String:
		return []bound{{"minLength", s.MinLength, false}}, []bound{{"maxLength", s.MaxLength, false}}
	case k == jsonvalue.Array:
		return []bound{{"minItems", s.MinItems, false}}, []bound{{"maxItems", s.MaxItems, false}}
	case k == jsonvalue.Object:
		return []bound{{"minProperties", s.MinProperties, false}}, []bound{{"maxProperties", s.MaxProperties, false}}
	}
	return nil, nil
}

// checkBounds adds a fault if no value of a kind is between the bounds of all parts.
func (p *Shaper) checkBounds(flat []Part, k jsonvalue.Kind) {
	var least, most []bound
	for _, at := range flat {
		if at.Schema != nil {
			l, m := bounds(at.Schema, k)
			least, most = append(least, l...), append(most, m...)
		}
	}
	for _, l := range least {
		for _, m := range most {
			if l.node == nil || m.node == nil {
				continue
			}
			if order := jsonvalue.Compare(l.node.Value, m.node.Value); order > 0 || order == 0 && (l.open || m.open) {
				p.Diags.Errorf(l.node.Pos, "no value can conform to this schema: %s %s contradicts %s %s", l.keyword, l.node.Value, m.keyword, m.node.Value)
				return
			}
		}
	}
}
