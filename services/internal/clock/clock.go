// Package clock provides the time of the domain: the system clock, plus an offset read from a file
// in demos and tests. Services import it where they start. The domain packages get the time as a
// value and never a clock.
package clock

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// System returns the time of the system clock in UTC, without a monotonic reading, truncated to the
// microseconds that records keep.
func System() time.Time { return truncate(time.Now()) }

func truncate(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Of returns System if path is empty, else WithOffset.
func Of(path string, logger *slog.Logger) func() time.Time {
	if path == "" {
		return System
	}
	return WithOffset(path, logger)
}

// WithOffset returns a clock that adds the duration in a file, such as "744h", to the system clock.
// The file is read at each call. A missing or empty file is no offset. A file that is not a
// duration is logged once, and the last valid offset stays.
func WithOffset(path string, logger *slog.Logger) func() time.Time {
	f := &file{path: path, logger: logger}
	return func() time.Time { return truncate(time.Now().Add(f.offset())) }
}

type file struct {
	path   string
	logger *slog.Logger

	mu   sync.Mutex
	text string // as last read
	last time.Duration
}

func (f *file) offset() time.Duration {
	data, err := os.ReadFile(f.path)
	if err != nil && !os.IsNotExist(err) {
		data = []byte("unreadable: " + err.Error())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	text := strings.TrimSpace(string(data))
	if text == f.text {
		return f.last
	}
	f.text = text
	if text == "" {
		f.last = 0
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		f.logger.Error("clock offset file ignored", "file", f.path, "error", err.Error(), "offset", f.last.String())
		return f.last
	}
	f.logger.Warn("clock offset changed", "file", f.path, "offset", d.String())
	f.last = d
	return d
}

// SetOffset writes an offset for the processes that read the file. They never read a part of it.
func SetOffset(path string, d time.Duration) error {
	part := path + ".part"
	if err := os.WriteFile(part, []byte(d.String()+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}
