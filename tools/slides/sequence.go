package slides

import (
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"
)

// Diagram draws a sequence diagram in a part of Mermaid's language: participants, messages, notes,
// and frames that name a loop or an alternative. It returns SVG, which diagrams.css colours.
func Diagram(text string) (string, error) {
	q, err := parseSequence(text)
	if err != nil {
		return "", err
	}
	return q.svg(), nil
}

type sequence struct {
	names  map[string]int // to the lane
	titles []string
	actors map[int]bool
	steps  []step
}

// stepKind is what a step of a diagram is.
type stepKind int

const (
	arrow stepKind = iota // from one lane to another, or to itself
	note                  // over the lanes from one to another
	frame                 // the name of the steps below it
)

type step struct {
	kind     stepKind
	from, to int
	line     string // ->>, -->>, -x or --x
	lines    []string
}

var (
	laneLine  = regexp.MustCompile(`^(participant|actor) (\w+)(?: as (.+))?$`)
	sendLine  = regexp.MustCompile(`^(\w+?)(-?->>|-?-x)(\w+): (.+)$`)
	noteLine  = regexp.MustCompile(`^Note over (\w+)(?:,(\w+))?: (.+)$`)
	frameLine = regexp.MustCompile(`^(?:loop|alt|else) (.+)$`)
)

func parseSequence(text string) (*sequence, error) {
	q := &sequence{names: map[string]int{}, actors: map[int]bool{}}
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); line {
		case "", "sequenceDiagram", "autonumber", "end":
			continue
		}
		if err := q.read(line); err != nil {
			return nil, err
		}
	}
	if len(q.titles) == 0 {
		return nil, errors.New("a sequence diagram without participants")
	}
	return q, nil
}

func (q *sequence) read(line string) error {
	if m := laneLine.FindStringSubmatch(line); m != nil {
		q.actors[len(q.titles)] = m[1] == "actor"
		q.names[m[2]] = len(q.titles)
		if m[3] == "" {
			m[3] = m[2]
		}
		q.titles = append(q.titles, m[3])
		return nil
	}
	if m := frameLine.FindStringSubmatch(line); m != nil {
		q.steps = append(q.steps, step{kind: frame, lines: m[1:]})
		return nil
	}
	var s step
	var from, to, text string
	if m := sendLine.FindStringSubmatch(line); m != nil {
		from, to, s.line, text = m[1], m[3], m[2], m[4]
	} else if m := noteLine.FindStringSubmatch(line); m != nil {
		from, to, text, s.kind = m[1], m[2], m[3], note
		if to == "" {
			to = from
		}
	} else {
		return fmt.Errorf("cannot draw %q", line)
	}
	var ok, ok2 bool
	s.from, ok = q.names[from]
	s.to, ok2 = q.names[to]
	if !ok || !ok2 {
		return fmt.Errorf("no such participant in %q", line)
	}
	s.lines = strings.Split(text, "<br/>")
	q.steps = append(q.steps, s)
	return nil
}

// Measures of a drawing, in pixels of a slide.
const (
	drawingWidth = 1160
	headHeight   = 50
	rowHeight    = 48
	lineHeight   = 27   // of further lines of a note
	letterWidth  = 11.5 // at most
)

// height returns the height of a step.
func (s step) height() int {
	if s.kind == note {
		return rowHeight + lineHeight*(len(s.lines)-1)
	}
	return rowHeight
}

func (q *sequence) lane(i int) int {
	width := drawingWidth / len(q.titles)
	return width*i + width/2
}

// svg draws the diagram.
func (q *sequence) svg() string {
	height := headHeight + 14
	for _, s := range q.steps {
		height += s.height()
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="sequence" role="img" aria-label="%s" viewBox="0 0 %d %d" width="%d" height="%d">`,
		html.EscapeString(strings.Join(q.titles, ", ")), drawingWidth, height, drawingWidth, height)
	for i := range q.titles {
		q.drawHead(&b, i, height)
	}
	y := headHeight
	for _, s := range q.steps {
		y += s.height()
		switch s.kind {
		case note:
			drawNote(&b, q.lane(s.from), q.lane(s.to), y, s.lines)
		case frame:
			fmt.Fprintf(&b, `<rect class="frame" x="0" y="%d" width="%d" height="34"/><text class="frame" x="12" y="%d">%s</text>`,
				y-30, drawingWidth, y-6, html.EscapeString(s.lines[0]))
		default:
			drawMessage(&b, q.lane(s.from), q.lane(s.to), y, s.line, strings.Join(s.lines, " "))
		}
	}
	return b.String() + "</svg>"
}

func (q *sequence) drawHead(b *strings.Builder, i, height int) {
	title, class := q.titles[i], "lane"
	switch {
	case q.actors[i]:
		class = "lane actor"
	case strings.Contains(title, "."):
		class = "lane topic"
	}
	w, x := min(drawingWidth/len(q.titles)-16, 260), q.lane(i)
	fmt.Fprintf(b, `<line class="life" x1="%d" y1="%d" x2="%d" y2="%d"/>`, x, headHeight, x, height)
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="2" width="%d" height="%d" rx="8"/><text class="title" x="%d" y="33">%s</text>`,
		class, x-w/2, w, headHeight-4, x, html.EscapeString(title))
}

func drawNote(b *strings.Builder, from, to, y int, lines []string) {
	w := to - from + 60
	for _, l := range lines {
		w = max(w, int(float64(len([]rune(l)))*letterWidth)+24)
	}
	w = min(w, drawingWidth-4)
	middle := min(max((from+to)/2, w/2+2), drawingWidth-w/2-2)
	top := y - lineHeight*len(lines) - 1
	fmt.Fprintf(b, `<rect class="note" x="%d" y="%d" width="%d" height="%d" rx="4"/>`, middle-w/2, top, w, lineHeight*len(lines)+8)
	for i, l := range lines {
		fmt.Fprintf(b, `<text class="note" x="%d" y="%d">%s</text>`, middle, top+lineHeight*i+24, html.EscapeString(l))
	}
}

func drawMessage(b *strings.Builder, from, to, y int, line, text string) {
	class, lost := "call", strings.HasSuffix(line, "x")
	if strings.HasPrefix(line, "--") {
		class = "reply"
	}
	if lost {
		class += " lost"
	}
	text = html.EscapeString(text)
	if from == to {
		own, x := "own", from+44
		if noRoom := float64(x)+float64(len([]rune(text)))*letterWidth > drawingWidth; noRoom {
			own, x = "own before", from-12
		}
		fmt.Fprintf(b, `<path class="%s" d="M%d %d h34 v16 h-26"/><text class="%s" x="%d" y="%d">%s</text>`, class, from, y-16, own, x, y-2, text)
		return
	}
	end, tip := to, -11
	if to < from {
		tip = 11
	}
	if lost { // it ends on its way
		end = to + (from-to)/4
		fmt.Fprintf(b, `<path class="cross" d="M%d %d l14 14 m0 -14 l-14 14"/>`, end-7, y-7)
	} else {
		fmt.Fprintf(b, `<path class="tip" d="M%d %d l%d -6 v12 z"/>`, end, y, tip)
	}
	fmt.Fprintf(b, `<line class="%s" x1="%d" y1="%d" x2="%d" y2="%d"/>`, class, from, y, end, y)
	half := float64(len([]rune(html.UnescapeString(text)))) * letterWidth / 2
	middle := min(max(float64(from+to)/2, half), drawingWidth-half)
	fmt.Fprintf(b, `<text class="message" x="%.0f" y="%d">%s</text>`, middle, y-10, text)
}
