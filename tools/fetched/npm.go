package fetched

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Package is a package of npm. Sum is the SHA-512 of its archive, in hexadecimal.
type Package struct{ Name, Version, Sum string }

// Files returns the named files of the package. npm downloads the archive once for all work trees.
// An error is returned for an archive with another sum, and if a file is missing.
func (p Package) Files(ctx context.Context, names ...string) (map[string][]byte, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, errors.New("npm is not installed (Debian and Ubuntu: apt-get install npm)")
	}
	cache, err := Open()
	if err != nil {
		return nil, err
	}
	kept := cache.Path(p.Name, []byte(p.Version))
	if err := cache.Fill(kept, func(into string) error {
		cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--pack-destination", into, p.Name+"@"+p.Version)
		cmd.Dir = into // outside of any project
		return Run(cmd)
	}); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(kept, p.Name+"-"+p.Version+".tgz"))
	if err != nil {
		return nil, err
	}
	if sum := sha512.Sum512(data); hex.EncodeToString(sum[:]) != p.Sum {
		return nil, fmt.Errorf("the package %s %s in %s has the sum %x, which is not the pinned one", p.Name, p.Version, kept, sum)
	}
	return unpack(data, names)
}

// unpack returns the named files of a compressed archive.
func unpack(archive []byte, names []string) (map[string][]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	files := map[string][]byte{}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if !wanted[h.Name] {
			continue
		}
		if files[h.Name], err = io.ReadAll(t); err != nil {
			return nil, err
		}
	}
	if left := len(wanted) - len(files); left > 0 {
		return nil, fmt.Errorf("%d files are missing in the package", left)
	}
	return files, nil
}
