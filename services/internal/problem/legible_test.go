package problem

import (
	"strings"
	"testing"
)

func TestHidden(t *testing.T) {
	for _, r := range "\x00\n\x7f\u0085\u00ad\u034f\u061c\u115f\u200b\u200d\u200e\u202e\u2028\u2060\u2066\u3164\ue000\ufeff\ufff9\uffff\U000e0041\U0001fffe" {
		if got, found := Unseen("a" + string(r) + "b"); !found || got != r {
			t.Errorf("U+%04X can be seen", r)
		}
	}
	for _, r := range "aé ~\u00a0ßΩжא中\u0301\ufe0f€❤👍\u0600\u0605\u06dd" {
		if _, found := Unseen("a" + string(r) + "b"); found {
			t.Errorf("U+%04X cannot be seen", r)
		}
	}
}

// Joiners are seen by what they do to the letters and pictures on both sides.
func TestJoiners(t *testing.T) {
	for _, s := range []string{
		"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0915\u094d\u200d\u0937", "\u0915\u094d\u200c\u0937", "\u0645\u064e\u200c\u062e",
		"👨\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "👩🏽\u200d💻", "❤\ufe0f\u200d🔥", "🙂\u200d\u2194\ufe0f",
	} {
		if r, found := Unseen(s); found {
			t.Errorf("%s: U+%04X cannot be seen", s, r)
		}
		if got := legible(s, 100); got != s {
			t.Errorf("%s is shown as %s", s, got)
		}
	}
	for _, s := range []string{
		"\u200c", "\u200d", "a\u200db", "a\u200cb", "ж\u200dж", "中\u200d中", "\u0645\u200c", "\u200c\u0645", "\u0645\u200c\u200c\u0645", "\u0645\u200da",
		"👍\u200d", "👍\u200c👍", "👍\u200da", "\u0301\u200d👍", "\u0661\u200d\u0661",
	} {
		if _, found := Unseen(s); !found || !strings.Contains(legible(s, 100), "?") {
			t.Errorf("%q can be seen", s)
		}
	}
}

func TestProblemsAreLegible(t *testing.T) {
	p := New(NotFound, "no %s", "a\xffb\u202e"+strings.Repeat("é", 5000))
	if !strings.HasPrefix(p.Detail, "no a?b?é") || !strings.HasSuffix(p.Detail, "é...") || len(p.Detail) > maxDetail+3 {
		t.Errorf("%d bytes: %.20s", len(p.Detail), p.Detail)
	}
	p = Invalid(FieldError{"/" + strings.Repeat("n", 5000), strings.Repeat("m", 5000)})
	if f := p.Errors[0]; len(f.Pointer) > maxPointer+3 || len(f.Message) > maxMessage+3 || len(p.Detail) > maxDetail+3 {
		t.Errorf("%d, %d and %d bytes", len(f.Pointer), len(f.Message), len(p.Detail))
	}
}

func TestBlank(t *testing.T) {
	for text, want := range map[string]bool{"": false, " ": true, "\u00a0\u3000\t": true, " a ": false} {
		if got := Blank(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
