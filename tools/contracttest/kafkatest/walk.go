package kafkatest

import (
	"fmt"
	"strings"

	"github.com/twmb/avro"
)

// Place is a value of a decoded Avro payload with its schema.
type Place struct {
	Path  string // such as OrderPlaced.lines[2].price
	Field string // name of the field that has it; the last one on the way for items
	Node  *avro.SchemaNode
	Value any
}

// Walk visits every value of a decoded payload that is not null. It visits nothing of other formats
// than Avro.
func (m *Message) Walk(payload any, visit func(Place)) {
	c, ok := m.payload.(*avroCodec)
	if !ok {
		return
	}
	c.shape.walk(Place{m.Name, "", c.schema.Root(), payload}, visit)
}

func (s shape) walk(p Place, visit func(Place)) {
	if p.Node = s.resolve(p.Node); p.Value == nil {
		return
	}
	n := p.Node
	if n.Type == "union" {
		for i := range n.Branches {
			if b := s.resolve(&n.Branches[i]); fits(b, p.Value) {
				s.walk(Place{p.Path, p.Field, b, p.Value}, visit)
				return
			}
		}
		return
	}
	visit(p)
	switch v := p.Value.(type) {
	case []any:
		for i, it := range v {
			s.walk(Place{fmt.Sprintf("%s[%d]", p.Path, i), p.Field, n.Items, it}, visit)
		}
	case map[string]any:
		for i := range n.Fields {
			f := &n.Fields[i]
			s.walk(Place{p.Path + "." + f.Name, f.Name, &f.Type, v[f.Name]}, visit)
		}
		for key, it := range v {
			if n.Type == "map" {
				s.walk(Place{p.Path + "." + key, p.Field, n.Values, it}, visit)
			}
		}
	}
}

// fits reports whether a decoded value may be of a branch of a union.
func fits(n *avro.SchemaNode, v any) bool {
	switch t := v.(type) {
	case map[string]any:
		if n.Type != "record" && n.Type != "error" {
			return n.Type == "map"
		}
		for i := range n.Fields {
			if _, ok := t[n.Fields[i].Name]; !ok {
				return false
			}
		}
		return len(t) == len(n.Fields)
	case []any:
		return n.Type == "array"
	case string:
		if n.Type == "enum" {
			return strings.Contains("\x00"+strings.Join(n.Symbols, "\x00")+"\x00", "\x00"+t+"\x00")
		}
		return n.Type == "string" || n.LogicalType == "uuid"
	}
	return n.Type != "null" && n.Type != "record" && n.Type != "map" && n.Type != "array" && n.Type != "enum"
}
