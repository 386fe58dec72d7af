// Package corpus runs eventgen over real public AsyncAPI documents, when they are there: each
// becomes a package of Go that has to compile.
package corpus

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
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

// TestCorpus generates from every document, vets and compiles what comes out, and prints what
// became of each. refused.txt lists the documents that break a rule, with what is said of them;
// every other one has to compile.
func TestCorpus(t *testing.T) {
	docs := documents(t)
	if testing.Short() {
		t.Skip("it compiles some thousand files")
	}
	module := t.TempDir()
	for i, d := range docs {
		d.generate(t, module, fmt.Sprintf("d%03d", i))
	}
	compile(t, module, docs)
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

func (d *document) generate(t *testing.T, module, name string) {
	files, diags := generate.Generate(os.DirFS(d.folder), generate.Config{Documents: []string{d.name}, ImportPath: "corpus.example/" + name})
	d.diags = diags
	if files == nil {
		d.verdict = "refused"
		return
	}
	for path, data := range files {
		path = filepath.Join(module, name, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		d.messages += len(schemaConst.FindAll(data, -1))
	}
	vague, err := typechecktest.Vague("corpus.example/"+name, files)
	for _, v := range vague {
		t.Errorf("%s: %s", d.name, v)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.verdict = "compiles"
	d.folder = name
}

// compile vets all packages of the module at once, and lays what is wrong at the documents' doors.
func compile(t *testing.T, module string, docs []*document) {
	repository, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(repository, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(gomod), "module github.com/deferpay/deferpay", "module corpus.example", 1)
	text = regexp.MustCompile(`(?ms)^tool (\(.*?^\)|\S+)$`).ReplaceAllString(text, "")
	text += "\nrequire github.com/deferpay/deferpay v0.0.0\n\nreplace github.com/deferpay/deferpay => " + repository + "\n"
	for name, data := range map[string][]byte{"go.mod": []byte(text), "go.sum": sum} {
		if err := os.WriteFile(filepath.Join(module, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "vet", "./...")
	cmd.Dir = module
	out, err := cmd.CombinedOutput()
	if err == nil {
		return
	}
	found := false
	for _, d := range docs {
		if i := strings.Index(string(out), d.folder+"/"); d.verdict == "compiles" && i >= 0 {
			d.verdict, found = "does not compile: "+string(out[i:min(len(out), i+1000)]), true
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
