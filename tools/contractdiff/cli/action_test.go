package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const action = "../../../.github/actions/contractdiff"

// step returns the script of the action's only step.
func step(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(action, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Runs struct {
			Steps []struct{ Run, Shell string }
		}
	}
	if err := yaml.Unmarshal(data, &a); err != nil || len(a.Runs.Steps) != 1 || a.Runs.Steps[0].Shell != "bash" {
		t.Fatalf("%+v, %v", a, err)
	}
	return a.Runs.Steps[0].Run
}

// TestAction runs the action's step as a runner does, in a repository with a changed contract.
func TestAction(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("the action's step is for bash, which is not here")
	}
	path, err := filepath.Abs(action)
	if err != nil {
		t.Fatal(err)
	}
	repository, temp := t.TempDir(), t.TempDir()
	schema := filepath.Join(repository, "specs", "a.avsc")
	write := func(fields string) {
		if err := os.MkdirAll(filepath.Dir(schema), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(schema, []byte(`{"type":"record","name":"A","fields":[`+fields+`]}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-C", repository, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write(`{"name":"f","type":"int"}`)
	git("init", "-q", "-b", "main")
	git("add", "-A")
	git("commit", "-qm", "one")
	for _, tt := range []struct {
		name, fields, against  string
		status                 int
		annotations, summarize string
	}{
		{"nothing changed", `{"name":"f","type":"int"}`, "main", 0, "", "no differences; this may be released"},
		{"a breaking change", `{"name":"f","type":"string"}`, "main", 1, "::error file=specs/a.avsc,line=1", "this may not be released"},
		{"an unknown commit", `{"name":"f","type":"int"}`, "nowhere", 2, `::error title=contracts could not be compared::contractdiff: git has no commit "nowhere"`, "they could not be compared"},
		{"a broken contract", `{"name":"f"}`, "main", 2, "::error title=contracts could not be compared::", "they could not be compared"},
	} {
		write(tt.fields)
		summary := filepath.Join(temp, strings.ReplaceAll(tt.name, " ", "-"))
		cmd := exec.Command(bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", step(t))
		cmd.Dir = repository
		cmd.Env = append(os.Environ(), "GITHUB_ACTION_PATH="+path, "GITHUB_WORKSPACE="+repository, "GITHUB_STEP_SUMMARY="+summary, "RUNNER_TEMP="+temp, "AGAINST="+tt.against, "FOLDER=specs", "MODE=FULL")
		out, _ := cmd.Output()
		text, err := os.ReadFile(summary)
		if got := cmd.ProcessState.ExitCode(); err != nil || got != tt.status || !strings.Contains(string(out), tt.annotations) || !strings.Contains(string(text), tt.summarize) {
			t.Errorf("%s: status %d, annotations %q, summary %q, %v", tt.name, got, out, text, err)
		}
	}
}
