package schema

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// All returns the schema itself and those of its allOf, with references followed. A value that
// conforms to the schema conforms to all of them.
func (s *Schema) All() []*Schema {
	var out []*Schema
	var add func(s *Schema)
	add = func(s *Schema) {
		if s = s.Final(); s == nil || slices.Contains(out, s) {
			return
		}
		out = append(out, s)
		for _, a := range s.AllOf {
			add(a)
		}
	}
	add(s)
	return out
}

// EveryItem returns the schema of each item of a list, or nil.
func (s *Schema) EveryItem() *Schema { return s.Items }

// EveryMember returns the schema of each member of an object that the schema does not name, or nil.
func (s *Schema) EveryMember() *Schema { return s.Additional }

// Combines reports whether the schema refers to other schemas for the value itself, by other
// keywords than allOf and those of skip.
func (s *Schema) Combines(skip string) bool {
	return len(s.OneOf) > 0 && !strings.Contains(skip, "oneOf") || len(s.AnyOf) > 0 && !strings.Contains(skip, "anyOf") || s.Not != nil || s.If != nil && (s.Then != nil || s.Else != nil)
}

// OnlyGroup returns the keyword of the alternatives of the schema, or "" if it has none, or
// combines schemas in another way too.
func (s *Schema) OnlyGroup() string {
	for _, group := range []string{"oneOf", "anyOf"} {
		if len(s.Group(group)) > 0 && !s.Combines(group) && len(s.AllOf) == 0 {
			return group
		}
	}
	return ""
}

// AcceptsNull reports whether the schema certainly accepts null.
func (s *Schema) AcceptsNull() bool {
	s = s.Final()
	switch {
	case s == nil || s.Bool != nil:
		return !s.IsFalse()
	case s.IsEnum || s.Constant != nil || s.Not != nil || s.If != nil || (s.Types|s.Implied != 0) && s.Types&jsonvalue.Null == 0:
		return false
	case slices.ContainsFunc(s.AllOf, func(a *Schema) bool { return !a.AcceptsNull() }):
		return false
	case len(s.AnyOf) > 0 && !slices.ContainsFunc(s.AnyOf, (*Schema).AcceptsNull):
		return false
	}
	accept, refuse := 0, 0
	for _, b := range s.OneOf {
		if f := b.Final(); b.AcceptsNull() {
			accept++
		} else if f.Bool != nil || f.Types != 0 && f.Types&jsonvalue.Null == 0 {
			refuse++
		}
	}
	return len(s.OneOf) == 0 || accept == 1 && refuse == len(s.OneOf)-1
}

// Lists reports whether the schema accepts a value because it lists values or kinds of values, and
// nothing else.
func (s *Schema) Lists(n *source.Node) bool {
	s = s.Alias()
	if s.IsTrue() {
		return true
	}
	return s.Only("type", "const", "enum") && (s.Types == 0 || s.Types&KindOf(n) != 0) && (s.Constant == nil || source.Equal(s.Constant, n)) &&
		(!s.IsEnum || slices.ContainsFunc(s.Enum, func(v *source.Node) bool { return source.Equal(v, n) }))
}

// Unnulled returns the schema that a value which is not null conforms to if and only if it conforms
// to s: the only alternative beside null, if s says nothing else, or s itself. It follows
// references and aliases.
func (s *Schema) Unnulled() *Schema {
	s = s.Alias()
	if s == nil || s.Bool != nil || s.OnlyGroup() == "" || !s.Only(s.OnlyGroup()) {
		return s
	}
	var out *Schema
	for _, b := range s.Group(s.OnlyGroup()) {
		switch f := b.Final(); {
		case f.Bool == nil && f.Types == jsonvalue.Null && f.Only("type"):
		case out != nil:
			return s
		default:
			out = b.Alias()
		}
	}
	if out == nil {
		return s
	}
	return out
}
