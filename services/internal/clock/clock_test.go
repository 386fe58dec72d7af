package clock

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOffsetFollowsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offset")
	var log strings.Builder
	now := WithOffset(path, slog.New(slog.NewTextHandler(&log, nil)))
	near := func(what string, want time.Duration) {
		t.Helper()
		got := now().Sub(System())
		if d := got - want; d < -time.Minute || d > time.Minute {
			t.Errorf("%s: the clock is %v ahead, want %v", what, got, want)
		}
	}
	near("no file", 0)
	if err := SetOffset(path, 744*time.Hour); err != nil {
		t.Fatal(err)
	}
	near("offset written", 744*time.Hour)
	if err := os.WriteFile(path, []byte("a month"), 0o600); err != nil {
		t.Fatal(err)
	}
	near("nonsense keeps the last", 744*time.Hour)
	near("nonsense keeps the last", 744*time.Hour)
	if n := strings.Count(log.String(), "clock offset file ignored"); n != 1 {
		t.Errorf("an invalid duration was logged %d times, want once:\n%s", n, log.String())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	near("file removed", 0)
}

func TestTimesAreUTCMicros(t *testing.T) {
	now := System()
	if now.Location() != time.UTC || now.Nanosecond()%1000 != 0 || now != now.Round(0) {
		t.Errorf("System() = %v, want UTC, whole microseconds, no monotonic reading", now)
	}
}
