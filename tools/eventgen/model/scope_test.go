package model

import "testing"

func TestTakeWith(t *testing.T) {
	s := scope{"VisitLog": true}
	if got := s.takeWith("Log", "Visit%s"); got != "Log2" {
		t.Errorf("with VisitLog taken, Log becomes %s, not Log2", got)
	}
	for _, name := range []string{"Log2", "VisitLog2"} {
		if got := s.take(name); got == name {
			t.Errorf("%s was free after takeWith", name)
		}
	}
	if got := s.takeWith("Page", "Visit%s"); got != "Page" {
		t.Errorf("with nothing taken, Page becomes %s", got)
	}
}
