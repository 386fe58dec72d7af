package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/deferpay/deferpay/tools/specfile"
)

//go:embed templates
var templates embed.FS

// Page is one page of the site, ready for its template.
type Page struct {
	File     string // its name in the site
	Title    string
	Kind     string // "HTTP interface" or "Kafka events"
	Service  string
	Summary  string
	Version  string
	Source   string // the document that it shows
	Sections []Section
	API      *APIDoc
	Events   *EventsDoc
}

// Section is an entry of the table of contents.
type Section struct {
	Title, Anchor string
	Badge         string // the method of an operation
	Entries       []Section
}

// documents are the public documents, in the order of the site.
var documents = []struct{ path, page string }{
	{"contract/openapi.yaml", "contract-api.html"},
	{"contract/asyncapi.yaml", "contract-events.html"},
	{"billing/openapi.yaml", "billing-api.html"},
	{"billing/asyncapi.yaml", "billing-events.html"},
}

// Site returns the files of the site by name: the pages of the public documents below the folder of
// contracts, the documents, and the presentation if there is one. The index links to the parts of
// the presentation that were made.
func Site(specs, docs string, made parts) (map[string][]byte, error) {
	set := specfile.NewSet()
	pages, roots, err := readPages(set, specs)
	if err != nil {
		return nil, err
	}
	topics, err := readTopics(pages, set, specs)
	if err != nil {
		return nil, err
	}
	talk, err := presentation(docs, specs, made)
	if err != nil {
		return nil, err
	}
	documents, err := readDocuments(docs)
	if err != nil {
		return nil, err
	}
	history, err := readHistory(specs)
	if err != nil {
		return nil, err
	}
	x := index{History: history, Pages: pages, Talks: cards(talk, made), Documents: documents, Problems: readProblems(pages, roots), Catalogue: readCatalogue(pages), Topics: topics}
	files, err := render(x)
	if err != nil {
		return nil, err
	}
	if files["search-index.js"], err = searchIndex(x, talk); err != nil {
		return nil, err
	}
	for name, data := range talk {
		files[folder+"/"+name] = data
	}
	return files, addPictures(files, documents, docs)
}

// addPictures adds the pictures that documents show.
func addPictures(files map[string][]byte, documents []document, docs string) error {
	names, err := filepath.Glob(filepath.Join(docs, "pictures", "*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		picture := "pictures/" + filepath.Base(name)
		shown := slices.ContainsFunc(documents, func(d document) bool { return strings.Contains(string(d.Body), `src="`+picture+`"`) })
		if !shown {
			continue
		}
		if files[picture], err = os.ReadFile(name); err != nil {
			return err
		}
	}
	return nil
}

// readPages returns the pages of the public documents, and the documents by the files of the pages.
func readPages(set *specfile.Set, specs string) (pages []*Page, roots map[string]specfile.Value, err error) {
	roots = map[string]specfile.Value{}
	for _, d := range documents {
		root, err := set.Open(filepath.Join(specs, filepath.FromSlash(d.path)))
		if err != nil {
			return nil, nil, err
		}
		roots[d.page] = root
		page := &Page{File: d.page, Title: root.Get("info", "title").Str(), Summary: root.Get("info", "summary").Str(), Version: root.Get("info", "version").Str(), Source: "specs/" + d.path, Service: path.Dir(d.path)}
		if root.Get("openapi").Ok() {
			page.Kind = "HTTP interface"
			page.API = readAPI(root)
			page.Sections = page.API.sections()
		} else {
			page.Kind = "Kafka events"
			if page.Events, err = readEvents(root); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", d.path, err)
			}
			page.Sections = page.Events.sections()
		}
		pages = append(pages, page)
	}
	return pages, roots, nil
}

// render returns the pages of the site, and what they load.
func render(x index) (map[string][]byte, error) {
	t, err := template.New("").Funcs(template.FuncMap{"markdown": markdown, "fields": newTable, "bar": newBar, "join": strings.Join, "sentence": sentence}).ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	execute := func(file, name string, data any) {
		var b bytes.Buffer
		if e := t.ExecuteTemplate(&b, name, data); e != nil && err == nil {
			err = fmt.Errorf("%s: %w", file, e)
		}
		files[file] = b.Bytes()
	}
	for _, p := range x.Pages {
		execute(p.File, "page.html", p)
	}
	for _, d := range x.Documents {
		execute(d.File, "document.html", d)
	}
	for _, p := range x.Problems {
		execute("problems/"+p.Code+".html", "problem.html", p)
	}
	execute("problems/index.html", "problems.html", x)
	execute("events.html", "catalogue.html", x)
	execute("topics.html", "topics.html", x)
	execute("history.html", "history.html", x)
	execute("index.html", "index.html", x)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"style.css", "search.js"} {
		if files[name], err = templates.ReadFile("templates/" + name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// sentence returns a hint as a sentence: its first letter is a capital, and it ends in a full stop.
func sentence(hint string) string {
	first, size := utf8.DecodeRuneInString(hint)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(hint[size:], ".") + "."
}

// bar is the data of the template of the head of each page.
type bar struct{ Root, Title, Lang string }

func newBar(root, title, lang string) bar { return bar{root, title, lang} }

// table is the data of the template of fields: the heading of the first column, and the rows.
type table struct {
	Head   string
	Fields []Field
}

func newTable(head string, fields []Field) table { return table{head, fields} }

// md renders Markdown without raw HTML, because a description is text.
var md = goldmark.New(goldmark.WithExtensions(extension.Table))

func markdown(text string) (template.HTML, error) {
	var b bytes.Buffer
	if err := md.Convert([]byte(text), &b); err != nil {
		return "", err
	}
	// goldmark escapes; raw HTML is dropped
	return template.HTML(scrollable.Replace(b.String())), nil
}

func write(dir string, files map[string][]byte) error {
	for name, data := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
