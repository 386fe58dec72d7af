package runs

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
)

// Languages are those in which a run can be drawn.
var Languages = []string{"fr", "en"}

// words are the words of pictures, by language. A name in braces that is not listed is an error.
var words = map[string]map[string]string{
	"fr": {
		"available": "disponible", "manager": "Gestionnaire", "sales": "Vente", "operator": "Exploitation", "bank": "Banque",
		"contract": "Contrat", "billing": "Facturation", "billing-1": "Facturation 1", "billing-2": "Facturation 2",
		"on": "sur", "key": "clé", "new": "neuve", "outstanding": "encours", "of": "sur",
		"void": "nul", "timer": "à la date de début",
		"lost": "la réponse se perd", "killed": "tuée (SIGKILL)", "stopped": "s'arrête", "started": "redémarre", "away": "connexion refusée",
		"judged": "jugé sur la version",
	},
	"en": {
		"available": "available", "manager": "Manager", "sales": "Sales", "operator": "Operator", "bank": "Bank",
		"contract": "Contract", "billing": "Billing", "billing-1": "Billing 1", "billing-2": "Billing 2",
		"on": "on", "key": "key", "new": "new", "outstanding": "outstanding", "of": "of",
		"void": "void", "timer": "on the start date",
		"lost": "the answer is lost", "killed": "killed (SIGKILL)", "stopped": "stops", "started": "starts again", "away": "connection refused",
		"judged": "judged on version",
	},
}

var braces = regexp.MustCompile(`\{([a-z0-9-]+)\}`)

// Measures of a drawing, in pixels.
const (
	width  = 1160
	head   = 46
	few    = 5    // lanes
	letter = 0.52 // width of a letter, as a part of its size

	headSize = 18 // of the names of lanes
	kafkaInk = "#b45309"
	quiet    = "#56637a"
)

// sizes are the measures that depend on the room that a drawing has.
type sizes struct {
	row, text, detail int
	below             int  // from an arrow to the line of its detail
	fixed             bool // texts are not made smaller to fit
}

var (
	manyLanes = sizes{row: 44, text: 18, detail: 15, below: 17}
	fewLanes  = sizes{row: 50, text: 21, detail: 16, below: 20}
	onSlide   = sizes{row: 48, text: 20, detail: 18, below: 19, fixed: true}
)

// drawing is a picture in the making.
type drawing struct {
	strings.Builder
	sizes
	run    Run
	words  map[string]string
	height int
	err    error
}

// Draw draws a run as SVG in a language. An error is returned for a step on a lane that the run
// does not have, and for an unknown word.
func Draw(r Run, lang string) ([]byte, error) {
	if len(r.Lanes) <= few {
		return draw(r, lang, fewLanes)
	}
	return draw(r, lang, manyLanes)
}

func draw(r Run, lang string, of sizes) ([]byte, error) {
	d := &drawing{run: r, words: words[lang], sizes: of}
	rows := rowsOf(r)
	d.height = head + 16 + d.row*(slices.Max(append(rows, 0))+1)
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" `+
		`font-family="'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif" font-size="%d">`+"\n", width, d.height, width, d.height, d.text)
	fmt.Fprintf(d, "<title>%s</title>\n", html.EscapeString(d.describe()))
	fmt.Fprintf(d, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, d.height)
	for i, name := range r.Lanes {
		d.lane(i, name)
	}
	for i, s := range r.Steps {
		d.step(s, head+14+d.row*rows[i])
	}
	d.WriteString("</svg>\n")
	return []byte(d.String()), d.err
}

// describe returns the picture in words, for those who cannot see it.
func (d *drawing) describe() string {
	var lines []string
	for _, s := range d.run.Steps {
		parts := []string{d.name(s.From)}
		if s.To != "" {
			parts = append(parts, "→", d.name(s.To))
		}
		text := d.translate(s.Text)
		if s.Kind == Void {
			text += " (" + d.translate("{void}") + ")"
		}
		lines = append(lines, strings.Join(parts, " ")+": "+text)
	}
	return strings.Join(lines, "; ")
}

func (d *drawing) translate(text string) string {
	return braces.ReplaceAllStringFunc(text, func(word string) string {
		w, ok := d.words[word[1:len(word)-1]]
		if !ok {
			d.err = fmt.Errorf("%s: no word %s", d.run.Name, word)
		}
		return w
	})
}

// name returns the name of a lane for people. Those of topics and logs are their own.
func (d *drawing) name(lane string) string {
	if strings.Contains(lane, ".") {
		return lane
	}
	return d.translate("{" + lane + "}")
}

// x returns the middle of a lane.
func (d *drawing) x(lane string) int {
	i := slices.Index(d.run.Lanes, lane)
	if i < 0 {
		d.err = fmt.Errorf("%s: no lane %q", d.run.Name, lane)
	}
	return d.middle(i)
}

func (d *drawing) middle(i int) int {
	w := width / len(d.run.Lanes)
	return w*i + w/2
}

// color returns the colour of a lane: people, services, logs and topics differ.
func color(lane string) string {
	switch {
	case strings.Contains(lane, ".log."):
		return "#92400e"
	case strings.Contains(lane, "."):
		return "#b45309"
	case strings.HasPrefix(lane, "billing"):
		return "#3730a3"
	case lane == "contract":
		return "#0f766e"
	}
	return "#56637a"
}

