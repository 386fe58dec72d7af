package gofile

import (
	"bytes"
	"fmt"
	"go/scanner"
	"go/token"
	"regexp"
	"strings"
	"unicode/utf8"
)

// width is the number of columns that a comment may have; a tab counts tabWidth.
const (
	width    = 100
	tabWidth = 4
)

// Comment returns text as a Go comment. Its lines are kept, except for blank ones at the ends; File
// and Doc wrap those that are too long.
func Comment(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight("// "+strings.TrimRight(l, " \t\r"), " ")
	}
	return strings.Join(lines, "\n")
}

// TypeComment returns the comment of a type: what it is, and in a paragraph of its own what its
// schema says about it. Of wish, the name that was taken, it is empty if the type has the name that
// it should have.
func TypeComment(name, wish, what, doc string) string {
	text := name + " is " + what + "."
	if doc = strings.TrimSpace(doc); doc != "" {
		text += "\n\n" + doc
	}
	if wish != "" && wish != name {
		text += fmt.Sprintf("\n\nIt is called %s because the name %s is taken.", name, wish)
	}
	return Comment(text)
}

// FieldComment returns the comment of a field, with a line end; it is empty if there is nothing to
// say.
func FieldComment(name, wish, doc string) string {
	if wish != name {
		doc += fmt.Sprintf("\n\nIt is called %s because the name %s is taken.", name, wish)
	}
	if doc = strings.TrimSpace(doc); doc == "" {
		return ""
	}
	return Comment(doc) + "\n"
}

// wrap wraps the comments of a formatted file that are too wide.
func wrap(src []byte) []byte {
	if !wide(src) {
		return src
	}
	var out bytes.Buffer
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(src))
	s.Init(file, src, nil, scanner.ScanComments)
	lines := bytes.SplitAfter(src, []byte("\n"))
	next := 0 // line that is not written yet
	var block []string
	for {
		pos, tok, lit := s.Scan()
		at := file.Line(pos) - 1
		alone := tok == token.COMMENT && strings.HasPrefix(lit, "//") && len(bytes.TrimSpace(lines[at])) == len(lit)
		if len(block) > 0 && (!alone || at != next+len(block)) {
			writeBlock(&out, lines[next], block)
			next += len(block)
			block = nil
		}
		if tok == token.EOF {
			break
		}
		if alone {
			if block == nil {
				out.Write(bytes.Join(lines[next:at], nil))
				next = at
			}
			block = append(block, lit)
		}
	}
	out.Write(bytes.Join(lines[next:], nil))
	return out.Bytes()
}

// wide reports whether a line that begins with a comment is too wide.
func wide(src []byte) bool {
	for line := range bytes.Lines(src) {
		if len(line) > width/2 && bytes.HasPrefix(bytes.TrimLeft(line, "\t"), []byte("//")) && columns(string(line)) > width {
			return true
		}
	}
	return false
}

// columns returns the width of a line.
func columns(line string) int {
	line = strings.TrimRight(line, "\n")
	return utf8.RuneCountInString(line) + (tabWidth-1)*strings.Count(line, "\t")
}

// writeBlock writes the comment lines of a block, which are indented like first.
func writeBlock(out *bytes.Buffer, first []byte, block []string) {
	indent := string(first[:bytes.Index(first, []byte("//"))])
	for _, l := range wrapBlock(block, width-columns(indent)) {
		out.WriteString(indent + l + "\n")
	}
}

// Lines of a comment that begin a unit of text: an item of an indented list, which gofmt has
// brought into shape, and in running text a line that looks like an item, a row of a table, a
// quotation or a heading.
var (
	listItem = regexp.MustCompile(`^//( {2,}(?:-|\d+\.) )`)
	newUnit  = regexp.MustCompile(`^// (?:[-*+|>#\x60]|\d+[.)] )`)
	plain    = regexp.MustCompile(`^// \S`)
)

// wrapBlock wraps the paragraphs and list items of a comment that have a line that is too wide.
// Other lines stay as they are.
func wrapBlock(block []string, width int) []string {
	var out []string
	fenced := false // inside a block of code in Markdown
	for i := 0; i < len(block); {
		n, first, rest := unit(block[i:])
		if strings.HasPrefix(block[i], "// ```") {
			fenced = !fenced
			n = 1
		}
		lines := block[i : i+n]
		i += n
		tooWide := false
		for _, l := range lines {
			tooWide = tooWide || columns(l) > width
		}
		if fenced || first == "" || !tooWide {
			out = append(out, lines...)
			continue
		}
		var words []string
		for _, l := range lines {
			words = append(words, strings.Fields(strings.TrimPrefix(l, "//"))...)
		}
		if rest != first {
			words = words[1:] // the bullet is part of first
		}
		out = append(out, fill(words, first, rest, width)...)
	}
	return out
}

// unit returns how many lines belong together at the beginning of a comment, and what its lines
// begin with once they are wrapped; first is empty if they must not be.
func unit(block []string) (n int, first, rest string) {
	if m := listItem.FindStringSubmatch(block[0]); m != nil {
		indent := strings.Repeat(" ", len(m[1]))
		for n = 1; n < len(block) && strings.HasPrefix(block[n], "//"+indent) && listItem.FindString(block[n]) == ""; n++ {
		}
		return n, "//" + m[1], "//" + indent
	}
	if !plain.MatchString(block[0]) {
		return 1, "", "" // a directive, code, or an empty line
	}
	for n = 1; n < len(block) && plain.MatchString(block[n]) && !newUnit.MatchString(block[n]); n++ {
	}
	return n, "// ", "// "
}

// fill puts words on lines of at most the given width. A word that is wider has a line of its own.
func fill(words []string, first, rest string, width int) []string {
	var out []string
	line := first
	for i, w := range words {
		if i > 0 && columns(line)+columns(w) >= width {
			out = append(out, line)
			line = rest
		}
		if line != first && line != rest {
			line += " "
		}
		line += w
	}
	return append(out, line)
}
