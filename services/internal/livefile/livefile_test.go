package livefile

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// text is a value that is the content of a file, which must not be empty.
func text(c []Content) (string, error) {
	if len(c[0].Data) == 0 {
		return "", errors.New("it is empty")
	}
	return string(c[0].Data), nil
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheckKeepsTheLastGoodValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var log bytes.Buffer
	write(t, path, "one")
	f, err := Open("words", slog.New(slog.NewTextHandler(&log, nil)), text, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name   string
		change func()
		want   string
		logged string
	}{
		{"nothing changed", func() {}, "one", ""},
		{"changed", func() { write(t, path, "two") }, "two", "read again"},
		{"empty", func() { write(t, path, "") }, "two", "it is empty"},
		{"still empty", func() {}, "two", ""},
		{"repaired", func() { write(t, path, "three") }, "three", "read again"},
		{"gone", func() { _ = os.Remove(path) }, "three", "no such file"},
		{"a folder", func() { _ = os.Mkdir(path, 0o700) }, "three", "not a regular file"},
		{"too large", func() { _ = os.Remove(path); write(t, path, strings.Repeat("x", maxSize+1)) }, "three", "larger than"},
		{"back", func() { write(t, path, "four") }, "four", "read again"},
	} {
		log.Reset()
		step.change()
		f.Check()
		if f.Value() != step.want {
			t.Errorf("%s: %q is in force, want %q", step.name, f.Value(), step.want)
		}
		if !strings.Contains(log.String(), step.logged) || step.logged == "" && log.Len() > 0 || step.logged != "" && !strings.Contains(log.String(), path) {
			t.Errorf("%s: logged %s", step.name, log.String())
		}
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	write(t, empty, "")
	for _, path := range []string{empty, filepath.Join(dir, "none"), dir} {
		if _, err := Open("words", slog.New(slog.DiscardHandler), text, path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "words") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestRunChecksOnATickAndOnASignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		now := make(chan os.Signal, 1)
		var checked atomic.Int64
		ended := make(chan error, 1)
		go func() { ended <- Run(ctx, now, func() { checked.Add(1) }) }()
		synctest.Wait()
		now <- syscall.SIGHUP
		synctest.Wait()
		if n := checked.Load(); n != 1 {
			t.Errorf("checked %d times after the signal", n)
		}
		time.Sleep(Every + time.Millisecond)
		synctest.Wait()
		if n := checked.Load(); n != 2 {
			t.Errorf("checked %d times after a tick", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
