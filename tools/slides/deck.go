package slides

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Deck is a presentation in one language.
type Deck struct {
	Lang   string
	Title  string // that of the first slide
	Slides []Slide
}

// Slide is one slide. Body and Notes are Markdown.
type Slide struct {
	ID, Title, Class string
	Time             time.Duration
	Body, Notes      string
	Line             int // where it begins in its file
}

var (
	slideStart = regexp.MustCompile(`^<!-- slide ([a-z0-9-]+) (\d+):(\d\d)((?: [a-z]+)*) -->$`)
	notesStart = "<!-- notes -->"
)

// Parse reads a deck. It returns an error for a slide without a title or without notes, and for two
// slides of one name.
func Parse(lang, text string) (*Deck, error) {
	d := &Deck{Lang: lang}
	var into *string
	for i, line := range strings.Split(text, "\n") {
		switch m := slideStart.FindStringSubmatch(line); {
		case m != nil:
			minutes, _ := strconv.Atoi(m[2])
			seconds, _ := strconv.Atoi(m[3])
			at := time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second
			d.Slides = append(d.Slides, Slide{ID: m[1], Class: strings.TrimSpace(m[4]), Time: at, Line: i + 1})
			into = &d.Slides[len(d.Slides)-1].Body
		case strings.HasPrefix(line, "<!-- slide"):
			return nil, fmt.Errorf("%d: want <!-- slide name minutes:seconds -->, not %s", i+1, line)
		case line == notesStart && into != nil:
			into = &d.Slides[len(d.Slides)-1].Notes
		case into != nil:
			*into += line + "\n"
		}
	}
	if len(d.Slides) == 0 {
		return nil, fmt.Errorf("no slides")
	}
	return d, d.check()
}

var heading = regexp.MustCompile(`(?m)^##? (.+)$`)

func (d *Deck) check() error {
	seen := map[string]bool{}
	for i := range d.Slides {
		s := &d.Slides[i]
		m := heading.FindStringSubmatch(s.Body)
		switch {
		case m == nil:
			return fmt.Errorf("%d: slide %s has no heading", s.Line, s.ID)
		case strings.TrimSpace(s.Notes) == "":
			return fmt.Errorf("%d: slide %s has no notes", s.Line, s.ID)
		case seen[s.ID]:
			return fmt.Errorf("%d: a second slide %s", s.Line, s.ID)
		}
		s.Title = m[1]
		seen[s.ID] = true
	}
	d.Title = d.Slides[0].Title
	return nil
}

// Number returns the number of a slide, from 1, or 0 if there is none of that name.
func (d *Deck) Number(id string) int {
	for i, s := range d.Slides {
		if s.ID == id {
			return i + 1
		}
	}
	return 0
}

// Length returns how long the deck takes.
func (d *Deck) Length() time.Duration {
	var sum time.Duration
	for _, s := range d.Slides {
		sum += s.Time
	}
	return sum
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
