// Package schema reads JSON Schemas of draft-07 with their positions, follows references, checks
// values against them, and prints them as one text.
//
// Package jsonschema alone imports it, beside shape and codec.
package schema

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Numbers is the kind of type number, which includes the integers.
const Numbers = jsonvalue.Number | jsonvalue.Integer

// Everything is the kind of a schema without type.
const Everything = jsonvalue.Null | jsonvalue.Boolean | Numbers | jsonvalue.String | jsonvalue.Array | jsonvalue.Object

var typeNames = map[string]jsonvalue.Kind{"null": jsonvalue.Null, "boolean": jsonvalue.Boolean, "number": Numbers, "integer": jsonvalue.Integer,
	"string": jsonvalue.String, "array": jsonvalue.Array, "object": jsonvalue.Object}

// Schema is a schema as it is written. After it was read only Implied and the names change.
type Schema struct {
	Node *source.Node
	ref  *Schema // the target of a $ref; all other fields but Node are then empty
	Bool *bool   // the value of a schema that is true or false

	Types              jsonvalue.Kind // 0: any
	Implied            jsonvalue.Kind // the type that is assumed if Types is 0
	Title, Doc, Format string
	Base64             bool // contentEncoding
	Enum               []*source.Node
	IsEnum             bool
	Constant           *source.Node
	Default            *source.Node // default
	Examples           []*source.Node

	Min, Max, Above, Below, MultipleOf *source.Node
	MinLength, MaxLength               *source.Node
	MinItems, MaxItems                 *source.Node
	MinProperties, MaxProperties       *source.Node
	Pattern                            *source.Node // nil if RE2 does not support it
	Unique                             bool

	Items           *Schema
	Tuple           []*Schema
	IsTuple         bool
	AdditionalItems *Schema
	Contains        *Schema

	Properties    []Property
	Patterns      []PatternProperty
	Additional    *Schema
	PropertyNames *Schema
	Required      []*source.Node
	Dependencies  []Dependency

	AllOf, AnyOf, OneOf []*Schema
	Not, If, Then, Else *Schema
	Discriminator       string
	mapping             *source.Node // of values of the discriminator to references
	Key                 string       // the name in a $ref to it
	Target              bool         // it is a root or the target of a $ref
	// the Go name of a target, or of the type that it becomes; and the name it would have if that
	// were not taken
	GoName, Wish string
	Declared     bool // a type is declared with that name
	says         bool // it has a keyword that can refuse a value
	// it has keywords for objects, strings, numbers
	ForObjects, ForStrings, ForNumbers bool
	ForArrays                          bool
}

// Property is a property with its schema.
type Property struct {
	Name string
	pos  diag.Pos
	*Schema
}

// PatternProperty is the schema of all properties whose names match a pattern.
type PatternProperty struct {
	Pattern *source.Node // the key
	*Schema
}

// Dependency is what an object must have, or conform to, if it has the property Name.
type Dependency struct {
	Name   string
	Names  []*source.Node
	Schema *Schema
}

// Final follows $refs.
func (s *Schema) Final() *Schema {
	for s != nil && s.ref != nil {
		s = s.ref
	}
	return s
}

// IsFalse reports whether the schema is false and so refuses every value. Of an absent schema,
// which is nil, it is false.
func (s *Schema) IsFalse() bool { f := s.Final(); return f != nil && f.Bool != nil && !*f.Bool }

// IsTrue reports whether the schema accepts every value because it says nothing. Of an absent
// schema, which is nil, it is true.
func (s *Schema) IsTrue() bool {
	f := s.Final()
	return f == nil || f.Bool != nil && *f.Bool || f.Bool == nil && !f.says
}

// Alias returns the schema that another one is another name of: the only item of its allOf, oneOf
// or anyOf, if it says nothing else. If there is none, it returns the schema itself. It follows
// $refs.
func (s *Schema) Alias() *Schema {
	s = s.Final()
	for range most {
		one := s.alias().Final()
		if one == nil {
			break
		}
		s = one
	}
	return s
}

func (s *Schema) alias() *Schema {
	if s == nil || s.Bool != nil || s.Discriminator != "" {
		return nil
	}
	var out *Schema
	for _, p := range s.Node.Pairs {
		switch name := p.Key.Value; {
		case name == "allOf" || name == "oneOf" || name == "anyOf":
			list := map[string][]*Schema{"allOf": s.AllOf, "oneOf": s.OneOf, "anyOf": s.AnyOf}[name]
			if len(list) != 1 || out != nil || list[0].ref == nil {
				return nil
			}
			out = list[0]
		case !slices.Contains(notes, name) && !strings.HasPrefix(name, "x-"):
			return nil
		}
	}
	return out
}

// notes are the keywords that do not limit the values.
var notes = []string{"title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$id", "$schema", "definitions", "$defs"}

// OnlyType reports whether nothing but type limits the values.
func (s *Schema) OnlyType() bool { return s.Types != 0 && s.Only("type") }

// Only reports whether no other keywords than these limit the values.
func (s *Schema) Only(keywords ...string) bool {
	return s.Bool == nil && !slices.ContainsFunc(s.Node.Pairs, func(p source.Pair) bool {
		return !slices.Contains(keywords, p.Key.Value) && !slices.Contains(notes, p.Key.Value) && !strings.HasPrefix(p.Key.Value, "x-")
	})
}

