package gate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/openapidiff"
)

// nearby are deliberate changes of kinds that testdata/changes.txt does not have: the type of a
// field of an Avro schema, the schema of a property that is sent as JSON, the key of a message, and
// parts of an OpenAPI document. Each has the most severe finding in the mode FULL.
var nearby = []struct{ kind, name, former, next, want string }{
	{"avro", "an alias added", `"int","aliases":["b"]`, `"int","aliases":["b","c"]`, ""},
	{"avro", "renamed with an alias", `"int"`, `"int","aliases":["b"]`, ""},
	{"avro", "symbols in another order", `{"type":"enum","name":"E","symbols":["A","B"]}`, `{"type":"enum","name":"E","symbols":["B","A"]}`, ""},
	{"avro", "a symbol more", `{"type":"enum","name":"E","symbols":["A"]}`, `{"type":"enum","name":"E","symbols":["A","B"]}`, "breaking MISSING_ENUM_SYMBOLS"},
	{"avro", "a symbol more, with a default", `{"type":"enum","name":"E","symbols":["A"],"default":"A"}`, `{"type":"enum","name":"E","symbols":["A","B"],"default":"A"}`, ""},
	{"avro", "another default of an enum", `{"type":"enum","name":"E","symbols":["A","B"],"default":"A"}`, `{"type":"enum","name":"E","symbols":["A","B"],"default":"B"}`, "warning ENUM_DEFAULT_CHANGED"},
	{"avro", "branches in another order", `["null","string"]`, `["string","null"]`, ""},
	{"avro", "a branch more", `["null","string"]`, `["null","string","int"]`, "breaking MISSING_UNION_BRANCH"},
	{"avro", "a type in place of a union of it", `["int"]`, `"int"`, ""},
	{"avro", "a type becomes nullable", `"int"`, `["null","int"]`, "breaking TYPE_MISMATCH"},
	{"avro", "a unit in a branch", `["null",{"type":"long","logicalType":"timestamp-millis"}]`, `["null",{"type":"long","logicalType":"timestamp-micros"}]`, "semantic TIME_UNIT_CHANGED"},
	{"avro", "a unit in a branch, in another order", `["null",{"type":"long","logicalType":"timestamp-millis"}]`, `[{"type":"long","logicalType":"timestamp-micros"},"null"]`, "semantic TIME_UNIT_CHANGED"},
	{"avro", "a scale in a record in a union in a map", `{"type":"map","values":["null",{"type":"record","name":"N","fields":[{"name":"x","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}]}`,
		`{"type":"map","values":["null",{"type":"record","name":"N","fields":[{"name":"x","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}}]}]}`, "semantic DECIMAL_SCALE_CHANGED"},
	{"avro", "items of an array", `{"type":"array","items":"int"}`, `{"type":"array","items":"string"}`, "breaking TYPE_MISMATCH"},
	{"avro", "items of an array promoted", `{"type":"array","items":"int"}`, `{"type":"array","items":"long"}`, "breaking TYPE_MISMATCH"},
	{"avro", "values of a map, a date", `{"type":"map","values":{"type":"int","logicalType":"date"}}`, `{"type":"map","values":"int"}`, "semantic LOGICAL_TYPE_CHANGED"},
	{"avro", "a map in place of an array", `{"type":"array","items":"int"}`, `{"type":"map","values":"int"}`, "breaking TYPE_MISMATCH"},
	{"avro", "a decimal in a fixed of the same kind", `{"type":"fixed","name":"D","size":8,"logicalType":"decimal","precision":9,"scale":2}`, `{"type":"fixed","name":"D","size":8,"logicalType":"decimal","precision":9,"scale":4}`, "semantic DECIMAL_SCALE_CHANGED"},
	{"avro", "a decimal in a fixed in place of bytes", `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, `{"type":"fixed","name":"D","size":8,"logicalType":"decimal","precision":9,"scale":2}`, "breaking TYPE_MISMATCH"},
	{"avro", "a larger fixed", `{"type":"fixed","name":"D","size":8}`, `{"type":"fixed","name":"D","size":16}`, "breaking FIXED_SIZE_MISMATCH"},
	{"avro", "a scale of 0 left out", `{"type":"bytes","logicalType":"decimal","precision":9,"scale":0}`, `{"type":"bytes","logicalType":"decimal","precision":9}`, ""},
	{"avro", "a uuid in a fixed in place of a text", `{"type":"string","logicalType":"uuid"}`, `{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}`, "breaking TYPE_MISMATCH"},
	{"avro", "a uuid in a fixed dropped", `{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}`, `{"type":"fixed","name":"U","size":16}`, "semantic UUID_DROPPED"},
	{"avro", "a uuid added", `"string"`, `{"type":"string","logicalType":"uuid"}`, "semantic LOGICAL_TYPE_CHANGED"},
	{"avro", "another default", `"int","default":1`, `"int","default":2`, "warning FIELD_DEFAULT_CHANGED"},
	{"avro", "a default added", `"int"`, `"int","default":2`, ""},
	{"avro", "a default of the same value", `"double","default":1`, `"double","default":1.0`, ""},
	{"avro", "a namespace written in the name", `{"type":"enum","name":"E","namespace":"n","symbols":["A"]}`, `{"type":"enum","name":"n.E","symbols":["A"]}`, ""},
	{"avro", "another name of a record in a union", `["null",{"type":"record","name":"N","fields":[]}]`, `["null",{"type":"record","name":"M","fields":[]}]`, "breaking MISSING_UNION_BRANCH"},
	{"avro", "an unknown logical type, which Avro ignores", `"string"`, `{"type":"string","logicalType":"our-own"}`, ""},

	{"key", "another pattern", "type: string", "type: string, pattern: '^a'", "semantic KEY_SCHEMA_CHANGED"},
	{"key", "another description", "type: string", "type: string, description: D.", ""},
	{"key", "another field", "type: string, x-key-field: a", "type: string, x-key-field: b", "semantic KEY_FIELD_CHANGED"},
	{"key", "types in another order", "type: [string, 'null']", "type: ['null', string]", ""},

	{"json", "a tighter maximum", "type: integer, maximum: 9", "type: integer, maximum: 8", "warning JSON_LIMIT_NARROWED"},
	{"json", "a looser maximum", "type: integer, maximum: 8", "type: integer, maximum: 9", "breaking JSON_LIMIT_NARROWED"},
	{"json", "an equal maximum in other digits", "type: integer, maximum: 8", "type: integer, maximum: 8.0", ""},
	{"json", "a maximum that is too large", "type: number, maximum: 1.0e99999999", "type: number, maximum: 1.0e99999998", "warning JSON_KEYWORD_CHANGED"},
	{"json", "a maximum that is a text", "type: number, maximum: a", "type: number, maximum: b", "warning JSON_KEYWORD_CHANGED"},
	{"json", "an exclusive maximum, the same", "type: integer, exclusiveMaximum: 9", "type: integer, exclusiveMaximum: 9.0", ""},
	{"json", "a longer text", "type: string, maxLength: 3", "type: string, maxLength: 4", "breaking JSON_LIMIT_NARROWED"},
	{"json", "a list of one type", "type: string", "type: [string]", ""},
	{"json", "null allowed", "type: string", "type: [string, 'null']", "breaking JSON_TYPE_NARROWED"},
	{"json", "an integer in place of a number", "type: number", "type: integer", "warning JSON_TYPE_NARROWED"},
	{"json", "a number in place of an integer", "type: integer", "type: number", "breaking JSON_TYPE_NARROWED"},
	{"json", "values in another order", "enum: [a, b]", "enum: [b, a]", ""},
	{"json", "a value twice", "enum: [a, b]", "enum: [a, b, a]", ""},
	{"json", "a constant in place of a list of one", "enum: [a]", "const: a", ""},
	{"json", "alternatives in another order", "oneOf: [{type: string}, {type: integer}]", "oneOf: [{type: integer}, {type: string}]", ""},
	{"json", "one alternative in place of itself", "oneOf: [{type: string}]", "type: string", ""},
	{"json", "parts of an allOf in another order", "allOf: [{type: string}, {maxLength: 3}]", "allOf: [{maxLength: 3}, {type: string}]", ""},
	{"json", "an allOf of one part", "type: string, maxLength: 3", "allOf: [{type: string, maxLength: 3}]", ""},
	{"json", "a minimum length of 0", "type: string", "type: string, minLength: 0", ""},
	{"json", "further properties allowed in words", "type: object", "type: object, additionalProperties: true", ""},
	{"json", "further properties refused", "type: object", "type: object, additionalProperties: false", "warning JSON_PROPERTY_NOT_ALLOWED"},
	{"json", "items of a list", "type: array, items: {type: integer}", "type: array, items: {type: string}", "breaking JSON_TYPE_NARROWED"},
	{"json", "a unique list", "type: array, uniqueItems: false", "type: array", ""},
	{"json", "a date in place of an instant", "type: string, format: date-time", "type: string, format: date", "semantic DATE_TIMESTAMP_CHANGED"},
	{"json", "a required property twice", "type: object, required: [a], properties: {a: {type: string}}", "type: object, required: [a, a], properties: {a: {type: string}}", ""},

	{"openapi", "a value more in a request", "schema: {type: string, enum: [a]}", "schema: {type: string, enum: [a, b]}", ""},
	{"openapi", "a value less in a request", "schema: {type: string, enum: [a, b]}", "schema: {type: string, enum: [a]}", "breaking request-parameter-enum-value-removed"},
	{"openapi", "another style of a parameter", "schema: {type: array, items: {type: string}}", "style: pipeDelimited, schema: {type: array, items: {type: string}}", "breaking parameter-serialization-changed"},
	{"openapi", "a list that is not exploded", "schema: {type: array, items: {type: string}}", "explode: false, schema: {type: array, items: {type: string}}", "breaking parameter-serialization-changed"},
	{"openapi", "a text that is not exploded", "schema: {type: string}", "explode: false, schema: {type: string}", ""},
	{"openapi", "a list that is exploded in words", "schema: {type: array, items: {type: string}}", "style: form, explode: true, schema: {type: array, items: {type: string}}", ""},
	{"openapi", "the default style in words", "schema: {type: string}", "style: form, schema: {type: string}", ""},
	{"openapi", "a text becomes any value", "schema: {type: string}", "schema: {}", ""},
	{"openapi", "a text becomes a text or a list", "schema: {type: string}", "schema: {oneOf: [{type: string}, {type: array, items: {type: string}}]}", ""},
	{"openapi", "a text becomes a list", "schema: {type: string}", "schema: {type: array, items: {type: string}}", ""},
	{"openapi", "a text becomes a list of another style", "schema: {type: string}", "style: pipeDelimited, schema: {type: array, items: {type: string}}", "breaking request-parameter-type-changed"},
	{"openapi", "a list becomes a text", "schema: {type: array, items: {type: string}}", "schema: {type: string}", "breaking parameter-serialization-changed"},
	{"openapi", "a list becomes an object", "schema: {type: array, items: {type: string}}", "schema: {type: object}", "breaking request-parameter-type-changed"},
	{"openapi", "a list with commas becomes a text", "explode: false, schema: {type: array, items: {type: string}}", "schema: {type: string}", ""},
	{"openapi", "an object in brackets becomes a text", "style: deepObject, schema: {type: object}", "schema: {type: string}", "breaking parameter-serialization-changed"},
	{"openapi", "a text or a list becomes a text", "schema: {oneOf: [{type: string}, {type: array, items: {type: string}}]}", "schema: {type: string}", "breaking request-parameter-list-of-types-narrowed"},
	{"openapi", "a text in an allOf that is not exploded", "schema: {allOf: [{type: string}]}", "explode: false, schema: {allOf: [{type: string}]}", ""},
	{"openapi", "alternatives without a list that are not exploded", "schema: {oneOf: [{type: string}, {type: integer}]}", "explode: false, schema: {oneOf: [{type: string}, {type: integer}]}", ""},
	{"openapi", "alternatives with a list that is not exploded", "schema: {oneOf: [{type: string}, {type: array, items: {type: string}}]}", "explode: false, schema: {oneOf: [{type: string}, {type: array, items: {type: string}}]}", "breaking parameter-serialization-changed"},
	{"openapi", "an object in brackets, exploded in words", "style: deepObject, schema: {type: object}", "style: deepObject, explode: true, schema: {type: object}", ""},
	{"openapi", "an object in brackets", "schema: {type: object}", "style: deepObject, schema: {type: object}", "breaking parameter-serialization-changed"},
	{"fields", "a list that is exploded, which is written as before", "schema: {type: array, items: {type: string}}", "explode: true, schema: {type: array, items: {type: string}}", ""},
	{"fields", "an object that is exploded", "schema: {type: object}", "explode: true, schema: {type: object}", "breaking parameter-serialization-changed"},
	{"fields", "a list becomes a text, which is written as before", "schema: {type: array, items: {type: string}}", "schema: {type: string}", ""},
	{"answer", "a value more in an answer", "type: string, enum: [a]", "type: string, enum: [a, b]", "breaking response-property-enum-value-added"},
	{"answer", "a value less in an answer", "type: string, enum: [a, b]", "type: string, enum: [a]", ""},
	{"operation", "a login required", "deprecated: false", "security: [{k: []}]", "breaking api-security-anonymous-access-removed"},
	{"operation", "another summary", "summary: S.", "summary: T.", ""},
	{"header", "a header less in an answer", "headers: {X-A: {required: true, schema: {type: string}}}", "", "breaking required-response-header-removed"},
	{"header", "an optional header less in an answer", "headers: {X-A: {schema: {type: string}}}", "", ""},
	{"header", "a header more in an answer", "", "headers: {X-A: {schema: {type: string}}}", ""},
}

// versions returns the file of a kind of change, and its text with a part.
func versions(kind, part string) (file, text string) {
	const async = "asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\nchannels:\n  c:\n    address: c\n    messages:\n      M:\n        bindings: {kafka: {key: {%s}}}\n        payload: {type: object, properties: {p: {%s}}}\noperations: {o: {action: send, channel: {$ref: '#/channels/c'}}}\n"
	const open = "openapi: 3.0.3\ninfo: {title: T, version: 1.0.0}\npaths:\n  /a:\n    get:\n      operationId: a\n      %[3]s\n      parameters: [{name: q, in: query, %[1]s}]\n      responses:\n        '200':\n          description: D.\n          %[4]s\n          content: {application/json: {schema: {type: object, properties: {p: {%[2]s}}}}}\ncomponents: {securitySchemes: {k: {type: apiKey, in: header, name: X-Key}}}\n"
	switch kind {
	case "avro":
		return "a.avsc", fmt.Sprintf(`{"type":"record","name":"R","fields":[{"name":"a","type":%s}]}`, part)
	case "key":
		return "a.yaml", fmt.Sprintf(async, part, "type: string")
	case "json":
		return "a.yaml", fmt.Sprintf(async, "type: string", part)
	case "openapi":
		return "a.yaml", fmt.Sprintf(open, part, "type: string", "", "")
	case "fields":
		return "a.yaml", strings.Replace(fmt.Sprintf(open, part, "type: string", "", ""), "in: query", "in: header", 1)
	case "answer":
		return "a.yaml", fmt.Sprintf(open, "schema: {type: string}", part, "", "")
	case "operation":
		return "a.yaml", fmt.Sprintf(open, "schema: {type: string}", "type: string", part, "")
	}
	return "a.yaml", fmt.Sprintf(open, "schema: {type: string}", "type: string", "", part)
}

// TestNearbyChanges holds the gate to what is expected of each change.
func TestNearbyChanges(t *testing.T) {
	for _, c := range nearby {
		file, former := versions(c.kind, c.former)
		_, next := versions(c.kind, c.next)
		got := ""
		all := compareTexts(t, file, former, next)
		if len(all) > 0 && all[0].Level.String() != "info" {
			got = all[0].Level.String() + " " + all[0].ID
		}
		if again := slices.IndexFunc(all, func(f finding.Finding) bool { return f.ID == openapidiff.Serialization }); again >= 0 && !strings.HasSuffix(c.want, openapidiff.Serialization) {
			t.Errorf("%s, %s: %s beside %q", c.kind, c.name, all[again].Message, c.want)
		}
		if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s, %s: %q, want %q", c.kind, c.name, got, c.want)
		}
	}
}
