package jsonschema

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// numbers is the bit set of type number, which holds the integers.
const numbers = jsonvalue.Number | jsonvalue.Integer

// everything is the bit set of a schema without type.
const everything = jsonvalue.Null | jsonvalue.Boolean | numbers | jsonvalue.String | jsonvalue.Array | jsonvalue.Object

var typeNames = map[string]jsonvalue.Kind{"null": jsonvalue.Null, "boolean": jsonvalue.Boolean, "number": numbers, "integer": jsonvalue.Integer,
	"string": jsonvalue.String, "array": jsonvalue.Array, "object": jsonvalue.Object}

// schema is one schema as it is written. It is read once and never changed, but for the names.
type schema struct {
	node *source.Node
	ref  *schema // what a $ref leads to; everything else of it is empty
	bool *bool   // true or false, when that is all

	types              jsonvalue.Kind // 0: not said
	implied            jsonvalue.Kind // what it is taken to mean when types is 0
	title, doc, format string
	base64             bool // contentEncoding
	enum               []*source.Node
	isEnum             bool
	constant           *source.Node
	fallback           *source.Node // default
	examples           []*source.Node

	min, max, above, below, multipleOf *source.Node
	minLength, maxLength               *source.Node
	minItems, maxItems                 *source.Node
	minProperties, maxProperties       *source.Node
	pattern                            *source.Node // nil when RE2 does not know it
	unique                             bool

	items           *schema
	tuple           []*schema
	isTuple         bool
	additionalItems *schema
	contains        *schema

	props         []property
	patterns      []patternProps
	additional    *schema
	propertyNames *schema
	required      []*source.Node
	dependencies  []dependency

	allOf, anyOf, oneOf        []*schema
	not, cond, then, otherwise *schema
	discriminator              string
	mapping                    *source.Node // of values to references, as OpenAPI has it
	key                        string       // the name that a $ref gives it
	target                     bool         // a $ref leads to it, or it is a root
	// of a target, or of the type it becomes; what it would be if that were free
	goName, wish string
	declared     bool // a type has that name
	says         bool // it has a keyword that refuses something
	// it has keywords that speak of objects, texts, numbers
	nearObject, nearText, nearNum bool
	nearArray                     bool
}

type property struct {
	name string
	pos  diag.Pos
	*schema
}

type patternProps struct {
	pattern *source.Node // the key
	*schema
}

type dependency struct {
	name   string
	names  []*source.Node
	schema *schema
}

// final follows $refs.
func (s *schema) final() *schema {
	for s != nil && s.ref != nil {
		s = s.ref
	}
	return s
}

// isFalse tells whether a schema refuses everything by being false; an absent one does not.
func (s *schema) isFalse() bool { f := s.final(); return f != nil && f.bool != nil && !*f.bool }

// isTrue tells whether a schema accepts everything by being nothing; an absent one does.
func (s *schema) isTrue() bool {
	f := s.final()
	return f == nil || f.bool != nil && *f.bool || f.bool == nil && !f.says
}

// group is a list of alternatives.
func (s *schema) group(name string) []*schema {
	if name == "oneOf" {
		return s.oneOf
	}
	return s.anyOf
}

// tags are the values of the discriminator that tell the alternatives of a group: what the property
// of that name has to be, else what the mapping says, else the name that a $ref gives. It is nil
// when an alternative has none, or the one of another.
func (s *schema) tags(group string) []string {
	var out []string
	for _, b := range s.group(group) {
		tag := s.tag(b.final())
		if s.discriminator == "" || tag == "" || slices.Contains(out, tag) {
			return nil
		}
		out = append(out, tag)
	}
	return out
}

func (s *schema) tag(b *schema) string {
	if tag := s.ownTag(b); tag != "" {
		return tag
	}
	if s.mapping.Is(source.Map) {
		for _, p := range s.mapping.Pairs {
			if keyOf(p.Value.Value) == b.key {
				return p.Key.Value
			}
		}
	}
	return b.key
}

// ownTag is the only value that an alternative allows the discriminator.
func (s *schema) ownTag(b *schema) string {
	for _, p := range b.props {
		if f := p.final(); p.name == s.discriminator && f.constant.Is(source.String) {
			return f.constant.Value
		} else if p.name == s.discriminator && len(f.enum) == 1 {
			return f.enum[0].Str()
		}
	}
	return ""
}

// kindOf is the kind of a value that stands in a schema.
func kindOf(n *source.Node) jsonvalue.Kind {
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
