// Package report writes findings: for people, for programs, for JUnit and for GitHub.
//
// The command imports it.
package report

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
)

// Formats are the formats that there are.
var Formats = []string{"text", "json", "junit", "github", "markdown"}

// Write writes findings in a format. Those at or above failOn are failures.
func Write(w io.Writer, format string, all []finding.Finding, failOn finding.Level) error {
	if format == "json" {
		return writeJSON(w, all)
	}
	all = slices.Clone(all)
	for i := range all {
		f := &all[i]
		f.Message, f.Hint, f.Pointer, f.File = visible(f.Message), visible(f.Hint), visible(f.Pointer), visible(f.File)
	}
	switch format {
	case "junit":
		return junit(w, all, failOn)
	case "github":
		return github(w, all, failOn)
	case "markdown":
		return markdown(w, all, failOn)
	}
	return text(w, all, failOn)
}

// visible returns a text with escapes for the characters that cannot be seen, or that change the
// direction of what follows: patterns of a contract may have them.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == ' ' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

func text(w io.Writer, all []finding.Finding, failOn finding.Level) error {
	var b strings.Builder
	for _, f := range grouped(all) {
		fmt.Fprintf(&b, "%s: %s %s: %s\n", f.Place(), f.Level, f.ID, f.Message)
		if f.Pointer != "" {
			fmt.Fprintf(&b, "  at:   %s\n", f.Pointer)
		}
		if f.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", f.Hint)
		}
	}
	fmt.Fprintf(&b, "contractdiff: %s\n", Summary(all, failOn))
	_, err := io.WriteString(w, b.String())
	return err
}

// grouped joins findings of one kind and place, such as those of a schema that many operations of
// an OpenAPI document use. Only people read fewer: programs get every finding.
func grouped(all []finding.Finding) []finding.Finding {
	type key struct {
		finding.Level
		id, place, pointer, hint string
	}
	at, more := map[key]int{}, map[int]int{}
	var out []finding.Finding
	for _, f := range all {
		k := key{f.Level, f.ID, f.Place(), f.Pointer, f.Hint}
		if i, known := at[k]; known && f.Line > 0 {
			more[i]++
			continue
		}
		at[k] = len(out)
		out = append(out, f)
	}
	for i, n := range more {
		out[i].Message += fmt.Sprintf("; and %d more of the same", n)
	}
	return out
}

// Summary returns the number of findings of each level, and what they mean for a release.
func Summary(all []finding.Finding, failOn finding.Level) string {
	counts := map[finding.Level]int{}
	for _, f := range all {
		counts[f.Level]++
	}
	var parts []string
	for l := finding.Breaking; l >= finding.Info; l-- {
		if counts[l] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[l], l))
		}
	}
	found := strings.Join(parts, ", ")
	if found == "" {
		found = "no differences"
	}
	if len(all) > 0 && finding.Worst(all) >= failOn {
		return found + "; this may not be released"
	}
	return found + "; this may be released"
}

func writeJSON(w io.Writer, all []finding.Finding) error {
	if all == nil {
		all = []finding.Finding{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

type suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Cases    []testCase
}

type testCase struct {
	XMLName xml.Name `xml:"testcase"`
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Failure *failure `xml:"failure,omitempty"`
	Output  string   `xml:"system-out,omitempty"`
}

type failure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// junit writes one test case for each finding, which fails at or above failOn. Without findings
// there is one that passes, because a report without tests counts as broken.
func junit(w io.Writer, all []finding.Finding, failOn finding.Level) error {
	s := suite{Name: "contractdiff"}
	for _, f := range all {
		c := testCase{Class: f.File, Name: strings.TrimSpace(f.ID + " " + f.Pointer)}
		if f.Level >= failOn {
			s.Failures++
			c.Failure = &failure{f.Message, f.Level.String(), strings.TrimSpace(f.Place() + "\n" + f.Hint)}
		} else {
			c.Output = f.Level.String() + ": " + f.Message
		}
		s.Cases = append(s.Cases, c)
	}
	if len(all) == 0 {
		s.Cases = []testCase{{Class: "contractdiff", Name: "no differences"}}
	}
	s.Tests = len(s.Cases)
	data, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	return err
}

var (
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	message  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
)

// github writes workflow commands, which GitHub shows beside the lines of a pull request.
func github(w io.Writer, all []finding.Finding, failOn finding.Level) error {
	for _, f := range all {
		kind := "notice"
		switch {
		case f.Level >= failOn:
			kind = "error"
		case f.Level >= finding.Warning:
			kind = "warning"
		}
		_, file, old := strings.Cut(f.File, ":") // of a former version
		if !old {
			file = f.File
		}
		place := "file=" + property.Replace(file)
		if f.Line > 0 && !old {
			place += fmt.Sprintf(",line=%d,col=%d", f.Line, max(f.Col, 1))
		}
		body := f.Message
		if f.Hint != "" {
			body += "\nhint: " + f.Hint
		}
		if _, err := fmt.Fprintf(w, "::%s %s,title=%s::%s\n", kind, place, property.Replace(f.Level.String()+" "+f.ID), message.Replace(body)); err != nil {
			return err
		}
	}
	return nil
}

// special are the characters that mean something in Markdown. GitHub notifies whoever an @ names,
// unless an entity stands for it.
var special = strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "~", "\\~", "#", "\\#", "<", "&lt;", ">", "&gt;", "&", "&amp;", "@", "&#64;")

// prose returns a message in Markdown, which shows it as it is. What stands between backticks is
// code in messages of oasdiff.
func prose(s string) string {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 {
		return special.Replace(s)
	}
	for i := range parts {
		if i%2 == 0 {
			parts[i] = special.Replace(parts[i])
		} else {
			parts[i] = code(parts[i])
		}
	}
	return strings.Join(parts, "")
}

// code returns a text as code in Markdown, between more backticks than it has in a row.
func code(s string) string {
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if s == "" || strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// headings are the sections of the Markdown report.
var headings = map[finding.Level]string{
	finding.Breaking: "Breaking: a consumer of the former contract can stop working",
	finding.Semantic: "Semantic: still readable, and it means something else",
	finding.Warning:  "Warnings: somebody should look, or deploy in order",
	finding.Info:     "For information",
}

// markdown writes a report for a comment of a pull request.
func markdown(w io.Writer, all []finding.Finding, failOn finding.Level) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## Contracts: %s\n", Summary(all, failOn))
	last := finding.None
	for _, f := range grouped(all) {
		if f.Level != last {
			last = f.Level
			fmt.Fprintf(&b, "\n### %s\n\n", headings[f.Level])
		}
		fmt.Fprintf(&b, "- **%s** %s: %s\n", f.ID, code(cmp.Or(strings.TrimSpace(f.Place()+" "+f.Pointer), "-")), prose(f.Message))
		if f.Hint != "" {
			fmt.Fprintf(&b, "  - %s\n", prose(f.Hint))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
