package slides

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	docs  = "../../docs/presentation"
	specs = "../../specs"
)

// decks returns the decks and their slides as they are shown.
func decks(t *testing.T) (list []*Deck, pages []page) {
	t.Helper()
	for _, lang := range Languages {
		d, err := Load(docs, lang)
		if err != nil {
			t.Fatal(err)
		}
		p, err := render(docs, specs, d)
		if err != nil {
			t.Fatal(err)
		}
		list, pages = append(list, d), append(pages, p)
	}
	return list, pages
}

func TestDeckFitsItsTime(t *testing.T) {
	list, _ := decks(t)
	for _, d := range list {
		if n := len(d.Slides); n > 30 {
			t.Errorf("%s: %d slides, at most 30", d.Lang, n)
		}
		if d.Length() > 25*time.Minute {
			t.Errorf("%s: %s, at most 25:00", d.Lang, clock(d.Length()))
		}
		for _, s := range d.Slides {
			if s.Time < 15*time.Second {
				t.Errorf("%s: slide %s in %s", d.Lang, s.ID, clock(s.Time))
			}
			// 130 words a minute is the pace of a talk that leaves time to look at the slides.
			if words, most := len(strings.Fields(s.Notes)), int(s.Time.Seconds()*130/60); words > most {
				t.Errorf("%s: slide %s: %d words to say in %s, at most %d", d.Lang, s.ID, words, clock(s.Time), most)
			}
		}
	}
}

func TestSlidesAreShort(t *testing.T) {
	_, pages := decks(t)
	for _, p := range pages {
		for _, s := range p.Slides {
			most := 90
			if strings.Contains(s.Class, "dense") {
				most = 110
			} else if strings.Contains(s.Class, "table") {
				most = 180 // the customer's text, to look things up
			}
			if s.Words > most {
				t.Errorf("%s: slide %s has %d words, at most %d", p.Lang, s.ID, s.Words, most)
			}
		}
	}
}

func TestLanguagesHaveTheSameSlides(t *testing.T) {
	list, _ := decks(t)
	for _, d := range list[1:] {
		if len(d.Slides) != len(list[0].Slides) {
			t.Fatalf("%s has %d slides, %s %d", d.Lang, len(d.Slides), list[0].Lang, len(list[0].Slides))
		}
		for i, s := range d.Slides {
			want := list[0].Slides[i]
			if s.ID != want.ID || s.Time != want.Time || s.Class != want.Class {
				t.Errorf("%s: slide %d is %s %s %q, want %s %s %q", d.Lang, i+1, s.ID, s.Time, s.Class, want.ID, want.Time, want.Class)
			}
			if got, want := extracts(s.Body), extracts(want.Body); !slices.Equal(got, want) {
				t.Errorf("%s: slide %s shows %q, want %q", d.Lang, s.ID, got, want)
			}
		}
	}
}

var picture = regexp.MustCompile(`\(pictures/([a-z-]+)\.[a-z]+\.svg\)`)

// extracts returns the blocks that show examples and the names of the pictures, which are the same
// in every language.
func extracts(body string) (list []string) {
	for _, m := range picture.FindAllStringSubmatch(body, -1) {
		list = append(list, "picture "+m[1])
	}
	for _, m := range block.FindAllStringSubmatch(body, -1) {
		switch m[1] {
		case "text":
		default:
			list = append(list, m[0])
		}
	}
	return list
}

var row = regexp.MustCompile(`(?m)^\| (.+?) \| ((?:\{#[a-z]+\} ?)+)\|$`)

// TestCustomersTextIsCovered compares the last tables with the customer's text: each line of it has
// a row, in the same order, and every language names the same slides.
func TestCustomersTextIsCovered(t *testing.T) {
	text, err := os.ReadFile("testdata/brief.fr.md")
	if err != nil {
		t.Fatal(err)
	}
	want := customersLines(string(text))
	list, _ := decks(t)
	first := rows(list[0])
	if len(want) < 30 || len(first) != len(want) {
		t.Fatalf("%d rows for %d lines", len(first), len(want))
	}
	for i, line := range want {
		if !quotes(first[i][1], line) {
			t.Errorf("row %d is %q, want a quotation of %q", i+1, first[i][1], line)
		}
	}
	for _, d := range list[1:] {
		got := rows(d)
		if len(got) != len(first) {
			t.Fatalf("%s: %d rows, want %d", d.Lang, len(got), len(first))
		}
		for i := range got {
			if got[i][2] != first[i][2] {
				t.Errorf("%s: %q names %s, want %s", d.Lang, got[i][1], got[i][2], first[i][2])
			}
		}
	}
}

func rows(d *Deck) [][]string {
	var all [][]string
	for _, s := range d.Slides {
		all = append(all, row.FindAllStringSubmatch(s.Body, -1)...)
	}
	return all
}

// customersLines returns the lines of the text that ask for something: not its headings, nor what
// introduces a list.
func customersLines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(strings.TrimSpace(line), "-0123456789. ")
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "**") && !strings.HasSuffix(line, ":") {
			lines = append(lines, strings.ReplaceAll(line, "’", "'"))
		}
	}
	return lines
}

// quotes reports whether the pieces of a quotation, between its dots, are in a line in that order.
func quotes(quotation, line string) bool {
	for piece := range strings.SplitSeq(quotation, "…") {
		piece = strings.TrimSpace(piece)
		_, after, ok := strings.Cut(line, piece)
		if !ok {
			return false
		}
		line = after
	}
	return true
}

func TestParseRefuses(t *testing.T) {
	good := "<!-- slide a 0:30 -->\n\n## A\n\n<!-- notes -->\n\nsay\n"
	if d, err := Parse("en", good); err != nil || d.Slides[0].Title != "A" || d.Length() != 30*time.Second {
		t.Fatalf("%+v, %v", d, err)
	}
	for what, text := range map[string]string{
		"nothing":    "",
		"no notes":   strings.Replace(good, "say", "", 1),
		"no heading": strings.Replace(good, "## A", "A", 1),
		"no time":    strings.Replace(good, " 0:30", "", 1),
		"twice":      good + good,
	} {
		if _, err := Parse("en", text); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	for what, block := range map[string]string{
		"unknown example": "```http-answer nothing\n```",
		"unknown member":  "```http-answer purchase\nmembers: nothing\n```",
		"unknown header":  "```http-answer purchase\nheaders: Nothing\n```",
		"unknown field":   "```avro OperationRefused\nmembers: nothing\n```",
		"unknown choice":  "```avro OperationRefused\nfields: amount\n```",
		"unknown slide":   "see {#nothing}",
	} {
		d, err := Parse("en", "<!-- slide a 0:30 -->\n\n## A\n\n"+block+"\n\n<!-- notes -->\n\nsay\n")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := render(docs, specs, d); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
