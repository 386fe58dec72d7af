package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/specfile"
)

// TestExamplesAsBytes decodes the bytes that the pages show with another codec, and compares the
// values with the examples.
func TestExamplesAsBytes(t *testing.T) {
	pages, _, err := readPages(specfile.NewSet(), specs)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, page := range pages {
		if page.Events == nil {
			continue
		}
		for _, m := range page.Events.Messages {
			schema, err := avro.Parse(m.Schema)
			if err != nil {
				t.Fatalf("%s: %v", m.Name, err)
			}
			if len(m.Examples) == 0 {
				t.Errorf("%s has no example", m.Name)
			}
			for _, e := range m.Examples {
				count++
				var got, want any
				rest, err := schema.Decode(piecesOf(t, e.Pieces), &got)
				if err != nil || len(rest) > 0 {
					t.Errorf("%s: %v, %d bytes left", m.Name, err, len(rest))
					continue
				}
				if err := json.Unmarshal([]byte(e.JSON), &want); err != nil {
					t.Fatal(err)
				}
				same(t, m.Name, got, want)
			}
		}
	}
	if count < 19 {
		t.Errorf("only %d examples", count)
	}
}

func piecesOf(t *testing.T, pieces []Piece) []byte {
	t.Helper()
	var all strings.Builder
	for _, p := range pieces {
		all.WriteString(p.Hex)
	}
	data, err := hex.DecodeString(all.String())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// same compares a decoded value with one of JSON. Members that JSON leaves out have defaults.
func same(t *testing.T, path string, got, want any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for name, v := range w {
			same(t, path+"."+name, g[name], v)
		}
		return
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			t.Errorf("%s: %d items, want %d", path, len(g), len(w))
			return
		}
		for i := range w {
			same(t, fmt.Sprintf("%s[%d]", path, i), g[i], w[i])
		}
		return
	}
	switch g := got.(type) {
	case time.Time:
		if s, ok := want.(string); ok {
			if at, err := time.Parse(time.RFC3339Nano, s); err == nil && at.Equal(g) {
				return
			}
		}
	case []byte:
		if s, ok := want.(string); ok {
			if data, err := base64.StdEncoding.DecodeString(s); err == nil && bytes.Equal(data, g) {
				return
			}
		}
	case int64:
		if f, ok := want.(float64); ok && f == float64(g) {
			return
		}
	case int32:
		if f, ok := want.(float64); ok && f == float64(g) {
			return
		}
	default:
		if got == want {
			return
		}
	}
	t.Errorf("%s: %v, want %v", path, got, want)
}

func TestEncodePayload(t *testing.T) {
	for _, c := range []struct{ name, schema, example, want string }{
		{"null", `{"type":"record","name":"R","fields":[{"name":"a","type":["null","string"]}]}`, `{"a":null}`, "00"},
		{"second branch", `{"type":"record","name":"R","fields":[{"name":"a","type":["null","string"]}]}`, `{"a":"x"}`, "020278"},
		{"default", `{"type":"record","name":"R","fields":[{"name":"a","type":"long","default":-1}]}`, `{}`, "01"},
		{"array", `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"int"}}]}`, `{"a":[1,2]}`, "04020400"},
		{"empty array", `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"int"}}]}`, `{"a":[]}`, "00"},
		{"map", `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"map","values":"boolean"}}]}`, `{"a":{"k":true}}`, "02026b0100"},
		{"double", `{"type":"record","name":"R","fields":[{"name":"a","type":"double"}]}`, `{"a":1.5}`, "000000000000f83f"},
		{"millis", `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"long","logicalType":"timestamp-millis"}}]}`, `{"a":"1970-01-01T00:00:00.001Z"}`, "02"},
		{"second branch after a failure", `{"type":"record","name":"R","fields":[{"name":"a","type":["long","string"]}]}`, `{"a":"x"}`, "020278"},
		{"missing", `{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}`, `{}`, "error"},
		{"symbol", `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"enum","name":"E","symbols":["X"]}}]}`, `{"a":"Y"}`, "error"},
		{"wrong type", `{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}`, `{"a":1}`, "error"},
	} {
		schema, faults := source.Parse("x.avsc", []byte(c.schema))
		if err := faults.Err(); err != nil {
			t.Fatal(err)
		}
		pieces, err := encodePayload(schema, []byte(c.example))
		got := "error"
		if err == nil {
			got = hex.EncodeToString(piecesOf(t, pieces))
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, got, c.want, err)
		}
	}
}
