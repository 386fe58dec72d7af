package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The bounds of what is written for people. A line of code has none, as for gofmt.
const (
	maxLines    = 70  // of a function: it fits a screen
	maxColumns  = 100 // of a comment or of Markdown text; a tab counts 4
	maxCell     = 160 // characters of a cell of a Markdown table
	maxTestName = 40
)

// Fault is a line that breaks a rule.
type Fault struct {
	Line int
	What string
}

// CheckGo returns the comment lines of a Go file that are too wide, its functions that are too long
// and its tests whose names are. It returns an error if the file does not parse, and no fault of a
// generated file.
func CheckGo(name string, text []byte) ([]Fault, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(f) {
		return nil, err
	}
	faults := wideComments(set, f, strings.Split(string(text), "\n"))
	test := strings.HasSuffix(name, "_test.go")
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		first, last, name := set.Position(fn.Pos()).Line, set.Position(fn.End()).Line, fn.Name.Name
		switch n := last - first + 1; {
		case !test && n > maxLines:
			faults = append(faults, Fault{first, fmt.Sprintf("%s has %d lines; a function fits a screen, %d lines", name, n, maxLines)})
		case test && fn.Recv == nil && testName.MatchString(name) && len(name) > maxTestName:
			faults = append(faults, Fault{first, fmt.Sprintf("%s has %d characters; a test is named in %d", name, len(name), maxTestName)})
		}
	}
	return faults, nil
}

func wideComments(set *token.FileSet, f *ast.File, lines []string) []Fault {
	var faults []Fault
	for _, group := range f.Comments {
		for _, c := range group.List {
			if directive.MatchString(c.Text) {
				continue
			}
			for n := set.Position(c.Pos()).Line; n <= set.Position(c.End()).Line; n++ {
				if w := columns(lines[n-1]); w > maxColumns && breakable(comment.ReplaceAllString(lines[n-1], "")) {
					faults = append(faults, Fault{n, fmt.Sprintf("the comment ends in column %d; wrap it at %d, or put it on a line of its own", w, maxColumns)})
				}
			}
		}
	}
	return faults
}

var (
	testName  = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z0-9]`)
	directive = regexp.MustCompile(`^//[a-z]+:[a-z]`)
	comment   = regexp.MustCompile(`^\s*(//|/\*|\*)?\s*(- )?`)
	marker    = regexp.MustCompile(`^[\s>]*([-*+] |[0-9]+\. |\[[^\]]+\]: )?`)
	// a code span or a link, which stay on one line
	unit      = regexp.MustCompile("`[^`]*`|\\[[^\\]]*\\]\\([^)]*\\)")
	fence     = regexp.MustCompile("^\\s*(```|~~~)")
	separator = regexp.MustCompile(`^[\s|:-]*-[\s|:-]*$`)
)

// CheckMarkdown returns the lines that are too wide and the paragraphs that stand in table cells.
// Code blocks and lines that have no place to break are not looked at: one word, one code span or
// one link.
func CheckMarkdown(text []byte) []Fault {
	var faults []Fault
	code := false
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case fence.MatchString(line):
			code = !code
		case code:
		case strings.HasPrefix(strings.TrimSpace(line), "|"):
			for _, cell := range cells(line) {
				if n := utf8.RuneCountInString(cell); n > maxCell {
					faults = append(faults, Fault{i + 1, fmt.Sprintf("a table cell of %d characters (%.30s...); over %d it is a heading with text", n, cell, maxCell)})
				}
			}
		default:
			if w := columns(line); w > maxColumns && breakable(unit.ReplaceAllString(marker.ReplaceAllString(line, ""), "x")) {
				faults = append(faults, Fault{i + 1, fmt.Sprintf("the line has %d columns; wrap it at %d", w, maxColumns)})
			}
		}
	}
	return faults
}

// cells returns the texts between the bars of a table's row, and none for the line below its head.
func cells(row string) []string {
	if separator.MatchString(row) {
		return nil
	}
	row = strings.ReplaceAll(strings.TrimSpace(row), `\|`, "\x00")
	var out []string
	for _, cell := range strings.Split(strings.Trim(row, "|"), "|") {
		out = append(out, strings.TrimSpace(strings.ReplaceAll(cell, "\x00", `\|`)))
	}
	return out
}

// breakable reports whether there is a space to break at. A long word, such as a URL, has none.
func breakable(text string) bool { return strings.Contains(strings.TrimSpace(text), " ") }

func columns(line string) int {
	return utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
}
