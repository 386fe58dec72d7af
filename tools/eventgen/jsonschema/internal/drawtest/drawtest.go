// Package drawtest draws random documents, most of which conform to a JSON Schema, and has an
// independent validator to judge them. The results depend on the seed alone.
//
// Tests of generated JSON codecs import it, and nothing else does.
package drawtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	judge "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/sample"
)

// unchecked are the formats that generated code does not check.
var unchecked = []string{"iri", "iri-reference", "idn-email", "idn-hostname", "uri-template", "json-pointer", "relative-json-pointer"}

// pattern compiles a regular expression. One with what RE2 does not have matches any text, as in
// generated code, which does not check it.
func pattern(text string) (judge.Regexp, error) {
	re, err := regexp.Compile(text)
	var bad *syntax.Error
	if errors.As(err, &bad) && (bad.Code == syntax.ErrInvalidPerlOp || bad.Code == syntax.ErrInvalidEscape) {
		return regexp.MustCompile(""), nil
	}
	return re, err
}

// Compile returns an independent validator, with the formats that AsyncAPI adds to JSON Schema.
func Compile(t testing.TB, text string) *judge.Schema {
	t.Helper()
	c := judge.NewCompiler()
	c.DefaultDraft(judge.Draft7)
	c.AssertContent()
	c.UseRegexpEngine(pattern)
	c.RegisterFormat(&judge.Format{Name: "byte", Validate: func(v any) error {
		if s, ok := v.(string); ok {
			_, err := base64.StdEncoding.DecodeString(s)
			return err
		}
		return nil
	}})
	c.RegisterFormat(&judge.Format{Name: "int32", Validate: func(v any) error {
		if n, ok := v.(json.Number); ok {
			if f, err := n.Float64(); err != nil || f < math.MinInt32 || f > math.MaxInt32 {
				return errors.New("not an int32")
			}
		}
		return nil
	}})
	for _, name := range unchecked {
		c.RegisterFormat(&judge.Format{Name: name, Validate: func(any) error { return nil }})
	}
	doc, err := judge.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("file:///schema", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("file:///schema")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Drawer generates random documents, most of which conform to a schema.
type Drawer struct {
	*rand.Rand
	root    any
	careful bool // the value should be valid
	scalars map[string]*judge.Schema
	t       testing.TB
}

// New returns a Drawer of a schema.
func New(t testing.TB, schema string) *Drawer {
	t.Helper()
	root, err := judge.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	return &Drawer{root: root, scalars: map[string]*judge.Schema{}, t: t}
}

// fits reports whether the judge accepts a number or a string.
func (d *Drawer) fits(schema map[string]any, v any) bool {
	text, err := json.Marshal(schema)
	if err != nil {
		d.t.Fatal(err)
	}
	if d.scalars[string(text)] == nil {
		d.scalars[string(text)] = Compile(d.t, string(text))
	}
	return d.scalars[string(text)].Validate(v) == nil
}

// good returns one of the values, a valid one if d is careful.
func good[T any](d *Drawer, schema map[string]any, from []T) any {
	if d.careful {
		from = slices.DeleteFunc(slices.Clone(from), func(v T) bool { return !d.fits(schema, v) })
	}
	if len(from) > 0 {
		return pick(d, from)
	}
	if pattern, ok := schema["pattern"].(string); ok {
		text, _ := sample.Text(pattern)
		return text
	}
	return nil
}

func pick[T any](d *Drawer, from []T) T { return from[d.IntN(len(from))] }

func (d *Drawer) oneIn(n int) bool { return d.IntN(n) == 0 }

// clone returns a copy of a value, so that what is added to it changes no other value.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, m := range v {
			out[name] = clone(m)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, it := range v {
			out[i] = clone(it)
		}
		return out
	}
	return v
}

// Document returns the random document of a seed. Two of three should be valid.
func (d *Drawer) Document(seed uint64) []byte {
	d.Rand = rand.New(rand.NewPCG(seed, 1))
	d.careful = !d.oneIn(3)
	doc, err := json.Marshal(d.value(d.root, 0))
	if err != nil {
		d.t.Fatal(err)
	}
	return doc
}

var anything = []any{nil, true, false, 0, 1, -7, 4.5, 1e3, "", "a", "text", []any{}, []any{1, "a"}, map[string]any{}, map[string]any{"a": 1, "x-b": "c"}, json.Number("1.0"), json.Number("12e1")}

var texts = map[string][]string{
	"date-time":     {"2026-02-28T12:30:00Z", "2026-02-28T12:30:00.123+02:00", "2026-02-30T12:30:00Z", "2026-02-28"},
	"date":          {"2026-02-28", "2024-02-29", "2026-13-01"},
	"time":          {"12:30:00Z", "12:30:00.5+01:00", "25:00:00Z", "12:30"},
	"duration":      {"P1D", "PT5M", "P1Y2M3DT4H", "P2W", "P", "1D"},
	"uuid":          {"123e4567-e89b-12d3-a456-426614174000", "123e4567", "123e4567-e89b-12d3-a456-42661417400g"},
	"email":         {"a@b.org", "first.last@example.com", "nobody"},
	"uri":           {"https://a.example/b?c=d#e", "urn:x:y", "/relative"},
	"byte":          {"", "AQI=", "AQI", "%"},
	"ipv4":          {"1.2.3.4", "1.2.3"},
	"ipv6":          {"::1", "fe80::1", ":::"},
	"hostname":      {"a.example", "a_b"},
	"uri-reference": {"/a?b", "a\\b"},
	"regex":         {"^a+$", "("},
	"":              {"", "a", "b", "ab", "abc", "open", "PAID", "in transit", "AB12", "Z", "é漢🙂", "a longer text than most limits allow", "12", "free", "\" \\ \n", "circle", "square", "x-a"},
}

