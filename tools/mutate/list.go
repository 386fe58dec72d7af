package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Mutation is one way to break a rule.
type Mutation struct {
	Name string
	Rule string // what is broken, in words; begins with its property, such as P3, if it has one
	File string // below the module's root
	Old  string // is in the file exactly once
	New  string
	Test Test // must fail

	line int // in the list
}

// Test is a package and a pattern of its tests, as go test -run takes it.
type Test struct {
	Package, Run string
	Full         bool // in the full form, see fulltest
}

func (t Test) String() string { return t.Package + " -run " + t.Run }

var property = regexp.MustCompile(`^P[0-9]+\b`)

// Property returns the property that the rule belongs to, such as P3, or "" if it has none.
func (m Mutation) Property() string { return property.FindString(m.Rule) }

// Read reads a list. An error names the file and the line.
func Read(name string) ([]Mutation, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	list, err := parse(string(data))
	var at *lineError
	if errors.As(err, &at) {
		return nil, fmt.Errorf("%s:%d: %s", name, at.line, at.text)
	}
	return list, err
}

type lineError struct {
	line int
	text string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

// parse reads the text of a list. A mutation begins with a line "= NAME". The lines after it are
// "rule: WORDS", "file: PATH" and "test: PACKAGE PATTERN", then what is replaced, each line after a
// "-", and what replaces it, each line after a "+". A test that runs in the full form alone is a
// "full test: PACKAGE PATTERN". Lines that begin with # and empty lines between mutations mean
// nothing.
func parse(text string) ([]Mutation, error) {
	var list []Mutation
	names := map[string]bool{}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fail := func(format string, args ...any) ([]Mutation, error) {
			return nil, &lineError{i + 1, fmt.Sprintf(format, args...)}
		}
		if name, begins := strings.CutPrefix(line, "= "); begins {
			if names[name] {
				return fail("%s is there twice", name)
			}
			names[name] = true
			list = append(list, Mutation{Name: name, line: i + 1})
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(list) == 0 {
			return fail("expected = and the name of a mutation")
		}
		if err := list[len(list)-1].take(line); err != nil {
			return fail("%v", err)
		}
	}
	for _, m := range list {
		if err := m.check(); err != nil {
			return nil, &lineError{m.line, fmt.Sprintf("%s: %v", m.Name, err)}
		}
	}
	return list, nil
}

// take brings one line into the mutation.
func (m *Mutation) take(line string) error {
	switch line[0] {
	case '-':
		m.Old += line[1:] + "\n"
		return nil
	case '+':
		m.New += line[1:] + "\n"
		return nil
	}
	key, value, _ := strings.Cut(line, ": ")
	switch key {
	case "rule":
		m.Rule = value
	case "file":
		m.File = value
	case "test", "full test":
		m.Test.Package, m.Test.Run, _ = strings.Cut(value, " ")
		m.Test.Full = key == "full test"
	default:
		return fmt.Errorf("expected rule:, file:, test:, full test:, - or +, found %q", line)
	}
	return nil
}

// check completes the mutation and returns what is missing.
func (m *Mutation) check() error {
	switch {
	case m.Rule == "":
		return errors.New("no rule")
	case m.File == "" || path.Clean(m.File) != m.File || path.IsAbs(m.File):
		return errors.New("no file, or not a clean path below the root")
	case m.Test.Package == "" || m.Test.Run == "":
		return errors.New("no test, which is a package and a pattern")
	case m.Old == "":
		return errors.New("nothing is replaced")
	case m.Old == m.New:
		return errors.New("it changes nothing")
	}
	if _, err := regexp.Compile(m.Test.Run); err != nil {
		return err
	}
	return nil
}

// Apply returns the text of the mutation's file with the mutation in it. The error says what the
// matter is if the text to replace is not there exactly once.
func (m Mutation) Apply(root string) (mutated string, err error) {
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.File)))
	if err != nil {
		return "", err
	}
	before, after := strings.TrimSuffix(m.Old, "\n"), strings.TrimSuffix(m.New, "\n")
	if n := strings.Count(string(data), before); n != 1 {
		return "", fmt.Errorf("the text to replace is %d times in %s (%s:%d)", n, m.File, file, m.line)
	}
	return strings.Replace(string(data), before, after, 1), nil
}
