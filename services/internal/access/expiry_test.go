package access

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// TestExpiringKeysAreLogged has keys expire while the process runs, and dates change.
func TestExpiringKeysAreLogged(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	india := time.FixedZone("", 5*3600+1800) // not a location that package time has once
	now, day := noon, 24*time.Hour
	key := func(subject string, expires time.Time) string {
		return `{"subject":"` + subject + `","sha256":"` + Hash(subject) + `","scopes":["read"],"expires":"` + expires.In(india).Format(time.RFC3339) + `"}`
	}
	path := filepath.Join(t.TempDir(), "credentials.json")
	file := func(entries ...string) {
		text := `[{"subject":"for ever","sha256":"` + Hash("x") + `","scopes":["read"]}`
		for _, e := range entries {
			text += "," + e
		}
		if err := os.WriteFile(path, []byte(text+"]"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	line := regexp.MustCompile(`level=WARN msg="(an API key [a-z ]+)" subject=(\w+) entry=(\d) expires=(\S+)`)
	check := func(step string, want ...string) {
		t.Helper()
		var got []string
		for _, m := range line.FindAllStringSubmatch(log.String(), -1) {
			got = append(got, m[1]+": "+m[2]+" "+m[3]+" "+m[4])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: logged %q, want %q", step, got, want)
		}
		log.Reset()
	}
	file(key("gone", noon), key("soon", noon.Add(10*day)), key("later", noon.Add(10*day+time.Second)))
	c := open(t, Config{File: path, Warn: 10 * day, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	check("at the start", "an API key has expired and is refused: gone 1 2026-03-01T12:00:00Z", "an API key expires soon: soon 2 2026-03-11T12:00:00Z")
	c.Check()
	check("nothing has changed")
	file(key("gone", noon), key("soon", noon.Add(10*day)), key("later", noon.Add(10*day+time.Second)), key("new", noon.Add(99*day)))
	c.Check()
	check("a key is added")
	now = now.Add(time.Second)
	c.Check()
	check("a second later", "an API key expires soon: later 3 2026-03-11T12:00:01Z")
	now = noon.Add(10 * day)
	c.Check()
	check("ten days later", "an API key has expired and is refused: soon 2 2026-03-11T12:00:00Z")
	file(key("gone", noon.Add(99*day)), key("soon", noon.Add(11*day)))
	c.Check()
	check("other dates", "an API key expires soon: soon 2 2026-03-12T12:00:00Z")
	c.Check()
	check("other dates, again")
}

// Without a time to warn before, only keys that have expired are logged.
func TestExpiredKeysAreLogged(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := open(t, Config{Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil)), File: credentials(t, `[
		{"subject":"a","sha256":"`+Hash("k")+`","scopes":["read"],"expires":"2026-03-01T12:00:01Z"}]`)})
	if log.Len() > 0 {
		t.Errorf("logged before it expires: %s", log.String())
	}
	now = now.Add(time.Second)
	c.Check()
	if !bytes.Contains(log.Bytes(), []byte("subject=a")) {
		t.Errorf("not logged when it has expired: %s", log.String())
	}
}
