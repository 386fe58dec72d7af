package kafkatest

import (
	"bytes"
	"encoding/json"
	"strings"
)

// sameJSON reports whether two schemas are equal apart from the order of members and the form of
// names.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	nx, err1 := json.Marshal(inFull(x, ""))
	ny, err2 := json.Marshal(inFull(y, ""))
	return err1 == nil && err2 == nil && bytes.Equal(nx, ny)
}

// inFull replaces the names of a schema by full names.
func inFull(v any, namespace string) any {
	switch t := v.(type) {
	case string:
		return t
	case []any:
		out := make([]any, len(t))
		for i, it := range t {
			out[i] = typeName(it, namespace)
		}
		return out
	case map[string]any:
		return fullNames(t, namespace)
	}
	return v
}

func fullNames(t map[string]any, namespace string) map[string]any {
	out := map[string]any{}
	for k, v := range t {
		out[k] = v
	}
	if name, ok := t["name"].(string); ok {
		if kind, _ := t["type"].(string); kind == "record" || kind == "enum" || kind == "fixed" {
			if ns, ok := t["namespace"].(string); ok {
				namespace = ns
			}
			if i := strings.LastIndex(name, "."); i >= 0 {
				namespace = name[:i]
			} else if namespace != "" {
				name = namespace + "." + name
			}
			out["name"] = name
			delete(out, "namespace")
		}
	}
	for _, k := range []string{"type", "items", "values"} {
		if v, ok := t[k]; ok {
			out[k] = typeName(v, namespace)
		}
	}
	if fields, ok := t["fields"].([]any); ok {
		list := make([]any, len(fields))
		for i, f := range fields {
			list[i] = inFull(f, namespace)
		}
		out["fields"] = list
	}
	return out
}

func typeName(v any, namespace string) any {
	s, ok := v.(string)
	if !ok {
		return inFull(v, namespace)
	}
	switch s {
	case "null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "fixed", "array", "map":
		return s
	}
	if namespace != "" && !strings.Contains(s, ".") {
		return namespace + "." + s
	}
	return s
}
