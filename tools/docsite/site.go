package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"

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
	pages, err := readPages(specs)
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
	files, err := render(index{Pages: pages, Talks: cards(talk, made), Documents: documents})
	if err != nil {
		return nil, err
	}
	for name, data := range talk {
		files[folder+"/"+name] = data
	}
	return files, nil
}

func readPages(specs string) ([]*Page, error) {
	set := specfile.NewSet()
	var pages []*Page
	for _, d := range documents {
		root, err := set.Open(filepath.Join(specs, filepath.FromSlash(d.path)))
		if err != nil {
			return nil, err
		}
		page := &Page{File: d.page, Title: root.Get("info", "title").Str(), Summary: root.Get("info", "summary").Str(), Version: root.Get("info", "version").Str(), Source: "specs/" + d.path}
		if root.Get("openapi").Ok() {
			page.Kind = "HTTP interface"
			page.API = readAPI(root)
			page.Sections = page.API.sections()
		} else {
			page.Kind = "Kafka events"
			if page.Events, err = readEvents(root); err != nil {
				return nil, fmt.Errorf("%s: %w", d.path, err)
			}
			page.Sections = page.Events.sections()
		}
		pages = append(pages, page)
	}
	return pages, nil
}

func render(x index) (map[string][]byte, error) {
	t, err := template.New("").Funcs(template.FuncMap{"markdown": markdown, "fields": newTable}).ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, p := range x.Pages {
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, "page.html", p); err != nil {
			return nil, fmt.Errorf("%s: %w", p.File, err)
		}
		files[p.File] = b.Bytes()
	}
	for _, d := range x.Documents {
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, "document.html", d); err != nil {
			return nil, fmt.Errorf("%s: %w", d.File, err)
		}
		files[d.File] = b.Bytes()
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "index.html", x); err != nil {
		return nil, err
	}
	files["index.html"] = b.Bytes()
	css, err := templates.ReadFile("templates/style.css")
	files["style.css"] = css
	return files, err
}

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
	return template.HTML(b.String()), nil // goldmark escapes; raw HTML is dropped
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
