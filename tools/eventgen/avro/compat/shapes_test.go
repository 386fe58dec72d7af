package compat

import (
	"os"
	"strings"
	"testing"
)

// shapesFile has pairs of schemas of shapes that drawn pairs do not have, with Apache's answers.
const shapesFile = "testdata/shapes.txt"

// shape is an entry of testdata/shapes.txt.
type shape struct{ title, former, later, answer string }

func readShapes(t *testing.T) (list []shape) {
	t.Helper()
	data, err := os.ReadFile(shapesFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split("\n"+string(data), "\n= ")[1:] {
		lines := append(strings.Split(strings.TrimSpace(part), "\n"), "")
		if len(lines) < 4 {
			t.Fatalf("%q has no two schemas", lines[0])
		}
		list = append(list, shape{lines[0], lines[1], lines[2], strings.TrimPrefix(lines[3], "> ")})
	}
	return list
}

// TestShapes compares Check with Apache's recorded answers.
func TestShapes(t *testing.T) {
	list := readShapes(t)
	for _, s := range list {
		former, later := parsed(t, s.former), parsed(t, s.later)
		if got := idsOf(Check(later, former)) + " | " + idsOf(Check(former, later)); got != s.answer {
			t.Errorf("%s: %s, want %s", s.title, got, s.answer)
		}
	}
	if len(list) < 50 {
		t.Errorf("%d pairs are too few", len(list))
	}
}

// TestForeignShapes compares Check with Apache's answers, and with -record writes those.
func TestForeignShapes(t *testing.T) {
	ask := startJava(t)
	out := ""
	for _, s := range readShapes(t) {
		forward, back := ask(s.later, s.former), ask(s.former, s.later)
		former, later := parsed(t, s.former), parsed(t, s.later)
		got, want := idsOf(Check(later, former))+" | "+idsOf(Check(former, later)), forward.ids()+" | "+back.ids()
		for _, a := range []answer{forward, back} {
			if a.Error != "" && a.ids() != string(Ambiguous) {
				t.Errorf("%s: Apache does not read it: %s", s.title, a.Error)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s (%s) (%s)", s.title, got, want, forward.Error, back.Error)
		}
		out += "= " + s.title + "\n" + s.former + "\n" + s.later + "\n> " + want + "\n\n"
	}
	if *record && !t.Failed() {
		if err := os.WriteFile(shapesFile, []byte(strings.TrimSuffix(out, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
