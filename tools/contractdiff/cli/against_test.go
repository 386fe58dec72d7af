package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gitIn returns a function that runs git in a folder.
func gitIn(t *testing.T, dir string) func(args ...string) {
	return func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
}

// TestAgainst compares the working tree with a commit, in which a type is in another folder.
func TestAgainst(t *testing.T) {
	dir := t.TempDir()
	git := gitIn(t, dir)
	doc := "asyncapi: 3.0.0\ninfo: {title: Shop, version: 1.0.0}\nchannels:\n  c:\n    address: orders\n    messages:\n      M: {payload: {schemaFormat: application/vnd.apache.avro, schema: {$ref: ../avro/R.avsc}}}\noperations:\n  o: {action: send, channel: {$ref: '#/channels/c'}}\n"
	write(t, dir, map[string]string{"specs/shop/asyncapi.yaml": doc, "specs/avro/R.avsc": record(`{"name":"a","type":"int"}`)})
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "First")
	write(t, dir, map[string]string{"specs/avro/R.avsc": record(`{"name":"a","type":"int"},{"name":"b","type":"int"}`)})
	for _, folder := range []string{"specs/shop", "specs", ""} {
		var out, errs bytes.Buffer
		status := Run([]string{"-against", "HEAD", filepath.Join(dir, folder)}, &out, &errs, today)
		if status != Failed || !strings.Contains(out.String(), "READER_FIELD_MISSING_DEFAULT_VALUE") || !strings.Contains(out.String(), "deploy the producers of orders first: Shop") {
			t.Errorf("%q: status %d\n%s%s", folder, status, &out, &errs)
		}
	}
	var out, errs bytes.Buffer
	if status := Run([]string{"-against", "v9", dir}, &out, &errs, today); status != Wrong || !strings.Contains(errs.String(), `git has no commit "v9"`) {
		t.Errorf("status %d, %s", status, &errs)
	}
}

// TestAgainstAllFiles holds that every contract of a commit is compared: a file that git keeps out
// of archives, and what symbolic links lead to.
func TestAgainstAllFiles(t *testing.T) {
	dir := t.TempDir()
	git := gitIn(t, dir)
	former, next := record(`{"name":"a","type":"int"}`), record(`{"name":"a","type":"string"}`)
	write(t, dir, map[string]string{"specs/kept.avsc": former, "other/R.avsc": former, "plain/named": former, ".gitattributes": "specs/kept.avsc export-ignore\n"})
	for link, target := range map[string]string{"specs/link.avsc": "../other/R.avsc", "specs/folder": "../other", "specs/again": "folder", "specs/self": ".", "specs/lost.avsc": "gone.avsc"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "First")
	write(t, dir, map[string]string{"specs/kept.avsc": next, "other/R.avsc": next})
	if err := os.Remove(filepath.Join(dir, "specs/lost.avsc")); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	status := Run([]string{"-against", "HEAD", filepath.Join(dir, "specs")}, &out, &errs, today)
	for _, name := range []string{"kept.avsc", "link.avsc", "folder/R.avsc", "again/R.avsc"} {
		if !strings.Contains(out.String(), "/specs/"+name+":1:58: breaking TYPE_MISMATCH") {
			t.Errorf("%s is not compared", name)
		}
	}
	if status != Failed || strings.Contains(out.String(), "CONTRACT_") || strings.Contains(out.String(), "self") {
		t.Errorf("status %d\n%s%s", status, &out, &errs)
	}
	if status := Run([]string{"-against", "HEAD", "-mode", "FULL", filepath.Join(dir, "plain/named")}, &out, &errs, today); status != Passed {
		t.Errorf("a file without an extension: status %d\n%s%s", status, &out, &errs)
	}
}

// TestAgainstSubmodule holds that contracts in a submodule are not silently new.
func TestAgainstSubmodule(t *testing.T) {
	dir := t.TempDir()
	inner, outer := filepath.Join(dir, "inner"), filepath.Join(dir, "outer")
	former, next := record(`{"name":"a","type":"int"}`), record(`{"name":"a","type":"string"}`)
	write(t, dir, map[string]string{"inner/R.avsc": former, "outer/specs/own/S.avsc": former})
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-qm", "First"}} {
		gitIn(t, inner)(args...)
	}
	git := gitIn(t, outer)
	git("init", "-q")
	for _, at := range []string{"specs/shared", "specs/own/vendor/shared", "specs/own/.cache"} {
		git("submodule", "--quiet", "add", inner, at)
	}
	git("add", ".")
	git("commit", "-qm", "First")
	write(t, dir, map[string]string{"outer/specs/shared/R.avsc": next})
	for folder, want := range map[string]int{"specs": Wrong, "specs/own": Passed, "specs/shared": Failed} {
		var out, errs bytes.Buffer
		if status := Run([]string{"-against", "HEAD", filepath.Join(outer, folder)}, &out, &errs, today); status != want || want == Wrong && !strings.Contains(errs.String(), "specs/shared is a submodule") {
			t.Errorf("%s: status %d, want %d\n%s%s", folder, status, want, &out, &errs)
		}
	}
}
