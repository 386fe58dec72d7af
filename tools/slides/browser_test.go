package slides

import (
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/chromium"
	"github.com/deferpay/deferpay/tools/fulltest"
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

// smallest is a script that writes the size of the smallest text of each slide, and of each picture
// the scale at which it is shown, once the pictures are there.
const smallest = `<script>window.onload = () => {
const sizes = [];
for (const s of document.querySelectorAll(".slide")) {
  let least = Infinity;
  for (const e of s.querySelectorAll("*"))
    if ([...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) least = Math.min(least, parseFloat(getComputedStyle(e).fontSize));
  const pictures = [...s.querySelectorAll("img")].map((i) => ({ name: i.getAttribute("src"), scale: i.getBoundingClientRect().width / i.naturalWidth }));
  sizes.push({ id: s.id, least, pictures });
}
document.body.setAttribute("data-sizes", JSON.stringify(sizes));
};</script>`

var (
	sizeResult = regexp.MustCompile(`data-sizes="([^"]*)"`)
	sizeInSVG  = regexp.MustCompile(`font-size="(\d+)"`)
	policy     = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)
	cutResult  = regexp.MustCompile(`data-cut="\[([^]]*)\]"`)
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
	fulltest.Only(t, "it opens two browsers")
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

// leastText is the size of the smallest text that can be read at the back of a room, in pixels on a
// slide of 1280 by 720.
const leastText = 16

// TestTextIsLargeEnough measures the texts of every slide and of its pictures in a browser, and one
// text that is too small.
func TestTextIsLargeEnough(t *testing.T) {
	fulltest.Only(t, "it opens two browsers")
	dir, files := writeSite(t)
	for _, lang := range Languages {
		small := `<section id="tiny" class="slide"><div class="content"><p style="font-size: 15px">too small</p></div></section>`
		text := strings.Replace(string(files[lang+"-pages.html"]), "</main>", small+"</main>", 1)
		text = policy.ReplaceAllString(strings.Replace(text, "</body>", smallest+"</body>", 1), "")
		file := filepath.Join(dir, "sizes.html")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		page, _ := browse(t, file)
		m := sizeResult.FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("%s: nothing was measured", lang)
		}
		var all []measured
		if err := json.Unmarshal([]byte(html.UnescapeString(m[1])), &all); err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if least := s.least(t, dir); (least < leastText) != (s.ID == "tiny") {
				t.Errorf("%s: the smallest text of slide %s has %.1f pixels, want at least %d", lang, s.ID, least, leastText)
			}
		}
		if len(all) < 30 {
			t.Errorf("%s: %d slides were measured", lang, len(all))
		}
	}
}

// measured is what the browser has measured on a slide.
type measured struct {
	ID       string
	Least    float64
	Pictures []struct {
		Name  string
		Scale float64
	}
}

// least returns the size of the smallest text of a slide, with those of its pictures.
func (m measured) least(t *testing.T, dir string) float64 {
	t.Helper()
	least := m.Least
	for _, p := range m.Pictures {
		svg, err := os.ReadFile(filepath.Join(dir, p.Name))
		if err != nil {
			t.Fatal(err)
		}
		all := sizeInSVG.FindAllSubmatch(svg, -1)
		if len(all) == 0 || p.Scale == 0 {
			t.Fatalf("%s: no text, or not shown", p.Name)
		}
		for _, s := range all {
			size, _ := strconv.ParseFloat(string(s[1]), 64) // digits
			least = min(least, size*p.Scale)
		}
	}
	return least
}

// TestDeckRuns opens each deck with reveal.js, if npm has it, under its own policy.
func TestDeckRuns(t *testing.T) {
	fulltest.Only(t, "it opens two browsers")
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
