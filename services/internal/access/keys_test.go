package access

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// only returns a credentials file that lets one key in.
func only(key string) string {
	return `[{"subject":"agency","sha256":"` + Hash(key) + `","scopes":["read"]}]`
}

// TestFileIsReplaced replaces a credentials file in the ways of editors, of tools that deploy, and
// of mistakes. In the end only k1 is let in, or only k2.
func TestFileIsReplaced(t *testing.T) {
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		try(os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	one, two, broken := file("one", only("k1")), file("two", only("k2")), file("broken", `[{"subject":`)
	path := filepath.Join(dir, "credentials.json")
	link := func(to string) func() {
		return func() {
			try(os.Symlink(to, path+".new"))
			try(os.Rename(path+".new", path))
		}
	}
	link(one)()
	var log bytes.Buffer
	c := open(t, Config{File: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, step := range []struct {
		name   string
		change func()
		in     string // the only key that is let in
		logged string // "": nothing
	}{
		{"nothing", func() {}, "k1", ""},
		{"a link to another file", link(two), "k2", "read again"},
		{"a link to a broken file", link(broken), "k2", "cannot be used"},
		{"a link to nothing", link(filepath.Join(dir, "none")), "k2", "no such file"},
		{"a link to itself", link(path), "k2", "too many levels"},
		{"a link to a folder", link(dir), "k2", "not a regular file"},
		{"a link to what was before", link(one), "k1", "read again"},
		{"the file behind the link changes", func() { file("one", only("k2")) }, "k2", "read again"},
		{"renamed over it", func() { try(os.Rename(file("new", only("k1")), path)) }, "k1", "read again"},
		{"the same file renamed over it", func() { try(os.Rename(file("new", only("k1")), path)) }, "k1", ""},
		{"removed", func() { try(os.Remove(path)) }, "k1", "no such file"},
		{"a folder in its place", func() { try(os.Mkdir(path, 0o700)) }, "k1", "not a regular file"},
		{"back as it was", func() { try(os.Remove(path)); file("credentials.json", only("k1")) }, "k1", "read again"},
		{"lines of Windows", func() { file("credentials.json", strings.ReplaceAll(only("k2"), ",", ",\r\n")+"\r\n") }, "k2", "read again"},
		{"every user may write it", func() { try(os.Chmod(path, 0o602)) }, "k2", "mode 602"},
	} {
		log.Reset()
		step.change()
		c.Check()
		for _, key := range []string{"k1", "k2", "k3", ""} {
			if _, err := c.Key(t.Context(), operation, key, nil); (err == nil) != (key == step.in) {
				t.Errorf("%s: the key %q: %v; only %s is in the file that is in force", step.name, key, err, step.in)
			}
		}
		if !strings.Contains(log.String(), step.logged) || (step.logged == "") != (log.Len() == 0) || step.logged != "" && !strings.Contains(log.String(), path) {
			t.Errorf("%s: logged %q, want %q and the path", step.name, log.String(), step.logged)
		}
	}
}

// TestForeignEncodings opens credentials that an editor has saved in another encoding.
func TestForeignEncodings(t *testing.T) {
	var wide []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + only("k"))) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for text, want := range map[string]string{
		"\ufeff" + only("k"): "byte order mark",
		string(wide):         "not UTF-8",
		strings.Replace(only("k"), "agency", "agency \xe9", 1): "not UTF-8",
		strings.Replace(only("k"), "[", "[\x00", 1):            "invalid character",
	} {
		path := credentials(t, text)
		if _, err := Open(Config{File: path}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want %q and the path", text, err, want)
		}
	}
}
