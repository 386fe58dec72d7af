package fetched

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	t.Setenv("DEFERPAY_CACHE", filepath.Join(t.TempDir(), "cache"))
	f, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	path := f.Path("thing", []byte("list"))
	if path == f.Path("thing", []byte("other list")) || path == f.Path("other thing", []byte("list")) {
		t.Error("two things share one folder")
	}
	interrupted := errors.New("interrupted")
	err = f.Fill(path, func(into string) error {
		return errors.Join(os.WriteFile(filepath.Join(into, "half"), nil, 0o644), interrupted)
	})
	left, _ := os.ReadDir(f.Dir)
	if !errors.Is(err, interrupted) || Has(path) || len(left) != 0 {
		t.Errorf("interrupted: %v, and %v is left", err, left)
	}
	for i := range 2 {
		made := false
		err := f.Fill(path, func(into string) error { made = true; return os.WriteFile(filepath.Join(into, "whole"), nil, 0o644) })
		if err != nil || made != (i == 0) || !Has(filepath.Join(path, "whole")) {
			t.Errorf("call %d: filled %v, %v", i+1, made, err)
		}
	}
	other := f.Path("late", nil)
	err = f.Fill(other, func(string) error { // another process was faster
		return errors.Join(os.Mkdir(other, 0o755), os.WriteFile(filepath.Join(other, "theirs"), nil, 0o644))
	})
	if err != nil || !Has(filepath.Join(other, "theirs")) {
		t.Errorf("another process was faster: %v", err)
	}
}

func TestRunReturnsTheLastLines(t *testing.T) {
	err := Run(exec.Command("sh", "-c", "seq 1 30; exit 3"))
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "30") || strings.Contains(err.Error(), "20\n") {
		t.Errorf("got %v", err)
	}
}
