package sample

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for pattern, want := range map[string]string{
		`^O-[0-9]+$`: "O-1", `^[A-Z]{3}$`: "AAA", `a|b`: "a", `^(x|y)z?\d{2,4}$`: "x11", `[^a-zA-Z0-9]`: "!", `.\.com`: "a.com", ``: "",
	} {
		if got, ok := Text(pattern); !ok || got != want {
			t.Errorf("%s: %q, %t; want %q", pattern, got, ok, want)
		}
	}
	for _, pattern := range []string{`(`, `\bx\B`} {
		if got, ok := Text(pattern); ok {
			t.Errorf("%s: %q", pattern, got)
		}
	}
}

func TestSchemas(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"object","required":["b"],"properties":{"a":{"type":"integer","minimum":5},"b":{"enum":["x","y"]},"no":false}}`: `{"a":5,"b":"x"}`,
		`{"type":"array","minItems":2,"uniqueItems":true,"items":{"type":"string"}}`:                                             `["text","text2"]`,
		`{"oneOf":[{"type":"null"},{"$ref":"#/definitions/D"}],"definitions":{"D":{"type":"string","format":"date"}}}`:           `"2026-01-31"`,
		`{"allOf":[{"properties":{"a":{"const":1}}},{"properties":{"b":{"type":["null","boolean"]}}}]}`:                          `{"a":1,"b":true}`,
		`{"type":"string","minLength":6,"maxLength":6}`:                                                                          `"textte"`,
		`{"type":"number","exclusiveMinimum":2,"multipleOf":5,"maximum":20}`:                                                     `5`,
		`{"type":"integer","maximum":-3}`:                                                                                        `-3`,
		`{"type":"string","examples":["hello"]}`:                                                                                 `"hello"`,
		`{"type":"array","items":[{"type":"string"},{"type":"integer"}]}`:                                                        `["text",1]`,
		`{"type":"object","properties":{"next":{"$ref":"#"}}}`:                                                                   `{"next":{"next":{"next":{"next":{}}}}}`,
		`{"type":"null"}`: `null`,
		`{"default":[1]}`: `[1]`,
		`{"type":"object","required":["loop"],"properties":{"loop":{"$ref":"#/definitions/L"}},"definitions":{"L":{"$ref":"#/nowhere"}}}`: `{"loop":null}`,
	} {
		if got := Schemas(schema); len(got) == 0 || got[0] != want {
			t.Errorf("%s: %v; want %s", schema, got, want)
		}
	}
	// without examples, and with what is required alone
	if got := strings.Join(Schemas(`{"type":"object","properties":{"a":{"type":"string","examples":["b"]}}}`), " "); got != `{"a":"b"} {"a":"a"} {}` {
		t.Error(got)
	}
	if got := Schemas(`{`); got != nil {
		t.Error(got)
	}
}

func TestAvro(t *testing.T) {
	const schema = `{"type":"record","name":"A","namespace":"x","fields":[
		{"name":"ref","type":"string"}, {"name":"n","type":["null","int"]}, {"name":"u","type":["long",{"type":"record","name":"B","fields":[{"name":"s","type":{"type":"fixed","name":"F","size":2}}]}]},
		{"name":"b","type":"B"}, {"name":"other","type":{"type":"array","items":"x.F"}}, {"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}}, {"name":"m","type":{"type":"map","values":"int"}},
		{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}}, {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"only","type":["boolean"]}, {"name":"w","type":["B","string"]}]}`
	const want = `{"at":"2026-01-31T12:00:00Z","b":{"s":"AAA="},"e":"X","m":{},"n":null,"only":true,"other":["AAA="],"price":"1.00","ref":"ref","u":{"long":1},"w":{"x.B":{"s":"AAA="}}}`
	if got := Avro(schema); len(got) != 1 || got[0] != want {
		t.Errorf("got %v\nwant %s", got, want)
	}
}
