package corpus

import (
	"bytes"
	"flag"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

var (
	rounds = flag.Int("rounds", 1, "number of times that TestStrangers makes each change to each document")
	seed   = flag.Uint64("seed", 1, "of the first round")
)

const importPath = "strangers.example/gen"

// result is the result of generating from a document.
type result struct {
	files map[string][]byte
	diags diag.List
	code  *typechecktest.Code // the parsed files
}

// oneIn is the part of the changes that the short form of TestStrangers makes to a document: one in
// six.
const oneIn = 6

// TestStrangers changes and combines public documents and checks what eventgen promises for every
// document: it terminates, each diagnostic has a position, and the generated code compiles. A
// change that does not alter the meaning of a document must not alter the code either. The full
// form makes every change to every document, the short form some of them. A failure names the
// document, the change and the seed, which together reproduce it.
func TestStrangers(t *testing.T) {
	docs := documents(t)
	all := load(t, docs[0].folder)
	made, ran := map[string]int{}, 0
	for i, d := range docs {
		t.Run(d.name, func(t *testing.T) {
			ran++
			w := open(t, all, d.name)
			before := w.generate(t)
			promises(t, before)
			for j, c := range changes {
				if (i+j)%oneIn != 0 && !fulltest.Requested() {
					continue
				}
				for n := range uint64(*rounds) {
					changed := w.copy()
					changed.all, changed.docs = all, docs
					if !c.make(chance(d.name, c.name, *seed+n), changed) {
						continue
					}
					made[c.name]++
					t.Run(fmt.Sprintf("%s/%d", c.name, *seed+n), func(t *testing.T) { c.check(t, before, changed) })
				}
			}
		})
	}
	for _, c := range changes {
		if made[c.name] == 0 && ran == len(docs) {
			t.Errorf("no document was changed by %q", c.name)
		}
	}
}

// chance returns the source of random numbers for a change of a document.
func chance(document, change string, seed uint64) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(document + change))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// check generates from a changed document and checks the result.
func (c change) check(t *testing.T, before result, changed *work) {
	after := changed.generate(t)
	promises(t, after)
	if c.keeps != nil {
		c.keeps(t, before, after)
	}
	if t.Failed() && os.Getenv("STRANGERS_KEEP") != "" {
		changed.keep(t, os.Getenv("STRANGERS_KEEP"))
	}
}

