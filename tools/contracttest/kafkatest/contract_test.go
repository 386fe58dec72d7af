package kafkatest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
)

// written writes a document with one message and returns its folder and the contract.
func written(t *testing.T, server, message string) (string, *Contract) {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`asyncapi: 3.0.0
info: {title: T, version: 1.0.0}
servers: {local: {host: 'h:1', protocol: kafka, bindings: {kafka: {%s}}}}
channels: {c: {address: c, messages: {M: {%s}}}}
operations: {o: {action: send, channel: {$ref: '#/channels/c'}}}
components: {schemas: {O: {type: integer}}}
`, server, message)
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{filepath.Join(dir, "a.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	return dir, c
}

// sharedTraits writes a document with two messages, which have the same two traits and no headers
// of their own.
func sharedTraits(t *testing.T, first, second string) *Contract {
	t.Helper()
	const traits = "{traits: [{$ref: '#/components/messageTraits/F'}, {$ref: '#/components/messageTraits/S'}]}"
	text := fmt.Sprintf(`asyncapi: 3.0.0
info: {title: T, version: 1.0.0}
channels: {c: {address: c, messages: {M: %s, N: %[1]s}}}
operations: {o: {action: send, channel: {$ref: '#/channels/c'}}}
components: {messageTraits: {F: {%s}, S: {%s}}}
`, traits, first, second)
	file := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFramingOfGenerator compares the framing of a message with that of the generated code, for
// every combination of what it depends on.
func TestFramingOfGenerator(t *testing.T) {
	n := 0
	for _, payload := range []string{"schemaFormat: application/vnd.apache.avro, schema: {type: record, name: M, fields: []}", "type: object"} {
		for _, server := range []string{"", "schemaRegistryUrl: 'http://h:2'", "schemaRegistryVendor: confluent"} {
			for _, location := range []string{"", "payload", "header"} {
				for _, encoding := range []string{"", "confluent", "apicurio-new", "avro-single-object", "none", "other"} {
					for _, lookup := range []string{"", "RecordNameStrategy"} {
						binding := ""
						for name, value := range map[string]string{"schemaIdLocation": location, "schemaIdPayloadEncoding": encoding, "schemaLookupStrategy": lookup} {
							if value != "" {
								binding += name + ": " + value + ", "
							}
						}
						message := fmt.Sprintf("payload: {%s}, bindings: {kafka: {%s}}", payload, strings.TrimSuffix(binding, ", "))
						dir, c := written(t, server, message)
						got, want := c.Channels[0].Messages[0].Framing, generated(t, dir)
						if got != want {
							t.Errorf("server {%s}, message {%s}: framing %q, and %q of the generator", server, message, got, want)
						}
						n++
					}
				}
			}
		}
	}
	if n != 216 {
		t.Errorf("%d combinations", n)
	}
}

// generated returns the framing of generated code, "" if it is refused or not one of this package.
func generated(t *testing.T, dir string) Framing {
	t.Helper()
	var diags diag.List
	docs := parse.Documents(reference.New(os.DirFS(dir), nil, &diags), []string{"a.yaml"}, true, &diags)
	if len(docs) != 1 {
		t.Fatal(diags)
	}
	c := docs[0].Channels[0]
	name, known := model.Framing(c.Messages[0].Message, docs[0].Registry(c) != nil)
	if !known {
		return ""
	}
	return map[string]Framing{"Bare": Bare, "Confluent": Confluent, "SingleObject": SingleObject}[name]
}

// TestHeadersOfTraits merges the headers of traits and of the message, the last of which counts
// most.
func TestHeadersOfTraits(t *testing.T) {
	const (
		first  = "headers: {type: object, required: [a], properties: {a: {type: string, minLength: 2}, t: {const: first}}}"
		second = "headers: {required: [a, b], properties: {b: {type: integer}, t: {const: second}}}"
		own    = "headers: {properties: {a: {minLength: 3}, t: null, o: {$ref: '#/components/schemas/O'}}}\n"
	)
	for name, c := range map[string]struct {
		message string
		good    map[string]string
		bad     []map[string]string
	}{
		"of the message": {first, map[string]string{"a": "xx", "t": "first"}, []map[string]string{{}, {"a": "x"}, {"a": "xx", "t": "second"}}},
		"of one trait":   {"traits: [{contentType: x/y}, {" + first + "}]", map[string]string{"a": "xx"}, []map[string]string{{}, {"a": "x"}}},
		"of two traits": {"traits: [{" + first + "}, {" + second + "}]", map[string]string{"a": "xx", "b": "7", "t": "second"},
			[]map[string]string{{"b": "7"}, {"a": "xx"}, {"a": "x", "b": "7"}, {"a": "xx", "b": "no"}, {"a": "xx", "b": "7", "t": "first"}}},
		"of traits and the message": {"traits: [{" + first + "}, {" + second + "}], " + own, map[string]string{"a": "xxx", "b": "7", "t": "any", "o": "1"},
			[]map[string]string{{"a": "xx", "b": "7"}, {"a": "xxx"}, {"a": "xxx", "b": "7", "o": "no"}}},
	} {
		_, contract := written(t, "", c.message)
		h := contract.Channels[0].Messages[0].headers
		if len(contract.NotJudged) > 0 || h == nil {
			t.Errorf("%s: not judged: %q", name, contract.NotJudged)
			continue
		}
		if err := h.validate(c.good); err != nil {
			t.Errorf("%s: %v: %v", name, c.good, err)
		}
		for _, bad := range c.bad {
			if err := h.validate(bad); err == nil {
				t.Errorf("%s: %v is accepted", name, bad)
			}
		}
	}
	contract := sharedTraits(t, first, second)
	for _, m := range contract.Channels[0].Messages {
		if m.headers == nil || m.headers.validate(map[string]string{"a": "xx", "b": "no"}) == nil || len(contract.NotJudged) > 0 {
			t.Errorf("the headers of %s, which has the same traits as another one, are not judged: %q", m.Name, contract.NotJudged)
		}
	}
	_, contract = written(t, "", "traits: [{"+first+"}, {headers: {$ref: '#/components/schemas/Gone'}}]")
	if text := strings.Join(contract.NotJudged, "\n"); !strings.Contains(text, "headers of M: ") {
		t.Errorf("headers that are not there: %q", text)
	}
}
