package optional

import (
	"testing"
	"time"
)

func TestNone(t *testing.T) {
	if s := Text(""); s != nil {
		t.Errorf("empty text: got %q, want nil", *s)
	}
	paris := time.FixedZone("Paris", 3600)
	for _, zero := range []time.Time{{}, time.Time{}.In(paris)} {
		if i := Instant(zero); i != nil {
			t.Errorf("zero time: got %v, want nil", *i)
		}
	}
	if s := Value[string](nil); s != "" {
		t.Errorf("no text: got %q", s)
	}
	if i := Value[time.Time](nil); !i.IsZero() {
		t.Errorf("no instant: got %v", i)
	}
}

func TestSome(t *testing.T) {
	if got := Value(Text("a")); got != "a" {
		t.Errorf("got %q, want %q", got, "a")
	}
	want := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	if got := Value(Instant(want)); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
