package input

import (
	"fmt"
	"io/fs"
)

// regular is a file system whose pipes and devices are not opened: reading them would not end.
type regular struct{ fs.FS }

func (r regular) check(name string) error {
	info, err := fs.Stat(r.FS, name)
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("this is neither a regular file nor a folder")}
	}
	return nil
}

// Open implements fs.FS.
func (r regular) Open(name string) (fs.File, error) {
	if err := r.check(name); err != nil {
		return nil, err
	}
	return r.FS.Open(name)
}

// ReadFile implements fs.ReadFileFS.
func (r regular) ReadFile(name string) ([]byte, error) {
	if err := r.check(name); err != nil {
		return nil, err
	}
	return fs.ReadFile(r.FS, name)
}

// Stat implements fs.StatFS.
func (r regular) Stat(name string) (fs.FileInfo, error) { return fs.Stat(r.FS, name) }

// ReadDir implements fs.ReadDirFS.
func (r regular) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(r.FS, name) }

// ReadLink implements fs.ReadLinkFS.
func (r regular) ReadLink(name string) (string, error) { return fs.ReadLink(r.FS, name) }

// Lstat implements fs.ReadLinkFS.
func (r regular) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(r.FS, name) }
