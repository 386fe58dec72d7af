package judge

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/specfile"
)

// Members says how much of a document's bodies was exercised.
type Members struct {
	Document         string
	Declared, Seen   int
	Values           int // of enums
	ValuesSeen       int
	Missing          []string // "Contract.suspension", "Contract.status = EXPIRED", sorted
	members, allowed map[string]bool
}

// newMembers returns the members and enum values of the bodies of a document, none of them seen.
func newMembers(file string, root specfile.Value) *Members {
	m := &Members{Document: file, members: map[string]bool{}, allowed: map[string]bool{}}
	visited := map[string]bool{}
	for _, path := range root.Get("paths").Members() {
		for _, op := range path.Members() {
			for _, media := range op.Get("requestBody", "content").Members() {
				m.declare(media.Get("schema"), named(media.Get("schema"), op.Get("operationId").Str()), visited)
			}
			for _, answer := range op.Get("responses").Members() {
				for _, media := range answer.Get("content").Members() {
					m.declare(media.Get("schema"), named(media.Get("schema"), op.Get("operationId").Str()), visited)
				}
			}
		}
	}
	return m
}

// named returns the name of a schema that is a component, and otherwise at.
func named(schema specfile.Value, at string) string {
	if strings.Contains(schema.Ref, "/schemas/") {
		return schema.Name()
	}
	return at
}

// declare adds what a schema has, and its parts once.
func (m *Members) declare(schema specfile.Value, at string, visited map[string]bool) {
	if !schema.Ok() || visited[schema.ID()+at] {
		return
	}
	visited[schema.ID()+at] = true
	for _, v := range schema.Get("enum").Items() {
		m.allowed[at+" = "+v.Text()] = false
	}
	for _, part := range parts(schema) {
		m.declare(part, named(part, at), visited)
	}
	m.declare(schema.Get("items"), at, visited)
	name := named(schema, at)
	for _, p := range schema.Get("properties").Members() {
		m.members[name+"."+p.Name] = false
		m.declare(p.Value, name+"."+p.Name, visited)
	}
}

func parts(schema specfile.Value) []specfile.Value {
	return slices.Concat(schema.Get("oneOf").Items(), schema.Get("anyOf").Items(), schema.Get("allOf").Items())
}

// see notes what a JSON value has of its schema.
func (m *Members) see(schema specfile.Value, at string, value any) {
	if !schema.Ok() {
		return
	}
	if text, ok := value.(string); ok {
		if key := at + " = " + text; hasKey(m.allowed, key) {
			m.allowed[key] = true
		}
	}
	for _, part := range fitting(schema, value) {
		m.see(part, named(part, at), value)
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			m.see(schema.Get("items"), at, item)
		}
	case map[string]any:
		name := named(schema, at)
		for _, p := range schema.Get("properties").Members() {
			if member, ok := v[p.Name]; ok {
				m.members[name+"."+p.Name] = true
				m.see(p.Value, name+"."+p.Name, member)
			}
		}
	}
}

// fitting returns the parts of a schema that are for a value: the one that its discriminator names,
// or all of them.
func fitting(schema specfile.Value, value any) []specfile.Value {
	object, _ := value.(map[string]any)
	kind, _ := object[schema.Get("discriminator", "propertyName").Str()].(string)
	target := schema.Get("discriminator", "mapping", kind).Str()
	if kind == "" || target == "" {
		return parts(schema)
	}
	for _, p := range parts(schema) {
		if strings.HasSuffix(target, "/"+p.Name()) {
			return []specfile.Value{p}
		}
	}
	return nil
}

func hasKey(m map[string]bool, key string) bool { _, ok := m[key]; return ok }

// exchange notes the bodies of an exchange of an operation. A refused request has shown nothing.
func (m *Members) exchange(to *route, e Exchange) {
	if body, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.RequestBody)); err == nil && e.Status < 400 {
		m.see(to.node.Get("requestBody", "content", "application/json", "schema"), to.ID, body)
	}
	if body, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Answer)); err == nil {
		media, _, _ := strings.Cut(e.AnswerHead.Get("Content-Type"), ";")
		m.see(to.node.Get("responses", strconv.Itoa(e.Status), "content", media, "schema"), to.ID, body)
	}
}

// settled returns the figures.
func (m *Members) settled() Members {
	out := Members{Document: m.Document, Declared: len(m.members), Values: len(m.allowed)}
	for name, seen := range m.members {
		if seen {
			out.Seen++
		} else {
			out.Missing = append(out.Missing, name)
		}
	}
	for name, seen := range m.allowed {
		if seen {
			out.ValuesSeen++
		} else {
			out.Missing = append(out.Missing, name)
		}
	}
	slices.Sort(out.Missing)
	return out
}
