package slides

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
)

//go:embed templates
var templates embed.FS

// Languages are those of the presentation; the first is the customer's.
var Languages = []string{"fr", "en"}

// words are the words of extracts and pages that are not in the decks. A word that is not listed is
// shown as it is.
var words = map[string]map[string]string{
	"fr": {
		"key": "clé", "magic": "format", "schema id": "schéma n°", "writer": "écrit par", "record": "enregistrement", "builds on": "repose sur",
		"applied": "appliqué", "void": "nul", "items": "éléments", "enum": "énumération", "index": "Contrats",
	},
	"en": {"magic": "format", "writer": "written by", "index": "Contracts"},
}

// renderer makes the pages of one deck.
type renderer struct {
	docs, specs string // folders
	deck        *Deck
	md          goldmark.Markdown
}

func (r *renderer) word(name string) string {
	if w := words[r.deck.Lang][name]; w != "" {
		return w
	}
	return name
}

// page is the data of the templates.
type page struct {
	Lang, Title string
	Length      string
	Slides      []view
	r           *renderer
}

// Word returns a word in the language of the page.
func (p page) Word(name string) string { return p.r.word(name) }

// view is a slide as the templates show it.
type view struct {
	Number, Of       int
	ID, Title, Class string
	Time, Begins     string
	Body, Notes      template.HTML
	Words            int // on the slide, without those of diagrams and extracts
}

// Load reads a deck from the folder of the presentation.
func Load(docs, lang string) (*Deck, error) {
	name := filepath.Join(docs, lang+".md")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	d, err := Parse(lang, string(text))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return d, nil
}

// render makes the views of the slides of a deck.
func render(docs, specs string, d *Deck) (page, error) {
	r := &renderer{docs: docs, specs: specs, deck: d, md: goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithRendererOptions(html.WithUnsafe()))}
	p := page{Lang: d.Lang, Title: d.Title, Length: clock(d.Length()), r: r}
	var begins time.Duration
	for i, s := range d.Slides {
		v := view{Number: i + 1, Of: len(d.Slides), ID: s.ID, Title: s.Title, Class: s.Class, Time: clock(s.Time), Begins: clock(begins)}
		begins += s.Time
		for _, part := range []struct {
			text string
			into *template.HTML
		}{{s.Body, &v.Body}, {s.Notes, &v.Notes}} {
			out, err := r.markdown(part.text)
			if err != nil {
				return p, fmt.Errorf("%s.md:%d: slide %s: %w", d.Lang, s.Line, s.ID, err)
			}
			*part.into = template.HTML(out)
		}
		v.Words = countWords(s.Body)
		p.Slides = append(p.Slides, v)
	}
	return p, nil
}

var (
	block     = regexp.MustCompile("(?ms)^```([a-z-]+) ?([A-Za-z]*)\n(.*?)^```$")
	reference = regexp.MustCompile(`\{#([a-z0-9-]+)\}`)
)

// markdown renders a part of a slide. Extracts are put in after Markdown has made the
// rest, because their text is not Markdown.
func (r *renderer) markdown(text string) (string, error) {
	var made []string
	var failed error
	text = block.ReplaceAllStringFunc(text, func(all string) string {
		m := block.FindStringSubmatch(all)
		out, ok, err := r.extract(m[1], m[2], m[3])
		if err != nil {
			failed = err
		}
		if !ok {
			return all
		}
		made = append(made, out)
		return fmt.Sprintf("<!-- made %d -->", len(made)-1)
	})
	text = reference.ReplaceAllStringFunc(text, func(all string) string {
		n := r.deck.Number(all[2 : len(all)-1])
		if n == 0 {
			failed = fmt.Errorf("no slide %s", all)
		}
		return fmt.Sprintf(`<a href="#%s">%d</a>`, all[2:len(all)-1], n)
	})
	if failed != nil {
		return "", failed
	}
	if r.deck.Lang == "fr" {
		text = keepTogether(text)
	}
	var b bytes.Buffer
	if err := r.md.Convert([]byte(text), &b); err != nil {
		return "", err
	}
	out := b.String()
	for i, m := range made {
		out = strings.Replace(out, fmt.Sprintf("<!-- made %d -->", i), m, 1)
	}
	return out, nil
}

var (
	beforeMark = regexp.MustCompile(`(\S) ([:;?!»%€])`)
	afterMark  = regexp.MustCompile(`« `)
	thousands  = regexp.MustCompile(`(\d) (\d{3})\b`)
)

// keepTogether puts French spaces that must not end a line: before marks of two parts, within
// quotation marks and within numbers.
func keepTogether(text string) string {
	const space = "\u00a0"
	text = beforeMark.ReplaceAllString(text, "$1"+space+"$2")
	text = afterMark.ReplaceAllString(text, "«"+space)
	return thousands.ReplaceAllString(text, "$1"+space+"$2")
}

var tags = regexp.MustCompile(`<[^>]*>`)

// countWords counts the words that a slide shows outside of diagrams and extracts.
func countWords(body string) int {
	n := 0
	for _, w := range strings.Fields(tags.ReplaceAllString(block.ReplaceAllString(body, ""), " ")) {
		if strings.ContainsFunc(w, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }) {
			n++
		}
	}
	return n
}

// Site returns the files of the presentation by their names in the site: for each language a page
// to present, a page to read and to print, and what they load, except for reveal.js itself.
func Site(docs, specs string) (map[string][]byte, error) {
	t, err := template.ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, lang := range Languages {
		d, err := Load(docs, lang)
		if err != nil {
			return nil, err
		}
		p, err := render(docs, specs, d)
		if err != nil {
			return nil, err
		}
		for name, file := range map[string]string{"deck.html": lang + ".html", "pages.html": lang + "-pages.html"} {
			var b bytes.Buffer
			if err := t.ExecuteTemplate(&b, name, p); err != nil {
				return nil, err
			}
			files[file] = b.Bytes()
		}
	}
	if err := addFolder(files, docs, "pictures"); err != nil {
		return nil, err
	}
	for _, name := range []string{"slides.css", "deck.css", "deck.js", "speaker.html", "speaker.js", "pages.css"} {
		if files[name], err = templates.ReadFile("templates/" + name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func addFolder(files map[string][]byte, docs, folder string) error {
	entries, err := os.ReadDir(filepath.Join(docs, folder))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		name := folder + "/" + e.Name()
		if files[name], err = os.ReadFile(filepath.Join(docs, name)); err != nil {
			return err
		}
	}
	return nil
}
