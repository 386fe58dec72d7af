package input

import (
	"io/fs"
	"path"
	"testing/fstest"
)

// submodule is the mode of a submodule in a commit.
const submodule = fs.ModeIrregular

// commit is the files, the symbolic links and the submodules of a commit. It follows links as the
// working tree does; fstest.MapFS does not end if links lead to each other.
type commit struct{ entries fstest.MapFS }

// link returns the target of a symbolic link.
func (c commit) link(name string) (target string, is bool) {
	if f := c.entries[name]; f != nil && f.Mode&fs.ModeSymlink != 0 {
		return string(f.Data), true
	}
	return "", false
}

func (c commit) resolved(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at, err := resolved(name, false, c.link)
	if err != nil {
		return "", &fs.PathError{Op: op, Path: name, Err: err}
	}
	return at, nil
}

// Open implements fs.FS.
func (c commit) Open(name string) (fs.File, error) {
	at, err := c.resolved("open", name)
	if err != nil {
		return nil, err
	}
	return c.entries.Open(at)
}

// ReadLink implements fs.ReadLinkFS.
func (c commit) ReadLink(name string) (string, error) {
	folder, err := c.resolved("readlink", path.Dir(name))
	if err != nil {
		return "", err
	}
	return c.entries.ReadLink(path.Join(folder, path.Base(name)))
}

// Lstat implements fs.ReadLinkFS.
func (c commit) Lstat(name string) (fs.FileInfo, error) {
	folder, err := c.resolved("lstat", path.Dir(name))
	if err != nil {
		return nil, err
	}
	return c.entries.Lstat(path.Join(folder, path.Base(name)))
}