// Group returns the alternatives of oneOf or anyOf.
func (s *Schema) Group(name string) []*Schema {
	if name == "oneOf" {
		return s.OneOf
	}
	return s.AnyOf
}

// Tags returns the values of the discriminator for each alternative of a group: the constant or the
// enum of the property if no other alternative allows the same values, or else those that the
// mapping has for it, or else the name in the $ref, spelled as in the enum of the property. It
// returns nil if an alternative has no value, or one of another.
func (s *Schema) Tags(group string) [][]string {
	if s.Discriminator == "" {
		return nil
	}
	allowed, named := make([][]string, len(s.Group(group))), make([][]string, len(s.Group(group)))
	for i, b := range s.Group(group) {
		allowed[i] = b.Final().texts(s.Discriminator, 0)
		named[i] = s.tags(b.Final(), allowed[i])
	}
	switch {
	case distinct(allowed):
		return allowed
	case distinct(named):
		return named
	}
	return nil
}

// distinct reports whether each list has texts, none of them is empty, and none occurs twice.
func distinct(lists [][]string) bool {
	seen := map[string]bool{}
	for _, list := range lists {
		for _, v := range list {
			if v == "" || seen[v] {
				return false
			}
			seen[v] = true
		}
		if len(list) == 0 {
			return false
		}
	}
	return true
}

// tags returns the values of the discriminator for an alternative, which allows some texts, or any
// if there are none. It returns nil if they are not known.
func (s *Schema) tags(b *Schema, allowed []string) []string {
	if len(allowed) == 1 {
		return allowed
	}
	var mapped []string
	if s.mapping.Is(source.Map) {
		for _, p := range s.mapping.Pairs {
			if keyOf(p.Value.Value) == b.Key {
				mapped = append(mapped, p.Key.Value)
			}
		}
	}
	if len(mapped) == 0 {
		mapped = []string{b.Key}
	}
	if len(allowed) == 0 {
		return mapped
	}
	return slices.DeleteFunc(slices.Clone(allowed), func(v string) bool {
		return !slices.ContainsFunc(mapped, func(m string) bool {
			// as an enum of Java spells the name of a class
			return m == v || !slices.Contains(allowed, m) && letters(m) == letters(v)
		})
	})
}

// Unmapped returns what the mapping of the discriminator has beside the alternatives of a group.
func (s *Schema) Unmapped(group string) []source.Pair {
	if !s.mapping.Is(source.Map) || group != "oneOf" && len(s.OneOf) > 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.mapping.Pairs), func(p source.Pair) bool {
		return slices.ContainsFunc(s.Group(group), func(b *Schema) bool { return b.Final().Key == keyOf(p.Value.Value) })
	})
}

func letters(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(s))
}

// requiresTag reports whether an alternative itself requires one of its discriminator's values.
func (s *Schema) requiresTag(b *Schema, tags []string) bool {
	return slices.Equal(b.texts(s.Discriminator, 0), tags) && slices.ContainsFunc(b.Required, func(n *source.Node) bool { return n.Value == s.Discriminator })
}

// texts returns the texts that a property can have, or nil if it can have any.
func (s *Schema) texts(property string, depth int) []string {
	var out []string
	narrow := func(list []string) {
		if out == nil {
			out = list
			return
		}
		if len(list) > 0 {
			out = slices.DeleteFunc(slices.Clone(out), func(v string) bool { return !slices.Contains(list, v) })
		}
	}
	for _, p := range s.Properties {
		if p.Name != property {
			continue
		}
		f := p.Final()
		if f.Constant.Is(source.String) {
			narrow([]string{f.Constant.Value})
		}
		if f.IsEnum {
			var list []string
			for _, v := range f.Enum {
				list = append(list, v.Str())
			}
			narrow(list)
		}
	}
	if depth < most {
		for _, a := range s.AllOf {
			narrow(a.Final().texts(property, depth+1))
		}
	}
	return out
}

// KindOf returns the kind of a value.
func KindOf(n *source.Node) jsonvalue.Kind {
	switch n.Kind {
	case source.Bool:
		return jsonvalue.Boolean
	case source.Int, source.Float:
		if jsonvalue.Literal(n.Value).Is(jsonvalue.Integer) {
			return jsonvalue.Integer
		}
		return jsonvalue.Number
	case source.String:
		return jsonvalue.String
	case source.Seq:
		return jsonvalue.Array
	case source.Map:
		return jsonvalue.Object
	}
	return jsonvalue.Null
}

// TextFormats are the formats of strings that are checked, with their names in the runtime.
var TextFormats = map[string]string{"date-time": "DateTime", "date": "FullDate", "time": "FullTime", "duration": "ISODuration", "uuid": "UUIDText", "email": "Email",
	"hostname": "Hostname", "ipv4": "IPv4", "ipv6": "IPv6", "uri": "URI", "uri-reference": "URIReference", "byte": "Base64", "regex": "Regex"}

// TypeName returns the name of a kind in a schema.
func TypeName(k jsonvalue.Kind) string {
	for name, kind := range typeNames {
		if kind == k {
			return name
		}
	}
	return "?"
}
