// Package corpus runs eventgen over real public AsyncAPI documents, when they are there: each
// becomes a package of Go that has to compile.
package corpus

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// where the documents lie, beside the repository.
const where = "../../../../shared/corpus"

// document is one document and what became of it.
type document struct {
	name     string
	verdict  string // compiles, refused, or what the Go tools say
	messages int    // payloads with a type of their own
	diags    diag.List
	folder   string
}

var roots = regexp.MustCompile(`(?m)^- (\S+\.(?:ya?ml|json))$`)

// documents reads the list of root documents.
func documents(t *testing.T) []*document {
	dir := where
	if env := os.Getenv("EVENTGEN_CORPUS"); env != "" {
		dir = env
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("there are no public documents in %s; EVENTGEN_CORPUS names another folder", dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []*document
	for _, m := range roots.FindAllSubmatch(readme, -1) {
		out = append(out, &document{name: string(m[1]), folder: filepath.Join(dir, "asyncapi")})
	}
	return out
}

// TestCorpus generates code from every document, compiles it, and prints what became of each. In
// full the code is also vetted. refused.txt lists the documents that break a rule, with what is
// said of them; every other one has to compile.
func TestCorpus(t *testing.T) {
	docs := documents(t)
	all := map[string][]byte{}
	for i, d := range docs {
		maps.Copy(all, d.generate(t, fmt.Sprintf("d%03d", i)))
	}
	if fulltest.Requested() {
		vet(t, all, docs)
	}
	want := refusals(t)
	compiled := 0
	for _, d := range docs {
		t.Logf("%-120s | %-9s | %3d payloads | %s", d.name, d.verdict, d.messages, summary(d.diags))
		if d.verdict == "compiles" {
			compiled++
		}
		switch rule, refused := want[d.name]; {
		case refused && !strings.Contains(d.diags.Error(), rule):
			t.Errorf("%s: is to be refused by %q, got %s:\n%s", d.name, rule, d.verdict, d.diags.Error())
		case !refused && d.verdict != "compiles":
			t.Errorf("%s: %s\n%s", d.name, d.verdict, errorsOf(d.diags))
		}
	}
	t.Logf("%d of %d compile", compiled, len(docs))
}

var schemaConst = regexp.MustCompile(`(?m)^(const |\t)SchemaOf\w+ += `)

// generate returns the files of a document, below a folder of that name.
func (d *document) generate(t *testing.T, name string) map[string][]byte {
	t.Helper()
	importPath := "corpus.example/" + name
	files, diags := generate.Generate(os.DirFS(d.folder), generate.Config{Documents: []string{d.name}, ImportPath: importPath})
	d.diags = diags
	if files == nil {
		d.verdict = "refused"
		return nil
	}
	code, err := typechecktest.Parse(importPath, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range code.Vague() {
		t.Errorf("%s: %s", d.name, v)
	}
	d.verdict = "compiles"
	d.folder = name
	if err := typechecktest.New(t).Check(code); err != nil {
		d.verdict = "does not compile: " + err.Error()
	}
	out := map[string][]byte{}
	for file, data := range files {
		out[name+"/"+file] = data
		d.messages += len(schemaConst.FindAll(data, -1))
	}
	return out
}

// vet vets all packages at once, and finds the documents that what it says is about.
func vet(t *testing.T, files map[string][]byte, docs []*document) {
	t.Helper()
	out, err := typechecktest.Go(t, typechecktest.Module(t, "corpus.example", files), "vet", "./...")
	if err == nil {
		return
	}
	found := false
	for _, d := range docs {
		if i := strings.Index(out, d.folder+"/"); d.verdict == "compiles" && i >= 0 {
			d.verdict, found = "vet: "+out[i:min(len(out), i+1000)], true
		}
	}
	if !found {
		t.Fatalf("go vet: %v\n%s", err, out)
	}
}

// refusals reads the documents that break a rule: lines of a document and, behind a bar, what is
// said of it.
func refusals(t *testing.T) map[string]string {
	f, err := os.Open("refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, rule, ok := strings.Cut(s.Text(), " | "); ok && !strings.HasPrefix(name, "#") {
			out[strings.TrimSpace(name)] = strings.TrimSpace(rule)
		}
	}
	return out
}

func errorsOf(l diag.List) string {
	return slices.DeleteFunc(slices.Clone(l), func(d diag.Diagnostic) bool { return d.Severity != diag.Error }).Error()
}

// summary gives the first error, or else the number of warnings.
func summary(l diag.List) string {
	for _, d := range l {
		if d.Severity == diag.Error {
			return d.Message
		}
	}
	if len(l) == 0 {
		return ""
	}
	return fmt.Sprintf("%d warnings", len(l))
}
