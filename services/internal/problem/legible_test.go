package problem

import (
	"strings"
	"testing"
)

func TestHidden(t *testing.T) {
	for _, r := range "\x00\n\x7f\u0085\u00ad\u034f\u061c\u115f\u200b\u200d\u200e\u202e\u2028\u2060\u2066\u3164\ue000\ufeff\ufff9\uffff\U000e0041\U0001fffe" {
		if !Hidden(r) {
			t.Errorf("U+%04X can be seen", r)
		}
	}
	for _, r := range "aé ~\u00a0ßΩжא中\u0301\ufe0f€❤👍" {
		if Hidden(r) {
			t.Errorf("U+%04X cannot be seen", r)
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
