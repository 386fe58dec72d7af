package generate

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the expected diagnostics again")

// TestDiagnostics runs every case of testdata: an archive of input files, in which "want" is what eventgen says of the documents named *asyncapi.yaml or *.json. The
// archive's comment tells what the case is about; a line of it that begins with "flags:" gives client, strict or raw.
func TestDiagnostics(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal(cases, err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fsys, want, config := fstest.MapFS{}, -1, Config{ImportPath: "example.com/gen"}
			for i, f := range a.Files {
				if f.Name == "want" {
					want = i
					continue
				}
				fsys[f.Name] = &fstest.MapFile{Data: f.Data}
				if strings.Contains(f.Name, "asyncapi") {
					config.Documents = append(config.Documents, f.Name)
				}
			}
			for line := range strings.Lines(string(a.Comment)) {
				if flags, ok := strings.CutPrefix(line, "flags:"); ok {
					config.Strict, config.Client, config.Raw = strings.Contains(flags, "strict"), strings.Contains(flags, "client"), strings.Contains(flags, "raw")
				}
			}
			files, ds := Generate(fsys, config)
			if ds.HasErrors() != (files == nil) {
				t.Errorf("%d files with errors: %v", len(files), ds.HasErrors())
			}
			got := ds.Error() + "\n"
			if want < 0 {
				a.Files, want = append(a.Files, txtar.File{Name: "want"}), len(a.Files)
			}
			if *update {
				a.Files[want].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if string(a.Files[want].Data) != got {
				t.Errorf("got\n%s\nwant\n%s", got, a.Files[want].Data)
			}
		})
	}
}

// BenchmarkOwnDocuments is the time that our own documents take: aim under 200 ms.
func BenchmarkOwnDocuments(b *testing.B) {
	c := Config{ImportPath: "example.com/gen", Documents: []string{"specs/contract/asyncapi.yaml", "specs/contract/internal.asyncapi.yaml", "specs/billing/asyncapi.yaml", "specs/billing/internal.asyncapi.yaml"}}
	for b.Loop() {
		if _, ds := Generate(os.DirFS("../../.."), c); len(ds) > 0 {
			b.Fatal(ds.Error())
		}
	}
}
