package typechecktest

import (
	"strings"
	"testing"
)

func TestVague(t *testing.T) {
	const runtime = "import \"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue\"\n"
	cases := []struct{ name, code, want string }{
		{"any", "type T struct{ A any }", "any"},
		{"empty interface", "type T struct{ A interface{} }", "interface{}"},
		{"a specific property", runtime + "type T struct{ A *jsonvalue.Any `json:\"a\"` }\nconst SchemaOfT = `{\"properties\": {\"a\": {\"type\": \"string\"}}}`", "T.A is less specific than its schema"},
		{"a property without a type", runtime + "type T struct{ A *jsonvalue.Any `json:\"a\"` }\nconst SchemaOfT = `{\"properties\": {\"a\": {\"description\": \"x\"}}}`", ""},
		{"a required property without a schema", runtime + "type T struct{ A jsonvalue.Any `json:\"a\"` }\nconst SchemaOfT = `{\"required\": [\"a\"]}`", ""},
		{"a reference to a specific schema", runtime + "type T struct{ A jsonvalue.Any `json:\"a\"` }\nconst SchemaOfT = `{\"properties\": {\"a\": {\"$ref\": \"#/definitions/B\"}}, \"definitions\": {\"B\": {\"type\": \"integer\"}}}`", "T.A is less specific"},
		{"specific items", runtime + "type T struct{ A []jsonvalue.Any `json:\"a\"` }\nconst SchemaOfT = `{\"properties\": {\"a\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}}}}`", "T.A is less specific"},
		{"a map whose members are named", runtime + "type T struct{ A map[string]jsonvalue.Any `json:\"a\"` }\nconst SchemaOfT = `{\"properties\": {\"a\": {\"type\": \"object\", \"properties\": {\"b\": {}}}}}`", "T.A is less specific"},
		{"a map of any values", runtime + "type T struct{ A map[string]jsonvalue.Any `json:\"a\"` }\nconst SchemaOfT = `{\"properties\": {\"a\": {\"type\": \"object\"}}}`", ""},
		{"null", "type T struct{ A *struct{} `json:\"a\"` }\nconst SchemaOfT = `{\"properties\": {\"a\": {\"type\": \"null\"}}}`", ""},
		{"struct{} for an object", "type T struct{ A *struct{} `json:\"a\"` }\nconst SchemaOfT = `{\"properties\": {\"a\": {\"type\": \"object\"}}}`", "T.A is less specific"},
		{"a record without its fields", "type T struct{}\nconst SchemaOfT = `{\"type\": \"record\", \"name\": \"T\", \"fields\": [{\"name\": \"a\", \"type\": \"int\"}]}`", "T has no fields"},
		{"a record without fields", "type T struct{}\nconst SchemaOfT = `{\"type\": \"record\", \"name\": \"T\", \"fields\": []}`", ""},
		{"an object of constants", "type T struct{}\nconst SchemaOfT = `{\"properties\": {\"a\": {\"const\": 1}}}`", ""},
		{"an object without its properties", "type T struct{}\nconst SchemaOfT = `{\"properties\": {\"a\": {\"type\": \"string\"}}}`", "T has no fields"},
		{"a specific payload", runtime + "type T struct{ Value jsonvalue.Any }\nconst SchemaOfT = `{\"type\": \"string\"}`", "T.Value is less specific"},
		{"a payload of any value", runtime + "type T struct{ Value jsonvalue.Any }\nconst SchemaOfT = `true`", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, err := Parse("example.com/gen", map[string][]byte{"p/t.go": []byte("package p\n" + c.code)})
			if err != nil {
				t.Fatal(err)
			}
			if got := code.Vague(); (c.want == "") != (len(got) == 0) || !strings.Contains(strings.Join(got, "\n"), c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	check := New(t)
	cases := []struct{ name, code, want string }{
		{"good", "import \"time\"\nvar T time.Time", ""},
		{"a variable that is not used", "func f() { x := 1 }", "declared and not used"},
		{"an import that is not used", "import \"time\"", "not used"},
		{"a redeclared name", "type T int\ntype T string", "redeclared"},
		{"a package it may not import", "import _ \"example.com/other\"", "may not import example.com/other"},
		{"not Go", "func", "expected"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, err := Parse("example.com/gen", map[string][]byte{"p/t.go": []byte("package p\n" + c.code)})
			if err == nil {
				err = check.Check(code)
			}
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestShapes(t *testing.T) {
	code, err := Parse("example.com/gen", map[string][]byte{"p/t.go": []byte("package p\ntype A struct { X []B; Y string `json:\"y\"` }\ntype B struct { Y string `json:\"y\"`; X []A }\ntype C struct { Z *A }")})
	if err != nil {
		t.Fatal(err)
	}
	const want = "X [ ] T ;  ; Y string ;  `json:\"y\"` |Z * T ;  "
	if got := strings.Join(code.Shapes(), "|"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if again := strings.Join(code.Shapes(), "|"); again != want || !strings.Contains(strings.Join(code.API(), "\n"), "A struct X []B") {
		t.Errorf("asking changed the code: %q, %q", again, code.API())
	}
}
