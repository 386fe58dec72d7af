package main

import (
	"bytes"
	"fmt"
	"html/template"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
)

// document is a page that is made from a Markdown file of the folder of documents.
type document struct {
	File, Title, Lang string
	Root              string // from the page to the root of the site, such as ../
	Body              template.HTML
}

// otherPages are the pages that are made from Markdown files in another way.
var otherPages = map[string]string{
	"presentation/fr.md":     "presentation/fr-pages.html",
	"presentation/en.md":     "presentation/en-pages.html",
	"presentation/README.md": "index.html",
}

// readDocuments returns the pages of the Markdown files in the folder of documents, and of the
// appendix of the presentation.
func readDocuments(docs string) ([]document, error) {
	names, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil {
		return nil, err
	}
	appendix, err := filepath.Glob(filepath.Join(docs, folder, "annexe.md"))
	if err != nil {
		return nil, err
	}
	pages := map[string]string{}
	for name, page := range otherPages {
		pages[name] = page
	}
	for _, name := range append(names, appendix...) {
		rel, err := filepath.Rel(docs, name)
		if err != nil {
			return nil, err
		}
		pages[filepath.ToSlash(rel)] = strings.TrimSuffix(filepath.ToSlash(rel), ".md") + ".html"
	}
	var list []document
	for name, page := range pages {
		if otherPages[name] != "" {
			continue
		}
		source, err := os.ReadFile(filepath.Join(docs, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		d := document{File: page, Lang: "en", Root: strings.Repeat("../", strings.Count(page, "/"))}
		if d.Root != "" {
			d.Lang = "fr" // the appendix
		}
		if d.Title, d.Body, err = renderDocument(name, string(source), pages); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b document) int { return strings.Compare(a.File, b.File) })
	return list, nil
}

// scrollable lets what may be wider than its place be scrolled, by keys too.
var scrollable = strings.NewReplacer("<pre>", `<pre tabindex="0">`, "<table>", `<div class="scroll" tabindex="0"><table>`, "</table>", "</table></div>")

// renderDocument renders a document of our own, with raw HTML.
func renderDocument(name, source string, pages map[string]string) (title string, body template.HTML, err error) {
	md := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()), goldmark.WithRendererOptions(html.WithUnsafe()))
	data := []byte(source)
	root := md.Parser().Parse(text.NewReader(data), parser.WithContext(parser.NewContext(parser.WithIDs(&headingIDs{used: map[string]int{}}))))
	if err := relink(root, name, pages); err != nil {
		return "", "", err
	}
	if h, ok := root.FirstChild().(*ast.Heading); ok {
		title = string(h.Lines().Value(data))
	}
	var b bytes.Buffer
	if err := md.Renderer().Render(&b, data, root); err != nil {
		return "", "", err
	}
	return strings.TrimSpace(title), template.HTML(scrollable.Replace(b.String())), nil
}

// relink makes links between documents links between pages. A link to a file that is not in the
// site becomes its text.
func relink(root ast.Node, name string, pages map[string]string) error {
	var links []*ast.Link
	if err := ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if l, ok := n.(*ast.Link); ok && entering {
			links = append(links, l)
		}
		return ast.WalkContinue, nil
	}); err != nil {
		return err
	}
	for _, l := range links {
		target, err := url.Parse(string(l.Destination))
		if err != nil {
			return err
		}
		if target.IsAbs() || target.Path == "" {
			continue
		}
		page, ok := pages[path.Join(path.Dir(name), target.Path)]
		if !ok {
			for c := l.FirstChild(); c != nil; c = l.FirstChild() {
				l.Parent().InsertBefore(l.Parent(), l, c)
			}
			l.Parent().RemoveChild(l.Parent(), l)
			continue
		}
		target.Path = strings.Repeat("../", strings.Count(name, "/")) + page
		l.Destination = []byte(target.String())
	}
	return nil
}

// headingIDs names headings as code hosts do, so that the anchors in the documents lead there.
type headingIDs struct{ used map[string]int }

func (h *headingIDs) Generate(value []byte, _ ast.NodeKind) []byte {
	id := strings.Map(func(c rune) rune {
		switch {
		case c == ' ':
			return '-'
		case c == '-' || c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c):
			return unicode.ToLower(c)
		}
		return -1
	}, strings.TrimSpace(string(value)))
	n := h.used[id]
	h.used[id]++
	if n > 0 {
		id = fmt.Sprintf("%s-%d", id, n)
	}
	return []byte(id)
}

func (h *headingIDs) Put([]byte) {}
