package main

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"golang.org/x/tools/txtar"
)

// A file of testdata has the cases of one alert and its name. Each line of a case is a series in
// the notation of Prometheus' tests of rules, with a value every 15 seconds, or begins with { and
// is the labels with which the alert fires at the last value. An alert for which a case has no
// such line is quiet. TestMonitoringChapter in services/e2e compares the series with what services
// expose.
type testCase struct {
	name   string
	series *series
	want   []string
}

// every is the time between two values of a series.
const every = 15 * time.Second

// casesOf returns the cases of all alerts, by name of the alert.
func casesOf(t *testing.T) map[string][]testCase {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]testCase{}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(string(a.Comment), "\n")
		if all[name] != nil || file != filepath.Join("testdata", strings.ReplaceAll(strings.ToLower(name), " ", "-")+".txtar") {
			t.Errorf("%s has the cases of %q", file, name)
		}
		for _, f := range a.Files {
			c, err := parseCase(string(f.Data))
			if err != nil {
				t.Fatalf("%s: %s: %v", file, f.Name, err)
			}
			c.name = f.Name
			all[name] = append(all[name], c)
		}
	}
	return all
}

// parseCase reads a case. A value that is left out, or that a shorter series does not have, is one
// that was not exposed.
func parseCase(text string) (testCase, error) {
	c := testCase{series: &series{byName: map[string]*samples{}}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if line[0] == '{' {
			c.want = append(c.want, line)
			continue
		}
		l, values, err := language.ParseSeriesDesc(line)
		if err != nil {
			return c, err
		}
		of := c.series.of(l)
		for i, v := range values {
			at := time.Unix(1_700_000_000, 0).Add(time.Duration(i) * every)
			if i == len(c.series.times) {
				c.series.times = append(c.series.times, at)
			}
			if v.Omitted {
				v.Value = math.Float64frombits(value.StaleNaN)
			}
			of.addFloat(at, v.Value)
		}
	}
	if len(c.series.times) == 0 {
		return c, fmt.Errorf("it has no series")
	}
	for _, s := range c.series.all {
		if n := len(s.values); n < len(c.series.times) {
			s.addFloat(c.series.times[n], math.Float64frombits(value.StaleNaN))
		}
	}
	return c, nil
}

// firesIn returns the labels with which one of the rules of an alert fires in a case.
func firesIn(engine *promql.Engine, rules []alert, c testCase) (all []string, err error) {
	for _, r := range rules {
		labels, err := r.fires(engine, c.series)
		if err != nil {
			return nil, err
		}
		all = append(all, labels...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// rulesOf returns the documented rules of each alert.
func rulesOf(t *testing.T) map[string][]alert {
	t.Helper()
	all := map[string][]alert{}
	for _, a := range documented(t) {
		all[a.name] = append(all[a.name], a)
	}
	return all
}

// Each alert fires in a case and is quiet in another.
func TestCases(t *testing.T) {
	rules, cases, engine := rulesOf(t), casesOf(t), newEngine()
	for name := range cases {
		if rules[name] == nil {
			t.Errorf("there are cases of %q, which is no alert", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		fires, quiet := 0, 0
		for _, c := range cases[name] {
			got, err := firesIn(engine, rules[name], c)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: %s: fires with %s (%v), want %s", name, c.name, got, err, c.want)
			}
			if len(got) > 0 {
				fires++
			} else {
				quiet++
			}
		}
		if fires == 0 || quiet == 0 {
			t.Errorf("%s: fires in %d cases and is quiet in %d", name, fires, quiet)
		}
	}
}

func TestParseCaseRefuses(t *testing.T) {
	for _, text := range []string{"", "{a=\"b\"}\n", "up{ 1\n", "up one\n"} {
		if _, err := parseCase(text); err == nil {
			t.Errorf("%q is a case", text)
		}
	}
}

// A series that ends before the others does not count on for the five minutes for which Prometheus
// looks back.
func TestCaseEnds(t *testing.T) {
	a := alert{expr: "up == 0", pending: time.Minute}
	for text, want := range map[string]int{
		"up{job=\"x\"} 0x5\n":                    1,
		"up{job=\"x\"} 0x5\nup{job=\"y\"} 1x6\n": 0,
		"up{job=\"x\"} 0x5 _\n":                  0,
		"up{job=\"x\"} 0 _ 0x3\n":                0,
	} {
		c, err := parseCase(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.fires(newEngine(), c.series); err != nil || len(got) != want {
			t.Errorf("%q: %q fire (%v), want %d", text, got, err, want)
		}
	}
}

// Every part of an alert counts: what differs from it in one respect does not pass its cases.
func TestVariantsDoNotPass(t *testing.T) {
	rules, cases, engine := rulesOf(t), casesOf(t), newEngine()
	n := 0
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		for i, r := range rules[name] {
			for _, v := range variantsOf(t, r) {
				n++
				changed := slices.Clone(rules[name])
				changed[i] = v.alert
				if !noticed(engine, changed, cases[name]) {
					t.Errorf("%s: no case notices %s: %s for %s", name, v.what, strings.Join(strings.Fields(v.expr), " "), v.pending)
				}
			}
		}
	}
	if want := 5 * len(rules); n < want {
		t.Errorf("%d variants, want %d", n, want)
	}
	t.Logf("%d variants of %d alerts", n, len(rules))
}

// noticed reports whether a case of an alert does not end as it is to with changed rules.
func noticed(engine *promql.Engine, changed []alert, cases []testCase) bool {
	return slices.ContainsFunc(cases, func(c testCase) bool {
		got, err := firesIn(engine, changed, c)
		return err != nil || !slices.Equal(got, c.want)
	})
}
