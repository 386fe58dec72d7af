package schemaformat

import "testing"

func TestOf(t *testing.T) {
	for format, want := range map[string]Language{
		"application/vnd.apache.avro+json;version=1.12.0":   Avro,
		"application/vnd.apache.avro":                       Avro,
		" Application/VND.Apache.Avro+YAML ; version=1.9.0": Avro,
		"application/vnd.aai.asyncapi;version=3.0.0":        JSONSchema,
		"application/vnd.aai.asyncapi+yaml;version=3.0.0":   JSONSchema,
		"application/schema+json;version=draft-07":          JSONSchema,
		"application/schema+json; version":                  JSONSchema,
		"application/vnd.oai.openapi;version=3.0.0":         OpenAPI,
		"application/vnd.oai.openapi+json":                  OpenAPI,
		"application/vnd.google.protobuf;version=3":         Unknown,
		"application/raml+yaml;version=1.0":                 Unknown,
		"application/json":                                  Unknown,
		"":                                                  Unknown,
	} {
		if got := Of(format); got != want {
			t.Errorf("%q: %v, want %v", format, got, want)
		}
		if got := Of(format).IsJSONSchema(); got != (want == JSONSchema || want == OpenAPI) {
			t.Errorf("%q is a JSON Schema: %t", format, got)
		}
	}
}
