// Package runs has the pictures of the presentation: sequence diagrams of scenarios that the real
// services played. Record plays the scenarios and returns what it saw. A Run is kept as JSON beside
// its pictures, so that drawing them again starts nothing. The command record and the tests of the
// presentation import it.
package runs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Run is a recorded scenario.
type Run struct {
	Name  string   `json:"name"`
	Lanes []string `json:"lanes"`
	Steps []Step   `json:"steps"`
}

// Kind is what a step is.
type Kind string

// The kinds of steps. A record is applied or void; its step has the kind of its verdict.
const (
	Request  Kind = "request"  // From asks To
	Answer   Kind = "answer"   // From answers To
	Cut      Kind = "cut"      // a request or an answer of From that does not reach To
	Applied  Kind = "applied"  // From appends a record to the log To
	Void     Kind = "void"     // the same, without effect
	Event    Kind = "event"    // a record of the log From is published on the topic To
	Incident Kind = "incident" // something happens to From
	Arrival  Kind = "arrival"  // a message comes to the topic From, from a lane that is not drawn
)

// Step is one line of a run. Words in braces are translated when the run is drawn.
type Step struct {
	Kind   Kind   `json:"kind"`
	From   string `json:"from"`
	To     string `json:"to,omitempty"`
	Via    string `json:"via,omitempty"` // the topic of the message that the record rests on
	Text   string `json:"text"`
	Detail string `json:"detail,omitempty"`
}

// changing are the parts of a text that differ between runs: positions, references, invoices,
// months and instances of a service.
var changing = regexp.MustCompile(`@\d+|CTR-\d+|BOP-\d+-\d+|BIL-\d{4}-\d+|\d{4}-\d{2}\b|billing-\d+`)

// Normal returns a run as text in which runs of a scenario are the same: what changes is numbered
// in the order in which it occurs, and void records that follow each other count as one.
func (r Run) Normal() string {
	numbers := map[string]string{}
	count := map[string]int{}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Name)
	for i, s := range r.Steps {
		if i > 0 && s.Kind == Void && r.Steps[i-1].Kind == Void {
			continue
		}
		// A position belongs to its log or topic, wherever a line mentions it.
		line := strings.Join([]string{string(s.Kind), s.From, s.To, s.Via, s.Text, s.Detail}, " | ")
		line = changing.ReplaceAllStringFunc(line, func(part string) string {
			kind := strings.TrimRight(part, "0123456789-")
			name := part
			if kind == "@" {
				name += " " + s.To
			}
			if numbers[name] == "" {
				count[kind]++
				numbers[name] = fmt.Sprintf("%s<%d>", kind, count[kind])
			}
			return numbers[name]
		})
		b.WriteString(line + "\n")
	}
	return b.String()
}

// Read reads the runs that are kept in the folder of pictures, in the order of their names.
func Read(dir string) (list []Run, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "runs", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var r Run
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, r)
	}
	return list, nil
}

// Files returns the files of runs by their names in the folder of pictures: each run as JSON, and
// its pictures in each language.
func Files(list []Run) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, r := range list {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return nil, err
		}
		files["runs/"+r.Name+".json"] = append(data, '\n')
		for _, lang := range Languages {
			if files["run-"+r.Name+"."+lang+".svg"], err = Draw(r, lang); err != nil {
				return nil, err
			}
			if _, ok := slideForms[r.Name]; !ok {
				continue
			}
			if files["slide-"+r.Name+"."+lang+".svg"], err = DrawSlide(r, lang); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}
