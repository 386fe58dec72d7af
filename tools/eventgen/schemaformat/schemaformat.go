// Package schemaformat tells schema formats of AsyncAPI documents apart. The packages of the
// generator that read schemas import it.
package schemaformat

import (
	"mime"
	"strings"
)

// Language is a language that schemas are written in.
type Language int

// Languages. JSONSchema includes AsyncAPI's own Schema Object, which is a superset of it.
const (
	Unknown Language = iota
	Avro
	JSONSchema
	OpenAPI // the Schema Object of OpenAPI 3
)

var languages = map[string]Language{
	"application/vnd.apache.avro":  Avro,
	"application/vnd.aai.asyncapi": JSONSchema,
	"application/schema":           JSONSchema,
	"application/vnd.oai.openapi":  OpenAPI,
}

// Of returns the language of a schemaFormat. It ignores versions, case, blanks, and whether the
// schema is written as JSON or YAML.
func Of(schemaFormat string) Language {
	kind, _, err := mime.ParseMediaType(schemaFormat)
	if err != nil { // of the parameters
		kind, _, _ = strings.Cut(schemaFormat, ";")
	}
	kind = strings.ToLower(strings.TrimSpace(kind))
	kind = strings.TrimSuffix(strings.TrimSuffix(kind, "+json"), "+yaml")
	return languages[kind]
}

// IsJSONSchema reports whether a schema of the language is a JSON Schema, or nearly one.
func (l Language) IsJSONSchema() bool { return l == JSONSchema || l == OpenAPI }
