package tidy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
)

// The versions of a stored message may only be added to, because logs hold all of them. What was
// kept before is read from the history of the repository, as far as the checkout has it.
func TestKeptVersionsStay(t *testing.T) {
	const root = "../.."
	files, err := filepath.Glob(root + "/specs/log/*/versions/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of versions: %v", err)
	}
	commits, err := git(root, "log", "--format=%H", "--", "specs/log/*/versions/*.json")
	if err != nil {
		t.Skipf("the history cannot be read, so nothing is compared: %v", err)
	}
	present := map[string][]json.RawMessage{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		service := filepath.Base(filepath.Dir(filepath.Dir(f)))
		present[path.Join("specs/log", service, "versions", filepath.Base(f))] = versionList(t, f, data)
	}
	for _, commit := range bytes.Fields(commits) {
		for _, fault := range lostVersions(t, root, string(commit), present) {
			t.Errorf("commit %.10s: %s; restore it, and add the new version with `make keep-versions`", commit, fault)
		}
	}
}

// lostVersions returns the files of versions of a commit that are no longer the beginning of the
// present ones.
func lostVersions(t *testing.T, root, commit string, present map[string][]json.RawMessage) []string {
	names, err := git(root, "ls-tree", "-r", "--name-only", commit, "specs/log")
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	for _, field := range bytes.Fields(names) {
		name := string(field)
		if path.Base(path.Dir(name)) != "versions" {
			continue
		}
		data, err := git(root, "show", commit+":"+name)
		if err != nil {
			t.Fatal(err)
		}
		if !beginsWith(present[name], versionList(t, name, data)) {
			faults = append(faults, name+" has lost or changed a version that was kept then")
		}
	}
	return faults
}

// beginsWith reports whether a list of versions begins with those of a former one.
func beginsWith(list, former []json.RawMessage) bool {
	if len(list) < len(former) {
		return false
	}
	for i := range former {
		if !bytes.Equal(list[i], former[i]) {
			return false
		}
	}
	return true
}

func versionList(t *testing.T, name string, data []byte) (list []json.RawMessage) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := json.Unmarshal(compact.Bytes(), &list); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return list
}

func git(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	return cmd.Output()
}
