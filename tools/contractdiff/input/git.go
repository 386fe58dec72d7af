package input

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
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
	if filepath.Ext(abs) != "" {
		dir = filepath.Dir(abs)
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
	archive, err := git(repo, "archive", "--format=tar", strings.TrimSpace(string(commit)))
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", ref, err)
	}
	files, err := untar(archive)
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", ref, err)
	}
	rel, err := filepath.Rel(repo, abs)
	if err != nil {
		return nil, err
	}
	return newSide(files, filepath.ToSlash(rel), filepath.ToSlash(name), ref)
}

// git runs a command of git and returns its output.
func git(dir string, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(errs.String()); text != "" {
			return nil, errors.New(text)
		}
		return nil, err
	}
	return out.Bytes(), nil
}

func untar(archive []byte) (fstest.MapFS, error) {
	files := fstest.MapFS{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg || !mayBeContract(h.Name) {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files[h.Name] = &fstest.MapFile{Data: data, Mode: 0o444, ModTime: h.ModTime}
	}
}
