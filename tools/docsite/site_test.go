package main

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/deferpay/deferpay/tools/specfile"
)

const specs, docs = "../../specs", "../../docs"

// rendered returns the site, which is rendered once for all tests.
var rendered = sync.OnceValues(renderAll)

func renderAll() (map[string][]byte, error) {
	return Site(specs, docs, parts{Reveal: true, PDF: map[string]bool{"fr": true, "en": true}})
}

// site returns the files of the site, which no test may change.
func site(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// made are the files that Go alone cannot make.
var made = regexp.MustCompile(`^presentation/(reveal/[a-z.]+|(fr|en)\.pdf)$`)

// A browser loads files of the site alone. Addresses in texts are allowed. The policy in each page
// forbids the rest.
func TestPagesLoadNothingFromElsewhere(t *testing.T) {
	loads := regexp.MustCompile(`(?i)(?:src|srcset|data|poster|action)\s*=\s*"([^"]*)"|<link[^>]*href="([^"]*)"|url\(([^)]*)\)|@import\s+(\S+)`)
	files := site(t)
	for name, data := range files {
		for _, m := range loads.FindAllStringSubmatch(string(data), -1) {
			target := path.Join(path.Dir(name), m[1]+m[2]+m[3]+m[4])
			if _, ok := files[target]; !ok && !made.MatchString(target) && !strings.HasPrefix(target, "url(#") && !strings.HasPrefix(m[3], "#") {
				t.Errorf("%s loads %q", name, target)
			}
		}
		if strings.HasSuffix(name, ".html") && !strings.Contains(string(data), `content="default-src 'none'; `) {
			t.Errorf("%s has no policy", name)
		}
		if strings.Contains(string(data), "<script>") || strings.Contains(string(data), " style=") {
			t.Errorf("%s has a script or a style that its policy forbids", name)
		}
	}
}

func TestEveryOperationAndMessageIsShown(t *testing.T) {
	files := site(t)
	set := specfile.NewSet()
	count := 0
	for _, d := range documents {
		root, err := set.Open(path.Join(specs, d.path))
		if err != nil {
			t.Fatal(err)
		}
		page := string(files[d.page])
		has := func(anchor string) {
			count++
			if strings.Count(page, `id="`+anchor+`"`) != 1 {
				t.Errorf("%s: %s occurs %d times", d.page, anchor, strings.Count(page, `id="`+anchor+`"`))
			}
		}
		for _, p := range root.Get("paths").Members() {
			for _, op := range p.Members() {
				if id := op.Get("operationId").Str(); id != "" {
					has("op-" + id)
				}
			}
		}
		for _, op := range root.Get("operations").Members() {
			has("op-" + op.Name)
		}
		for _, m := range root.Get("components", "messages").Members() {
			has("message-" + m.Name)
		}
		for _, s := range root.Get("components", "schemas").Members() {
			has("schema-" + s.Name)
		}
	}
	if count < 80 {
		t.Errorf("only %d anchors were checked", count)
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	files := site(t)
	link := regexp.MustCompile(`href="([^"]*)"`)
	for name, data := range files {
		if !strings.HasSuffix(name, ".html") {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			anchor, err := url.PathUnescape(anchor)
			if err != nil {
				t.Error(err)
			}
			if strings.Contains(file, ":") {
				continue // an address in a description, which only a click follows
			}
			if file == "" {
				file = path.Base(name)
			}
			file = path.Join(path.Dir(name), file)
			target, ok := files[file]
			if !ok && made.MatchString(file) {
				continue
			} else if !ok {
				t.Errorf("%s: link to %q", name, m[1])
			} else if anchor != "" && !strings.Contains(string(target), `id="`+anchor+`"`) {
				t.Errorf("%s: nothing at %q", name, m[1])
			}
		}
	}
}

func TestAvroFieldsInPages(t *testing.T) {
	page := string(site(t)["billing-events.html"])
	for _, want := range []string{
		"timestamp-micros (long)", // occurredAt
		"Minor units of the currency: cents for EUR.",
		"deferpay.event.InvoiceIssued",
		"SHA-256 over its lines",
		"30 days", // retention of the topic
		"billing.contract-facts",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("billing-events.html lacks %q", want)
		}
	}
}

func TestTextIsEscaped(t *testing.T) {
	html, err := markdown("a <script>alert(1)</script> & **b** [x](javascript:alert(1))")
	if err != nil {
		t.Fatal(err)
	}
	if s := string(html); strings.Contains(s, "<script") || strings.Contains(s, "javascript:") || !strings.Contains(s, "<strong>b</strong>") {
		t.Errorf("%s", s)
	}
	files, err := render(index{Pages: []*Page{{File: "x.html", Title: "<img src=x>", Kind: "k", API: &APIDoc{Schemas: []Schema{{Name: "S", Fields: []Field{{Name: "<b>", Notes: []string{"matches <x>"}}}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<img", "<b>&", "<x>"} {
		if strings.Contains(string(files["x.html"]), bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
}

func TestTheSiteIsTheSameOnEveryRun(t *testing.T) {
	first := site(t)
	second, err := renderAll()
	if err != nil || len(second) != len(first) {
		t.Errorf("%d files, then %d, %v", len(first), len(second), err)
	}
	for name := range first {
		if string(first[name]) != string(second[name]) {
			t.Errorf("%s differs", name)
		}
	}
}
