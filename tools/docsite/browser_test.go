package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/chromium"
	"github.com/deferpay/deferpay/tools/fetched"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/slides"
)

// axe checks pages for what keeps people with disabilities from using them.
var axe = fetched.Package{Name: "axe-core", Version: "4.14.1", Sum: "1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73" +
	"4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5"}

const axeFile = "package/axe.min.js"

// report is what a page reports.
type report struct {
	Wrong []string
	Axe   bool
}

// TestPagesInBrowser opens every page of the site in Chromium at two widths, from a server and from
// a folder: no error, no request to another host, nothing wider than the window, and a search that
// finds. From the server, axe-core also has no serious finding, if npm has it.
func TestPagesInBrowser(t *testing.T) {
	fulltest.Only(t, "it opens every page four times")
	if _, err := chromium.Path(); err != nil {
		t.Skip(err)
	}
	dir, pages := checkedSite(t)
	scripts, err := axe.Files(t.Context(), axeFile)
	if err != nil {
		t.Logf("without axe-core: %v", err)
	}
	server := httptest.NewServer(checkedHandler(dir))
	defer server.Close()
	for _, width := range []int{1440, 390} {
		for mode, base := range map[string]string{"server": server.URL, "folder": "file://" + dir} {
			t.Run(fmt.Sprintf("%s %d", mode, width), func(t *testing.T) {
				text, checked := []byte("// without axe-core"), scripts != nil && mode == "server"
				if checked {
					text = scripts[axeFile]
				}
				save(t, dir, "axe.js", text)
				reports, logged := visit(t, dir, base, width, pages)
				for _, line := range logged {
					t.Errorf("the console: %s", line)
				}
				for page, r := range reports {
					for _, wrong := range r.Wrong {
						t.Errorf("%s: %s", page, wrong)
					}
					if r.Axe != checked && len(r.Wrong) == 0 {
						t.Errorf("%s: checked by axe-core: %v", page, r.Axe)
					}
				}
			})
		}
	}
}

// TestBrowserFindsFaults plants a fault of each kind into a page.
func TestBrowserFindsFaults(t *testing.T) {
	fulltest.Only(t, "it tests the check of TestPagesInBrowser")
	if _, err := chromium.Path(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"check.js", "runner.js"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		save(t, dir, name, text)
	}
	save(t, dir, "axe.js", nil)
	policy := `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' file:">`
	var pages []string
	planted := map[string]string{
		"foreign": `<img src="https://example.org/x.png" alt="">`,
		"wide":    `<div><svg width="2000" height="10"></svg></div>`,
		"broken":  `<script src="broken.js"></script>`,
		"search":  `<input id="search"><ul id="found"></ul>`,
	}
	save(t, dir, "broken.js", []byte("nothing();"))
	for name, body := range planted {
		save(t, dir, name+".html", []byte("<!doctype html><html><head>"+policy+checks("")+"</head><body>"+body+"</body></html>"))
		pages = append(pages, name+".html")
	}
	save(t, dir, "inline.html", []byte("<!doctype html><html><head>"+policy+checks("")+"</head><body><script>window.x = 1</script></body></html>"))
	if _, logged := visit(t, dir, "file://"+dir, 800, []string{"inline.html"}); len(logged) == 0 {
		t.Error("an inline script is not in the console")
	}
	reports, _ := visit(t, dir, "file://"+dir, 800, pages)
	for page, r := range reports {
		if len(r.Wrong) == 0 {
			t.Errorf("%s: nothing is reported", page)
		}
	}
}

// checks are the scripts that a checked page loads.
func checks(root string) string {
	return `<script src="` + root + `axe.js"></script><script src="` + root + `check.js" data-check></script>`
}

func save(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := write(dir, map[string][]byte{name: data}); err != nil {
		t.Fatal(err)
	}
}

var pagePolicy = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)

// checkedSite writes the site into a folder, with the checks in each page, and returns the names of
// the pages. The slides are among them if npm has reveal.js.
func checkedSite(t *testing.T) (dir string, pages []string) {
	t.Helper()
	dir = t.TempDir()
	made := parts{}
	if err := slides.AddReveal(t.Context(), filepath.Join(dir, folder)); err != nil {
		t.Logf("without the slides: %v", err)
	} else {
		made.Reveal = true
	}
	files, err := Site(specs, docs, made)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if strings.HasSuffix(name, ".html") {
			pages = append(pages, name)
			root := strings.Repeat("../", strings.Count(name, "/"))
			files[name] = pagePolicy.ReplaceAllFunc(data, func(policy []byte) []byte {
				withoutScripts := !bytes.Contains(policy, []byte("script-src"))
				if withoutScripts {
					policy = bytes.Replace(policy, []byte("default-src 'none'"), []byte("default-src 'none'; script-src 'self' file:"), 1)
				}
				return append(slices.Clip(policy), checks(root)...)
			})
			if bytes.Equal(files[name], data) {
				t.Errorf("%s has no policy", name)
			}
		}
	}
	for _, name := range []string{"check.js", "runner.js"} {
		if files[name], err = os.ReadFile("testdata/" + name); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(dir, files); err != nil {
		t.Fatal(err)
	}
	slices.Sort(pages)
	return dir, pages
}

// checkedHandler serves the folder as docsite does, except the page that shows the others.
func checkedHandler(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/runner.html" {
			http.ServeFile(w, r, filepath.Join(dir, "runner.html"))
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		files := map[string][]byte{}
		if data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
			files[name] = data
		}
		handler(files).ServeHTTP(w, r)
	})
}

var runnerResult = regexp.MustCompile(`(?s)<pre id="result">(.*?)</pre>`)

// visit shows the pages at a width. It returns what each reports, and the lines of the console.
func visit(t *testing.T, dir, base string, width int, pages []string) (reports map[string]report, logged []string) {
	t.Helper()
	list, err := json.Marshal(pages)
	if err != nil {
		t.Fatal(err)
	}
	save(t, dir, "pages.js", fmt.Appendf(nil, "const width = %d, pages = %s;", width, list))
	save(t, dir, "runner.html", []byte(`<!doctype html><body><script src="pages.js"></script><script src="runner.js"></script>`))
	out, errs, err := chromium.Run(t.Context(), base+"/runner.html", fmt.Sprintf("--window-size=%d,1000", width+60),
		"--virtual-time-budget=3600000", "--enable-logging=stderr", "--dump-dom")
	if err != nil {
		t.Fatal(err)
	}
	m := runnerResult.FindSubmatch(out)
	if m == nil {
		t.Fatalf("no result: %.2000s", errs)
	}
	for line := range bytes.Lines(errs) {
		if bytes.Contains(line, []byte("CONSOLE")) {
			logged = append(logged, string(line))
		}
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &reports); err != nil {
		t.Fatal(err)
	}
	if len(reports) != len(pages) {
		t.Errorf("%d reports of %d pages", len(reports), len(pages))
	}
	return reports, logged
}
