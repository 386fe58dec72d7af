package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/cli"
	"github.com/deferpay/deferpay/tools/process"
)

// evolution is a copy of the contracts that a test changes, and the code that is generated from it.
// The module itself stays as it is: the go command gets the generated files as an overlay.
type evolution struct {
	t          *testing.T
	root       string // of the module
	specs, gen string
	overlay    string // file for -overlay
}

// documents are those of the target generate of the Makefile.
var documents = []string{"contract/asyncapi.yaml", "contract/internal.asyncapi.yaml", "billing/asyncapi.yaml", "billing/internal.asyncapi.yaml"}

func evolve(t *testing.T) *evolution {
	t.Helper()
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	e := &evolution{t: t, root: root, specs: filepath.Join(dir, "specs"), gen: filepath.Join(dir, "gen"), overlay: filepath.Join(dir, "overlay.json")}
	if err := os.CopyFS(e.specs, os.DirFS(filepath.Join(root, "specs"))); err != nil {
		t.Fatal(err)
	}
	return e
}

// addPublicField adds an optional field to a public record.
func (e *evolution) addPublicField(name string) {
	e.t.Helper()
	e.edit(filepath.Join("avro", name+".avsc"), func(text string) (string, bool) {
		head, _, ok := strings.Cut(text, "\n  ]\n}")
		return head + ",\n    {\"name\": \"remark\", \"type\": [\"null\", \"string\"], \"doc\": \"Added by a test.\", \"default\": null}\n  ]\n}\n", ok
	})
}

// addBodyField adds an optional field to the body of a log.
func (e *evolution) addBodyField(service, name string) {
	e.t.Helper()
	e.edit(filepath.Join("log", service, "bodies.yaml"), func(text string) (string, bool) {
		const fields = "\n        fields:\n"
		before, schema, found := strings.Cut(text, "\n        type: record\n        name: "+name+"\n")
		head, list, ok := strings.Cut(schema, fields)
		return before + "\n        type: record\n        name: " + name + "\n" + head + fields +
			"          - {name: remark, type: ['null', string], default: null, doc: Added by a test.}\n" + list, found && ok
	})
}

// edit changes a file below specs.
func (e *evolution) edit(file string, change func(text string) (changed string, ok bool)) {
	e.t.Helper()
	name := filepath.Join(e.specs, file)
	text, err := os.ReadFile(name)
	if err != nil {
		e.t.Fatal(err)
	}
	changed, ok := change(string(text))
	if !ok {
		e.t.Fatalf("%s has another form than expected", file)
	}
	if err := os.WriteFile(name, []byte(changed), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

// eventgen runs a command of eventgen on the documents. It returns the exit status and the output.
func (e *evolution) eventgen(args ...string) (status int, output string) {
	for _, d := range documents {
		args = append(args, filepath.Join(e.specs, d))
	}
	return eventgen(args)
}

// eventgen runs eventgen in this process.
func eventgen(args []string) (status int, output string) {
	var out strings.Builder
	status = cli.Run(args, &out, &out)
	return status, out.String()
}

func (e *evolution) generate() (status int, output string) {
	return e.eventgen("generate", "-refuse-unknown", "-out", e.gen, "-import", "github.com/deferpay/deferpay/gen")
}

// must fails the test unless a command of eventgen succeeds.
func (e *evolution) must(status int, output string) {
	e.t.Helper()
	if status != 0 {
		e.t.Fatalf("eventgen: exit status %d\n%s", status, output)
	}
}

// writeOverlay writes the overlay that replaces the generated files of the module. Files of which
// only comments differ are not replaced, so that their packages need not be compiled again. It
// returns the number of replaced files.
func (e *evolution) writeOverlay() int {
	e.t.Helper()
	present, next := goFiles(e.t, filepath.Join(e.root, "gen")), goFiles(e.t, e.gen)
	generated := map[string]bool{} // directories
	replace := map[string]string{}
	for name, text := range next {
		generated[filepath.Dir(name)] = true
		if old, ok := present[name]; !ok || withoutComments(old) != withoutComments(text) {
			replace[filepath.Join(e.root, "gen", name)] = filepath.Join(e.gen, name)
		}
	}
	for name := range present {
		if _, ok := next[name]; !ok && generated[filepath.Dir(name)] {
			replace[filepath.Join(e.root, "gen", name)] = "" // the file is gone
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(e.overlay, text, 0o644)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return len(replace)
}

// goFiles returns the text of the Go files below a directory by their relative names.
func goFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		out[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// withoutComments removes the lines that are comments.
func withoutComments(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "//") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// goTool runs a command of the go tool, such as build, with the overlay.
func (e *evolution) goTool(command string, args ...string) {
	e.t.Helper()
	cmd := exec.CommandContext(e.t.Context(), "go", append([]string{command, "-overlay", e.overlay}, args...)...)
	cmd.Dir, cmd.Env = e.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		e.t.Fatalf("go %s with changed schemas: %v\n%s", command, err, out)
	}
}
