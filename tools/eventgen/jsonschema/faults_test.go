package jsonschema

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
)

// TestFaults compares the faults of the schemas in each archive with its last file. The payloads
// are in the member payloads of schemas.yaml.
func TestFaults(t *testing.T) {
	names, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := []byte(faults(t, archive))
			last := &archive.Files[len(archive.Files)-1]
			if *update {
				last.Data = got
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if last.Name != "faults" || !bytes.Equal(last.Data, got) {
				t.Errorf("want:\n%s\ngot:\n%s", last.Data, got)
			}
		})
	}
}

func faults(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range archive.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, roots, told := load(t, dir, "schemas.yaml")
	if resolved := s.Resolve(); resolved.HasErrors() || told.HasErrors() {
		told.Add(resolved...)
	} else {
		told.Add(resolved...)
		root := reference.New(os.DirFS(dir), nil, told).Open("schemas.yaml", diag.Pos{})
		for _, e := range root.Get("examples").Keys() {
			for _, r := range roots {
				if r.Name() == e {
					told.Add(r.CheckExample(root.Get("examples").Get(e))...)
				}
			}
		}
	}
	if len(*told) == 0 {
		return ""
	}
	return told.Sorted().Error() + "\n"
}
