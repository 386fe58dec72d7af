// Package diag carries what eventgen has to say about somebody's files: where, what, and what to do
// about it.
//
// Every stage of eventgen may import it; it imports nothing of eventgen.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file. Lines and columns count from 1; 0 means unknown.
type Pos struct {
	File      string
	Line, Col int
}

// IsValid says whether the position names a file.
func (p Pos) IsValid() bool { return p.File != "" }

// String gives file:line:col, without what is unknown.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Severity says whether code can be generated in spite of the diagnostic.
type Severity int

const (
	// Error stops generation.
	Error Severity = iota
	// Warning changes nothing of the generated code.
	Warning
)

// String gives the word printed before the message.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one thing to tell the author of a file.
type Diagnostic struct {
	Pos
	Message  string
	Hint     string // what to do about it, without the word "hint"; may be empty
	Severity Severity
}

// String gives the diagnostic as the command prints it, the hint on a line of its own.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.IsValid() {
		b.WriteString(d.Pos.String())
		b.WriteString(": ")
	}
	if d.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(d.Message)
	if d.Hint != "" {
		b.WriteString("\n  hint: ")
		b.WriteString(strings.ReplaceAll(d.Hint, "\n", "\n        "))
	}
	return b.String()
}

// List gathers diagnostics, so that all of them are told in one go. A *List is what stages write
// to; a List with errors in it is an error value.
type List []Diagnostic

// Errorf adds an error without a hint.
func (l *List) Errorf(pos Pos, format string, args ...any) {
	l.Add(Diagnostic{Pos: pos, Message: fmt.Sprintf(format, args...)})
}

// ErrorHint adds an error and what to do about it.
func (l *List) ErrorHint(pos Pos, hint, format string, args ...any) {
	l.Add(Diagnostic{Pos: pos, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// Warnf adds a warning; the hint may be empty.
func (l *List) Warnf(pos Pos, hint, format string, args ...any) {
	l.Add(Diagnostic{Pos: pos, Hint: hint, Message: fmt.Sprintf(format, args...), Severity: Warning})
}

// Add adds diagnostics, leaving out those it holds already: a fault in a shared file is told once.
func (l *List) Add(ds ...Diagnostic) {
	for _, d := range ds {
		if !slices.Contains(*l, d) {
			*l = append(*l, d)
		}
	}
}

// HasErrors says whether anything in the list stops generation.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Strict gives the same list with every warning made an error.
func (l List) Strict() List {
	out := slices.Clone(l)
	for i := range out {
		out[i].Severity = Error
	}
	return out
}

// Sorted gives the list in the order a reader goes through the files.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
	return out
}

// Error gives the list as the command prints it, one diagnostic after the other.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Err gives the list as an error when it holds one, else nil.
func (l List) Err() error {
	if l.HasErrors() {
		return l
	}
	return nil
}

// OneOf is the hint for a wrong name: the names that exist, the nearest first when one is near.
func OneOf(what, got string, names []string) string {
	if len(names) == 0 {
		return "there are no " + what
	}
	if near, ok := Nearest(got, names); ok {
		return fmt.Sprintf("did you mean %q? The %s are %s", near, what, strings.Join(names, ", "))
	}
	return fmt.Sprintf("the %s are %s", what, strings.Join(names, ", "))
}

// Nearest gives the name a typing error away from got, if there is one.
func Nearest(got string, names []string) (string, bool) {
	best, bestAt := "", 3
	for _, n := range names {
		if d := distance(strings.ToLower(got), strings.ToLower(n)); d < bestAt && d < max(len(got), 2) {
			best, bestAt = n, d
		}
	}
	return best, best != ""
}

// distance is the Levenshtein distance of a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := last
			if a[i] != b[j] {
				next = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
