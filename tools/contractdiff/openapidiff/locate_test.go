package openapidiff

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/deferpay/deferpay/tools/contractdiff/input"
)

// hosts are valid documents with an operation that has a member "x-here". Each has something that
// is left to the library, or looks like a fault and is none.
var hosts = map[string]string{
	"a plain one": header + "  /a:\n    get: {operationId: a, \"x-here\": 0, responses: {'200': {description: D.}}}\n",
	"a version in one word, without components": "openapi: '3.1'\ninfo: {title: T, version: 1.0.0}\npaths: {/a: {get: {\"x-here\": 0}}}\n",
	"members in another case":                   header + "  /a:\n    get: {OperationId: a, \"x-here\": 0, Parameters: [], Responses: {'200': {description: D.}}}\n",
	"no answers":                                header + "  /0:\n    get: {responses: null}\n  /a:\n    get:\n      responses: null\n      x-b: {$ref: 5}\n  /b: {get: {\"x-here\": 0}}\n",
	"examples that look like references": header + "  /a:\n    parameters: [{name: q, in: query, example: {$ref: '#/nowhere'}, schema: {type: object, default: {$ref: gone.yaml}, enum: [{$ref: '#/no'}]}}]\n" +
		"    get: {\"x-here\": 0, responses: {'200': {description: D., content: {a/b: {example: {$ref: '#/paths/~1a/get/responses/200/content/a~1b/example'}}}}}}\n",
	"an extension that looks like a reference": header + "  /a:\n    get: {x-a: {$ref: '#/gone'}, x-b: {schema: {type: 5}}, \"x-here\": 0, responses: {}}\n",
	"aliases":     "openapi: 3.0.0\ninfo: &i {title: T, version: 1.0.0}\nx-i: *i\npaths:\n  /a:\n    get: {responses: {'200': &r {description: D.}, '300': *r}, \"x-here\": 0}\n",
	"other files": header + "  /0: {$ref: 'other.yaml#/item'}\n  /a:\n    parameters: [{$ref: 'other.yaml#/q'}]\n    get: {\"x-here\": 0, responses: {}}\n",
	"a parameter called $ref, and a schema that contains itself": header + "  /a:\n    get: {\"x-here\": 0, responses: {}}\n" +
		"components: {schemas: {N: {properties: {next: {$ref: '#/components/schemas/N'}, $ref: {type: string}, example: {type: string}, default: {$ref: '#/components/schemas/N'}}}}}\n",
	"JSON": "{\"openapi\": \"3.0.0\", \"info\": {\"title\": \"T\", \"version\": \"1\"},\n \"paths\": {\"/a\": {\"get\": {\"operationId\": \"é\", \"x-here\": 0, \"responses\": {}}}}}\n",
}

// faults are members in place of x-here, with an @ where the fault is.
var faults = map[string]string{
	"a reference to nothing":             `"requestBody": {"$ref": @"#/components/requestBodies/Gone"}`,
	"a reference into nothing":           `"requestBody": {"$ref": @"#/info/title/x"}`,
	"a reference to a file that is gone": `"requestBody": {"$ref": @"gone.yaml"}`,
	"a reference to another kind":        `"parameters": [{"$ref": @"#/components/schemas/N"}]`,
	"a reference to a website":           `"requestBody": {"$ref": @"https://example.org/a.yaml"}`,
	"a reference to itself":              `"parameters": [{"$ref": @"#/paths/~1a/get/parameters/0"}]`,
	"a list for a text":                  `"summary": @["S."]`,
	"a number for a text":                `"summary": @5`,
	"a text for a number":                `"parameters": [{"name": "p", "in": "query", "schema": {"maxLength": @"long"}}]`,
	"a text for a list":                  `"parameters": @"p"`,
	"a list for an object":               `"requestBody": @["a"]`,
	"a text for a schema or a boolean":   `"parameters": [{"name": "p", "in": "query", "schema": {"additionalProperties": @"no"}}]`,
	"a number for a type":                `"parameters": [{"name": "p", "in": "query", "schema": {"type": ["string", @5]}}]`,
	"an object for a bound":              `"parameters": [{"name": "p", "in": "query", "schema": {"exclusiveMinimum": @{}}}]`,
	"a text for a callback":              `"callbacks": {"c": {"u": {"get": @"g"}}}`,
	"an unknown member before a fault":   `"sumary": ["S."], "summary": @["S."]`,
	"a member twice":                     `"summary": "S.", @"summary": "T."`,
	"a bracket that is not closed":       `"summary": ["S.@}`,
}

// TestPlaceOfFault puts each fault into each document: the error has its place and no other one.
func TestPlaceOfFault(t *testing.T) {
	if len(hosts) < 10 {
		t.Fatalf("%d documents", len(hosts))
	}
	const other = "item: {get: {responses: {'200': {description: D.}}}}\nq: {name: q, in: query, schema: {type: string}}\n"
	for host, text := range hosts {
		if _, err := loadTexts(t, text, other); err != nil {
			t.Errorf("%s is not valid: %v", host, err)
			continue
		}
		for name, fault := range faults {
			marked := strings.Replace(text, `"x-here": 0`, fault, 1)
			before, after, _ := strings.Cut(marked, "@")
			want := fmt.Sprintf("api/openapi.yaml:%d:%d: ", strings.Count(before, "\n")+1, utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:])+1)
			if name == "a bracket that is not closed" {
				if host == "JSON" {
					continue // YAML has its own opinion where that is
				}
				want = want[:strings.LastIndex(want[:len(want)-2], ":")+1]
			}
			if _, err := loadTexts(t, before+after, other); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "failed to") {
				t.Errorf("%s in %s: %v\nwant %s", name, host, err, want)
			}
		}
	}
}

