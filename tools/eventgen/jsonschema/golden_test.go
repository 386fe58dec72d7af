package jsonschema

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

var update = flag.Bool("update", false, "rewrite the golden packages and the expected faults")

const goldenImport = "github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/golden"

// load adds the schemas in the member payloads of a file.
func load(t testing.TB, dir, name string) (*Set, []*Root, *diag.List) {
	t.Helper()
	var faults diag.List
	files := reference.New(os.DirFS(dir), nil, &faults)
	root := files.Open(name, diag.Pos{})
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	s := NewSet(files.Deref, func(string) []*source.Node { return []*source.Node{root} })
	var roots []*Root
	for _, p := range root.Get("payloads").Pairs {
		roots = append(roots, s.AddRoot(p.Value, p.Key.Value))
	}
	return s, roots, &faults
}

// goldenFiles returns what is generated from the golden schemas, and a table of the payloads for
// the conformance suite.
func goldenFiles(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/golden/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden schemas: %v", err)
	}
	out := map[string][]byte{}
	list := gofile.File{Package: "golden", Comment: "Package golden lists the golden payloads, for the conformance suite alone.", Imports: map[string]string{}}
	var table, examples strings.Builder
	for _, name := range names {
		s, roots, faults := load(t, "testdata/golden", filepath.Base(name))
		if faults.Add(s.Resolve()...); faults.HasErrors() {
			t.Fatalf("faults:\n%v", faults)
		}
		pkg := strings.TrimSuffix(filepath.Base(name), ".yaml")
		c := Config{ImportPath: goldenImport, Package: pkg}
		files, _, err := s.Emit(c)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(out, files)
		list.Imports[pkg] = path.Join(goldenImport, pkg)
		list.Sources = append(list.Sources, filepath.ToSlash(name))
		for _, r := range roots {
			g := r.Go(c)
			fmt.Fprintf(&table, "%q: func() jsonvalue.Payload { return new(%s.%s) },\n", g.Package+"."+g.Name, g.Package, g.Name)
			for _, e := range r.payload.Schema.Examples {
				expr, _, faults := r.Literal(c, e)
				if faults.HasErrors() {
					t.Fatal(faults)
				}
				fmt.Fprintf(&examples, "{%q, `%s`, func() jsonvalue.Payload {\nv := %s\nreturn &v\n}},\n", g.Package+"."+g.Name, e.JSON(), expr)
			}
		}
	}
	list.Body = fmt.Sprintf(`// Values makes an empty value of each payload.
var Values = map[string]func() jsonvalue.Payload{
%s}

// Examples are those of the schemas, as text and as Go.
var Examples = []struct {
	Name, Text string
	Value func() jsonvalue.Payload
}{
%s}
`, table.String(), examples.String())
	if out["golden.go"], err = list.Print(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGolden(t *testing.T) {
	files, again := goldenFiles(t), goldenFiles(t)
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
