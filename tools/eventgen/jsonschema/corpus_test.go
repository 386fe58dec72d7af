package jsonschema

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// corpus is a folder of public AsyncAPI documents, beside the repository or where the environment
// says.
func corpus() string {
	if dir := os.Getenv("EVENTGEN_CORPUS"); dir != "" {
		return dir
	}
	return "../../../../shared/corpus/asyncapi"
}

// Every JSON Schema that is a payload or a component of a document of the corpus becomes Go that
// passes vet.
func TestCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles all documents")
	}
	dir := corpus()
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus: set EVENTGEN_CORPUS to a folder of AsyncAPI documents (%v)", err)
	}
	var documents []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if ext := path.Ext(p); err == nil && !d.IsDir() && (ext == ".yaml" || ext == ".yml" || ext == ".json") {
			documents = append(documents, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
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
				t.Errorf("%s is refused, and should not be for that", doc)
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
	t.Logf("%d of %d schemas became Go", good, payloads)
	if good < 216 {
		t.Errorf("only %d schemas became Go", good)
	}
	vet(t, all)
}

// refused are the documents that break a rule, or refer to files that are not there, and what is
// said of them.
var refused = map[string]string{"192/asyncapi.yaml": "there is no file"}

// document adds every schema of a document that is a payload or stands under components.
func document(t *testing.T, dir, name string) (*Set, []*Root, *diag.List) {
	t.Helper()
	var faults diag.List
	files := reference.New(os.DirFS(dir), nil, &faults)
	root := files.Open(name, diag.Pos{})
	s := NewSet(files.Deref)
	if !strings.HasPrefix(root.Get("asyncapi").Str(), "3.") {
		return s, nil, &faults
	}
	var roots []*Root
	add := func(n *source.Node, hint string) {
		for at := n; at != nil; at = at.Get("schema") {
			if at = files.Deref(at); at.Get("schemaFormat") != nil && !IsFormat(at.Get("schemaFormat").Str()) {
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

// vet compiles and vets files.
func vet(t *testing.T, files map[string][]byte) {
	t.Helper()
	cmd := exec.Command("go", "vet", "-mod=mod", "./...")
	cmd.Dir = inModule(t, files)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

// inModule writes files into a module of their own, which has what this one has, and gives its
// folder.
func inModule(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	const own = "github.com/deferpay/deferpay"
	text := strings.Replace(string(mod), "module "+own, "module example.org/corpus", 1)
	text += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => %s\n", own, own, root)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	files["go.mod"], files["go.sum"] = []byte(text), sum
	for name, src := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, src, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