// load reads all files of the documents.
func load(t *testing.T, folder string) fstest.MapFS {
	out := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(os.DirFS(folder), name)
		out[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// work is a document that is changed, with the files of its repository.
type work struct {
	fsys fstest.MapFS
	name string
	tree *source.Node // of the document; nil: data is used as it is
	data []byte       // the text of the document, if there is no tree
	json bool         // the tree is written as JSON
	all  fstest.MapFS // of other documents
	docs []*document
}

// open returns a document with the files of its repository.
func open(t *testing.T, all fstest.MapFS, name string) *work {
	w := &work{fsys: fstest.MapFS{}, name: name, data: all[name].Data}
	repository, _, _ := strings.Cut(name, "/")
	for n, f := range all {
		if strings.HasPrefix(n, repository+"/") {
			w.fsys[n] = f
		}
	}
	tree, ds := source.Parse(name, w.data)
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	w.tree = clone(tree)
	return w
}

func (w *work) copy() *work {
	return &work{fsys: maps.Clone(w.fsys), name: w.name, tree: clone(w.tree), data: w.data}
}

// generate generates from the document as it is now.
func (w *work) generate(t *testing.T) result {
	late := time.AfterFunc(time.Minute, func() { panic(t.Name() + ": eventgen does not terminate") })
	defer late.Stop()
	w.fsys[w.name] = &fstest.MapFile{Data: w.text()}
	files, ds := generate.Generate(w.fsys, generate.Config{Documents: []string{w.name}, ImportPath: importPath})
	r := result{files: files, diags: ds}
	if files != nil {
		var err error
		if r.code, err = typechecktest.Parse(importPath, files); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (w *work) text() []byte {
	switch {
	case w.tree == nil:
		return w.data
	case w.json:
		return w.tree.JSON()
	}
	return yamlText(w.tree)
}

// keep writes a document that fails, for inspection.
func (w *work) keep(t *testing.T, dir string) {
	dir = path.Join(dir, strings.NewReplacer("/", "_", "#", "_").Replace(t.Name()))
	for name, f := range w.fsys {
		if path.Dir(name) != path.Dir(w.name) && !strings.Contains(name, "moved") {
			continue
		}
		p := path.Join(dir, name)
		if err := os.MkdirAll(path.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// promises checks what is promised for every document, valid or not.
func promises(t *testing.T, r result) {
	t.Helper()
	for _, d := range r.diags {
		if d.Line == 0 || d.Col == 0 || strings.Contains(d.Message, "eventgen is at fault") {
			t.Errorf("a diagnostic has no position, or eventgen is at fault: %s", d)
		}
	}
	if (r.files == nil) != r.diags.HasErrors() {
		t.Errorf("there are %d files, and errors: %t", len(r.files), r.diags.HasErrors())
	}
	if r.files == nil {
		return
	}
	if err := typechecktest.New(t).Check(r.code); err != nil {
		t.Errorf("the generated code does not compile: %v", err)
		return
	}
	if vague := r.code.Vague(); len(vague) > 0 {
		t.Errorf("types are less specific than their schemas:\n%s", strings.Join(vague, "\n"))
	}
}

// sameFiles checks that the files are equal, except for the names and hashes of the sources.
func sameFiles(t *testing.T, before, after result) {
	sameVerdict(t, before, after)
	if after.files == nil || before.files == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(before.files)) {
		if !bytes.Equal(unsourced(before.files[name]), unsourced(after.files[name])) {
			t.Errorf("%s differs: %s", name, difference(strings.Split(string(unsourced(before.files[name])), "\n"), strings.Split(string(unsourced(after.files[name])), "\n")))
		}
	}
	if len(before.files) != len(after.files) {
		t.Errorf("there are %d files and were %d", len(after.files), len(before.files))
	}
}

func unsourced(data []byte) []byte {
	var out []byte
	for line := range bytes.Lines(data) {
		if !bytes.HasPrefix(line, []byte("// Source: ")) {
			out = append(out, line...)
		}
	}
	return out
}

// sameAPI checks that the exported declarations are equal, in any order.
func sameAPI(t *testing.T, before, after result) { same(t, before, after, (*typechecktest.Code).API) }

// sameShapes checks that the structs have the same fields, whatever the names of the types.
func sameShapes(t *testing.T, before, after result) {
	same(t, before, after, (*typechecktest.Code).Shapes)
}

func same(t *testing.T, before, after result, of func(*typechecktest.Code) []string) {
	sameVerdict(t, before, after)
	if after.files == nil || before.files == nil {
		return
	}
	if d := difference(of(before.code), of(after.code)); d != "" {
		t.Error(d)
	}
}

// sameVerdict checks that both results have errors, or neither has.
func sameVerdict(t *testing.T, before, after result) {
	if before.diags.HasErrors() != after.diags.HasErrors() {
		t.Errorf("one of the results has errors.\nBefore:\n%s\nAfter:\n%s", errorsOf(before.diags), errorsOf(after.diags))
	}
}

// difference returns the first lines that only one list has.
func difference(a, b []string) string {
	count := map[string]int{}
	for _, l := range a {
		count[l]++
	}
	for _, l := range b {
		count[l]--
	}
	var out []string
	for _, l := range slices.Sorted(maps.Keys(count)) {
		switch {
		case count[l] > 0:
			out = append(out, "- "+l)
		case count[l] < 0:
			out = append(out, "+ "+l)
		}
	}
	if len(out) > 12 {
		out = append(out[:12], "...")
	}
	return strings.Join(out, "\n")
}
