package journal_test

import (
	"fmt"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/deferpay/deferpay/tools/fulltest"
)

const module = "github.com/deferpay/deferpay"

// The example compiles and passes in a module of its own that requires this one alone. What that
// brings along is listed in docs/decisions.md.
func TestOutsideModule(t *testing.T) {
	fulltest.Only(t, "it compiles a module of its own")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	goMod := fmt.Sprintf("module example.com/theatre\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %s => %s\n", module, module, root)
	for name, content := range map[string][]byte{"go.mod": []byte(goMod), "theatre_test.go": example} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		// with the flags of this run, so that compiled packages are used again
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=mod", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("mod", "tidy")
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	if out := run("test", "-count=1", "-v", "."); !strings.Contains(out, "--- PASS: Example") || !strings.Contains(out, "--- PASS: TestSeatsOnASimulatedLog") {
		t.Errorf("the example did not run: %s", out)
	}
	linked := strings.Fields(run("list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", module+"/services/journal"))
	listed(t, filepath.Join(root, "docs", "decisions.md"), linked, strings.Count(string(sums), "\n"))
}

// listed compares what the journal brings along with the section of docs/decisions.md about it.
func listed(t *testing.T, file string, linked []string, sums int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n### What the journal brings along (built)\n")
	section, _, _ = strings.Cut(section, "\n### ")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		documented = append(documented, row[1])
	}
	slices.Sort(documented)
	slices.Sort(linked)
	linked = slices.DeleteFunc(slices.Compact(linked), func(m string) bool { return m == module })
	if !found || !slices.Equal(documented, linked) {
		t.Errorf("docs/decisions.md lists\n%s\nthe journal links\n%s", strings.Join(documented, "\n"), strings.Join(linked, "\n"))
	}
	most := 0
	if said := regexp.MustCompile("([0-9]+) lines of `go.sum`").FindStringSubmatch(section); said != nil {
		most, _ = strconv.Atoi(said[1])
	}
	if sums == 0 || sums > most {
		t.Errorf("go.sum has %d lines, and docs/decisions.md says %d", sums, most)
	}
}

// No type of an internal package is part of the exported functions, methods, fields and variables
// of the packages that other projects import.
func TestFaceHasNoInternalType(t *testing.T) {
	face := []string{"", "/admin", "/backup", "/journalsim", "/journaltest"}
	paths := make([]string, len(face))
	for i, p := range face {
		paths[i] = module + "/services/journal" + p
	}
	loaded, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != len(face) {
		t.Fatalf("%d packages were loaded", len(loaded))
	}
	for _, p := range loaded {
		w := &walk{seen: map[types.Type]bool{}}
		for _, name := range p.Types.Scope().Names() {
			if o := p.Types.Scope().Lookup(name); o.Exported() {
				w.visit(o.Type(), p.Name+"."+name)
			}
		}
		if len(w.seen) < 5 {
			t.Errorf("%s: %d types were looked at", p.PkgPath, len(w.seen))
		}
		for _, leak := range w.leaks {
			t.Error(leak)
		}
	}
}

// walk visits what the users of a type can see of it.
type walk struct {
	seen  map[types.Type]bool
	leaks []string
}

func (w *walk) visit(t types.Type, path string) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		w.visit(types.Unalias(t), path)
	case *types.Named:
		w.named(t, path)
	case *types.Signature:
		w.tuple(t.Params(), path)
		w.tuple(t.Results(), path)
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				w.visit(f.Type(), path+"."+f.Name())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			w.visit(m.Type(), path+"."+m.Name())
		}
	case *types.Map:
		w.visit(t.Key(), path)
		w.visit(t.Elem(), path)
	case interface{ Elem() types.Type }:
		w.visit(t.Elem(), path)
	}
}

func (w *walk) named(t *types.Named, path string) {
	for a := range t.TypeArgs().Types() {
		w.visit(a, path)
	}
	pkg := t.Obj().Pkg()
	if pkg == nil || !strings.HasPrefix(pkg.Path(), module) {
		return
	}
	if strings.Contains(pkg.Path(), "/internal/") {
		w.leaks = append(w.leaks, path+" has the type "+t.String())
		return
	}
	w.visit(t.Underlying(), path)
	for m := range t.Methods() {
		if m.Exported() {
			w.visit(m.Type(), path+"."+m.Name())
		}
	}
}

func (w *walk) tuple(of *types.Tuple, path string) {
	for v := range of.Variables() {
		w.visit(v.Type(), path)
	}
}
