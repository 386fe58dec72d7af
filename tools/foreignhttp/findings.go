package foreignhttp

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Finding is what schemathesis has to say of one request.
type Finding struct {
	Operation string // "POST /operations"
	Check     string // "ST202"
	Text      string // what was wrong, and the answer
}

var (
	headline = regexp.MustCompile(`^_{3,} (.+?) _{3,}$`)
	check    = regexp.MustCompile(`^- (ST\d+) `)
	ended    = regexp.MustCompile(`^=+ (SUMMARY|WARNINGS|Stateful tests) =+$`)
	unjudged = regexp.MustCompile(`(?m)^=+ ERRORS =+$`)
	tested   = regexp.MustCompile(`(?m)^  Selected: (\d+)/(\d+)\n  Tested: (\d+)$`)
)

// Findings reads the output of a run of schemathesis. An error is returned if the run did not test
// every operation.
func Findings(output string) ([]Finding, error) {
	m := tested.FindStringSubmatch(output)
	if m == nil || m[1] != m[2] || m[1] != m[3] {
		return nil, fmt.Errorf("not every operation was tested: %q", m)
	}
	if unjudged.MatchString(output) {
		return nil, errors.New("some requests could not be sent or judged; see ERRORS in the output")
	}
	var out []Finding
	operation, open := "", false
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		switch {
		case ended.MatchString(line):
			open = false
		case headline.MatchString(line):
			operation, open = headline.FindStringSubmatch(line)[1], false
		case check.MatchString(line):
			out = append(out, Finding{Operation: operation, Check: check.FindStringSubmatch(line)[1], Text: line})
			open = true
		case open:
			out[len(out)-1].Text += "\n" + line
		}
	}
	return out, nil
}

//go:embed explained.txt
var explainedList string

// Explanation says why some findings are no fault.
type Explanation struct {
	Check  string
	Answer *regexp.Regexp
	Reason string
}

// Explained returns the list of explanations. A line has a check, an expression for the text of the
// finding, and a reason, separated by " | ".
func Explained() ([]Explanation, error) { return explanations(explainedList) }

func explanations(list string) (out []Explanation, err error) {
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " | ")
		if len(parts) != 3 {
			return nil, fmt.Errorf("not three parts: %q", line)
		}
		answer, err := regexp.Compile(parts[1])
		if err != nil {
			return nil, err
		}
		out = append(out, Explanation{parts[0], answer, parts[2]})
	}
	return out, nil
}

// Unexplained returns the findings that no explanation is for, and the explanations that are for
// none of the findings.
func Unexplained(findings []Finding, list []Explanation) (faults []Finding, unused []Explanation) {
	used := make([]bool, len(list))
	for _, f := range findings {
		i := slices.IndexFunc(list, func(e Explanation) bool { return e.Check == f.Check && e.Answer.MatchString(f.Text) })
		if i < 0 {
			faults = append(faults, f)
			continue
		}
		used[i] = true
	}
	for i, e := range list {
		if !used[i] {
			unused = append(unused, e)
		}
	}
	return faults, unused
}
