package sample

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Avro returns a value of an Avro schema as JSON, in the form of the examples of a contract. Where
// a value may be null, it is.
func Avro(text string) []string {
	root, err := decode(text)
	if err != nil {
		return nil
	}
	a := avroSampler{named: map[string]map[string]any{}}
	a.learn(root, "")
	return []string{encode(a.value(root, "text", "", 0))}
}

// avroSampler makes a value of an Avro schema.
type avroSampler struct {
	named map[string]map[string]any // types by their full names
}

// learn adds the named types of a schema in a namespace.
func (a avroSampler) learn(schema any, namespace string) {
	switch s := schema.(type) {
	case []any:
		for _, one := range s {
			a.learn(one, namespace)
		}
	case map[string]any:
		if own, ok := s["namespace"].(string); ok {
			namespace = own
		}
		if name, ok := s["name"].(string); ok && s["type"] != nil && (s["fields"] != nil || s["symbols"] != nil || s["size"] != nil) {
			a.named[qualified(name, namespace)] = s
			if at := strings.LastIndexByte(name, '.'); at >= 0 {
				namespace = name[:at]
			}
		}
		for _, below := range []string{"type", "fields", "items", "values"} {
			a.learn(s[below], namespace)
		}
	}
}

// value returns a value of a schema in a namespace. A text is that of the name.
func (a avroSampler) value(schema any, name, namespace string, depth int) any {
	switch s := schema.(type) {
	case string:
		if t := a.find(s, namespace); t != nil && depth < 3*deepest {
			return a.value(t, name, namespace, depth+1)
		}
		return primitive(s, name)
	case []any:
		for _, branch := range s {
			if branch == "null" {
				return nil
			}
		}
		if len(s) == 0 {
			return nil
		}
		v := a.value(s[0], name, namespace, depth+1)
		if len(s) == 1 {
			return v
		}
		return map[string]any{a.branch(s[0], namespace): v}
	case map[string]any:
		return a.complex(s, name, namespace, depth)
	}
	return nil
}

func (a avroSampler) complex(s map[string]any, name, namespace string, depth int) any {
	if own, ok := s["namespace"].(string); ok {
		namespace = own
	}
	if full, ok := s["name"].(string); ok {
		if at := strings.LastIndexByte(full, '.'); at >= 0 {
			namespace = full[:at]
		}
	}
	if v, ok := logical(s); ok {
		return v
	}
	switch kind := s["type"].(type) {
	case string:
		switch kind {
		case "record", "error":
			out := map[string]any{}
			fields, _ := s["fields"].([]any)
			for _, f := range fields {
				of := node(f)
				field, _ := of["name"].(string)
				if _, ok := of["default"]; !ok || depth == 0 {
					out[field] = a.value(of["type"], field, namespace, depth+1)
				}
			}
			return out
		case "enum":
			symbols, _ := s["symbols"].([]any)
			for _, symbol := range symbols {
				return symbol
			}
			return nil
		case "array":
			if depth > deepest {
				return []any{}
			}
			return []any{a.value(s["items"], strings.TrimSuffix(name, "s"), namespace, depth+1)}
		case "map":
			return map[string]any{}
		case "fixed":
			return zeros(integer(s["size"], 0))
		}
		return a.value(kind, name, namespace, depth+1)
	default:
		return a.value(kind, name, namespace, depth+1)
	}
}

// find returns the named type that a name means in a namespace, or nil.
func (a avroSampler) find(name, namespace string) map[string]any {
	if t := a.named[qualified(name, namespace)]; t != nil {
		return t
	}
	return a.named[name]
}

// branch returns the name of a branch of a union.
func (a avroSampler) branch(schema any, namespace string) string {
	s := node(schema)
	if s == nil {
		name, _ := schema.(string)
		if a.find(name, namespace) != nil {
			return qualified(name, namespace)
		}
		return name
	}
	if own, ok := s["namespace"].(string); ok {
		namespace = own
	}
	if name, ok := s["name"].(string); ok {
		return qualified(name, namespace)
	}
	kind, _ := s["type"].(string)
	return kind
}

func qualified(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func primitive(kind, name string) any {
	switch kind {
	case "boolean":
		return true
	case "int", "long", "float", "double":
		return json.Number("1")
	case "bytes":
		return "YQ=="
	case "string":
		return name
	}
	return nil
}

// logical returns a value of a logical type.
func logical(s map[string]any) (any, bool) {
	kind, _ := s["logicalType"].(string)
	switch {
	case strings.HasPrefix(kind, "timestamp-"):
		return "2026-01-31T12:00:00Z", true
	case strings.HasPrefix(kind, "local-timestamp-"):
		return "2026-01-31T12:00:00", true
	case strings.HasPrefix(kind, "time-"):
		return "12:00:00", true
	}
	switch kind {
	case "date":
		return formats["date"], true
	case "uuid":
		return formats["uuid"], true
	case "duration":
		return map[string]any{"months": 1, "days": 2, "millis": 3}, true
	case "big-decimal":
		return "1", true
	case "decimal":
		digits := strings.Repeat("0", integer(s["scale"], 0))
		if integer(s["precision"], 1) > len(digits) {
			return strings.TrimSuffix("1."+digits, "."), true
		}
		return "0." + digits, true
	}
	return nil, false
}

// zeros returns n bytes as an example has them, in base64.
func zeros(n int) string {
	if n > 1000 {
		return strconv.Itoa(n)
	}
	text, err := json.Marshal(make([]byte, n))
	if err != nil {
		return ""
	}
	return strings.Trim(string(text), `"`)
}
