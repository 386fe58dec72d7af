package overview

import (
	"fmt"
	"html"
	"strings"
)

// Colours of the pictures.
const (
	ink    = "#16202e"
	person = "#56637a"
	system = "#b8c2d1"
	topics = "#b45309"
)

var colors = map[string]string{"contract": "#0f766e", "billing": "#3730a3"}

// box is a rectangle.
type box struct {
	x, y, w, h int
	color      string
}

// drawing is a picture in the making.
type drawing struct{ strings.Builder }

// begin begins a picture with a title for those who cannot see it.
func begin(title string, height int) *drawing {
	d := &drawing{}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1160 %d" width="1160" height="%d" role="img" `+
		`font-family="'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif" text-anchor="middle">`+"\n", height, height)
	fmt.Fprintf(d, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(d, `<rect width="1160" height="%d" fill="#fff"/>`+"\n", height)
	fmt.Fprintf(d, `<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="%s"/></marker></defs>`+"\n", ink)
	return d
}

func (d *drawing) end() []byte {
	d.WriteString("</svg>\n")
	return []byte(d.String())
}

// text writes lines below each other, the first one at y.
func (d *drawing) text(x, y, size int, color string, lines ...string) {
	for i, l := range lines {
		fmt.Fprintf(d, `<text x="%d" y="%d" font-size="%d" fill="%s" stroke="#fff" stroke-width="5" paint-order="stroke">%s</text>`+"\n",
			x, y+(size+4)*i, size, color, html.EscapeString(l))
	}
}

// box draws a filled box with a title and further lines.
func (d *drawing) box(b box, title string, lines ...string) {
	fmt.Fprintf(d, `<rect x="%d" y="%d" width="%d" height="%d" rx="10" fill="%s"/>`+"\n", b.x, b.y, b.w, b.h, b.color)
	y := b.y + (b.h-22*len(lines))/2 + 8
	fmt.Fprintf(d, `<text x="%d" y="%d" font-size="20" font-weight="600" fill="#fff">%s</text>`+"\n", b.x+b.w/2, y, html.EscapeString(title))
	for i, l := range lines {
		fmt.Fprintf(d, `<text x="%d" y="%d" font-size="16" fill="#fff">%s</text>`+"\n", b.x+b.w/2, y+24+22*i, html.EscapeString(l))
	}
}

// small draws an outlined box with one line.
func (d *drawing) small(b box, line string) {
	fmt.Fprintf(d, `<rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="#fff7ed" stroke="%s"/><text x="%d" y="%d" font-size="16" fill="%s">%s</text>`+"\n",
		b.x, b.y, b.w, b.h, b.color, b.x+b.w/2, b.y+b.h/2+6, ink, html.EscapeString(line))
}

// frame draws a frame with a title at its top.
func (d *drawing) frame(b box, title string) {
	fmt.Fprintf(d, `<rect x="%d" y="%d" width="%d" height="%d" rx="14" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="8 5"/>`+"\n", b.x, b.y, b.w, b.h, b.color)
	d.text(b.x+b.w/2, b.y+32, 20, ink, title)
}

// arrow draws an arrow; what is read is dashed.
func (d *drawing) arrow(x1, y1, x2, y2 int, reads bool) {
	dash := ""
	if reads {
		dash = ` stroke-dasharray="7 5"`
	}

	fmt.Fprintf(d, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="2" marker-end="url(#tip)"%s/>`+"\n", x1, y1, x2, y2, ink, dash)
}
