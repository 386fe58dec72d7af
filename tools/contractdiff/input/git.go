package input

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"
)

// AtRef returns a file or a folder of the working tree as it was at a commit, a branch or a tag.
// All files of that commit that can be part of a contract are read, because documents refer to
// files outside of their folder.
func AtRef(ref, name string) (*Side, error) {
	if ref == "" || strings.HasPrefix(ref, "-") {
		return nil, fmt.Errorf("%q is not the name of a commit", ref)
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	if resolved, err := filepath.EvalSymlinks(abs); err == nil {
		abs = resolved
	}
	dir := abs
	for info, err := os.Stat(dir); (err != nil || !info.IsDir()) && dir != filepath.Dir(dir); info, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	top, err := git(dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("%s is not in a git repository: %w", name, err)
	}
	repo := strings.TrimSpace(string(top))
	id, err := git(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("git has no commit %q; fetch it first", ref)
	}
	rel, err := filepath.Rel(repo, abs)
	if err != nil {
		return nil, err
	}
	files, err := tree(repo, strings.TrimSpace(string(id)), filepath.ToSlash(rel))
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", ref, err)
	}
	side, err := newSide(files, filepath.ToSlash(rel), filepath.ToSlash(name), ref)
	if err != nil {
		return nil, err
	}
	side.absent = func(at string, isSubmodule bool) error { return withoutContracts(repo, at, ref, isSubmodule) }
	return side, nil
}

// withoutContracts returns an error if the working tree has contracts at the path of a submodule,
// or of a symbolic link whose target is not in the commit: they would be new.
func withoutContracts(repo, at, ref string, isSubmodule bool) error {
	here, err := Open(filepath.Join(repo, filepath.FromSlash(at)))
	if err != nil || here.IsFile() && !mayBeContract(at) {
		return nil // it is not checked out, or leads nowhere
	}
	if files, _ := here.Files(); len(files) == 0 {
		return nil
	}
	if isSubmodule {
		return fmt.Errorf("%s is a submodule, whose contracts are not in commit %s: compare it by itself", at, ref)
	}
	return fmt.Errorf("%s is a symbolic link whose target is not in commit %s: compare the target by itself", at, ref)
}

// git runs a command of git and returns its output.
func git(dir string, args ...string) ([]byte, error) { return gitWith(dir, "", args...) }

func gitWith(dir, stdin string, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(errs.String()); text != "" {
			return nil, errors.New(text)
		}
		return nil, err
	}
	return out.Bytes(), nil
}

// entry is a file or a symbolic link of a commit.
type entry struct{ name, object string }

// tree returns the named file of a commit, those that can be part of a contract, and what symbolic
// links lead to, also what attributes of git keep out of archives.
func tree(repo, id, named string) (fs.FS, error) {
	list, err := git(repo, "ls-tree", "-r", "-z", "--full-tree", id)
	if err != nil {
		return nil, err
	}
	entries := fstest.MapFS{}
	var blobs, links []entry
	for line := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		about, name, _ := strings.Cut(line, "\t")
		fields := strings.Fields(about) // mode, type, object
		switch {
		case len(fields) != 3:
		case fields[1] == "commit":
			entries[name] = &fstest.MapFile{Mode: submodule}
		case fields[0] == "120000":
			links = append(links, entry{name, fields[2]})
		default:
			blobs = append(blobs, entry{name, fields[2]})
		}
	}
	if err := read(repo, links, entries, fs.ModeSymlink); err != nil {
		return nil, err
	}
	c := commit{entries}
	targets := map[string]bool{named: true}
	for _, l := range links {
		if to, err := c.resolved("open", l.name); err == nil {
			targets[to] = true
		}
	}
	blobs = slices.DeleteFunc(blobs, func(e entry) bool { return !mayBeContract(e.name) && !targets[e.name] })
	return c, read(repo, blobs, entries, 0o444)
}

// read adds the contents of entries: of a symbolic link its target, and of a file what git would
// write into the working tree, such as the file that a pointer of Git LFS stands for.
func read(repo string, list []entry, into fstest.MapFS, mode fs.FileMode) error {
	args := []string{"cat-file", "--batch=%(objectname) %(objecttype) %(rest)"} // rest is the name
	if mode.IsRegular() {
		args = append(args, "--filters")
	}
	// Git writes the size before filters. So each object is followed by one that does not exist,
	// whose line marks the end of the content.
	end := rand.Text()
	var ask strings.Builder
	for _, e := range list {
		if strings.Contains(e.name, "\n") {
			return fmt.Errorf("%q: a name with a line break cannot be read", e.name)
		}
		fmt.Fprintf(&ask, "%s %s\n%s\n", e.object, e.name, end)
	}
	all, err := gitWith(repo, ask.String(), args...)
	if err != nil {
		return err
	}
	for _, e := range list {
		var data []byte
		if data, all, err = content(all, end); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		into[e.name] = &fstest.MapFile{Data: data, Mode: mode}
	}
	return nil
}

// content returns the content of the object at the beginning of what git cat-file writes, up to the
// line of the object that does not exist, and the rest.
func content(all []byte, end string) (data, rest []byte, err error) {
	header, all, _ := bytes.Cut(all, []byte("\n"))
	data, rest, found := bytes.Cut(all, []byte("\n"+end+" missing\n"))
	if !found || len(bytes.Fields(header)) < 3 {
		return nil, nil, errors.New("git did not write this object")
	}
	return data, rest, nil
}
