package lint

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/deferpay/deferpay/tools/contractdiff/input"
)

const page = "../../../docs/contractdiff-lint.md"

// check returns the ids of the findings in one file, with the number of each.
func check(t *testing.T, name, text string) map[string]int {
	t.Helper()
	s, err := input.In(fstest.MapFS{name: {Data: []byte(text), Mode: 0o444}}, name, "")
	if err != nil {
		t.Fatal(err)
	}
	found, err := Check(s)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, f := range found {
		out[f.ID]++
		if f.File != name || f.Line == 0 {
			t.Errorf("%+v has no place", f)
		}
	}
	return out
}

func avroFile(field string) string {
	return `{"type":"record","name":"R","doc":"R.","fields":[` + field + `]}`
}

func asyncFile(message, more string) string {
	return `asyncapi: 3.0.0
info: {title: T, version: 1.0.0}
channels:
  orders:
    address: orders
    bindings: {kafka: {topic: orders` + more + `}}
    messages:
      M: ` + message + `
operations:
  on: {action: receive, channel: {$ref: '#/channels/orders'}, x-dead-letter: {channel: {$ref: '#/channels/orders'}}}
`
}

const (
	keyed   = "bindings: {kafka: {key: {type: string}}}"
	payload = "payload: {type: object, properties: {a: {type: string}}}"
	example = "examples: [{payload: {a: x}}]"
)

func openFile(operation, properties string) string {
	return "openapi: 3.0.3\ninfo: {title: T, version: 1.0.0}\npaths:\n  /a:\n    get: {" + operation + "}\ncomponents:\n  schemas:\n    S:\n      type: object\n      properties: {" + properties + "}\n"
}

// TestRules has a contract for each rule that breaks it, beside one that does not.
func TestRules(t *testing.T) {
	met := map[string]bool{}
	good := "operationId: getA, responses: {'200': {description: D.}, default: {description: D.}}"
	for name, c := range map[string]struct{ id, file, bad, good string }{
		"broken Avro":                    {"BROKEN", "r.avsc", avroFile(`{"name":"a","type":"nope","doc":"A."}`), avroFile(`{"name":"a","type":"int","doc":"A."}`)},
		"broken Avro in AsyncAPI":        {"BROKEN", "a.yaml", asyncFile("{name: M, "+keyed+", payload: {schemaFormat: application/vnd.apache.avro, schema: {type: record, name: R, fields: [{name: a, type: nope}]}}}", ""), asyncFile("{name: M, "+keyed+", "+payload+", "+example+"}", "")},
		"a record in itself":             {"BROKEN", "r.avsc", avroFile(`{"name":"a","type":"R","doc":"A."}`), avroFile(`{"name":"a","type":{"type":"array","items":"R"},"doc":"A."}`)},
		"an invalid name":                {"BROKEN", "r.avsc", avroFile(`{"name":"a-b","type":"int","doc":"A."}`), avroFile(`{"name":"a_b","type":"int","doc":"A."}`)},
		"a record in itself in AsyncAPI": {"BROKEN", "a.yaml", asyncFile("{name: M, "+keyed+", payload: {schemaFormat: application/vnd.apache.avro, schema: {type: record, name: R, fields: [{name: a, type: R}]}}}", ""), asyncFile("{name: M, "+keyed+", "+payload+", "+example+"}", "")},
		"an example does not fit":        {"DOUBTFUL", "a.yaml", asyncFile("{name: M, "+keyed+", "+payload+", examples: [{payload: {a: 1}}]}", ""), asyncFile("{name: M, "+keyed+", "+payload+", "+example+"}", "")},
		"a default does not fit":         {"DOUBTFUL", "r.avsc", avroFile(`{"name":"a","type":"int","default":"x","doc":"A."}`), avroFile(`{"name":"a","type":"int","default":1,"doc":"A."}`)},
		"no key":                         {"NO_KEY", "a.yaml", asyncFile("{name: M, "+payload+", "+example+"}", ""), asyncFile("{name: M, "+keyed+", "+payload+", "+example+"}", "")},
		"compacted without a key":        {"COMPACTED_WITHOUT_KEY", "a.yaml", asyncFile("{name: M, "+payload+", "+example+"}", ", topicConfiguration: {cleanup.policy: [compact]}"), asyncFile("{name: M, "+keyed+", "+payload+", "+example+"}", ", topicConfiguration: {cleanup.policy: [compact]}")},
		"no dead letters":                {"NO_DEAD_LETTER", "a.yaml", strings.Replace(asyncFile("{name: M, "+keyed+", "+payload+", "+example+"}", ""), ", x-dead-letter: {channel: {$ref: '#/channels/orders'}}", "", 1), asyncFile("{name: M, "+keyed+", "+payload+", "+example+"}", "")},
		"no example":                     {"NO_EXAMPLE", "a.yaml", asyncFile("{name: M, "+keyed+", "+payload+"}", ""), asyncFile("{name: M, "+keyed+", "+payload+", "+example+"}", "")},
		"money as a double":              {"MONEY_AS_FLOAT", "r.avsc", avroFile(`{"name":"totalAmount","type":"double","doc":"A."}`), avroFile(`{"name":"totalAmount","type":"long","doc":"A."}`)},
		"money, nullable":                {"MONEY_AS_FLOAT", "r.avsc", avroFile(`{"name":"price","type":["null","float"],"default":null,"doc":"A."}`), avroFile(`{"name":"price","type":["null","long"],"default":null,"doc":"A."}`)},
		"money in JSON":                  {"MONEY_AS_FLOAT", "o.yaml", openFile(good, "price: {type: number}"), openFile(good, "price: {type: integer}")},
		"a time in Avro":                 {"TIME_WITHOUT_TYPE", "r.avsc", avroFile(`{"name":"createdAt","type":"long","doc":"A."}`), avroFile(`{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"A."}`)},
		"a time in JSON":                 {"TIME_WITHOUT_TYPE", "o.yaml", openFile(good, "createdAt: {type: string}"), openFile(good, "createdAt: {type: string, format: date-time}")},
		"an enum without a default":      {"ENUM_WITHOUT_DEFAULT", "r.avsc", avroFile(`{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]},"doc":"A."}`), avroFile(`{"name":"e","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"},"doc":"A."}`)},
		"nullable, no default":           {"NULLABLE_WITHOUT_DEFAULT", "r.avsc", avroFile(`{"name":"a","type":["null","int"],"doc":"A."}`), avroFile(`{"name":"a","type":["null","int"],"default":null,"doc":"A."}`)},
		"no doc":                         {"NO_DOC", "r.avsc", avroFile(`{"name":"a","type":"int"}`), avroFile(`{"name":"a","type":"int","doc":"A."}`)},
		"no operationId":                 {"NO_OPERATION_ID", "o.yaml", openFile("responses: {default: {description: D.}}", ""), openFile(good, "")},
		"no response for errors":         {"NO_ERROR_RESPONSE", "o.yaml", openFile("operationId: getA, responses: {'200': {description: D.}}", ""), openFile(good, "")},
	} {
		t.Run(name, func(t *testing.T) {
			met[c.id] = true
			if found := check(t, c.file, c.bad); found[c.id] != 1 {
				t.Errorf("found %v, want %s once", found, c.id)
			}
			if found := check(t, c.file, c.good); found[c.id] != 0 {
				t.Errorf("found %v in what is right", found)
			}
		})
	}
	for id := range Rules {
		if !met[id] {
			t.Errorf("no test breaks %s", id)
		}
	}
}

