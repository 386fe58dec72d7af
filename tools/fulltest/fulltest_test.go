package fulltest

import "testing"

func TestChoose(t *testing.T) {
	t.Setenv(Variable, "")
	if got := Choose(1, 2); got != 1 || Requested() {
		t.Errorf("without %s: %d", Variable, got)
	}
	t.Setenv(Variable, "1")
	if got := Choose(1, 2); got != 2 || !Requested() {
		t.Errorf("with %s: %d", Variable, got)
	}
}
