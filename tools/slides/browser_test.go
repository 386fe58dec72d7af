package slides

import (
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/chromium"
)

// measure is a script that writes the names of slides on which something does not fit.
const measure = `<script>
const cut = [];
for (const s of document.querySelectorAll(".slide")) {
  const edge = s.getBoundingClientRect();
  const content = s.querySelector(".content");
  const below = Array.from(content.querySelectorAll("*")).some((e) => e.getBoundingClientRect().bottom > edge.bottom - 26);
  const beside = Array.from(content.querySelectorAll("*")).some((e) => e.getBoundingClientRect().right > edge.right - 20 || e.scrollWidth > e.clientWidth + 2 && e.clientWidth > 0);
  if (below || beside || content.scrollHeight > content.clientHeight + 2) cut.push(s.id);
}
document.body.setAttribute("data-cut", "[" + cut.join(" ") + "]");
</script>`

var (
	policy    = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)
	cutResult = regexp.MustCompile(`data-cut="\[([^]]*)\]"`)
)

// browse opens a file in a browser and returns the page after its scripts, and what the browser
// logged.
func browse(t *testing.T, file string) (page, logged string) {
	t.Helper()
	if _, err := chromium.Path(); err != nil {
		t.Skip(err)
	}
	out, errs, err := chromium.Run(t.Context(), "file://"+file, "--window-size=1440,900", "--virtual-time-budget=4000", "--enable-logging=stderr", "--dump-dom")
	if err != nil {
		t.Fatal(err)
	}
	return string(out), string(errs)
}

// writeSite writes the files of the presentation into a folder.
func writeSite(t *testing.T) (dir string, files map[string][]byte) {
	t.Helper()
	files, err := Site(docs, specs)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for name, data := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, files
}

// TestNothingIsCutOff measures every slide in a browser, and one that is too long.
func TestNothingIsCutOff(t *testing.T) {
	dir, files := writeSite(t)
	for _, lang := range Languages {
		text := string(files[lang+"-pages.html"])
		long := `<section id="long" class="slide"><div class="content">` + strings.Repeat("<p>too much</p>", 30) + "</div></section>"
		text = policy.ReplaceAllString(strings.Replace(text, "</main>", long+"</main>"+measure, 1), "")
		file := filepath.Join(dir, "measured.html")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		page, _ := browse(t, file)
		if m := cutResult.FindStringSubmatch(page); m == nil || m[1] != "long" {
			t.Errorf("%s: cut off: %q, want the slide that is too long alone", lang, m)
		}
	}
}

// TestDeckRuns opens each deck with reveal.js, if npm has it, under its own policy.
func TestDeckRuns(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed")
	}
	dir, _ := writeSite(t)
	if err := AddReveal(t.Context(), dir); err != nil {
		t.Skip(err)
	}
	for _, lang := range Languages {
		page, logged := browse(t, filepath.Join(dir, lang+".html"))
		if !strings.Contains(page, `data-ready="true"`) {
			t.Errorf("%s: the deck did not start", lang)
		}
		if strings.Contains(logged, "CONSOLE") {
			t.Errorf("%s: %s", lang, logged)
		}
	}
}

func TestMissingProgramsAreNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := AddReveal(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "npm is not installed") {
		t.Errorf("without npm: %v", err)
	}
	if err := PDF(t.Context(), "page.html", "page.pdf", 1); err == nil || !strings.Contains(err.Error(), "chromium is not installed") {
		t.Errorf("without Chromium: %v", err)
	}
}

// TestOtherPackageIsRefused lets an npm deliver a package with another sum than the pinned one.
func TestOtherPackageIsRefused(t *testing.T) {
	bin, cache, dir := t.TempDir(), t.TempDir(), t.TempDir()
	script := "#!/bin/sh\necho other > reveal.js-" + reveal.Version + ".tgz\n"
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	t.Setenv("DEFERPAY_CACHE", cache)
	if err := AddReveal(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "not the pinned one") {
		t.Errorf("%v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("%d files were written", len(entries))
	}
}

func TestExamplesAreEscaped(t *testing.T) {
	shown, err := showJSON(map[string]any{"a": "<b> & 'c'"}, nil)
	if err != nil || strings.Contains(shown, "<b>") || !strings.Contains(html.UnescapeString(shown), `"<b> & 'c'"`) {
		t.Errorf("%s, %v", shown, err)
	}
}
