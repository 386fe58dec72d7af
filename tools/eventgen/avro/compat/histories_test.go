package compat

import (
	"os"
	"strings"
	"testing"
)

const historiesFile = "testdata/histories.txt"

// history is an entry of testdata/histories.txt.
type history struct {
	title    string
	labels   []string
	versions []string
	steps    []string // Apache's answers, one fewer than there are versions
}

func readHistories(t *testing.T) (head string, list []history) {
	t.Helper()
	data, err := os.ReadFile(historiesFile)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(data), "\n= ")
	for _, part := range parts[1:] {
		lines := strings.Split(strings.TrimSpace(part), "\n")
		h := history{title: lines[0]}
		for _, line := range lines[1:] {
			if step, ok := strings.CutPrefix(line, "> "); ok {
				h.steps = append(h.steps, step)
				continue
			}
			label, text, _ := strings.Cut(line, " ")
			h.labels, h.versions = append(h.labels, label), append(h.versions, text)
		}
		list = append(list, h)
	}
	return parts[0] + "\n", list
}

// TestHistories compares Check with Apache's recorded answers for each step of public schemas.
func TestHistories(t *testing.T) {
	_, list := readHistories(t)
	kinds := map[string]int{}
	for _, h := range list {
		if len(h.steps) != len(h.versions)-1 {
			t.Fatalf("%s: %d versions and %d steps", h.title, len(h.versions), len(h.steps))
		}
		for i, want := range h.steps {
			former, later := parsed(t, h.versions[i]), parsed(t, h.versions[i+1])
			if got := idsOf(Check(later, former)) + " | " + idsOf(Check(former, later)); got != want {
				t.Errorf("%s, %s to %s: %s, want %s", h.title, h.labels[i], h.labels[i+1], got, want)
			}
			kinds[want]++
		}
	}
	if len(list) < 10 || len(kinds) < 5 {
		t.Errorf("%d histories with %d kinds of steps are too few", len(list), len(kinds))
	}
}

// TestForeignHistories compares Check with Apache's answers for every pair of versions of a schema,
// and with -record writes those for the steps.
func TestForeignHistories(t *testing.T) {
	ask := startJava(t)
	out, list := readHistories(t)
	n := 0
	for _, h := range list {
		for i, reader := range h.versions {
			for j, writer := range h.versions {
				n++
				theirs := ask(reader, writer)
				if got := idsOf(Check(parsed(t, reader), parsed(t, writer))); theirs.Error != "" || got != theirs.ids() {
					t.Errorf("%s, %s reads %s: got %s, want %s %s", h.title, h.labels[i], h.labels[j], got, theirs.ids(), theirs.Error)
				}
			}
		}
		out += "\n= " + h.title + "\n"
		for i, v := range h.versions {
			if i > 0 {
				out += "> " + ask(v, h.versions[i-1]).ids() + " | " + ask(h.versions[i-1], v).ids() + "\n"
			}
			out += h.labels[i] + " " + v + "\n"
		}
	}
	t.Logf("%d pairs", n)
	if *record && !t.Failed() {
		if err := os.WriteFile(historiesFile, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
