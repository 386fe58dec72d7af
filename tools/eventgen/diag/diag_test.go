package diag

import "testing"

// TestErrorAndWarning adds one fault as a warning and as an error, in both orders. It is reported
// once, as an error.
func TestErrorAndWarning(t *testing.T) {
	d := Diagnostic{Pos: Pos{File: "a.yaml", Line: 1, Col: 2}, Message: "wrong", Hint: "write it right"}
	w := d
	w.Severity = Warning
	for _, order := range [][]Diagnostic{{d, w}, {w, d}} {
		var l List
		l.Add(order...)
		if len(l) != 1 || l[0] != d {
			t.Errorf("got %v", l)
		}
	}
}
