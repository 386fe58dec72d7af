package generate

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/deferpay/deferpay/tools/eventgen/model"
)

// framed returns the description of the message of a document with one channel, whose parts are
// given, and its diagnostics.
func framed(t *testing.T, server, content, message string) (*model.Spec, string) {
	t.Helper()
	if server != "" {
		server = "bindings: {kafka: {" + server + "}}"
	}
	text := `asyncapi: 3.0.0
info: {title: T, version: 1.0.0}
` + content + `
servers:
  k: {host: 'k:9092', protocol: kafka, ` + server + `}
  other: {host: 'k:9093', protocol: kafka}
channels:
  c: {address: c, servers: [{$ref: '#/servers/k'}], messages: {A: {` + message + `}}}
operations:
  get: {action: receive, channel: {$ref: '#/channels/c'}}
`
	m, _, ds := Model(fstest.MapFS{"asyncapi.yaml": {Data: []byte(text)}}, Config{Documents: []string{"asyncapi.yaml"}, ImportPath: "example.com/gen"})
	if m == nil || len(m.Packages) == 0 || len(m.Packages[0].Specs) != 1 {
		t.Fatalf("there is no message: %s", ds.Error())
	}
	return m.Packages[0].Specs[0], ds.Error()
}

// TestFraming holds what decides how a payload identifies its schema: the message itself, or else
// the schema registry of a server of its channel.
func TestFraming(t *testing.T) {
	const (
		avro = "payload: {schemaFormat: application/vnd.apache.avro;version=1.9.0, schema: {type: record, name: A, fields: [{name: a, type: string}]}}"
		json = "payload: {type: object, title: Thing, properties: {a: {type: string}}}"
	)
	kafka := func(payload, binding string) string { return payload + ", bindings: {kafka: {" + binding + "}}" }
	for _, c := range []struct{ name, server, message, framing, subject, says string }{
		{"a vendor", "schemaRegistryVendor: confluent", avro, "Confluent", "c-value", ""},
		{"an unknown vendor", "schemaRegistryVendor: acme", avro, "Confluent", "c-value", ""},
		{"Apicurio", "schemaRegistryVendor: apicurio", avro, "Confluent", "c-value", ""},
		{"a URL", "schemaRegistryUrl: 'http://r:8081'", avro, "Confluent", "c-value", ""},
		{"a lookup strategy", "", kafka(avro, "schemaLookupStrategy: RecordNameStrategy"), "Confluent", "A", ""},
		{"a location", "", kafka(avro, "schemaIdLocation: payload"), "Confluent", "c-value", ""},
		{"a header", "schemaRegistryVendor: confluent", kafka(avro, "schemaIdLocation: header"), "IDInHeader", "c-value", ""},
		{"an encoding", "schemaRegistryVendor: confluent", kafka(avro, "schemaIdPayloadEncoding: avro-single-object"), "SingleObject", "", ""},
		{"none beside a registry", "schemaRegistryVendor: confluent", kafka(avro, "schemaIdPayloadEncoding: none"), "Bare", "", ""},
		{"a vendor with a format of its own", "schemaRegistryVendor: AWS Glue", avro, "Confluent", "c-value", `5:81: the framing of schemaRegistryVendor "AWS Glue" of server k is not supported`},
		{"that vendor and an encoding", "schemaRegistryVendor: AWS Glue", kafka(avro, "schemaIdPayloadEncoding: confluent"), "Confluent", "c-value", ""},
		{"nothing", "", avro, "Bare", "", "warning: message A is sent without the id of a schema: nothing says how its schema is identified"},
		{"none", "", kafka(avro, "schemaIdPayloadEncoding: none"), "Bare", "", ""},
		{"JSON", "", json, "Bare", "", ""},
		{"JSON beside a registry", "schemaRegistryVendor: confluent", json, "Bare", "", "warning: message A is sent without the id of a schema: the server has a schema registry"},
		{"JSON and an encoding", "", kafka(json, "schemaIdPayloadEncoding: confluent"), "Confluent", "c-value", ""},
		{"JSON and a lookup strategy", "", kafka(json, "schemaLookupStrategy: RecordNameStrategy"), "Confluent", "Thing", ""},
		{"JSON in single-object encoding", "", kafka(json, "schemaIdPayloadEncoding: avro-single-object"), "SingleObject", "", "supported for JSON are confluent, apicurio-new and none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, said := framed(t, c.server, "", c.message)
			if s.Framing != c.framing || s.Subject != c.subject {
				t.Errorf("the framing is %s with the subject %q, not %s with %q", s.Framing, s.Subject, c.framing, c.subject)
			}
			if (said == "") != (c.says == "") || !strings.Contains(said, c.says) {
				t.Errorf("diagnostics: %s\nwant: %s", said, c.says)
			}
		})
	}
}

// TestOtherServerHasRegistry has a registry on a server that the channel is not on.
func TestOtherServerHasRegistry(t *testing.T) {
	text := `asyncapi: 3.0.0
info: {title: T, version: 1.0.0}
servers:
  k: {host: 'k:9092', protocol: kafka, bindings: {kafka: {schemaRegistryVendor: confluent}}}
  other: {host: 'k:9093', protocol: kafka}
channels:
  c: {address: c, servers: [{$ref: '#/servers/other'}], messages: {A: {payload: {schemaFormat: application/vnd.apache.avro, schema: {type: record, name: A, fields: []}}}}}
operations:
  get: {action: receive, channel: {$ref: '#/channels/c'}}
`
	m, _, ds := Model(fstest.MapFS{"asyncapi.yaml": {Data: []byte(text)}}, Config{Documents: []string{"asyncapi.yaml"}, ImportPath: "example.com/gen"})
	if s := m.Packages[0].Specs[0]; s.Framing != "Bare" || len(ds) != 1 {
		t.Errorf("the framing is %s; %s", s.Framing, ds.Error())
	}
}

// TestAvroContentType checks that Avro is never sent with a content type of JSON.
func TestAvroContentType(t *testing.T) {
	const avro = "payload: {schemaFormat: application/vnd.apache.avro, schema: {type: record, name: A, fields: []}}"
	for _, c := range []struct{ fallback, own, want, says string }{
		{"", "", "", ""},
		{"application/json", "", "", ""},
		{"application/vnd.apache.avro", "", "application/vnd.apache.avro", ""},
		{"application/json", "avro/binary", "avro/binary", ""},
		{"", "application/vnd.apache.avro+json", "application/vnd.apache.avro+json", ""},
		{"", "application/JSON; charset=utf-8", "", "warning: message A is in Avro's binary encoding, and is sent without its contentType application/JSON"},
	} {
		message := avro
		if c.own != "" {
			message += ", contentType: '" + c.own + "'"
		}
		fallback := ""
		if c.fallback != "" {
			fallback = "defaultContentType: " + c.fallback
		}
		s, said := framed(t, "schemaRegistryVendor: confluent", fallback, message)
		if s.Content != c.want || !strings.Contains(said, c.says) || (said == "") != (c.says == "") {
			t.Errorf("default %q, own %q: the content type is %q, not %q; %s", c.fallback, c.own, s.Content, c.want, said)
		}
	}
}
