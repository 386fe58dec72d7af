package gate

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/deferpay/deferpay/tools/contractdiff/avrodiff"
	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/input"
)

// compareTexts compares two versions of a document that is one file.
func compareTexts(t *testing.T, name, former, next string) []finding.Finding {
	t.Helper()
	var sides []*input.Side
	for _, text := range []string{former, next} {
		sides = append(sides, side(t, fstest.MapFS{name: &fstest.MapFile{Data: []byte(text), Mode: 0o444}}, name))
	}
	all, err := Compare(sides[:1], sides[1], avrodiff.Full)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestHeaders changes the headers of a message that the application sends, and of one that it
// receives. They are judged as payloads are.
func TestHeaders(t *testing.T) {
	document := func(action, headers string) string {
		return fmt.Sprintf("asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\nchannels:\n  c: {address: c, messages: {M: {%s}}}\noperations: {o: {action: %s, channel: {$ref: '#/channels/c'}}}\n", headers, action)
	}
	const (
		plain  = "headers: {type: object, required: [id], properties: {id: {type: string}, kind: {type: string, enum: [a, b]}, size: {type: integer, minimum: 1}}}"
		nested = "headers: {type: object, required: [id], properties: {id: {type: string}, trace: {type: object, properties: {a: {type: integer}}}}}"
		avro   = "headers: {schemaFormat: application/vnd.apache.avro, schema: {type: record, name: H, fields: [{name: id, type: string}]}}"
	)
	replaced := func(from, to string) string { return strings.Replace(plain, from, to, 1) }
	for name, c := range map[string]struct {
		former, next   string
		sent, received string // the most severe finding
	}{
		"nothing":                      {plain, plain, "", ""},
		"another description":          {plain, replaced("id: {type: string}", "id: {type: string, description: D.}"), "", ""},
		"an optional one":              {plain, replaced("id: {type: string}", "id: {type: string}, new: {type: string}"), "info HEADER_ADDED", "info HEADER_ADDED"},
		"a required one":               {plain, replaced("[id], properties: {", "[id, new], properties: {new: {type: string}, "), "semantic HEADER_MADE_REQUIRED", "semantic HEADER_MADE_REQUIRED"},
		"made required":                {plain, replaced("[id]", "[id, kind]"), "semantic HEADER_MADE_REQUIRED", "semantic HEADER_MADE_REQUIRED"},
		"made optional":                {plain, replaced("[id]", "[]"), "breaking HEADER_MADE_OPTIONAL", "warning HEADER_MADE_OPTIONAL"},
		"an optional one is gone":      {plain, replaced(", kind: {type: string, enum: [a, b]}", ""), "warning HEADER_REMOVED", "warning HEADER_REMOVED"},
		"a required one is gone":       {plain, replaced("[id], properties: {id: {type: string}, ", "[], properties: {"), "breaking HEADER_REMOVED", "warning HEADER_REMOVED"},
		"a value less":                 {plain, replaced("[a, b]", "[a]"), "warning JSON_ENUM_NARROWED", "breaking JSON_ENUM_NARROWED"},
		"a value more":                 {plain, replaced("[a, b]", "[a, b, c]"), "breaking JSON_ENUM_NARROWED", "warning JSON_ENUM_NARROWED"},
		"the values in another order":  {plain, replaced("[a, b]", "[b, a]"), "", ""},
		"a narrower number":            {plain, replaced("minimum: 1", "minimum: 2"), "warning JSON_LIMIT_NARROWED", "breaking JSON_LIMIT_NARROWED"},
		"a wider number":               {plain, replaced("minimum: 1", "minimum: 0"), "breaking JSON_LIMIT_NARROWED", "warning JSON_LIMIT_NARROWED"},
		"a longer text":                {replaced("id: {type: string}", "id: {type: string, maxLength: 5}"), plain, "breaking JSON_LIMIT_NARROWED", "warning JSON_LIMIT_NARROWED"},
		"another type":                 {plain, replaced("id: {type: string}", "id: {type: boolean}"), "breaking JSON_TYPE_NARROWED", "breaking JSON_TYPE_NARROWED"},
		"a uuid is any text":           {replaced("id: {type: string}", "id: {type: string, format: uuid}"), plain, "semantic UUID_DROPPED", "semantic UUID_DROPPED"},
		"nested, an optional one":      {nested, strings.Replace(nested, "a: {type: integer}", "a: {type: integer}, b: {type: string}", 1), "", ""},
		"nested, a narrower one":       {nested, strings.Replace(nested, "a: {type: integer}", "a: {type: integer, minimum: 1}", 1), "warning JSON_LIMIT_NARROWED", "breaking JSON_LIMIT_NARROWED"},
		"nested, made required":        {nested, strings.Replace(nested, "[id]", "[id, trace]", 1), "semantic HEADER_MADE_REQUIRED", "semantic HEADER_MADE_REQUIRED"},
		"nested instead of plain":      {replaced(", kind: {type: string, enum: [a, b]}, size: {type: integer, minimum: 1}", ""), nested, "info HEADER_ADDED", "info HEADER_ADDED"},
		"nested and required, of none": {"name: M", nested, "semantic HEADER_MADE_REQUIRED", "semantic HEADER_MADE_REQUIRED"},
		"required, of none":            {"name: M", plain, "semantic HEADER_MADE_REQUIRED", "semantic HEADER_MADE_REQUIRED"},
		"Avro, another type":           {avro, strings.Replace(avro, "type: string", "type: long", 1), "breaking HEADER_SCHEMA_CHANGED", "breaking HEADER_SCHEMA_CHANGED"},
		"in another format":            {nested, avro, "warning HEADERS_NOT_COMPARED", "warning HEADERS_NOT_COMPARED"},
	} {
		for action, want := range map[string]string{"send": c.sent, "receive": c.received} {
			got := ""
			if all := compareTexts(t, "a.yaml", document(action, c.former), document(action, c.next)); len(all) > 0 {
				got = all[0].Level.String() + " " + all[0].ID
			}
			if got != want {
				t.Errorf("%s, %s: %q, want %q", name, action, got, want)
			}
		}
	}
}

// TestPipe holds that what would be waited for, or has no end, is refused before it is read.
func TestPipe(t *testing.T) {
	for _, mode := range []fs.FileMode{fs.ModeNamedPipe, fs.ModeDevice | fs.ModeCharDevice, fs.ModeSocket} {
		fsys := fstest.MapFS{"a.avsc": {Mode: mode | 0o644}, "b/c.avsc": {Mode: mode | 0o644}}
		if _, err := input.In(fsys, "a.avsc", ""); err == nil {
			t.Errorf("%s is read", mode)
		}
		if kind, err := side(t, fsys, "b").Classify("b/c.avsc"); kind != "" || err != nil {
			t.Errorf("%s in a folder is read: %q, %v", mode, kind, err)
		}
		for name, text := range map[string]string{
			"open.yaml": "openapi: 3.0.3\ninfo: {title: T, version: 1.0.0}\npaths: {/a: {$ref: a.avsc}}\n",
			"d.yaml":    "asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\nchannels: {c: {$ref: a.avsc}}\n",
			"e.avsc":    `{"type":"array","items":"a"}`,
		} {
			fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o444}
			if _, err := read(side(t, fsys, name)); err == nil || !strings.Contains(err.Error(), "neither a regular file nor a folder") {
				t.Errorf("%s is read for %s: %v", mode, name, err)
			}
		}
	}
}
