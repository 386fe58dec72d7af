package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/deferpay/deferpay/tools/slides"
)

// folder is where the presentation is in the site.
const folder = "presentation"

// parts lists the parts of the presentation that were made and that Go alone cannot make.
type parts struct {
	Reveal bool            // the slides can be presented
	PDF    map[string]bool // by language
}

// index is the data of the first page.
type index struct {
	Pages     []*Page
	Talks     []card
	Documents []document
	Problems  []*Problem
	Catalogue []EventEntry
	Topics    []TopicEntry
	History   []SchemaHistory
}

// card is the presentation in one language on the first page.
type card struct {
	Lang, Kind, Title string
	Main              string // where the title leads
	Links             []link
}

type link struct{ Href, Text string }

// presentation returns the files of the presentation, or none if there is no such folder. A deck is
// left out if it has no reveal.js.
func presentation(docs, specs string, made parts) (map[string][]byte, error) {
	dir := filepath.Join(docs, folder)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	files, err := slides.Site(dir, specs)
	for _, lang := range slides.Languages {
		if !made.Reveal {
			delete(files, lang+".html")
		}
	}
	return files, err
}

// cards returns the presentation in each language, with links to what was made.
func cards(talk map[string][]byte, made parts) []card {
	if talk == nil {
		return nil
	}
	var list []card
	for _, lang := range slides.Languages {
		t := texts[lang]
		c := card{Lang: lang, Kind: t["kind"], Title: t["title"], Main: folder + "/" + lang + "-pages.html"}
		if made.Reveal {
			c.Main = folder + "/" + lang + ".html"
			c.Links = append(c.Links, link{c.Main, t["present"]})
		}
		c.Links = append(c.Links, link{folder + "/" + lang + "-pages.html", t["read"]})
		if made.PDF[lang] {
			c.Links = append(c.Links, link{folder + "/" + lang + ".pdf", "PDF"})
		}
		list = append(list, c)
	}
	return list
}

var texts = map[string]map[string]string{
	"fr": {"kind": "Présentation", "title": "Faire dialoguer Contrat et Facturation", "present": "Projeter les diapositives", "read": "Lire, avec les notes"},
	"en": {"kind": "Presentation", "title": "How contract and billing talk", "present": "Present the slides", "read": "Read, with the notes"},
}

// addPresentation writes the presentation below out, with reveal.js and the PDFs if the machine has
// what they need. It returns what is missing as sentences.
func addPresentation(ctx context.Context, docs, specs, out string) (made parts, missing []string, err error) {
	if _, err := os.Stat(filepath.Join(docs, folder)); errors.Is(err, fs.ErrNotExist) {
		return made, nil, nil
	}
	dir := filepath.Join(out, folder)
	if err := os.RemoveAll(dir); err != nil { // what an earlier run could make
		return made, nil, err
	}
	if err := slides.AddReveal(ctx, dir); err == nil {
		made.Reveal = true
	} else {
		missing = append(missing, "presenting the slides, which takes reveal.js: "+err.Error())
	}
	files, err := presentation(docs, specs, made)
	if err != nil {
		return made, nil, err
	}
	if err := write(dir, files); err != nil {
		return made, nil, err
	}
	made.PDF = map[string]bool{}
	for _, lang := range slides.Languages {
		deck, err := slides.Load(filepath.Join(docs, folder), lang)
		if err != nil {
			return made, nil, err
		}
		pdf := filepath.Join(dir, lang+".pdf")
		err = slides.PDF(ctx, filepath.Join(dir, lang+"-pages.html"), pdf, len(deck.Slides))
		if made.PDF[lang] = err == nil; err != nil {
			missing = append(missing, fmt.Sprintf("%s: %v", pdf, err))
		}
	}
	return made, missing, nil
}

func countPages(files map[string][]byte) int {
	n := 0
	for name := range files {
		if strings.HasSuffix(name, ".html") {
			n++
		}
	}
	return n
}
