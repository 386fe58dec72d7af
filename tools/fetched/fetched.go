// Package fetched keeps third-party programs, and what they need, in one folder for all work trees
// of a user, so that each is downloaded once. The tools that provide engines and foreign clients
// import it; nothing that is shipped does.
package fetched

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Folder holds one folder for each thing that was fetched. A folder that exists is complete: it is
// filled under another name and renamed at the end.
type Folder struct{ Dir string }

// Open returns the folder that DEFERPAY_CACHE names, or deferpay in the user's cache folder. It
// creates nothing.
func Open() (Folder, error) {
	if dir := os.Getenv("DEFERPAY_CACHE"); dir != "" {
		return Folder{dir}, nil
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return Folder{}, fmt.Errorf("no folder for downloads, name one in DEFERPAY_CACHE: %w", err)
	}
	return Folder{filepath.Join(user, "deferpay")}, nil
}

// Path returns where a thing is kept, whether it is there or not. The path depends on what the
// thing is made from too: another list of packages is another folder.
func (f Folder) Path(name string, madeFrom ...[]byte) string {
	sum := sha256.New()
	for _, text := range madeFrom {
		sum.Write(text)
	}
	return filepath.Join(f.Dir, name+"-"+hex.EncodeToString(sum.Sum(nil)[:4]))
}

// Has reports whether something is at a path.
func Has(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Fill calls fill to fill a folder of Path's, unless it exists. If two processes do so at once,
// both do the work and one of them wins.
func (f Folder) Fill(path string, fill func(into string) error) (err error) {
	if Has(path) {
		return nil
	}
	if err := os.MkdirAll(f.Dir, 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(f.Dir, "part-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }()
	into := filepath.Join(part, "content")
	if err := os.Mkdir(into, 0o755); err != nil {
		return err
	}
	if err := fill(into); err != nil {
		return err
	}
	if err := os.Rename(into, path); err != nil && !Has(path) {
		return err
	}
	return nil
}

// PythonPath returns where the environment with the packages of a requirements file is kept, and
// the path of its interpreter.
func (f Folder) PythonPath(requirements []byte) (dir, interpreter string) {
	dir = f.Path("python", requirements)
	return dir, filepath.Join(dir, "bin", "python")
}

// Python creates that environment unless it exists, and returns its interpreter. It needs python3
// with venv, and a package index. Renaming the folder breaks the scripts beside the interpreter, so
// nothing runs them.
func (f Folder) Python(ctx context.Context, requirements []byte) (interpreter string, err error) {
	dir, interpreter := f.PythonPath(requirements)
	return interpreter, f.Fill(dir, func(into string) error {
		list := filepath.Join(into, "requirements.txt")
		if err := os.WriteFile(list, requirements, 0o644); err != nil {
			return err
		}
		if err := Run(exec.CommandContext(ctx, "python3", "-m", "venv", into)); err != nil {
			return err
		}
		return Run(exec.CommandContext(ctx, filepath.Join(into, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list))
	})
}

// Run runs a command. If it fails, the error has the last lines of its output.
func Run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	const end = 10
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, bytes.Join(lines[max(0, len(lines)-end):], []byte("\n")))
}
