// Package livefile keeps what is read from files up to date while a process runs: credentials, key
// sets, certificates. A file is read again when it changes. If what it has then cannot be used, the
// fault is logged by name and what was read last stays in force. The packages that read such files
// and package instance import it.
package livefile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Every is how often files are looked at.
const Every = 2 * time.Second

// maxSize is the size of the largest file that is read, in bytes.
const maxSize = 4 << 20

// Content is what a file has, and its mode.
type Content struct {
	Data []byte
	Mode fs.FileMode
}

// File is the value that is read from one or several files together. All methods may be called at
// the same time.
type File[T any] struct {
	name   string
	paths  []string
	parse  func([]Content) (T, error)
	logger *slog.Logger
	value  atomic.Pointer[T]

	mu   sync.Mutex
	seen string // what the files were when they were last looked at
}

// Open reads the files and returns their value as parse returns it. It returns an error if they
// cannot be read, or if parse does. Name says in errors and logs what the files have.
func Open[T any](name string, logger *slog.Logger, parse func([]Content) (T, error), paths ...string) (*File[T], error) {
	f := &File[T]{name: name, paths: paths, parse: parse, logger: logger}
	contents, seen, err := f.read()
	if err != nil {
		return nil, err
	}
	v, err := parse(contents)
	if err != nil {
		return nil, f.about(err)
	}
	f.value.Store(&v)
	f.seen = seen
	return f, nil
}

// Value returns the value that is in force.
func (f *File[T]) Value() T { return *f.value.Load() }

// Check reads the files again. A new value is in force when it returns.
func (f *File[T]) Check() {
	f.mu.Lock()
	defer f.mu.Unlock()
	contents, seen, err := f.read()
	if err != nil {
		seen = err.Error()
	}
	if seen == f.seen {
		return
	}
	f.seen = seen
	var v T
	if err == nil {
		if v, err = f.parse(contents); err != nil {
			err = f.about(err)
		}
	}
	if err != nil {
		f.logger.Error("a changed file cannot be used, what was read before stays in force", "error", err.Error())
		return
	}
	f.value.Store(&v)
	f.logger.Info("a changed file was read again", "what", f.name, "path", f.paths[0])
}

func (f *File[T]) about(err error) error { return fmt.Errorf("%s %s: %w", f.name, f.paths[0], err) }

// read returns the contents of the files and a text that differs when they do.
func (f *File[T]) read() (contents []Content, seen string, err error) {
	for _, path := range f.paths {
		c, err := readOne(path)
		if err != nil {
			return nil, "", fmt.Errorf("read %s: %w", f.name, err)
		}
		contents = append(contents, c)
		seen += fmt.Sprintf("%x %v\n", sha256.Sum256(c.Data), c.Mode)
	}
	return contents, seen, nil
}

func readOne(path string) (Content, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Content{}, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for a writer
		return Content{}, fmt.Errorf("%s is not a regular file", path)
	}
	opened, err := os.Open(path)
	if err != nil {
		return Content{}, err
	}
	defer opened.Close()
	data, err := io.ReadAll(io.LimitReader(opened, maxSize+1))
	if err != nil {
		return Content{}, err
	}
	if len(data) > maxSize {
		return Content{}, fmt.Errorf("%s is larger than %d bytes", path, maxSize)
	}
	return Content{data, info.Mode()}, nil
}

// Run calls the checks Every so often, and whenever something arrives on now, until ctx ends.
func Run(ctx context.Context, now <-chan os.Signal, checks ...func()) error {
	if len(checks) == 0 {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-now:
		case <-ticker.C:
		}
		for _, check := range checks {
			check()
		}
	}
}
