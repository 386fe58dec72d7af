package input

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
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
	commit, err := git(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("git has no commit %q; fetch it first", ref)
	}
	rel, err := filepath.Rel(repo, abs)
	if err != nil {
		return nil, err
	}
	files, submodules, err := tree(repo, strings.TrimSpace(string(commit)), filepath.ToSlash(rel))
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", ref, err)
	}
	for _, sub := range submodules {
		if err := withoutContracts(repo, sub, filepath.ToSlash(rel), ref); err != nil {
			return nil, err
		}
	}
	return newSide(files, filepath.ToSlash(rel), filepath.ToSlash(name), ref)
}

// withoutContracts returns an error if a submodule below a folder has contracts: the commit of the
// repository does not have them.
func withoutContracts(repo, submodule, folder, ref string) error {
	if folder != "." && !strings.HasPrefix(submodule+"/", folder+"/") {
		return nil
	}
	side, err := Open(filepath.Join(repo, filepath.FromSlash(submodule)))
	if err != nil {
		return nil // it is not checked out
	}
	if files, _ := side.Files(); len(files) == 0 {
		return nil
	}
	return fmt.Errorf("%s is a submodule, whose contracts are not in commit %s: compare it by itself", submodule, ref)
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

// tree returns the named file of a commit and those that can be part of a contract, also what
// attributes of git keep out of archives, and the paths of submodules. Symbolic links are followed.
func tree(repo, commit, named string) (files fstest.MapFS, submodules []string, err error) {
	list, err := git(repo, "ls-tree", "-r", "-z", "--full-tree", commit)
	if err != nil {
		return nil, nil, err
	}
	var names, objects []string
	links := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		about, name, _ := strings.Cut(line, "\t")
		fields := strings.Fields(about) // mode, type, object
		switch {
		case len(fields) != 3:
		case fields[1] == "commit":
			submodules = append(submodules, name)
		case fields[0] == "120000" || mayBeContract(name) || name == named:
			links[name] = fields[0] == "120000"
			names, objects = append(names, name), append(objects, fields[2])
		}
	}
	contents, err := gitWith(repo, strings.Join(objects, "\n"), "cat-file", "--batch")
	if err != nil {
		return nil, nil, err
	}
	files = fstest.MapFS{}
	targets := map[string]string{}
	for i, name := range names {
		var data []byte
		if data, contents, err = object(contents, objects[i]); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		if links[name] {
			targets[name] = path.Join(path.Dir(name), string(data))
		} else {
			files[name] = &fstest.MapFile{Data: data, Mode: 0o444}
		}
	}
	follow(files, targets)
	return files, submodules, nil
}

// object returns the content of an object at the beginning of what git cat-file --batch writes, and
// the rest.
func object(all []byte, name string) (data, rest []byte, err error) {
	header, rest, _ := bytes.Cut(all, []byte("\n"))
	fields := strings.Fields(string(header)) // object, type, size
	if len(fields) != 3 {
		return nil, nil, fmt.Errorf("git does not have the object %s", name)
	}
	size, err := strconv.Atoi(fields[2])
	if err != nil || size >= len(rest) {
		return nil, nil, fmt.Errorf("git did not write the object %s", name)
	}
	return rest[:size], rest[size+1:], nil
}

// follow adds what symbolic links lead to, to a file or to a folder. Links may lead to links.
func follow(files fstest.MapFS, targets map[string]string) {
	for range len(targets) {
		before := len(files)
		for link, target := range targets {
			if isBelow(link, target) {
				continue // it would contain itself
			}
			for name, file := range maps.Clone(files) {
				if isBelow(name, target) {
					files[link+strings.TrimPrefix(name, target)] = file
				}
			}
		}
		if len(files) == before {
			return
		}
	}
}

// isBelow reports whether a path is that of a folder, or of something in it.
func isBelow(name, folder string) bool { return strings.HasPrefix(name+"/", folder+"/") }