// TestPlaceOfDocument has faults of a whole document, and of a file that it refers to.
func TestPlaceOfDocument(t *testing.T) {
	const head, tail = "info: {title: T, version: 1.0.0}\n", "paths: {/a: {$ref: 'other.yaml#/item'}}\n"
	for name, c := range map[string]struct{ text, other, want string }{
		"OpenAPI 2":                 {"openapi: 2.0.0\n" + head + tail, "item: {}\n", "api/openapi.yaml:1:10: OpenAPI \"2.0.0\" is not supported"},
		"OpenAPI 4":                 {"info: {title: T, version: 1.0.0}\nopenapi: '4.0'\n" + tail, "item: {}\n", "api/openapi.yaml:2:10: OpenAPI \"4.0\" is not supported"},
		"OpenAPI 30":                {"openapi: '30'\n" + head + tail, "item: {}\n", "api/openapi.yaml:1:10: "},
		"a number as the version":   {"openapi: 3.0\n" + head + tail, "item: {}\n", "api/openapi.yaml:1:10: the version of OpenAPI is a number"},
		"no version":                {"openapi:\n" + head + tail, "item: {}\n", "api/openapi.yaml:1:1: "},
		"no info":                   {"openapi: 3.0.0\n" + tail, "item: {}\n", "api/openapi.yaml:1:1: "},
		"a fault in the other file": {"openapi: 3.0.0\n" + head + tail, "item:\n  get: {summary: [S.]}\n", "api/other.yaml:2:18: a list stands where a string is expected"},
		"nothing in the other file": {"openapi: 3.0.0\n" + head + tail, "items: {}\n", "api/openapi.yaml:3:20: "},
		"the other file is broken":  {"openapi: 3.0.0\n" + head + tail, "item: [\n", "api/other.yaml:"},
	} {
		if _, err := loadTexts(t, c.text, c.other); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}

// TestOperationsNotRead holds that operations which the library passes over are not silently equal.
func TestOperationsNotRead(t *testing.T) {
	const head = "openapi: 3.1.0\ninfo: {title: T, version: 1.0.0}\n"
	const other = "item: {get: {responses: {'200': {description: D.}}}}\nnext: {$ref: '#/item'}\n"
	for text, want := range map[string]string{
		"paths: {/a: {$ref: 'other.yaml#/item'}}\n":                                                                         "",
		"paths: {/a: {$ref: 'other.yaml#/item', x-a: 1}}\n":                                                                 "",
		"paths: {/a: {$ref: 'other.yaml#/item'}, /b: {$ref: 'other.yaml#/item'}}\n":                                         "",
		"paths: {/a: {$ref: 'other.yaml#/next'}}\n":                                                                         "api/openapi.yaml:3:20: GET of $ref",
		"paths: {/a: {$ref: 'other.yaml#/item', put: {responses: {}}}}\n":                                                   "api/openapi.yaml:3:20: GET of $ref",
		"paths: {/a: {$ref: 'other.yaml#/item', parameters: [{name: q, in: query}]}}\n":                                     "api/openapi.yaml:3:20: GET of $ref",
		"webhooks: {a: {$ref: 'other.yaml#/next'}}\n":                                                                       "api/openapi.yaml:3:22: GET of $ref",
		"paths: {/a: {$ref: 'other.yaml#/next'}}\nwebhooks: {a: {$ref: 'other.yaml#/next'}}\n":                              "api/openapi.yaml:3:20: GET of $ref",
		"paths: {/a: {get: {responses: {'200': {description: D.}}, callbacks: {c: {'/b': {$ref: 'other.yaml#/item'}}}}}}\n": "",
		"paths: {/a: {get: {responses: {'200': {description: D.}}, callbacks: {c: {'/b': {$ref: 'other.yaml#/next'}}}}}}\n": "api/openapi.yaml:3:88: GET of $ref",
		"paths: {/a: {get: {responses: {'200': {description: D.}}, callbacks: {c: {$ref: '#/components/callbacks/c'}}}}}\ncomponents: {callbacks: {c: {'/b': {$ref: 'other.yaml#/next'}}}}\n": "api/openapi.yaml:4:",
		"paths: {}\ncomponents: {callbacks: {c: {'/b': {$ref: 'other.yaml#/item', put: {responses: {}}}}}}\n":                                                                                 "api/openapi.yaml:4:",
	} {
		_, err := loadTexts(t, head+text, other)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s%v, want %q", text, err, want)
		}
	}
}

// loadTexts loads a document that may refer to other.yaml.
func loadTexts(t *testing.T, text, other string) (*Document, error) {
	t.Helper()
	s, err := input.In(fstest.MapFS{"api/openapi.yaml": {Data: []byte(text), Mode: 0o444}, "api/other.yaml": {Data: []byte(other), Mode: 0o444}}, "api/openapi.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	return Load(s, "api/openapi.yaml")
}
