package runs

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// form is how a run is drawn on a slide, which has less room than a page.
type form struct {
	fold   bool     // the records of a log are drawn on the lane of its service
	hidden []string // lanes that are left out, with what happens between them
}

// slideForms are the scenarios that are on slides.
var slideForms = map[string]form{
	"subscription": {fold: true},
	"rejected":     {fold: true},
	"suspended":    {hidden: []string{"manager", "contract"}},
	"lost":         {},
}

// fewRows is the number of rows that need not stand close.
const fewRows = 8

// DrawSlide draws the form of a run that is on a slide.
func DrawSlide(r Run, lang string) ([]byte, error) {
	f, ok := slideForms[r.Name]
	if !ok {
		return nil, fmt.Errorf("%s is on no slide", r.Name)
	}
	r = f.of(r)
	of := onSlide
	if rows := rowsOf(r); rows[len(rows)-1] < fewRows {
		of.row = onSlide.row + 3
	}
	return draw(r, lang, of)
}

// of returns the run with fewer lanes.
func (f form) of(r Run) Run {
	out := Run{Name: r.Name}
	for _, l := range r.Lanes {
		if !slices.Contains(f.hidden, l) && !(f.fold && f.lane(l) != l) {
			out.Lanes = append(out.Lanes, l)
		}
	}
	for _, s := range r.Steps {
		s.From, s.To = f.lane(s.From), f.lane(s.To)
		shown := func(lane string) bool { return lane == "" || slices.Contains(out.Lanes, lane) }
		switch {
		case shown(s.From) && shown(s.To):
			out.Steps = append(out.Steps, s)
		case s.Kind == Event && shown(s.To):
			out.Steps = append(out.Steps, Step{Kind: Arrival, From: s.To, Text: s.Text})
		}
	}
	return out
}

// lane returns the lane on which what happens on another one is drawn.
func (f form) lane(name string) string {
	if service, _, is := strings.Cut(name, ".log."); f.fold && is {
		return service
	}
	return name
}

// rowsOf returns the row of each step. A message and the record of a service that takes it in share
// one if they lie in one direction.
func rowsOf(r Run) []int {
	rows, at := make([]int, len(r.Steps)), -1
	lane := func(name string) int { return slices.Index(r.Lanes, name) }
	for i, s := range r.Steps {
		at++
		if i > 0 && s.From == s.To {
			before := r.Steps[i-1]
			if before.Kind == Event && s.Via == before.To && (lane(before.To) > lane(before.From)) == (lane(s.From) > lane(s.Via)) {
				at--
			}
		}
		rows[i] = at
	}
	return rows
}

// wide returns the width of a text.
func (d *drawing) wide(text string, size int) int {
	return int(letter * float64(size) * float64(len([]rune(text))))
}

// folded draws a record on the lane of its service, and the message that it rests on.
func (d *drawing) folded(s Step, y int) {
	ink, mark := "#15803d", "\u2713 "
	if s.Kind == Void {
		ink, mark = "#b42318", "\u2717 "
	}
	left, right := d.note(s, y, ink, mark)
	if s.Via == "" {
		return
	}
	from, to := d.x(s.Via), left
	if from > d.x(s.From) {
		to = right
	}
	d.arrow(Step{Kind: Answer}, from, to, y)
}

// note draws the text of a step in a box on its lane, and its detail beside it if the side is free.
// It returns where the box begins and ends.
func (d *drawing) note(s Step, y int, ink, mark string) (left, right int) {
	text := mark + d.translate(s.Text)
	w := d.wide(text, d.text) + 24
	x := min(max(d.x(s.From), w/2+2), width-w/2-2)
	fmt.Fprintf(d, `<rect x="%d" y="%d" width="%d" height="30" rx="6" fill="#fff" stroke="%s" stroke-width="2"/><text x="%d" y="%d" text-anchor="middle" fill="%s">%s</text>`+"\n",
		x-w/2, y-16, w, ink, x, y+6, ink, html.EscapeString(text))
	if s.Detail != "" && s.Via == "" {
		fmt.Fprintf(d, `<text x="%d" y="%d" font-size="%d" fill="%s" stroke="#fff" stroke-width="4" paint-order="stroke">%s</text>`+"\n",
			x+w/2+10, y+6, d.detail, quiet, html.EscapeString(d.translate(s.Detail)))
	}
	return x - w/2, x + w/2
}