func (d *drawing) lane(i int, name string) {
	x, w := d.middle(i), min(width/len(d.run.Lanes)-12, 220)
	fmt.Fprintf(d, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#b8c2d1" stroke-width="2" stroke-dasharray="2 5"/>`+"\n", x, head, x, d.height)
	title := d.name(name)
	fmt.Fprintf(d, `<rect x="%d" y="2" width="%d" height="%d" rx="8" fill="%s"/><text x="%d" y="30" text-anchor="middle" fill="#fff" font-weight="600" font-size="%d">%s</text>`+"\n",
		x-w/2, w, head-6, color(name), x, fitting(title, w-8, headSize), html.EscapeString(title))
}

// fitting returns the size at which a text is no wider than that many pixels, or one that is three
// quarters of the given size if the text is too long for that.
func fitting(text string, pixels, size int) int {
	for smallest := size * 3 / 4; size > smallest && int(letter*float64(size)*float64(len([]rune(text)))) > pixels; {
		size--
	}
	return size
}

func (d *drawing) step(s Step, y int) {
	middle := y + d.row/2 + 4
	switch s.Kind {
	case Incident:
		d.incident(s, middle)
	case Arrival:
		d.note(s, middle, kafkaInk, "")
	case Applied, Void:
		d.record(s, middle)
	default:
		from, to := d.x(s.From), d.x(s.To)
		if s.Kind == Cut {
			to -= (to - from) / 4
		}
		d.arrow(s, from, to, middle)
		d.label(s, from, to, middle, "#16202e")
	}
}

func (d *drawing) incident(s Step, y int) {
	text := d.translate(s.Text)
	w := d.wide(text, d.text) + 36
	x := min(max(d.x(s.From), w/2+2), width-w/2-2)
	fmt.Fprintf(d, `<rect x="%d" y="%d" width="%d" height="30" rx="6" fill="#fef2f2" stroke="#b42318" stroke-width="2"/><text x="%d" y="%d" text-anchor="middle" fill="#b42318" font-weight="600">%s</text>`+"\n",
		x-w/2, y-18, w, x, y+3, html.EscapeString(text))
}

// record draws a record with its verdict on the line of its log, and the message that it rests on.
func (d *drawing) record(s Step, y int) {
	if s.From == s.To {
		d.folded(s, y)
		return
	}
	from, to := d.x(s.From), d.x(s.To)
	if s.Via != "" {
		d.arrow(Step{Kind: Answer, From: s.Via, To: s.From}, d.x(s.Via), from, y)
	}
	d.arrow(s, from, to, y)
	ink, mark := "#16202e", `<path d="M%d %d l5 6 l9 -12" fill="none" stroke="#15803d" stroke-width="3"/>`
	if s.Kind == Void {
		ink, mark = "#b42318", `<path d="M%d %d m0 -6 l12 12 m0 -12 l-12 12" fill="none" stroke="#b42318" stroke-width="3"/>`
	}
	beyond, anchor, word := 10, "start", 30
	if to < from {
		beyond, anchor, word = -24, "end", -30
	}
	fmt.Fprintf(d, `<rect x="%d" y="%d" width="22" height="20" fill="#fff"/>`+mark+"\n", to+beyond-3, y-10, to+beyond, y)
	if s.Kind == Void {
		fmt.Fprintf(d, `<text x="%d" y="%d" text-anchor="%s" fill="%s" font-weight="600" font-size="%d">%s</text>`+"\n",
			to+word, y+5, anchor, ink, d.detail, d.translate("{void}"))
	}
	d.label(s, from, to, y, ink)
}

func (d *drawing) arrow(s Step, from, to, y int) {
	style := `stroke="#16202e" stroke-width="2"`
	switch s.Kind {
	case Answer:
		style += ` stroke-dasharray="7 5"`
	case Event:
		style = `stroke="#b45309" stroke-width="2"`
	case Void:
		style = `stroke="#b42318" stroke-width="2"`
	case Cut:
		style = `stroke="#b42318" stroke-width="2" stroke-dasharray="7 5"`
		fmt.Fprintf(d, `<path d="M%d %d l14 14 m0 -14 l-14 14" stroke="#b42318" stroke-width="4"/>`+"\n", to-7, y-7)
	}
	tip := -10
	if to < from {
		tip = 10
	}
	fmt.Fprintf(d, `<line x1="%d" y1="%d" x2="%d" y2="%d" %s/>`, from, y, to, y, style)
	if s.Kind != Cut {
		fmt.Fprintf(d, `<path d="M%d %d l%d -6 v12 z" fill="#16202e"/>`, to, y, tip)
	}
	d.WriteString("\n")
}

// label writes the text above an arrow and its detail below it. The text of a void record is struck
// through. A text that is wider than its arrow keeps within the picture.
func (d *drawing) label(s Step, from, to, y int, ink string) {
	gap := max(to-from, from-to) - 24
	write := func(text string, size, y int, ink string) (middle, half float64) {
		text = d.translate(text)
		if !d.fixed {
			size = max(fitting(text, gap, size), size-2)
		}
		half = letter * float64(size) * float64(len([]rune(text))) / 2
		middle = min(max(float64(from+to)/2, half+2), width-half-2)
		fmt.Fprintf(d, `<text x="%.0f" y="%d" text-anchor="middle" font-size="%d" fill="%s" stroke="#fff" stroke-width="4" paint-order="stroke">%s</text>`+"\n",
			middle, y, size, ink, html.EscapeString(text))
		return middle, half
	}
	middle, half := write(s.Text, d.text, y-8, ink)
	if s.Kind == Void {
		fmt.Fprintf(d, `<line x1="%.0f" y1="%d" x2="%.0f" y2="%d" stroke="%s" stroke-width="2"/>`+"\n", middle-half, y-13, middle+half, y-13, ink)
	}
	if s.Detail != "" {
		write(s.Detail, d.detail, y+d.below, quiet)
	}
}
