package input

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// committed returns the repository repo of files and symbolic links. What is in it is committed, by
// a filter "pointer" that replaces the word fixed.
func committed(t *testing.T, files, links map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range links {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(strings.ReplaceAll(target, "DIR", dir), at); err != nil {
			t.Fatal(err)
		}
	}
	repo := filepath.Join(dir, "repo")
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-qm", "First"}} {
		cmd := exec.Command("git", append([]string{"-C", repo, "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "filter.pointer.clean=sed s/fixed/pointer/"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return repo
}

// contracts returns the paths of the contracts of a folder in the working tree and in its commit.
func contracts(folder string) (here, before []string, err error) {
	for i, open := range []func() (*Side, error){func() (*Side, error) { return Open(folder) }, func() (*Side, error) { return AtRef("HEAD", folder) }} {
		side, fault := open()
		if fault != nil {
			return nil, nil, fault
		}
		files, fault := side.Files()
		for _, f := range files {
			if i == 0 {
				here = append(here, f.Rel)
			} else {
				before = append(before, f.Rel)
			}
		}
		if fault != nil {
			err = fault
		}
	}
	return here, before, err
}

const fixed = `{"type":"fixed","name":"F","size":8}`

// TestLinks holds that the working tree and a commit have the same contracts, also if links lead to
// each other.
func TestLinks(t *testing.T) {
	files := map[string]string{
		"repo/specs/a/R.avsc": fixed, "repo/specs/b/S.avsc": fixed, "repo/store/T": fixed, "repo/store/U.avsc": fixed,
		"out/readme.txt": "hello", "out/vendor/V.avsc": fixed,
	}
	links := map[string]string{
		"repo/specs/a/x": "../b", "repo/specs/b/y": "../a", // lead to each other
		"repo/specs/p": "q", "repo/specs/q": "p", "repo/specs/up": "../specs/a/..", "repo/specs/top": "..", "repo/specs/gone": "nowhere",
		"repo/specs/T.avsc": "c/../store/T", "repo/specs/c": "../store", "repo/specs/vendor": "../store", "repo/specs/.d": "../store",
		"repo/specs/out": "DIR/out", "repo/specs/readme.md": "DIR/out/readme.txt",
	}
	here, before, err := contracts(filepath.Join(committed(t, files, links), "specs"))
	want := []string{"T.avsc", "a/R.avsc", "a/x/S.avsc", "b/S.avsc", "b/y/R.avsc", "c/U.avsc"}
	if err != nil || !slices.Equal(here, want) || !slices.Equal(before, want) {
		t.Errorf("%v\nin the working tree: %v\nin the commit:       %v\nwant                 %v", err, here, before, want)
	}
}

// TestManyLinks holds that links with more paths than can be read are an error.
func TestManyLinks(t *testing.T) {
	files, links := map[string]string{"repo/specs/f13/R.avsc": fixed}, map[string]string{}
	for i := range 13 {
		links[fmt.Sprintf("repo/specs/f%d/x", i)] = fmt.Sprintf("../f%d", i+1)
		links[fmt.Sprintf("repo/specs/f%d/y", i)] = fmt.Sprintf("../f%d", i+1)
	}
	folder := filepath.Join(committed(t, files, links), "specs")
	here, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	before, err := AtRef("HEAD", folder)
	if err != nil {
		t.Fatal(err)
	}
	for name, side := range map[string]*Side{"the working tree": here, "the commit": before} {
		if _, err := side.Files(); err == nil || !strings.Contains(err.Error(), "symbolic links lead to more than") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLinkOutOfCommit holds that contracts outside of a commit are not silently new.
func TestLinkOutOfCommit(t *testing.T) {
	files := map[string]string{"repo/specs/own.avsc": fixed, "out/R.avsc": fixed}
	for link, target := range map[string]string{"l.avsc": "DIR/out/R.avsc", "m.avsc": "../../out/R.avsc", "folder": "../../out", "again": "DIR/repo/../out"} {
		_, _, err := contracts(filepath.Join(committed(t, files, map[string]string{"repo/specs/" + link: target}), "specs"))
		if err == nil || !strings.Contains(err.Error(), "specs/"+link+" is a symbolic link whose target is not in commit HEAD") {
			t.Errorf("%s to %s: %v", link, target, err)
		}
	}
}

// TestFilters holds that a file of a commit is read as git writes it into the working tree.
func TestFilters(t *testing.T) {
	const text = "{\"type\":\"fixed\",\n\n\"name\":\"F\",\"size\":8}\n\n"
	files := map[string]string{"repo/specs/fixed.avsc": text, "repo/specs/plain.json": text, "repo/.gitattributes": "*.avsc filter=pointer\n"}
	repo := committed(t, files, map[string]string{"repo/specs/link.avsc": "fixed.avsc"})
	smudge := exec.Command("git", "-C", repo, "config", "filter.pointer.smudge", "sed 's/pointer/fixed/;s/fixed.avsc/gone/'")
	if out, err := smudge.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	side, err := AtRef("HEAD", filepath.Join(repo, "specs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fixed.avsc", "link.avsc", "plain.json"} {
		if data, err := fs.ReadFile(side.FS, "specs/"+name); err != nil || string(data) != text {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}
