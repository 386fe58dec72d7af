package jsondiff

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// view is a schema with its allOf merged into it.
type view struct {
	words      map[string]*source.Node // keywords, without those below
	properties []property
	required   []string
	more       Schema // additionalProperties; no node: absent
	// again are the values of keywords that several parts of an allOf have. Only the last one is in
	// words.
	again map[string][]*source.Node
	named map[string][]int // indexes of the properties by their names
}

type property struct {
	name   string
	schema Schema
}

// compared are the keywords that checker and meaning compare themselves.
var compared = []string{"type", "enum", "const", "format", "default", "items", "oneOf", "anyOf", "pattern", "multipleOf", "uniqueItems", "nullable",
	"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}

var annotations = []string{"title", "description", "examples", "example", "$comment", "$id", "$schema", "deprecated", "readOnly", "writeOnly", "externalDocs", "definitions", "$defs", "summary", "name"}

// Annotation reports whether a keyword changes nothing of what a schema accepts.
func Annotation(key string) bool {
	return slices.Contains(annotations, key) || strings.HasPrefix(key, "x-")
}

func (s Schema) isBool(value string) bool {
	return s.Node.Is(source.Bool) && s.Node.Value == value
}

func (s Schema) view() view {
	v := view{words: map[string]*source.Node{}, named: map[string][]int{}}
	v.add(s, map[*source.Node]bool{})
	return v
}

func (v *view) add(s Schema, open map[*source.Node]bool) {
	if s.Node == nil || open[s.Node] {
		return
	}
	open[s.Node] = true
	for _, p := range s.Node.Pairs {
		switch p.Key.Value {
		case "allOf":
			for _, it := range p.Value.Items {
				v.add(s.at(it), open)
			}
		case "properties":
			for _, m := range p.Value.Pairs {
				v.named[m.Key.Value] = append(v.named[m.Key.Value], len(v.properties))
				v.properties = append(v.properties, property{m.Key.Value, s.at(m.Value)})
			}
		case "required":
			for _, it := range p.Value.Items {
				v.required = append(v.required, it.Value)
			}
		case "additionalProperties":
			v.set(p.Key.Value, p.Value)
			v.more = s.at(p.Value)
			delete(v.words, p.Key.Value)
		default:
			v.set(p.Key.Value, p.Value)
		}
	}
}

// set sets a keyword. Limits of several parts of an allOf are joined: the narrowest one counts.
func (v *view) set(key string, n *source.Node) {
	former, there := v.words[key]
	if key == "additionalProperties" {
		former, there = v.more.Node, v.more.Node != nil
	}
	v.words[key] = n
	if !there || source.Equal(former, n) || Annotation(key) {
		return
	}
	if a, b := rat(former), rat(n); a != nil && b != nil {
		if slices.Contains(lower, key) || slices.Contains(upper, key) {
			if (a.Cmp(b) > 0) == slices.Contains(lower, key) {
				v.words[key] = former
			}
			return
		}
	}
	if v.again == nil {
		v.again = map[string][]*source.Node{}
	}
	if v.again[key] == nil {
		v.again[key] = []*source.Node{former}
	}
	v.again[key] = append(v.again[key], n)
}

func (v *view) property(name string) (Schema, bool) {
	if at := v.named[name]; len(at) > 0 {
		return v.properties[at[0]].schema, true
	}
	return Schema{}, false
}

// all returns every schema of a property: several parts of an allOf may have one.
func (v *view) all(name string) (out []Schema) {
	for _, i := range v.named[name] {
		out = append(out, v.properties[i].schema)
	}
	return out
}

func (v *view) propertyOr(name string, other Schema) Schema {
	if s, ok := v.property(name); ok && s.Node != nil {
		return s
	}
	return other
}

// types returns the types that are allowed, and nil for all of them.
func (v *view) types() []string {
	var out []string
	switch t := v.words["type"]; {
	case t.Is(source.String):
		out = []string{t.Value}
	case t.Is(source.Seq):
		for _, it := range t.Items {
			out = append(out, it.Value)
		}
	default:
		for _, val := range v.values() {
			if t := typeOf(val); !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
		return out
	}
	if n := v.words["nullable"]; n != nil && n.Value == "true" {
		out = append(out, "null")
	}
	return out
}

func typeOf(n *source.Node) string {
	return [...]string{"null", "boolean", "integer", "number", "string", "array", "object"}[n.Kind]
}

// values returns the values of enum or const, and nil if there is no such list.
func (v *view) values() []*source.Node {
	if c := v.words["const"]; c != nil {
		return []*source.Node{c}
	}
	if e := v.words["enum"]; e.Is(source.Seq) {
		return e.Items
	}
	return nil
}

func (v *view) hasAlternatives() bool { return v.words["oneOf"] != nil || v.words["anyOf"] != nil }

func (v *view) alternatives(s Schema) []Schema {
	var out []Schema
	for _, key := range []string{"oneOf", "anyOf"} {
		if list := v.words[key]; list.Is(source.Seq) {
			for _, it := range list.Items {
				out = append(out, s.at(it))
			}
		}
	}
	return out
}

// open are the pairs of schemas that are being compared, of schemas that contain themselves.
type open map[[2]*source.Node]bool

// same reports whether two schemas are equal but for annotations and where their parts are defined.
func (o open) same(a, b Schema) bool {
	if a.Node == nil || b.Node == nil || a.Node.Kind != b.Node.Kind {
		return a.Node == b.Node
	}
	if a.Node.Kind != source.Map {
		return source.Equal(a.Node, b.Node)
	}
	pair := [2]*source.Node{a.Node, b.Node}
	if o[pair] {
		return true
	}
	o[pair] = true
	keywords := func(key string) bool { return !Annotation(key) }
	return sameKeys(a.Node, b.Node, keywords) && !slices.ContainsFunc(a.Node.Pairs, func(p source.Pair) bool {
		return keywords(p.Key.Value) && !o.sameWord(p.Key.Value, a.with(p.Value), b.with(b.Node.Get(p.Key.Value)))
	})
}

// sameKeys reports whether two objects have the same members, of those that count.
func sameKeys(a, b *source.Node, counts func(string) bool) bool {
	lacks := func(other *source.Node) func(source.Pair) bool {
		return func(p source.Pair) bool { return counts(p.Key.Value) && other.Get(p.Key.Value) == nil }
	}
	return !slices.ContainsFunc(a.Pairs, lacks(b)) && !slices.ContainsFunc(b.Pairs, lacks(a))
}

// sameWord reports whether two values of a keyword are the same.
func sameWord(key string, a, b Schema) bool { return open{}.sameWord(key, a, b) }

// sameWord reports whether two values of a keyword are the same. What is below the keyword decides
// how they are compared: names of properties may be those of keywords.
func (o open) sameWord(key string, a, b Schema) bool {
	x, y := a.Node, b.Node
	switch {
	case slices.Contains(sets, key):
		if listed(x) == nil || listed(y) == nil {
			return source.Equal(x, y)
		}
		return within(listed(x), listed(y)) && within(listed(y), listed(x))
	case slices.Contains(maps, key) && x.Is(source.Map) && y.Is(source.Map):
		return sameKeys(x, y, func(string) bool { return true }) && !slices.ContainsFunc(x.Pairs, func(p source.Pair) bool {
			return !o.sameMember(a.with(p.Value), b.with(y.Get(p.Key.Value)))
		})
	case slices.Contains(schemas, key):
		return o.samePart(a, b)
	}
	return source.Equal(x, y)
}

// samePart reports whether two schemas, or two lists of schemas, are the same.
func (o open) samePart(a, b Schema) bool {
	if a.Node.Is(source.Seq) && b.Node.Is(source.Seq) {
		return slices.EqualFunc(a.Node.Items, b.Node.Items, func(x, y *source.Node) bool { return o.same(a.at(x), b.at(y)) })
	}
	return o.same(a.at(a.Node), b.at(b.Node))
}

// sameMember reports whether two members of a map are the same: schemas, or the lists of names that
// dependencies have.
func (o open) sameMember(a, b Schema) bool {
	if a.Node.Is(source.Seq) && b.Node.Is(source.Seq) {
		return within(a.Node.Items, b.Node.Items) && within(b.Node.Items, a.Node.Items)
	}
	return o.same(a.at(a.Node), b.at(b.Node))
}

var (
	// sets are the keywords whose values are lists without an order.
	sets = []string{"type", "enum", "required"}
	// maps are the keywords whose values are objects with names that an author chooses.
	maps = []string{"properties", "patternProperties", "dependentSchemas", "dependentRequired", "dependencies"}
	// schemas are the keywords whose values are schemas or lists of schemas.
	schemas = []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "items", "prefixItems", "additionalItems", "unevaluatedItems",
		"contains", "additionalProperties", "unevaluatedProperties", "propertyNames", "contentSchema"}
)

// listed returns the items of a list, and a text as the only one. It returns nil for anything else.
func listed(n *source.Node) []*source.Node {
	switch {
	case n.Is(source.Seq):
		return append([]*source.Node{}, n.Items...)
	case n.Is(source.String):
		return []*source.Node{n}
	}
	return nil
}

// within reports whether one list has each value of another.
func within(list, all []*source.Node) bool {
	for _, x := range list {
		if !slices.ContainsFunc(all, func(y *source.Node) bool { return source.Equal(x, y) }) {
			return false
		}
	}
	return true
}

// Same reports whether two schemas accept the same values, by their text: only annotations, the
// order of members, and where parts are defined may differ.
func Same(a, b Schema) bool {
	return open{}.same(a.at(a.Node), b.at(b.Node))
}
