// Package diag has the diagnostics of eventgen: each is a fault of a file with its position and a
// hint what to do about it.
//
// Every stage of eventgen may import it. It imports nothing of eventgen.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a position in a file. Lines and columns are counted from 1; 0 means unknown.
type Pos struct {
	File      string
	Line, Col int
}

// IsValid reports whether the position names a file.
func (p Pos) IsValid() bool { return p.File != "" }

// String returns file:line:col, without the parts that are unknown.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Severity is whether code can be generated in spite of a diagnostic.
type Severity int

const (
	// Error stops generation.
	Error Severity = iota
	// Warning does not change the generated code.
	Warning
)

// String returns the name of the severity.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is a fault to report to the author of a file.
type Diagnostic struct {
	Pos
	Message  string
	Hint     string // what to do about it, without the word "hint"; may be empty
	Severity Severity
}

// String returns the diagnostic as the command prints it, with the hint on a line of its own.
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

// List collects diagnostics, so that all of them are reported in one run. Stages add to a *List. A
// List with errors is an error value.
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

// Add adds the diagnostics that are not in the list yet, so that a fault in a shared file is
// reported once. What is both an error and a warning is reported as an error.
func (l *List) Add(ds ...Diagnostic) {
	for _, d := range ds {
		i := slices.IndexFunc(*l, func(o Diagnostic) bool { return o.Pos == d.Pos && o.Message == d.Message && o.Hint == d.Hint })
		if i < 0 {
			*l = append(*l, d)
		} else if d.Severity == Error {
			(*l)[i].Severity = Error
		}
	}
}

// Warn makes the errors that a function selects warnings.
func (l List) Warn(of func(Diagnostic) bool) {
	for i, d := range l {
		if of(d) {
			l[i].Severity = Warning
		}
	}
}

// HasErrors reports whether the list has an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Strict returns the list with every warning made an error.
func (l List) Strict() List {
	out := slices.Clone(l)
	for i := range out {
		out[i].Severity = Error
	}
	return out
}

// Warnings returns the list with every error made a warning.
func (l List) Warnings() List {
	out := slices.Clone(l)
	for i := range out {
		out[i].Severity = Warning
	}
	return out
}

// Sorted returns the list sorted by position.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
	return out
}

// Error returns the list as the command prints it, one diagnostic after the other.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the list as an error if it has one, and nil otherwise.
func (l List) Err() error {
	if l.HasErrors() {
		return l
	}
	return nil
}

// OneOf returns the hint for a wrong name: the names that exist, and first the one that was
// probably meant.
func OneOf(what, got string, names []string) string {
	if len(names) == 0 {
		return "there are no " + what
	}
	if near, ok := Nearest(got, names); ok {
		return fmt.Sprintf("did you mean %q? The %s are %s", near, what, strings.Join(names, ", "))
	}
	return fmt.Sprintf("the %s are %s", what, strings.Join(names, ", "))
}

// Nearest returns the name that differs from got by a typing error, if there is one.
func Nearest(got string, names []string) (string, bool) {
	best, bestAt := "", 3
	for _, n := range names {
		if d := distance(strings.ToLower(got), strings.ToLower(n)); d < bestAt && d < max(len(got), 2) {
			best, bestAt = n, d
		}
	}
	return best, best != ""
}

// distance returns the Levenshtein distance of a and b.
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
