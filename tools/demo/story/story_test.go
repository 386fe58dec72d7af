package story

import (
	"testing"
	"time"
)

func TestAfterMonthIsParisTime(t *testing.T) {
	for period, want := range map[string]string{"2026-11": "2026-11-30T23:05:00Z", "2026-12": "2026-12-31T23:05:00Z", "2026-06": "2026-06-30T22:05:00Z"} {
		got, err := afterMonth(period)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("after %s: %v %v, want %s", period, got.UTC(), err, want)
		}
	}
	if _, err := afterMonth(""); err == nil {
		t.Error("no period, and no error")
	}
}
