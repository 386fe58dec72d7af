package slides

import (
	"fmt"
	"html"
	"regexp"
	"strings"
)

// sequence is a diagram in a part of Mermaid's language: participants, messages and notes.
type sequence struct {
	names  map[string]int // to the lane
	titles []string
	actors map[int]bool
	steps  []step
}

// step is a message from one lane to another, or a note over the lanes from one to another.
type step struct {
	note     bool
	from, to int
	arrow    string // ->>, -->>, -x or --x
	text     string
}

var (
	laneLine = regexp.MustCompile(`^(participant|actor) (\w+)(?: as (.+))?$`)
	sendLine = regexp.MustCompile(`^(\w+?)(-?->>|-?-x)(\w+): (.+)$`)
	noteLine = regexp.MustCompile(`^Note over (\w+)(?:,(\w+))?: (.+)$`)
)

func parseSequence(text string) (*sequence, error) {
	q := &sequence{names: map[string]int{}, actors: map[int]bool{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line == "sequenceDiagram" || line == "autonumber" {
			continue
		}
		if err := q.read(line); err != nil {
			return nil, err
		}
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
	var s step
	var from, to string
	if m := sendLine.FindStringSubmatch(line); m != nil {
		from, to, s.arrow, s.text = m[1], m[3], m[2], m[4]
	} else if m := noteLine.FindStringSubmatch(line); m != nil {
		from, to, s.note, s.text = m[1], m[2], true, m[3]
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
	q.steps = append(q.steps, s)
	return nil
}

// Measures of a drawing, in pixels of a slide.
const (
	drawingWidth = 1160
	headHeight   = 50
	rowHeight    = 48
	letterWidth  = 11.5 // of the text of a message, at most
)

// svg draws the diagram.
func (q *sequence) svg() string {
	var b strings.Builder
	lane := drawingWidth / len(q.titles)
	x := func(i int) int { return lane*i + lane/2 }
	height := headHeight + rowHeight*len(q.steps) + 14
	fmt.Fprintf(&b, `<svg class="sequence" role="img" viewBox="0 0 %d %d" width="%d" height="%d">`, drawingWidth, height, drawingWidth, height)
	for i, t := range q.titles {
		class := "lane"
		switch {
		case q.actors[i]:
			class = "lane actor"
		case strings.Contains(t, ".v1"):
			class = "lane topic"
		}
		w := min(lane-16, 260)
		fmt.Fprintf(&b, `<line class="life" x1="%d" y1="%d" x2="%d" y2="%d"/>`, x(i), headHeight, x(i), height)
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="2" width="%d" height="%d" rx="8"/><text class="title" x="%d" y="33">%s</text>`,
			class, x(i)-w/2, w, headHeight-4, x(i), html.EscapeString(t))
	}
	for i, s := range q.steps {
		y := headHeight + rowHeight*(i+1)
		if s.note {
			drawNote(&b, x(s.from), x(s.to), y, s.text)
		} else {
			drawMessage(&b, x(s.from), x(s.to), y, s)
		}
	}
	return b.String() + "</svg>"
}

func drawNote(b *strings.Builder, from, to, y int, text string) {
	middle := (from + to) / 2
	w := max(to-from+60, int(float64(len([]rune(text)))*letterWidth)+24)
	middle = min(max(middle, w/2+2), drawingWidth-w/2-2)
	fmt.Fprintf(b, `<rect class="note" x="%d" y="%d" width="%d" height="32" rx="4"/><text class="note" x="%d" y="%d">%s</text>`,
		middle-w/2, y-25, w, middle, y-3, html.EscapeString(text))
}

func drawMessage(b *strings.Builder, from, to, y int, s step) {
	class := "call"
	if strings.HasPrefix(s.arrow, "--") {
		class = "reply"
	}
	if strings.HasSuffix(s.arrow, "x") {
		class += " lost"
	}
	if from == to {
		fmt.Fprintf(b, `<path class="%s" d="M%d %d h34 v16 h-26"/><text class="own" x="%d" y="%d">%s</text>`, class, from, y-16, from+44, y-2, html.EscapeString(s.text))
		return
	}
	end, tip := to, -11
	if to < from {
		tip = 11
	}
	if strings.HasSuffix(s.arrow, "x") { // a lost message ends on its way
		end = to + (from-to)/4
		fmt.Fprintf(b, `<path class="cross" d="M%d %d l14 14 m0 -14 l-14 14"/>`, end-7, y-7)
	} else {
		fmt.Fprintf(b, `<path class="tip" d="M%d %d l%d -6 v12 z"/>`, end, y, tip)
	}
	fmt.Fprintf(b, `<line class="%s" x1="%d" y1="%d" x2="%d" y2="%d"/>`, class, from, y, end, y)
	half := float64(len([]rune(s.text))) * letterWidth / 2
	middle := min(max(float64(from+to)/2, half), drawingWidth-half)
	fmt.Fprintf(b, `<text class="message" x="%.0f" y="%d">%s</text>`, middle, y-10, html.EscapeString(s.text))
}
