package jsonschema

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/schemaformat"
	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// corpus returns the folder of public AsyncAPI documents.
func corpus() string {
	if dir := os.Getenv("EVENTGEN_CORPUS"); dir != "" {
		return dir
	}
	return "../../../../shared/corpus/asyncapi"
}

// TestCorpus generates Go from every JSON Schema that is a payload or a component of a public
// document, and type-checks it. The full form also runs go vet.
func TestCorpus(t *testing.T) {
	dir := corpus()
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus: set EVENTGEN_CORPUS to a folder of AsyncAPI documents (%v)", err)
	}
	documents := documentsBelow(t, dir)
	all := map[string][]byte{}
	payloads, good := 0, 0
	for i, doc := range documents {
		s, roots, faults := document(t, dir, doc)
		if len(roots) == 0 {
			continue
		}
		payloads += len(roots)
		if faults.Add(s.Resolve()...); faults.HasErrors() {
			t.Logf("%s: its %d schemas are refused:\n%v", doc, len(roots), *faults)
			if known := refused[path.Base(path.Dir(doc))+"/"+path.Base(doc)]; known == "" || !strings.Contains(faults.Error(), known) {
				t.Errorf("%s is refused for another reason than expected", doc)
			}
			continue
		}
		good += len(roots)
		out, _, err := s.Emit(Config{ImportPath: goldenImport, Package: fmt.Sprintf("corpus%d", i)})
		if err != nil {
			t.Errorf("%s: %v", doc, err)
		}
		for name, src := range out {
			all[name] = src
		}
	}
	t.Logf("there is Go for %d of %d schemas", good, payloads)
	if good < 216 {
		t.Errorf("there is Go for %d schemas only", good)
	}
	if !fulltest.Requested() {
		compiles(t, all)
		return
	}
	if out, err := typechecktest.Go(t, typechecktest.Module(t, "example.org/corpus", all), "vet", "./..."); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

// documentsBelow returns the YAML and JSON files below a folder.
func documentsBelow(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if ext := path.Ext(p); err == nil && !d.IsDir() && (ext == ".yaml" || ext == ".yml" || ext == ".json") {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// compiles fails the test unless the generated files compile.
func compiles(t *testing.T, files map[string][]byte) {
	t.Helper()
	code, err := typechecktest.Parse(goldenImport, files)
	if err == nil {
		err = typechecktest.New(t).Check(code)
	}
	if err != nil {
		t.Error(err)
	}
}

// refused are the documents that break a rule or refer to missing files, with a part of their
// diagnostics.
var refused = map[string]string{"192/asyncapi.yaml": "there is no file"}

// document adds every schema of a document that is a payload or a component.
func document(t *testing.T, dir, name string) (*Set, []*Root, *diag.List) {
	t.Helper()
	var faults diag.List
	files := reference.New(os.DirFS(dir), nil, &faults)
	root := files.Open(name, diag.Pos{})
	s := NewSet(files.Deref, nil)
	if !strings.HasPrefix(root.Get("asyncapi").Str(), "3.") {
		return s, nil, &faults
	}
	var roots []*Root
	add := func(n *source.Node, hint string) {
		for at := n; at != nil; at = at.Get("schema") {
			if at = files.Deref(at); at.Get("schemaFormat") != nil && !schemaformat.Of(at.Get("schemaFormat").Str()).IsJSONSchema() {
				return
			}
		}
		if n != nil {
			roots = append(roots, s.AddRoot(n, hint))
		}
	}
	messages := func(in *source.Node) {
		if in == nil {
			return
		}
		for _, p := range in.Pairs {
			m := files.Deref(p.Value)
			add(m.Get("payload"), p.Key.Value)
			add(m.Get("headers"), p.Key.Value+"Headers")
		}
	}
	if channels := root.Get("channels"); channels != nil {
		for _, p := range channels.Pairs {
			messages(files.Deref(p.Value).Get("messages"))
		}
	}
	messages(root.Get("components").Get("messages"))
	if schemas := root.Get("components").Get("schemas"); schemas != nil {
		for _, p := range schemas.Pairs {
			add(p.Value, p.Key.Value)
		}
	}
	return s, roots, &faults
}
