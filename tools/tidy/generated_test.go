package tidy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGeneratedFilesAreMarked compares .gitattributes with the headers of all files that git knows.
// It also finds generated files that are kept twice: eventgen can share types between the sides of
// a document (-role both).
func TestGeneratedFilesAreMarked(t *testing.T) {
	names := files(t)
	cmd := exec.Command("git", "check-attr", "-z", "--stdin", "linguist-generated")
	cmd.Dir = "../.."
	cmd.Stdin = strings.NewReader(strings.Join(names, "\x00") + "\x00")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	marked, seen := 0, map[string]string{}
	answers := strings.Split(string(out), "\x00") // name, attribute and value of each file
	for i := 0; i+2 < len(answers); i += 3 {
		name := answers[i]
		data, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			continue // deleted and not committed yet
		}
		generated := bytes.HasPrefix(data, []byte("// Code generated "))
		if has := answers[i+2] == "set"; has != generated {
			t.Errorf("%s: generated is %t by its header, and %t by .gitattributes", name, generated, has)
		}
		if !generated {
			continue
		}
		marked++
		if other := seen[string(data)]; other != "" {
			t.Errorf("%s and %s are equal byte for byte", other, name)
		}
		seen[string(data)] = name
	}
	if marked < 100 {
		t.Errorf("only %d files are generated", marked)
	}
}
