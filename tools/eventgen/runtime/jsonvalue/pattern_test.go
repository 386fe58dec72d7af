package jsonvalue

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPatternAsRegexp compares sequences with package regexp on random texts.
func TestPatternAsRegexp(t *testing.T) {
	sequences := 0
	for _, pattern := range []string{
		`^[A-Z]{2}[0-9]+$`, `^O-[0-9]+$`, `^[a-z]*$`, `^a?b$`, `^[ab]{0,2}c{2}$`, `^[a-c]+b$`, `^a{2}$`, `^ab+$`, `^\d{3}$`, `^[A-Z][A-Z0-9]{1,3}$`, `^[^a]$`, `^(ab)+$`,
		`[0-9]+`, `^a`, `a$`, `^a|b$`, `^(?i)ab$`, `^a+?b$`, `^é+$`, `(?m)^a+$`, `^a\z`, `^[a-b]+[b-c]$`, `^[ab]*1[ab]*$`, `^$`, `^a{0,3}[0-9]?b*$`,
	} {
		re, p := regexp.MustCompile(pattern), MustPattern(pattern)
		if p.seq != nil {
			sequences++
		}
		r := rand.New(rand.NewPCG(1, 2))
		yes := 0
		for range 20_000 {
			var text []rune
			for range r.IntN(6) {
				text = append(text, []rune("aAbBcO01-é\n9")[r.IntN(12)])
			}
			want := re.MatchString(string(text))
			if got := p.Match([]byte(string(text))); got != want || p.Matches(string(text)) != want {
				t.Fatalf("%s on %q: %t", pattern, string(text), got)
			}
			if want {
				yes++
			}
		}
		if yes == 0 {
			t.Errorf("%s matched nothing", pattern)
		}
	}
	if sequences < 8 {
		t.Errorf("only %d patterns are sequences", sequences)
	}
}

var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

var (
	duration = regexp.MustCompile(`^P(\d+W|(\d+Y(\d+M(\d+D)?)?|\d+M(\d+D)?|\d+D)?(T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S))?)$`)
	hostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)
)

// TestFormatsAsParsers compares the quick checks of formats with the parsers of the standard
// library on random texts.
func TestFormatsAsParsers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, base := range []string{"2026-02-28T12:30:00Z", "2026-02-28t12:30:00.5+01:00", "1999-12-31T23:59:59.000-23:59", "a.b+c@example.org", "a@b", `"a b"@c.org`, "a@[1.2.3.4]", "x..y@z", "a@b-.c", "https://a.example/b-c?d=e#f", "http://a-b.c", "P1Y2M3DT4H5M6S", "P1Y2M", "PT4H5M", "P12W", "P1DT1S", "a.b-c.d", "2024-02-29", "2026-12-31"} {
		for range 20_000 {
			text := []byte(base)
			for range r.IntN(3) {
				text[r.IntN(len(text))] = []byte("0129.:-+TZz@a \"[PYMDHSW/?#%")[r.IntN(27)]
			}
			s := string(text)
			if got, want := isRFC3339(s), rfc3339.MatchString(s); got != want {
				t.Fatalf("%q is a time: %t", s, got)
			}
			if plainEmail(s) && !parsedEmail(s) {
				t.Fatalf("%q is no address", s)
			}
			if plainURL(s) && !parsedURI(s) {
				t.Fatalf("%q is no URI", s)
			}
			if got, want := validDuration(s), s != "P" && !strings.HasSuffix(s, "T") && duration.MatchString(s); got != want {
				t.Fatalf("%q is a duration: %t", s, got)
			}
			if got, want := validHostname(s), hostname.MatchString(strings.TrimSuffix(s, ".")); got != want {
				t.Fatalf("%q is a host name: %t", s, got)
			}
			_, err := ParseDate(s)
			if _, want := time.Parse(time.DateOnly, s); (err == nil) != (want == nil) {
				t.Fatalf("%q is a date: %v, not %v", s, err, want)
			}
		}
	}
	if !plainEmail("first.last+tag@mail.example-one.com") || plainEmail("a..b@c") || plainEmail("a@") || plainEmail("@b") || plainEmail("a@b@c") {
		t.Error("a plain address is judged wrongly")
	}
}