// TestPage holds that each rule has a section in the page of rules.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range Rules {
		_, section, found := strings.Cut(string(text), "\n## "+id+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found || !strings.Contains(section, "Level: "+r.Level.String()) {
			t.Errorf("%s has no section %s with its level, %s", page, id, r.Level)
		}
	}
}

// TestPlaces holds that a finding names the operation that it is about, the first one too, and
// files as they were typed.
func TestPlaces(t *testing.T) {
	doc := strings.Replace(asyncFile("{"+payload+", "+example+"}", ""), ", x-dead-letter: {channel: {$ref: '#/channels/orders'}}", "", 1)
	text := doc + "servers: {s: {$ref: gone.yaml}}\ncomponents: {schemas: {S: {$ref: gone.yaml}}}\n"
	s, err := input.In(fstest.MapFS{"specs/shop/a.yaml": {Data: []byte(text), Mode: 0o444}}, "specs/shop", "v1")
	if err != nil {
		t.Fatal(err)
	}
	found, err := Check(s)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"NO_DEAD_LETTER": "/operations/on", "BROKEN": "/servers/s/$ref", "DOUBTFUL": "/components/schemas/S/$ref"}
	for _, f := range found {
		if pointer := want[f.ID]; pointer != "" && f.Pointer != pointer {
			t.Errorf("%s is at %s, want %s", f.ID, f.Pointer, pointer)
		}
		delete(want, f.ID)
		if (f.ID == "BROKEN" || f.ID == "DOUBTFUL") && !strings.Contains(f.Message, "there is no file v1:specs/shop/gone.yaml") {
			t.Errorf("%s", f.Message)
		}
	}
	if len(want) > 0 {
		t.Errorf("%v are not found: %+v", want, found)
	}
}

// TestResponseWithoutStatus lints a response whose status is empty.
func TestResponseWithoutStatus(t *testing.T) {
	if got := check(t, "a.yaml", openFile("operationId: a, responses: {'': {description: D.}}", "")); got["NO_ERROR_RESPONSE"] != 1 {
		t.Errorf("%v", got)
	}
}