func (d *Drawer) value(schema any, depth int) any {
	s, ok := schema.(map[string]any)
	if !ok || !d.careful && d.oneIn(20) {
		return clone(pick(d, anything))
	}
	if ref, ok := s["$ref"].(string); ok {
		at := d.root
		for _, step := range strings.Split(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
			if step != "" {
				at = at.(map[string]any)[step]
			}
		}
		return d.value(at, depth)
	}
	if c, ok := s["const"]; ok && (d.careful || !d.oneIn(10)) {
		return clone(c)
	}
	if e, ok := s["enum"].([]any); ok && (d.careful || !d.oneIn(10)) {
		return clone(pick(d, e))
	}
	var out any
	switch kind := d.kind(s); kind {
	case "object":
		out = d.object(s, depth)
	case "array":
		out = d.array(s, depth)
	case "string":
		f, _ := s["format"].(string)
		if texts[f] == nil || !d.careful && d.oneIn(10) {
			f = ""
		}
		out = good(d, s, texts[f])
	case "integer", "number":
		out = d.number(s, kind)
	case "boolean":
		out = d.oneIn(2)
	case "null":
		out = nil
	}
	return d.combine(s, out, depth)
}

func (d *Drawer) kind(s map[string]any) string {
	switch k := s["type"].(type) {
	case string:
		return k
	case []any:
		return pick(d, k).(string)
	}
	if s["properties"] != nil || s["required"] != nil {
		return "object"
	}
	return ""
}

func (d *Drawer) number(s map[string]any, kind string) any {
	from := []json.Number{"0", "1", "2", "-1", "3", "5", "7", "10", "99", "100", "101", "150", "151", "-3", "1.0", "2e1", "9007199254740993", "-9007199254740994", "2147483647", "0.0"}
	if kind == "number" && d.oneIn(2) {
		from = []json.Number{"0.5", "19.99", "0.001", "1e-3", "-0.25", "10.10", "3", "100"}
	}
	return good(d, s, from)
}

func (d *Drawer) object(s map[string]any, depth int) map[string]any {
	out := map[string]any{}
	required, _ := s["required"].([]any)
	props, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		chance := 3
		if slices.Contains(required, any(name)) {
			if chance = 30; d.careful {
				chance = math.MaxInt
			}
		} else if depth > 4 {
			chance = 1
		}
		if props[name] == false && d.careful {
			continue
		}
		if !d.oneIn(chance) {
			out[name] = d.value(props[name], depth+1)
		}
	}
	for _, name := range required {
		if _, ok := out[name.(string)]; !ok && props[name.(string)] == nil && (d.careful || !d.oneIn(30)) {
			out[name.(string)] = clone(pick(d, anything))
		}
	}
	for range d.IntN(4) {
		if !d.oneIn(3) || depth > 4 {
			continue
		}
		name := pick(d, []string{"a", "b", "x-a", "x-b", "n1", "n23", "abc", "ABC", "speed", "a long name indeed"})
		if _, ok := out[name]; ok {
			continue
		}
		patterns, _ := s["patternProperties"].(map[string]any)
		switch {
		case len(patterns) > 0:
			out[name] = d.value(patterns[pick(d, slices.Sorted(maps.Keys(patterns)))], depth+1)
		case s["additionalProperties"] != nil:
			out[name] = d.value(s["additionalProperties"], depth+1)
		default:
			if s["additionalProperties"] != false || !d.careful {
				out[name] = clone(pick(d, anything))
			}
		}
	}
	return out
}

func (d *Drawer) array(s map[string]any, depth int) []any {
	out := []any{}
	n := d.IntN(5)
	if least, ok := s["minItems"].(json.Number); ok && d.careful {
		from, err := least.Float64()
		if err != nil {
			d.t.Fatal(err)
		}
		n = max(n, int(from))
	}
	if depth > 4 {
		n = min(n, 1)
	}
	for i := range n {
		item := s["items"]
		if tuple, ok := item.([]any); ok {
			if item = s["additionalItems"]; i < len(tuple) {
				item = tuple[i]
			}
		}
		out = append(out, d.value(item, depth+1))
	}
	return out
}

// combine adds what alternatives and parts require to a value.
func (d *Drawer) combine(s map[string]any, out any, depth int) any {
	var parts []any
	for _, group := range []string{"oneOf", "anyOf"} {
		if list, ok := s[group].([]any); ok {
			parts = append(parts, pick(d, list))
		}
	}
	all, _ := s["allOf"].([]any)
	for _, p := range append(parts, all...) {
		v := d.value(p, depth)
		into, isMap := out.(map[string]any)
		from, alsoMap := v.(map[string]any)
		if isMap && alsoMap {
			maps.Copy(into, from)
		} else {
			out = v
		}
	}
	if out == nil && d.kind(s) == "" && len(parts)+len(all) == 0 {
		return clone(pick(d, anything))
	}
	return out
}
