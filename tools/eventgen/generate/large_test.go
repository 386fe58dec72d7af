package generate

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/deferpay/deferpay/tools/fulltest"
)

// shop returns a document with kinds kinds of orders, as a person would write it: one member per
// line, schemas that refer to each other, inline objects, headers from a trait, and keys.
func shop(kinds int) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("asyncapi: 3.0.0\ninfo:\n  title: Shop\n  version: 1.0.0\nchannels:")
	for i := range kinds {
		p("  order%d:\n    address: shop.order-%d.{region}.v1\n    parameters:\n      region:\n        enum: [eu, us]\n    messages:", i, i)
		for _, what := range []string{"Placed", "Cancelled"} {
			p("      Order%d%s:\n        $ref: '#/components/messages/Order%d%s'", i, what, i, what)
		}
	}
	p("operations:")
	for i := range kinds {
		action := []string{"send", "receive"}[i%2]
		p("  order%d:\n    action: %s\n    channel:\n      $ref: '#/channels/order%d'", i, action, i)
	}
	p("components:\n  messageTraits:\n    Traced:\n      headers:\n        type: object\n        properties:\n          trace:\n            type: string\n          kind:\n            type: string")
	p("  messages:")
	for i := range kinds {
		for _, what := range []string{"Placed", "Cancelled"} {
			p("    Order%d%s:\n      title: Order %d was %s\n      traits:\n        - $ref: '#/components/messageTraits/Traced'", i, what, i, strings.ToLower(what))
			p("      headers:\n        type: object\n        required: [kind]\n        properties:\n          kind:\n            const: order%d%s", i, what)
			p("      bindings:\n        kafka:\n          key:\n            type: string\n      payload:\n        $ref: '#/components/schemas/Order%d'", i)
		}
	}
	p("  schemas:")
	for i := range kinds {
		p("    Order%d:\n      type: object\n      required: [id, lines]\n      properties:\n        id:\n          type: string\n          format: uuid", i)
		p("        status:\n          type: string\n          enum:\n            - open\n            - paid")
		p("        previous:\n          $ref: '#/components/schemas/Order%d'", (i+kinds-1)%kinds)
		p("        payment:\n          oneOf:\n            - type: object\n              title: Card%d\n              required: [number]\n              properties:\n                number:\n                  type: string\n                  pattern: '^[0-9]+$'", i)
		p("            - type: object\n              title: Account%d\n              required: [iban]\n              properties:\n                iban:\n                  type: string", i)
		p("        lines:\n          type: array\n          minItems: 1\n          items:\n            type: object\n            properties:\n              article:\n                type: string\n              count:\n                type: integer\n                minimum: 1")
	}
	return b.String()
}

// TestLongDocument generates from a document of more than 2,000 lines, and logs how long that
// takes.
func TestLongDocument(t *testing.T) {
	text := shop(30)
	lines := strings.Count(text, "\n")
	if lines < 2000 {
		t.Fatalf("%d lines", lines)
	}
	start := time.Now()
	files, ds := Generate(fstest.MapFS{"shop.yaml": {Data: []byte(text)}}, Config{ImportPath: "example.com/gen", Documents: []string{"shop.yaml"}})
	t.Logf("%d lines, %d files, %v", lines, len(files), time.Since(start))
	if len(ds) > 0 {
		t.Fatal(ds.Error())
	}
	compiles(t, "example.com/gen", files)
}

// chain returns a document whose payload is S0 of n+1 schemas. Each is link with a reference to the
// next one in place of NEXT, and the last one is end.
func chain(n int, link, end string) string {
	var b strings.Builder
	b.WriteString("asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\nchannels:\n  a: {address: a, messages: {A: {payload: {$ref: '#/components/schemas/S0'}}, B: {payload: {type: object, required: [b], properties: {b: {const: b}}}}}}\noperations:\n  sendA: {action: send, channel: {$ref: '#/channels/a'}}\ncomponents:\n  schemas:\n")
	for i := range n {
		fmt.Fprintf(&b, "    S%d: %s\n", i, strings.ReplaceAll(link, "NEXT", fmt.Sprintf("{$ref: '#/components/schemas/S%d'}", i+1)))
	}
	fmt.Fprintf(&b, "    S%d: %s\n", n, end)
	return b.String()
}

// TestManyWays generates from schemas that are reached by more paths than could be followed: each
// schema must be visited once.
func TestManyWays(t *testing.T) {
	cases := []struct{ name, document, want string }{
		{"two properties", chain(60, "{type: object, properties: {a: NEXT, b: NEXT}}", "{type: string}"), ""},
		{"two required properties", chain(10, "{type: object, required: [a, b], properties: {a: NEXT, b: NEXT}}", "{type: string}"), ""},
		{"too many required properties", chain(60, "{type: object, required: [a, b], properties: {a: NEXT, b: NEXT}}", "{type: string}"), "contains more than"},
		{"alternatives", chain(60, "{oneOf: [{type: object, required: [x], properties: {x: NEXT}}, {type: array, items: NEXT}]}", "{type: string}"), ""},
		{"anyOf twice the same", chain(60, "{type: object, properties: {a: {anyOf: [NEXT, {type: string}]}, b: {anyOf: [NEXT, {type: integer}]}}}", "{type: object}"), ""},
		{"allOf twice the same", chain(60, "{allOf: [NEXT, NEXT]}", "{type: object, properties: {a: {type: string}}}"), ""},
		{"allOf of properties", chain(60, "{allOf: [{type: object, properties: {a: NEXT}}, {type: object, properties: {b: NEXT}}]}", "{type: string}"), ""},
		{"a cycle over all", chain(60, "{type: object, properties: {a: NEXT, b: NEXT, first: {$ref: '#/components/schemas/S0'}}}", "{$ref: '#/components/schemas/S0'}"), ""},
		{"not", chain(60, "{not: {anyOf: [NEXT, NEXT]}}", "{type: object}"), ""},
		{"a long chain of references", chain(fulltest.Choose(500, 3000), "NEXT", "{type: object, properties: {a: {type: string}}}"), ""},
		{"a long chain of properties", chain(fulltest.Choose(500, 3000), "{type: object, properties: {next: NEXT}}", "{type: object}"), ""},
		{"a long chain of lists", chain(40, "{type: array, items: NEXT}", "{type: string}"), ""},
		{"contains itself, far away", chain(60, "{allOf: [NEXT]}", "{$ref: '#/components/schemas/S0'}"), "contains itself"},
		{"a chain of references to its start", chain(60, "NEXT", "{$ref: '#/components/schemas/S0'}"), "leads back to itself"},
		{"every value contains another one", chain(60, "{type: object, required: [a], properties: {a: NEXT}}", "{$ref: '#/components/schemas/S0'}"), "no value is finite"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			files, ds := Generate(fstest.MapFS{"asyncapi.yaml": {Data: []byte(c.document)}}, Config{ImportPath: "example.com/gen", Documents: []string{"asyncapi.yaml"}})
			t.Log(time.Since(start))
			switch {
			case c.want == "" && ds.HasErrors(), c.want != "" && !strings.Contains(ds.Error(), c.want):
				t.Fatalf("got %.2000s, want %q", ds.Error(), c.want)
			case c.want == "":
				compiles(t, "example.com/gen", files)
			}
		})
	}
}
