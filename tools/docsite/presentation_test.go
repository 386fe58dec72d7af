package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Go alone makes the pages, says what is missing, and links to nothing that is not there.
func TestWithoutNpmAndChromium(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	out := t.TempDir()
	stale := filepath.Join(out, folder, "fr.pdf")
	if err := os.MkdirAll(filepath.Dir(stale), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	made, missing, err := addPresentation(t.Context(), docs, specs, out)
	if err != nil || made.Reveal || made.PDF["fr"] || made.PDF["en"] {
		t.Fatalf("%+v, %v", made, err)
	}
	said := strings.Join(missing, "\n")
	for _, want := range []string{"npm is not installed", "fr.pdf: chromium is not installed", "en.pdf"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said: %s", want, said)
		}
	}
	files, err := Site(specs, docs, made)
	if err != nil {
		t.Fatal(err)
	}
	index := string(files["index.html"])
	if !strings.Contains(index, "presentation/fr-pages.html") || strings.Contains(index, "fr.html") || strings.Contains(index, ".pdf") {
		t.Errorf("the index links to what is not there, or not to the pages")
	}
	if _, err := os.Stat(filepath.Join(out, folder, "fr-pages.html")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"fr.html", "fr.pdf"} {
		if _, err := os.Stat(filepath.Join(out, folder, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

func TestWithoutPresentation(t *testing.T) {
	made, missing, err := addPresentation(t.Context(), t.TempDir(), specs, t.TempDir())
	if err != nil || made.Reveal || len(missing) > 0 {
		t.Errorf("%+v, %v, %v", made, missing, err)
	}
	files, err := Site(specs, t.TempDir(), made)
	if err != nil || strings.Contains(string(files["index.html"]), folder) {
		t.Errorf("%v, or the index has a presentation", err)
	}
}
