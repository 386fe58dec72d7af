package jsonschema

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOtherDrafts reads keywords of other drafts. The text of the schema has those of draft-07.
func TestOtherDrafts(t *testing.T) {
	for schema, want := range map[string]string{
		`{type: number, minimum: 1, exclusiveMinimum: true}`:          `{"$schema":"http://json-schema.org/draft-07/schema#","type":"number","exclusiveMinimum":1}`,
		`{type: number, maximum: 5, exclusiveMaximum: false}`:         `{"$schema":"http://json-schema.org/draft-07/schema#","type":"number","maximum":5}`,
		`{type: array, prefixItems: [{type: string}], items: false}`:  `{"$schema":"http://json-schema.org/draft-07/schema#","type":"array","items":[{"type":"string"}],"additionalItems":false}`,
		`{type: object, dependentRequired: {a: [b]}}`:                 `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","dependencies":{"a":["b"]}}`,
		`{type: object, dependentSchemas: {a: {minProperties: 2}}}`:   `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","dependencies":{"a":{"minProperties":2}}}`,
		`{type: object, unevaluatedProperties: false}`:                `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","additionalProperties":false}`,
		`{type: number, exclusiveMinimum: 1, exclusiveMaximum: 2.50}`: `{"$schema":"http://json-schema.org/draft-07/schema#","type":"number","exclusiveMinimum":1,"exclusiveMaximum":2.50}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "s.yaml"), []byte("payloads: {A: "+schema+"}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		s, roots, faults := load(t, dir, "s.yaml")
		if faults.Add(s.Resolve()...); faults.HasErrors() {
			t.Errorf("%s: %v", schema, faults)
			continue
		}
		if got := roots[0].SchemaText(); got != want {
			t.Errorf("%s is read as\n%s, not\n%s", schema, got, want)
		}
	}
}

// TestOtherDraftsBesideOthers reads keywords of other drafts beside others that change what they
// mean, which is an error.
func TestOtherDraftsBesideOthers(t *testing.T) {
	for _, schema := range []string{
		`{type: object, unevaluatedProperties: false, allOf: [{properties: {a: {type: string}}}]}`,
		`{type: object, unevaluatedProperties: false, dependentSchemas: {a: {properties: {b: {type: string}}}}}`,
		`{type: array, prefixItems: [{type: string}], additionalItems: false}`,
		`{type: object, dependentRequired: {a: [b]}, dependencies: {c: [d]}}`,
		`{type: number, exclusiveMinimum: true}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "s.yaml"), []byte("payloads: {A: "+schema+"}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		s, _, faults := load(t, dir, "s.yaml")
		if faults.Add(s.Resolve()...); !faults.HasErrors() {
			t.Errorf("%s is read: %v", schema, faults)
		}
	}
}
