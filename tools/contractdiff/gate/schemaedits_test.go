package gate

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// isSchema reports whether an object is a JSON Schema with a type. An Avro record has fields, and
// an enum symbols.
func isSchema(parent string, m *yaml.Node) bool {
	t := get(m, "type")
	if t == nil || t.Kind != yaml.ScalarNode || get(m, "fields") != nil || get(m, "symbols") != nil || get(m, "protocol") != nil || get(m, "$ref") != nil {
		return false
	}
	known := []string{"string", "integer", "number", "boolean", "array", "object"}
	return slices.Contains(known, t.Value) && !slices.Contains([]string{"fields", "flows", "user", "security", "securitySchemes", "headers", "bindings", "key", "groupId", "clientId"}, parent) && !avroField(m)
}

// avroField reports whether an object may be a field of an Avro record, whose types share names
// with those of JSON Schema.
func avroField(m *yaml.Node) bool {
	return get(m, "name") != nil || get(m, "logicalType") != nil || get(m, "items") != nil && get(m, "items").Kind == yaml.ScalarNode
}

// schemas edits every JSON Schema of a document, but for those of headers and bindings.
func schemas(edit func(m *yaml.Node) bool) func(root *yaml.Node) bool {
	return func(root *yaml.Node) bool {
		n := 0
		eachPayload(root, "", func(parent string, m *yaml.Node) {
			if isSchema(parent, m) && edit(m) {
				n++
			}
		})
		return n > 0
	}
}

// eachPayload calls f for each object that is not below headers, bindings or examples.
func eachPayload(n *yaml.Node, parent string, f func(string, *yaml.Node)) {
	switch {
	case n == nil:
	case n.Kind == yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if !slices.Contains([]string{"headers", "bindings", "examples", "example", "default", "enum", "const", "parameters", "securitySchemes", "operationBindings", "messageBindings", "channelBindings", "serverBindings"}, key) || parent == "properties" {
				eachPayload(n.Content[i+1], key, f)
			}
		}
		f(parent, n)
	case n.Kind == yaml.SequenceNode:
		for _, it := range n.Content {
			eachPayload(it, parent, f)
		}
	}
}

func number(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: s} }

func boolean(b bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(b)}
}

func sequence(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

// lists reverses a list of each object that has one of at least two items.
func lists(keys ...string) func(m *yaml.Node) bool {
	return func(m *yaml.Node) bool {
		done := false
		for _, key := range keys {
			if l := get(m, key); l != nil && l.Kind == yaml.SequenceNode && len(l.Content) > 1 {
				slices.Reverse(l.Content)
				done = true
			}
		}
		return done
	}
}

// added sets a member that an object does not have.
func added(m *yaml.Node, key string, value *yaml.Node) bool {
	if m == nil || get(m, key) != nil {
		return false
	}
	set(m, key, value)
	return true
}

// schemaEdits are edits of JSON Schemas that change nothing of what they accept.
var schemaEdits = map[string]func(root *yaml.Node) bool{
	"titles of schemas":      schemas(func(m *yaml.Node) bool { return added(m, "title", text("A title")) }),
	"comments":               schemas(func(m *yaml.Node) bool { return added(m, "$comment", text("A comment.")) }),
	"examples":               schemas(func(m *yaml.Node) bool { return added(m, "examples", sequence()) }),
	"deprecated":             schemas(func(m *yaml.Node) bool { return added(m, "deprecated", boolean(true)) }),
	"read only":              schemas(func(m *yaml.Node) bool { return added(m, "readOnly", boolean(true)) }),
	"extensions of schemas":  schemas(func(m *yaml.Node) bool { return added(m, "x-owner", text("shop")) }),
	"lists in another order": schemas(lists("required", "enum")),
	"a list of one type": schemas(func(m *yaml.Node) bool {
		set(m, "type", sequence(text(get(m, "type").Value)))
		return true
	}),
	"no minimum length": schemas(func(m *yaml.Node) bool {
		return get(m, "type").Value == "string" && get(m, "format") == nil && added(m, "minLength", number("0"))
	}),
	"no minimum of items": schemas(func(m *yaml.Node) bool { return get(m, "type").Value == "array" && added(m, "minItems", number("0")) }),
	"no minimum of properties": schemas(func(m *yaml.Node) bool {
		return get(m, "type").Value == "object" && added(m, "minProperties", number("0"))
	}),
	"items need not be unique": schemas(func(m *yaml.Node) bool {
		return get(m, "type").Value == "array" && added(m, "uniqueItems", boolean(false))
	}),
	"further properties in words": schemas(func(m *yaml.Node) bool {
		return get(m, "type").Value == "object" && get(m, "oneOf") == nil && get(m, "anyOf") == nil && added(m, "additionalProperties", boolean(true))
	}),
	"properties in an allOf of one part": schemas(func(m *yaml.Node) bool {
		properties := get(m, "properties")
		if properties == nil || properties.Kind != yaml.MappingNode || get(m, "allOf") != nil {
			return false
		}
		for i := 1; i < len(properties.Content); i += 2 {
			properties.Content[i] = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text("allOf"), sequence(properties.Content[i])}}
		}
		return len(properties.Content) > 0
	}),
}

// below edits each object of a section of a document.
func below(section string, edit func(m *yaml.Node) bool) func(root *yaml.Node) bool {
	return func(root *yaml.Node) bool {
		n := 0
		all := get(root, section)
		if all == nil || all.Kind != yaml.MappingNode {
			return false
		}
		for i := 1; i < len(all.Content); i += 2 {
			if m := all.Content[i]; m.Kind == yaml.MappingNode && get(m, "$ref") == nil && edit(m) {
				n++
			}
		}
		return n > 0
	}
}

// avroEdits are edits of Avro schemas, and of the parts of documents around payloads.
var avroEdits = map[string]func(root *yaml.Node) bool{
	"words in Avro": func(root *yaml.Node) bool {
		n := 0
		eachMap(root, func(_ string, m *yaml.Node) {
			if get(m, "fields") != nil && get(m, "name") != nil {
				set(m, "doc", text("In other words."))
				n++
			}
		})
		return n > 0
	},
	"titles of channels":      below("channels", func(m *yaml.Node) bool { return added(m, "title", text("A title")) }),
	"summaries of channels":   below("channels", func(m *yaml.Node) bool { return added(m, "summary", text("In short.")) }),
	"tags of channels":        below("channels", func(m *yaml.Node) bool { return added(m, "tags", sequence(object("name", "shop"))) }),
	"titles of operations":    below("operations", func(m *yaml.Node) bool { return added(m, "title", text("A title")) }),
	"summaries of operations": below("operations", func(m *yaml.Node) bool { return added(m, "summary", text("In short.")) }),
	"tags of operations":      below("operations", func(m *yaml.Node) bool { return added(m, "tags", sequence(object("name", "shop"))) }),
	"words of servers":        below("servers", func(m *yaml.Node) bool { set(m, "description", text("In other words.")); return true }),
	"another version of the document": func(root *yaml.Node) bool {
		if get(root, "info") == nil {
			return false
		}
		set(get(root, "info"), "version", text("99.0.0"))
		set(get(root, "info"), "title", text("Another title"))
		return true
	},
	"a component that nobody uses": func(root *yaml.Node) bool {
		component(root, "schemas", "NobodyUsesIt", object("type", "string"))
		component(root, "messages", "NobodySendsIt", object("title", "M"))
		return get(root, "channels") != nil
	},
	"links to documents": func(root *yaml.Node) bool {
		return added(get(root, "info"), "externalDocs", object("url", "https://example.org"))
	},
}
