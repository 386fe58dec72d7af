package sample

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// deepest is the depth below which a value has only what its schema requires.
const deepest = 4

// Schemas returns values of a JSON Schema of draft-07 as JSON, the fullest first. References have
// to lead into the schema itself.
func Schemas(text string) []string {
	root, err := decode(text)
	if err != nil {
		return nil
	}
	var out []string
	for _, j := range []jsonSampler{{root: root, examples: true}, {root: root}, {root: root, sparse: true}} {
		out = append(out, encode(j.value(root, "text", 0)))
	}
	return slices.Compact(out)
}

// Named returns a value of a JSON Schema as JSON. A text without a constraint is the name.
func Named(text, name string) string {
	root, err := decode(text)
	if err != nil {
		return "null"
	}
	return encode(jsonSampler{root: root}.value(root, name, 0))
}

// jsonSampler makes a value of a JSON Schema.
type jsonSampler struct {
	root     any
	examples bool // examples in the schema are used
	sparse   bool // what is not required is left out
}

// value returns a value of a schema. A text without a constraint is that of the name.
func (j jsonSampler) value(schema any, name string, depth int) any {
	s := j.final(schema)
	if list, ok := s["examples"].([]any); ok && j.examples && len(list) > 0 {
		return list[0]
	}
	if v, ok := s["const"]; ok {
		return v
	}
	if list, ok := s["enum"].([]any); ok && len(list) > 0 {
		return list[0]
	}
	if v, ok := s["default"]; ok && v != nil {
		return v
	}
	if depth > 3*deepest {
		return nil
	}
	out := j.typed(s, name, depth)
	for _, part := range j.parts(s) {
		v := j.value(part, name, depth+1)
		into, from := node(out), node(v)
		switch {
		case into != nil && from != nil:
			maps.Copy(into, from)
		case into == nil:
			out = v
		}
	}
	return out
}

// final follows the references of a schema.
func (j jsonSampler) final(schema any) map[string]any {
	s := node(schema)
	for range 50 {
		ref, ok := s["$ref"].(string)
		if !ok {
			break
		}
		at := j.root
		for step := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
			if step != "" {
				at = node(at)[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
			}
		}
		s = node(at)
	}
	return s
}

// parts returns the schemas that a value has to conform to beside the rest of its own: those of
// allOf, and the first of oneOf and anyOf that is not null.
func (j jsonSampler) parts(s map[string]any) []any {
	all, _ := s["allOf"].([]any)
	out := slices.Clone(all)
	for _, group := range []string{"oneOf", "anyOf"} {
		list, _ := s[group].([]any)
		for _, one := range list {
			if j.final(one)["type"] != "null" {
				out = append(out, one)
				break
			}
		}
	}
	return out
}

func (j jsonSampler) typed(s map[string]any, name string, depth int) any {
	switch kindOf(s) {
	case "object":
		return j.object(s, depth)
	case "array":
		return j.array(s, name, depth)
	case "string":
		return text(s, name)
	case "integer", "number":
		return number(s)
	case "boolean":
		return true
	}
	return nil
}

// kindOf returns the type of a schema, the first that is not null if there are several.
func kindOf(s map[string]any) string {
	list, _ := s["type"].([]any)
	for _, one := range append([]any{s["type"]}, list...) {
		if kind, ok := one.(string); ok && kind != "null" {
			return kind
		}
	}
	switch {
	case s["type"] != nil:
		return "null"
	case s["properties"] != nil || s["required"] != nil:
		return "object"
	case s["items"] != nil:
		return "array"
	case s["pattern"] != nil || s["format"] != nil || s["minLength"] != nil || s["maxLength"] != nil:
		return "string"
	}
	return ""
}

func (j jsonSampler) object(s map[string]any, depth int) any {
	out, props := map[string]any{}, node(s["properties"])
	required, _ := s["required"].([]any)
	for _, name := range required {
		if name, ok := name.(string); ok {
			out[name] = j.value(props[name], name, depth+1)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if _, there := out[name]; !there && !j.sparse && depth < deepest && props[name] != false {
			out[name] = j.value(props[name], name, depth+1)
		}
	}
	return out
}

func (j jsonSampler) array(s map[string]any, name string, depth int) any {
	out := []any{}
	if tuple, ok := s["items"].([]any); ok {
		for _, item := range tuple {
			out = append(out, j.value(item, name, depth+1))
		}
		return out
	}
	n := integer(s["minItems"], 0)
	if n == 0 && !j.sparse && depth < deepest {
		n = 1
	}
	for i := range min(n, 20) {
		one := strings.TrimSuffix(name, "s")
		if i > 0 {
			one += strconv.Itoa(i + 1)
		}
		out = append(out, j.value(s["items"], one, depth+1))
	}
	return out
}

// text returns a text of the name, unless a keyword asks for another one.
func text(s map[string]any, name string) string {
	format, _ := s["format"].(string)
	if v := formats[format]; v != "" {
		return v
	}
	out := name
	if pattern, ok := s["pattern"].(string); ok {
		out, _ = Text(pattern)
	}
	if least := integer(s["minLength"], 0); len(out) < least && least <= 1000 {
		out += strings.Repeat(cmp.Or(out, "a"), least/max(1, len(out))+1)
		out = out[:least]
	}
	if most := integer(s["maxLength"], len(out)); most >= 0 && len(out) > most {
		out = out[:most]
	}
	return out
}

// number returns the least number that is not below 1 and that the limits allow, or the greatest.
func number(s map[string]any) any {
	out := 1.0
	for keyword, more := range map[string]float64{"minimum": 0, "exclusiveMinimum": 1} {
		if v, ok := float(s[keyword]); ok {
			out = max(out, v+more)
		}
	}
	for keyword, less := range map[string]float64{"maximum": 0, "exclusiveMaximum": 1} {
		if v, ok := float(s[keyword]); ok {
			out = min(out, v-less)
		}
	}
	if step, ok := float(s["multipleOf"]); ok && step > 0 {
		n := int64(out / step)
		if float64(n)*step < out {
			n++
		}
		out = float64(n) * step
	}
	return json.Number(strconv.FormatFloat(out, 'f', -1, 64))
}

func float(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

func integer(v any, otherwise int) int {
	if f, ok := float(v); ok {
		return int(f)
	}
	return otherwise
}
