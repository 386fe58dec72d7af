package shape

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// KindsOf returns the kinds that values of a type can have.
func KindsOf(s *Shape) jsonvalue.Kind {
	switch s.Form {
	case Never:
		return 0
	case Null:
		return jsonvalue.Null
	case Nullable:
		return jsonvalue.Null | KindsOf(s.Elem)
	case List:
		return jsonvalue.Array
	case Map:
		return jsonvalue.Object
	case Basic:
		return map[string]jsonvalue.Kind{"string": jsonvalue.String, "boolean": jsonvalue.Boolean, "integer": jsonvalue.Integer, "number": schema.Numbers}[s.Scalar.kind]
	case Declared:
		switch s.Decl.Form {
		case Struct:
			return jsonvalue.Object
		case Tuple:
			return jsonvalue.Array
		case TextEnum:
			return jsonvalue.String
		case IntEnum:
			return jsonvalue.Integer
		}
	}
	return schema.Everything
}

// Refuses reports whether a schema certainly refuses every value of a Go type whose members without
// a field of their own are absent.
func Refuses(o *schema.Schema, s *Shape) bool {
	for _, at := range o.All() {
		if at.IsFalse() || at.Types != 0 && at.Types&KindsOf(s) == 0 {
			return true
		}
		if s.Form == Declared && s.Decl.Form == Struct && s.Decl.refusedBy(at) {
			return true
		}
	}
	return false
}

// refusedBy reports whether a schema refuses every object of the type: it requires a member that
// these do not have, refuses one that they always have, or allows it other values only.
func (d *Decl) refusedBy(o *schema.Schema) bool {
	if slices.ContainsFunc(o.Required, func(n *source.Node) bool { return d.Field(n.Value) == nil }) {
		return true
	}
	for _, f := range d.Fields {
		if f.Optional {
			continue
		}
		named := false
		for _, p := range o.Properties {
			if p.Name == f.Name {
				named = true
				if f.excludedBy(p.Schema) {
					return true
				}
			}
		}
		if !named && o.Additional.IsFalse() && len(o.Patterns) == 0 {
			return true
		}
	}
	return false
}

// excludedBy reports whether a schema lists values, and none of them is one of the field.
func (f *Field) excludedBy(s *schema.Schema) bool {
	var own []*source.Node
	switch {
	case f.Constant != nil:
		own = []*source.Node{f.Constant}
	case f.Shape.Form == Declared && (f.Shape.Decl.Form == TextEnum || f.Shape.Decl.Form == IntEnum):
		for _, v := range f.Shape.Decl.Values {
			own = append(own, v.Node)
		}
	default:
		return false
	}
	s = s.Final()
	if s.Bool != nil || s.Constant == nil && !s.IsEnum {
		return false
	}
	list := s.Enum
	if s.Constant != nil {
		list = []*source.Node{s.Constant}
	}
	return !slices.ContainsFunc(list, func(n *source.Node) bool {
		return slices.ContainsFunc(own, func(v *source.Node) bool { return source.Equal(n, v) })
	})
}
