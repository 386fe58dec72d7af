package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	judge "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/golden"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/golden/families"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/fulltest"
)

var rounds = flag.Int("rounds", fulltest.Choose(100, 500), "random documents for each golden payload")

var names = slices.Sorted(maps.Keys(golden.Values))

// compile returns an independent validator, with the formats that AsyncAPI adds to JSON Schema.
func compile(t testing.TB, text string) *judge.Schema {
	t.Helper()
	c := judge.NewCompiler()
	c.DefaultDraft(judge.Draft7)
	c.AssertContent()
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

func validate(t testing.TB, s *judge.Schema, text []byte) error {
	v, err := judge.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s is not JSON: %v", text, err)
	}
	return s.Validate(v)
}

// TestAgainstValidator decodes random documents. The generated code accepts a document if and only
// if the judge, an independent validator, accepts it. What it encodes is what it decoded, as far as
// the type can hold it, and the judge accepts that too.
func TestAgainstValidator(t *testing.T) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text := golden.Values[name]().JSONType().Schema
			s := compile(t, text)
			d := drawer{root: parse(t, text), scalars: map[string]*judge.Schema{}, t: t}
			accepted, refused := 0, 0
			for seed := range uint64(*rounds) {
				d.Rand = rand.New(rand.NewPCG(seed, 1))
				if try(t, golden.Values[name], s, d.document()) {
					accepted++
				} else {
					refused++
				}
			}
			if accepted == 0 || refused == 0 && !slices.Contains([]string{"rules.Something", "rules.Whatever"}, name) {
				t.Errorf("%d documents were accepted and %d refused: one side was not tested", accepted, refused)
			}
		})
	}
}

// try reports whether both accept a document, and fails the test if they disagree.
func try(t *testing.T, empty func() jsonvalue.Payload, s *judge.Schema, doc []byte) bool {
	t.Helper()
	verdict := validate(t, s, doc)
	v := empty()
	err := v.DecodeJSON(doc)
	if (err == nil) != (verdict == nil) {
		t.Fatalf("%s\ndecoding: %v\nthe judge: %v", doc, err, verdict)
	}
	if err != nil {
		return false
	}
	again := written(t, v)
	if err := validate(t, s, again); err != nil {
		t.Fatalf("%s was encoded as %s, which the judge refuses: %v", doc, again, err)
	}
	w := empty()
	if err := w.DecodeJSON(again); err != nil {
		t.Fatalf("%s was encoded and cannot be decoded: %v", again, err)
	}
	if third := written(t, w); !bytes.Equal(third, again) {
		t.Fatalf("%s, then %s", again, third)
	}
	return true
}

// TestExamples compares each example in Go with the example as text.
func TestExamples(t *testing.T) {
	if len(golden.Examples) < 10 {
		t.Fatal("there are too few examples")
	}
	for _, e := range golden.Examples {
		read := golden.Values[e.Name]()
		if err := read.DecodeJSON([]byte(e.Text)); err != nil {
			t.Errorf("%s: %v", e.Text, err)
			continue
		}
		if want, got := written(t, read), written(t, e.Value()); !bytes.Equal(want, got) {
			t.Errorf("%s in Go is %s, decoded it is %s", e.Name, got, want)
		}
	}
}

func written(t testing.TB, v interface{ AppendJSON([]byte) ([]byte, error) }) []byte {
	const before = "before"
	out, err := v.AppendJSON([]byte(before))
	if err != nil {
		t.Fatalf("a decoded value cannot be encoded: %v", err)
	}
	return bytes.TrimPrefix(out, []byte(before))
}

