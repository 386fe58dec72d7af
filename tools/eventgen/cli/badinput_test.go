package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// contents returns every file below a folder with its text and time, to see whether anything
// changed.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s %v %s\n", path, info.Mode(), info.ModTime())
		if d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		out.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestBadInput runs the command on bad input in a folder with generated files. Each is an error
// with a position and a hint, and no file changes.
func TestBadInput(t *testing.T) {
	asyncapi := func(text string) map[string]string { return map[string]string{"specs/asyncapi.yaml": text} }
	header := "asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\n"
	cases := []struct {
		name  string
		files map[string]string
		args  []string // instead of the document
		want  string   // in the message, with its position if it has one
	}{
		{"not YAML", asyncapi(header + "channels: [\n"), nil, "specs/asyncapi.yaml:3:1: not valid YAML"},
		{"text", asyncapi("Dear reader,\nthis is a letter.\n"), nil, "specs/asyncapi.yaml:1:1: this is not an AsyncAPI document"},
		{"a binary file", asyncapi("\x7fELF\x02\x01\x01\x00\xff\xfe"), nil, "specs/asyncapi.yaml:1:9: the file is not UTF-8"},
		{"empty", asyncapi(""), nil, "specs/asyncapi.yaml:1:1: the file is empty"},
		{"comments only", asyncapi("# nothing\n"), nil, "specs/asyncapi.yaml:1:1: the file is empty"},
		{"JSON that ends early", map[string]string{"specs/asyncapi.json": "{\"asyncapi\": \"3.0.0\",\n"}, []string{"specs/asyncapi.json"}, "specs/asyncapi.json:2:1: not valid JSON"},
		{"a name twice", asyncapi(header + "info: {}\n"), nil, "specs/asyncapi.yaml:3:1: \"info\" is given twice"},
		{"a reference to no name", asyncapi(header + "channels: {a: {$ref: '#/components/channels/a'}}\n"), nil, "specs/asyncapi.yaml:3:22: $ref \"#/components/channels/a\" leads nowhere"},
		{"a reference to no file", asyncapi(header + "channels: {a: {$ref: a.yaml}}\n"), nil, "specs/asyncapi.yaml:3:22: there is no file specs/a.yaml"},
		{"a reference to a folder", asyncapi(header + "channels: {a: {$ref: ../specs}}\n"), nil, "specs/asyncapi.yaml:3:22: specs is a folder"},
		{"a reference to a file that is not YAML", map[string]string{"specs/asyncapi.yaml": header + "channels: {a: {$ref: a.yaml}}\n", "specs/a.yaml": "a: ]\n"}, nil, "specs/a.yaml:1:1: not valid YAML"},
		{"a URL", asyncapi(header + "channels: {a: {$ref: 'https://example.com/a.yaml'}}\n"), nil, "specs/asyncapi.yaml:3:22: https://example.com/a.yaml is remote"},
		{"AsyncAPI 2", asyncapi("asyncapi: 2.6.0\ninfo: {title: T, version: 1.0.0}\nchannels: {}\n"), nil, "specs/asyncapi.yaml:1:11: AsyncAPI 2.6.0 is not supported"},
		{"OpenAPI", asyncapi("openapi: 3.1.0\n"), nil, "specs/asyncapi.yaml:1:1: this is not an AsyncAPI document"},
		{"an unknown format", asyncapi(header + "channels: {a: {address: a, messages: {A: {payload: {schemaFormat: application/x-thrift, schema: x}}}}}\n"), nil, "specs/asyncapi.yaml:3:67: schemaFormat \"application/x-thrift\" is not supported"},
		{"a broken Avro schema", map[string]string{"specs/A.avsc": `{"type": "record", "name": "A", "fields": [{"name": "a", "type": "strin"}]}`}, nil, "specs/A.avsc:1:66: unknown type \"strin\""},
		{"a folder", nil, []string{"specs"}, "specs: specs is a folder"},
		{"no file", nil, []string{"specs/asyncapy.yaml"}, "specs/asyncapy.yaml: there is no file"},
		{"one bad of two", map[string]string{"specs/other/asyncapi.yaml": "asyncapi: 3.0.0\ninfo: 1\nchannels: {a: 1}\n"}, []string{"specs/asyncapi.yaml", "specs/other/asyncapi.yaml"}, "specs/other/asyncapi.yaml:3:15: channel a must be an object"},
		{"a warning that is an error", asyncapi("asyncapi: 3.0.0\nchannels: {}\n"), []string{"-strict", "specs/asyncapi.yaml"}, "specs/asyncapi.yaml:1:1: the document has no info"},
		{"an output folder with another file", map[string]string{"gen/event/mine.go": "package event\n"}, nil, "gen contains files that eventgen did not write: gen/event/mine.go"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			folder(t)
			generate := []string{"generate", "-out", "gen", "-import", "example.com/gen"}
			if status, _, stderr := run(append(generate, "specs/asyncapi.yaml")...); status != 0 {
				t.Fatal(stderr)
			}
			for name, text := range c.files {
				write(t, name, text)
			}
			if c.args == nil {
				c.args = []string{"specs/asyncapi.yaml"}
			}
			before := contents(t, ".")
			status, stdout, stderr := run(append(generate, c.args...)...)
			if status != 1 || stdout != "" || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "\n  hint: ") {
				t.Errorf("%d %s\n%s", status, stdout, stderr)
			}
			if contents(t, ".") != before {
				t.Error("something changed")
			}
			if status, _, _ := run(append(append(generate, "-check"), c.args...)...); status != 1 || contents(t, ".") != before {
				t.Errorf("-check: %d", status)
			}
		})
	}
}
