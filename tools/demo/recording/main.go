// Command recording turns what the demo prints into a picture of a terminal, as SVG, on which the
// lines appear one after the other:
//
//	go run ./tools/demo | go run ./tools/demo/recording -steps 1,5,7,9,31 >docs/pictures/demo.svg
package main

import (
	"bufio"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	steps := flag.String("steps", "", "`numbers` of the steps to show, separated by commas")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *steps); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, steps string) error {
	var shown []int
	for text := range strings.SplitSeq(steps, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-steps: %w", err)
		}
		shown = append(shown, n)
	}
	lines, err := choose(in, shown)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, picture(lines))
	return err
}

var title = regexp.MustCompile(`^ ?(\d+)  \S`)

// choose returns the lines of the steps that are shown, and the last line. An error is returned if
// a step is missing.
func choose(in io.Reader, shown []int) ([]string, error) {
	var out []string
	last, keep, found := "", false, 0
	for scan := bufio.NewScanner(in); scan.Scan(); {
		line := scan.Text()
		if m := title.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			if keep = slices.Contains(shown, n); keep {
				found++
				out = append(out, "") // a step begins after an empty line
			}
		}
		if line != "" {
			last = line
		}
		if keep && line != "" {
			out = append(out, line)
		}
	}
	if found != len(shown) {
		return nil, fmt.Errorf("%d of %d steps are in the input", found, len(shown))
	}
	if len(out) > 0 && out[len(out)-1] != last {
		out = append(out, last)
	}
	return out, nil
}

// The size of a line and of a character in pixels, and the time between two lines in seconds.
const (
	lineHeight = 17
	charWidth  = 7.25
	margin     = 20
	columns    = 120
	pace       = 0.16
)

// picture returns the SVG. Who prefers reduced motion sees all lines at once.
func picture(lines []string) string {
	var b strings.Builder
	width, height := columns*charWidth+2*margin, (len(lines)+1)*lineHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %d" width="%g" height="%d" role="img" aria-label="make demo in a terminal">
<style>
text { font: 12px ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; fill: #d7dbe4; white-space: pre; animation: come .2s backwards; }
.title { fill: #fff; font-weight: 600; } .why { fill: #98a2b5; } .ask { fill: #a3a8ff; } .answer { fill: #6fd394; } .model { fill: #4fd1bf; } .topic { fill: #f0b35b; } .void { fill: #ff9088; }
@keyframes come { from { opacity: 0; } }
@media (prefers-reduced-motion: reduce) { text { animation: none; } }
</style>
<rect width="100%%" height="100%%" rx="10" fill="#161a22"/>
`, width, height, width, height)
	for i, line := range append([]string{"$ make demo"}, lines...) {
		if line == "" {
			continue
		}
		fmt.Fprintf(&b, `<text class="%s" x="%d" y="%d" style="animation-delay:%.2fs">`, class(line, i, lines), margin, margin+lineHeight*i+12, pace*float64(i))
		_ = xml.EscapeText(&b, []byte(line)) // a Builder has no errors
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// class returns how a line is shown: i is its number, counted from the command.
func class(line string, i int, lines []string) string {
	text := strings.TrimSpace(line)
	switch {
	case i == 0 || title.MatchString(line):
		return "title"
	case strings.HasPrefix(text, "> "):
		return "ask"
	case strings.HasPrefix(text, "< "), strings.HasPrefix(text, "ok,"), strings.Contains(text, "all good"):
		return "answer"
	case strings.HasPrefix(text, "= "):
		return "model"
	case strings.HasSuffix(text, " VOID"):
		return "void"
	case strings.HasPrefix(text, "contract."), strings.HasPrefix(text, "billing."):
		return "topic"
	case i > 1 && title.MatchString(lines[i-2]):
		return "why"
	}
	return ""
}
