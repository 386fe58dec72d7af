package main

import (
	"encoding/xml"
	"os"
	"slices"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
)

type (
	testSuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Class    string    `xml:"classname,attr"`
		Name     string    `xml:"name,attr"`
		Skipped  *struct{} `xml:"skipped"`
		Failures []failure `xml:"failure"`
		Output   string    `xml:"system-out,omitempty"`
	}
	failure struct {
		Message string `xml:"message,attr"`
	}
)

// suite returns the report as JUnit has it: a case for each operation (and variant) and each
// message, skipped if it was not exercised, and one for faults of neither.
func (c *coverage) suite(api *judge.API, events *judge.Events) testSuite {
	s := testSuite{Name: "contract-test"}
	add := func(class, name, output string) {
		t := testCase{Class: class, Name: name, Output: output}
		for _, f := range c.faults {
			if f.subject == name {
				t.Failures = append(t.Failures, failure{f.text})
			}
		}
		if output == "" && len(t.Failures) == 0 {
			t.Skipped = &struct{}{}
		}
		s.Cases = append(s.Cases, t)
	}
	for _, op := range api.Operations() {
		listed := names(op)
		if !slices.Contains(listed, op.ID) {
			listed = append(listed, op.ID)
		}
		for _, name := range listed {
			add(op.Method+" "+op.Path, name, outcomesText(c.outcomes[name]))
		}
	}
	add("http", nowhere, outcomesText(c.outcomes[nowhere]))
	for _, topic := range events.Topics() {
		for _, m := range events.Messages(topic) {
			add(topic, m, countText(c.messages[m]))
		}
	}
	for _, o := range c.consumed {
		t := testCase{Class: "receive " + o.Operation, Name: o.Kind, Output: string(o.Policy)}
		for _, text := range o.Faults {
			t.Failures = append(t.Failures, failure{text})
		}
		s.Cases = append(s.Cases, t)
	}
	add("run", "", "the run")
	s.Tests = len(s.Cases)
	for i := range s.Cases {
		if len(s.Cases[i].Failures) > 0 {
			s.Failures++
		}
	}
	return s
}

func (c *coverage) writeJUnit(file string, api *judge.API, events *judge.Events) error {
	data, err := xml.MarshalIndent(c.suite(api, events), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte(xml.Header), data...), 0o644)
}
