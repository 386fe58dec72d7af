package main

import (
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strings"
)

// SearchEntry is what the search finds: a place of the site with the words that lead to it.
type SearchEntry struct {
	Title string `json:"t"`
	Kind  string `json:"k"`
	Href  string `json:"u"`
	Text  string `json:"x"`
}

// searchIndex returns a script that defines the index. It is a script because a page that was
// opened from a folder may not read other files.
func searchIndex(x index, talk map[string][]byte) ([]byte, error) {
	var list []SearchEntry
	add := func(title, kind, href string, text ...string) {
		list = append(list, SearchEntry{title, kind, href, strings.Join(strings.Fields(strings.Join(text, " ")), " ")})
	}
	for _, p := range x.Problems {
		add(p.Code, "problem "+p.Status, "problems/"+p.Code+".html", p.Title, p.Detail, p.Hint)
	}
	for _, p := range x.Pages {
		if p.API != nil {
			p.API.search(p, add)
		}
		if p.Events != nil {
			p.Events.search(p, add)
		}
	}
	for _, t := range x.Topics {
		add(t.Address, "topic", "topics.html#"+t.Address, t.Title, t.Text)
	}
	for _, h := range x.History {
		add(h.Name, "history of a schema", "history.html#"+h.Anchor, h.Of)
	}
	for _, d := range x.Documents {
		for _, s := range sectionsOf(string(d.Body)) {
			add(s.Title, d.Title, d.File+"#"+s.Href, s.Text)
		}
	}
	for _, lang := range []string{"fr", "en"} {
		for _, s := range sectionsOf(string(talk[lang+"-pages.html"])) {
			add(s.Title, texts[lang]["kind"], folder+"/"+lang+"-pages.html#"+s.Href, s.Text)
		}
	}
	data, err := json.Marshal(list)
	return slices.Concat([]byte("const searchEntries = "), data, []byte(";\n")), err
}

func (d *APIDoc) search(p *Page, add func(title, kind, href string, text ...string)) {
	for _, g := range d.Groups {
		for _, op := range g.Operations {
			words := append([]string{op.Summary, op.Text, op.Method, op.Path}, op.Problems...)
			for _, f := range op.Parameters {
				words = append(words, f.Name)
			}
			add(op.ID, op.Method+" "+op.Path, p.File+"#op-"+op.ID, words...)
		}
	}
	for _, s := range d.Schemas {
		words := []string{s.Text}
		for _, f := range s.Fields {
			words = append(words, f.Name, f.Text)
		}
		add(s.Name, "schema of "+p.Service, p.File+"#schema-"+s.Name, append(words, s.Notes...)...)
	}
}

func (d *EventsDoc) search(p *Page, add func(title, kind, href string, text ...string)) {
	for _, m := range d.Messages {
		if m.Foreign {
			continue
		}
		words := []string{m.Title, m.Record.Text}
		for _, f := range m.Record.Fields {
			words = append(words, f.Name, f.Text)
		}
		add(m.Name, "event of "+p.Service, p.File+"#message-"+m.Name, words...)
	}
	for _, t := range d.Types {
		words := append([]string{t.Text}, t.Symbols...)
		for _, f := range t.Fields {
			words = append(words, f.Name, f.Text)
		}
		add(t.Name, "Avro "+t.Kind, p.File+"#type-"+t.Name, words...)
	}
}

var (
	headingWithID = regexp.MustCompile(`<(?:h[1-4]|section)[^>]* id="([^"]+)"[^>]*>`)
	firstHeading  = regexp.MustCompile(`(?s)<h[1-4][^>]*>(.*?)</h[1-4]>`)
	anyTag        = regexp.MustCompile(`<[^>]*>`)
)

// sectionsOf returns the parts of a page that have an anchor, each with its words.
func sectionsOf(page string) []SearchEntry {
	var list []SearchEntry
	at := headingWithID.FindAllStringSubmatchIndex(page, -1)
	for i, m := range at {
		end := len(page)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		part := page[m[0]:end]
		h := firstHeading.FindStringSubmatch(part)
		if h == nil {
			continue
		}
		list = append(list, SearchEntry{Title: plain(h[1]), Href: page[m[2]:m[3]], Text: plain(part)})
	}
	return list
}

// plain returns the text of a part of a page.
func plain(part string) string {
	return strings.Join(strings.Fields(html.UnescapeString(anyTag.ReplaceAllString(part, " "))), " ")
}
