package versions

import (
	"strings"
	"testing"
)

// TestAppend adds a version to lists in the forms in which people write them.
func TestAppend(t *testing.T) {
	for name, c := range map[string]struct{ file, before, want string }{
		"no file, JSON":       {"a.json", "", "[\n  \"int\"\n]\n"},
		"no file, YAML":       {"a.yaml", "", "- \"int\"\n"},
		"empty list":          {"a.json", "[]", "[\n  \"int\"\n]"},
		"one line":            {"a.json", "[\"long\"]\n", "[\"long\",\n  \"int\"\n]\n"},
		"block list":          {"a.yaml", "# kept\n- long # first\n\n", "# kept\n- long # first\n- \"int\"\n"},
		"indented block list": {"a.yml", "  - long\n  - {type: float}\n", "  - long\n  - {type: float}\n  - \"int\"\n"},
		"flow list in YAML":   {"a.yaml", "[long, float]\n", "[long, float,\n  \"int\"\n]\n"},
		"comment at the end":  {"a.yaml", "[long] # ]\n", ""},
		"comma at the end":    {"a.yaml", "[long,]\n", ""},
		"last line ends kept": {"a.yaml", "- type: long\n  doc: |+\n    text\n\n\n", ""},
		"no list":             {"a.yaml", "a: 1\n", ""},
		"not YAML":            {"a.yaml", "a: [\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, version, err := Append(c.file, []byte(c.before), `"int"`)
			if (err != nil) != (c.want == "") || string(out) != c.want {
				t.Fatalf("got %q, %v, want %q", out, err, c.want)
			}
			if err == nil && version != strings.Count(c.before, "long")+strings.Count(c.before, "float")+1 {
				t.Errorf("it is version %d", version)
			}
		})
	}
	if out, version, err := Append("a.json", []byte(`["int"]`), `"int"`); err != nil || version != 0 || string(out) != `["int"]` {
		t.Errorf("the last version again: %q, %d, %v", out, version, err)
	}
}
