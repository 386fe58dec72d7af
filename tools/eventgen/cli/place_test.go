package cli

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const placed = `asyncapi: 3.0.0
info: {version: 1.0.0}
channels:
  as:
    address: as.v1
    messages:
      A: {payload: {schemaFormat: application/vnd.apache.avro, schema: {$ref: ../shared/A.avsc}}, bindings: {kafka: {schemaIdPayloadEncoding: confluent}}}
      B: {payload: {$ref: '../shared/b.yaml'}, bindings: {kafka: {schemaIdPayloadEncoding: confluent}}}
operations:
  sendA: {action: send, channel: {$ref: '#/channels/as'}}
`

// generated returns the files that a call in a folder generates.
func generated(t *testing.T, in string, docs ...string) map[string][]byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "gen")
	t.Chdir(in)
	if status, _, stderr := run(append([]string{"generate", "-out", out, "-import", "example.com/gen"}, docs...)...); status != done {
		t.Fatalf("status %d: %s", status, stderr)
	}
	files := map[string][]byte{}
	err := filepath.WalkDir(out, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(out, path)
		if err == nil {
			files[name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	return files
}

// TestOutputIgnoresPlace generates from one document as seen from three folders, by a complete
// path, and at another place of the machine. The files are the same.
func TestOutputIgnoresPlace(t *testing.T) {
	root, other := t.TempDir(), filepath.Join(t.TempDir(), "another", "place")
	for _, at := range []string{root, other} {
		write(t, filepath.Join(at, "some folder/docs/asyncapi.yaml"), placed)
		write(t, filepath.Join(at, "some folder/docs/more.asyncapi.yaml"), `{asyncapi: 3.0.0, info: {title: More, version: 1.0.0}, channels: {c: {address: c, messages: {M: {payload: {type: string}}}}}, operations: {o: {action: send, channel: {$ref: '#/channels/c'}}}}`)
		write(t, filepath.Join(at, "some folder/shared/A.avsc"), schema)
		write(t, filepath.Join(at, "some folder/shared/b.yaml"), "{type: object, properties: {b: {type: string}}}")
	}
	folder := filepath.Join(root, "some folder")
	want := generated(t, folder, "docs/asyncapi.yaml", "docs/more.asyncapi.yaml")
	if doc := want["eventsbus/doc.go"]; !bytes.Contains(doc, []byte("\n// Source: docs/asyncapi.yaml ")) {
		t.Errorf("the package or its source has another name: %q, %s", slices.Sorted(maps.Keys(want)), doc)
	}
	for name, got := range map[string]map[string][]byte{
		"its own folder":               generated(t, filepath.Join(folder, "docs"), "asyncapi.yaml", "./more.asyncapi.yaml"),
		"a folder beside":              generated(t, filepath.Join(folder, "shared"), "../docs/asyncapi.yaml", "../docs/more.asyncapi.yaml"),
		"the folder above":             generated(t, root, "some folder/docs/asyncapi.yaml", "some folder/docs/more.asyncapi.yaml"),
		"a complete path":              generated(t, other, filepath.Join(folder, "docs/asyncapi.yaml"), filepath.Join(folder, "docs/more.asyncapi.yaml")),
		"a complete path and not":      generated(t, folder, filepath.Join(folder, "docs/asyncapi.yaml"), "docs/more.asyncapi.yaml"),
		"another place of the machine": generated(t, other, "some folder/docs/asyncapi.yaml", "some folder/docs/more.asyncapi.yaml"),
	} {
		for file := range want {
			if !bytes.Equal(want[file], got[file]) {
				t.Errorf("from %s, %s differs:\n%s\n%s", name, file, got[file], want[file])
			}
		}
		if len(want) != len(got) {
			t.Errorf("from %s there are %d files, not %d", name, len(got), len(want))
		}
	}
}
