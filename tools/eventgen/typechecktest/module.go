package typechecktest

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const own = "github.com/deferpay/deferpay"

// tools are the tool lines of a go.mod.
var tools = regexp.MustCompile(`(?ms)^tool (\(.*?^\)|\S+)$`)

// Module writes files to a temporary folder as a module of their own and returns the folder. The
// module requires this module and everything that this module requires.
func Module(t testing.TB, path string, files map[string][]byte) string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", own).Output()
	if err != nil {
		t.Fatal(err)
	}
	repository := strings.TrimSpace(string(root))
	mod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(repository, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	text := tools.ReplaceAllString(strings.Replace(string(mod), "module "+own, "module "+path, 1), "")
	text += "\nrequire " + own + " v0.0.0\n\nreplace " + own + " => " + repository + "\n"
	all := maps.Clone(files)
	all["go.mod"], all["go.sum"] = []byte(text), sum
	dir := t.TempDir()
	for name, data := range all {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Go runs the go command in the folder of a module and returns its output.
func Go(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