func parse(t testing.TB, text string) any {
	t.Helper()
	v, err := judge.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// drawer generates random values, most of them of a schema.
type drawer struct {
	*rand.Rand
	root    any
	careful bool // the value should be valid
	scalars map[string]*judge.Schema
	t       testing.TB
}

// fits reports whether the judge accepts a number or a string.
func (d drawer) fits(schema map[string]any, v any) bool {
	text, err := json.Marshal(schema)
	if err != nil {
		d.t.Fatal(err)
	}
	if d.scalars[string(text)] == nil {
		d.scalars[string(text)] = compile(d.t, string(text))
	}
	return d.scalars[string(text)].Validate(v) == nil
}

// good returns one of the values, a valid one if d is careful.
func good[T any](d drawer, schema map[string]any, from []T) any {
	if d.careful {
		from = slices.DeleteFunc(slices.Clone(from), func(v T) bool { return !d.fits(schema, v) })
	}
	if len(from) == 0 {
		return nil
	}
	return pick(d, from)
}

func pick[T any](d drawer, from []T) T { return from[d.IntN(len(from))] }

func (d drawer) oneIn(n int) bool { return d.IntN(n) == 0 }

// document returns a random document. Two of three should be valid.
func (d drawer) document() []byte {
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

func (d drawer) value(schema any, depth int) any {
	s, ok := schema.(map[string]any)
	if !ok || !d.careful && d.oneIn(20) {
		return pick(d, anything)
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
		return c
	}
	if e, ok := s["enum"].([]any); ok && (d.careful || !d.oneIn(10)) {
		return pick(d, e)
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

func (d drawer) kind(s map[string]any) string {
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

func (d drawer) number(s map[string]any, kind string) any {
	from := []json.Number{"0", "1", "2", "-1", "3", "5", "7", "10", "99", "100", "101", "150", "151", "-3", "1.0", "2e1", "9007199254740993", "-9007199254740994", "2147483647", "0.0"}
	if kind == "number" && d.oneIn(2) {
		from = []json.Number{"0.5", "19.99", "0.001", "1e-3", "-0.25", "10.10", "3", "100"}
	}
	return good(d, s, from)
}

func (d drawer) object(s map[string]any, depth int) map[string]any {
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
			out[name.(string)] = pick(d, anything)
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
				out[name] = pick(d, anything)
			}
		}
	}
	return out
}

func (d drawer) array(s map[string]any, depth int) []any {
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
func (d drawer) combine(s map[string]any, out any, depth int) any {
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
		return pick(d, anything)
	}
	return out
}

// TestAnyOfKeepsAll reads values that conform to several objects of an anyOf. They are of the type
// that names the most of their members, and no member is lost.
func TestAnyOfKeepsAll(t *testing.T) {
	for _, c := range []struct {
		text string
		want families.Changed
	}{
		{`{"name":"a"}`, &families.First{}},
		{`{"size":3}`, &families.Second{}},
		{`{"name":"a","size":3}`, &families.First{}},
		{`{"size":3,"other":{"x":[1]}}`, &families.Second{}},
		{`{}`, &families.First{}},
	} {
		var v families.ChangedPayload
		if err := v.DecodeJSON([]byte(c.text)); err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if fmt.Sprintf("%T", v.Value) != fmt.Sprintf("%T", c.want) {
			t.Errorf("%s is read as %T, not %T", c.text, v.Value, c.want)
		}
		if got := string(written(t, &v)); !sameJSON(t, got, c.text) {
			t.Errorf("%s is written again as %s", c.text, got)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		t.Fatalf("%s or %s is not JSON", a, b)
	}
	return reflect.DeepEqual(x, y)
}

// TestForeignTag writes values with the discriminator of another type, which is refused.
func TestForeignTag(t *testing.T) {
	for want, zoo := range map[string]families.Zoo{
		"": {Animal: &families.Hound{Kind: "Hound"}},
		`animal: has "Feline" for "kind", but its type has "Hound"`:       {Animal: &families.Hound{Kind: "Feline"}},
		`animal: has "" for "kind", but its type has "Feline"`:            {Animal: &families.Feline{}},
		`vehicles[0]: has "BIG_TRUCK" for "type", but its type has "CAR"`: {Animal: &families.Hound{Kind: "Hound"}, Vehicles: []families.Vehicle{&families.Car{Type: families.CarTypeBigTruck}}},
	} {
		err := zoo.Validate()
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && got != want {
			t.Errorf("got %v, not %q", err, want)
		}
	}
	var v families.Zoo
	if err := v.DecodeJSON([]byte(`{"animal":{"kind":"Nothing"}}`)); err == nil {
		t.Error("a kind that no subtype has was read")
	}
}
