// Package corpus runs eventgen on public AsyncAPI documents, if they are present. The code of each
// must compile.
package corpus

import (
	"bufio"
	"bytes"
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

// where is the folder of the documents, beside the repository.
const where = "../../../../shared/corpus"

// document is a document and its result.
type document struct {
	name     string
	verdict  string // compiles, refused, or what the Go tools report
	messages int    // payloads that have a type
	diags    diag.List
	folder   string
}

var roots = regexp.MustCompile(`(?m)^- (\S+\.(?:ya?ml|json))$`)

// documents returns the root documents.
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

// TestCorpus generates code from every document, type-checks it, and logs the results. The full
// form also runs go vet. The documents in refused.txt break a rule and must be refused with the
// given diagnostic; the code of all others must compile.
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
			t.Errorf("%s: should be refused with %q, got %s:\n%s", d.name, rule, d.verdict, d.diags.Error())
		case !refused && d.verdict != "compiles":
			t.Errorf("%s: %s\n%s", d.name, d.verdict, errorsOf(d.diags))
		}
	}
	lines := 0
	for _, data := range all {
		lines += bytes.Count(data, []byte("\n"))
	}
	t.Logf("%d of %d compile, to %d lines in %d files", compiled, len(docs), lines, len(all))
}

var schemaConst = regexp.MustCompile(`(?m)^(const |\t)SchemaOf\w+ += `)

// generate returns the files of a document below the folder name.
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

// vet runs go vet on all packages at once, and records what it reports at the documents concerned.
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

// refusals returns the documents that must be refused, with a part of their diagnostics.
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

// summary returns the first error, or the number of warnings if there is none.
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
