package avro

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

var update = flag.Bool("update", false, "rewrite the golden packages")

const goldenImport = "github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden"

func parse(t testing.TB, file string, data []byte) *source.Node {
	t.Helper()
	n, faults := source.Parse(file, data)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	return n
}

func parseFile(t testing.TB, file string) *source.Node {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, filepath.ToSlash(file), data)
}

// goldenSet reads every schema of testdata/golden as a payload.
func goldenSet(t testing.TB) (*Set, []*Root) {
	t.Helper()
	s := NewSet()
	var roots []*Root
	for _, pattern := range []string{"testdata/golden/*.avsc", "testdata/golden/*.yaml", "testdata/golden/roots/*.avsc"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, f := range files {
			roots = append(roots, s.AddRoot(parseFile(t, f), strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))))
		}
	}
	if faults := s.Resolve(); faults.HasErrors() {
		t.Fatalf("faults:\n%v", faults)
	}
	return s, roots
}

// goldenFiles returns what is generated from the golden schemas, and a table of the payloads for
// the conformance suite.
func goldenFiles(t testing.TB) map[string][]byte {
	t.Helper()
	s, roots := goldenSet(t)
	c := Config{ImportPath: goldenImport}
	files, _, err := s.Emit(c)
	if err != nil {
		t.Fatal(err)
	}
	table := gofile.File{Package: "golden", Comment: "Package golden lists the golden payloads, for the conformance suite alone.", Imports: map[string]string{}}
	var body strings.Builder
	for _, r := range roots {
		g := r.Go(c)
		table.Imports[g.Package] = g.ImportPath
		table.Sources = append(table.Sources, r.pos.File)
		fmt.Fprintf(&body, "%q: func() avrobin.Value { return new(%s.%s) },\n", g.Package+"."+g.Name, g.Package, g.Name)
	}
	table.Body = "// Values makes an empty value of each payload.\nvar Values = map[string]func() avrobin.Value{\n" + body.String() + "}\n"
	if files["golden.go"], err = table.Print(); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestGolden(t *testing.T) {
	files := goldenFiles(t)
	again := goldenFiles(t)
	const dir = "internal/golden"
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	for name, src := range files {
		if !bytes.Equal(src, again[name]) {
			t.Errorf("%s differs from one run to the next", name)
		}
		p := filepath.Join(dir, filepath.FromSlash(name))
		if *update {
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, src, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if old, err := os.ReadFile(p); err != nil || !bytes.Equal(old, src) {
			t.Errorf("%s is not what is generated now (%v): look at the difference, then run go test -update", p, err)
		}
	}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, p); err == nil && !d.IsDir() && files[filepath.ToSlash(rel)] == nil {
			t.Errorf("%s is no longer generated", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestHandshake checks that code that was generated for another runtime does not compile, and that
// the error names the generation.
func TestHandshake(t *testing.T) {
	const file = "internal/golden/yaml/doc.go"
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	build := func(src []byte) (string, error) {
		dir := t.TempDir()
		other := filepath.Join(dir, "doc.go")
		if err := os.WriteFile(other, src, 0o644); err != nil {
			t.Fatal(err)
		}
		abs, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		overlay := filepath.Join(dir, "overlay.json")
		if err := os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace": {%q: %q}}`, abs, other), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "./"+filepath.ToSlash(filepath.Dir(file))).CombinedOutput()
		return string(out), err
	}
	if out, err := build(src); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := build(bytes.Replace(src, []byte("avrobin.Generation"), []byte("avrobin.Generation9"), 1))
	if err == nil || !strings.Contains(out, "undefined: avrobin.Generation9") {
		t.Errorf("code for another runtime compiles: %v\n%s", err, out)
	}
}
