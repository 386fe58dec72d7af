package e2e

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/process"
)

// serviceFaults returns which of the metrics in a table an instance lacks, and which it has
// although they are of the other service alone. A metric with labels of its own is not missing
// until one of its rows has been counted.
func serviceFaults(table, instance string, shown map[string]bool) (faults []string) {
	for _, m := range metricRow.FindAllStringSubmatch(table, -1) {
		name, alone := m[1], m[2]
		own := alone == "" || strings.HasPrefix(instance, alone+"-")
		switch {
		case shown[name] && !own:
			faults = append(faults, fmt.Sprintf("%s exposes %s, which %s alone is to have", instance, name, alone))
		case !shown[name] && own && !slices.Contains(counted, name):
			faults = append(faults, instance+" does not expose "+name)
		}
	}
	return faults
}

var counted = []string{"deferpay_messages_total", "deferpay_message_age_seconds", "deferpay_answers_total", "deferpay_request_seconds"}

func TestServiceFaults(t *testing.T) {
	const chapter = "| `deferpay_a` | of both |\n| `deferpay_b` | billing alone: of one |\n| `deferpay_messages_total` | once |\n"
	for instance, want := range map[string]string{
		"billing-1":  "billing-1 does not expose deferpay_a",
		"contract-1": "contract-1 does not expose deferpay_a; contract-1 exposes deferpay_b, which billing alone is to have",
	} {
		got := strings.Join(serviceFaults(chapter, instance, map[string]bool{"deferpay_b": true}), "; ")
		if got != want {
			t.Errorf("%s: %q, want %q", instance, got, want)
		}
	}
}

var (
	metricRow  = regexp.MustCompile("(?m)^\\| `(deferpay_\\w+)` \\| (?:(billing|contract) alone\\b)?")
	shownName  = regexp.MustCompile(`(?m)^# TYPE (deferpay_\w+) \w+$`)
	toldName   = regexp.MustCompile(`deferpay_\w+`)
	seriesLine = regexp.MustCompile(`(?m)^\w+\{.*\}`)
	codeBlock  = regexp.MustCompile("(?s)\n```\n(.*?)\n```\n")
)

// The chapter on monitoring names exactly the metrics that the instances expose. The metrics,
// labels and values in its alerts and their tests, and in the queries of the dashboard, exist too.
func TestMonitoringChapter(t *testing.T) {
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "deployment.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(text), "\n## Monitoring\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	table, _, _ := strings.Cut(chapter, "\n### Alerts\n")
	told := map[string]bool{}
	for _, name := range toldName.FindAllString(chapter, -1) {
		told[strings.TrimSuffix(name, "_bucket")] = true
	}
	s := start(t, setup{topics: []string{billingEvents}})
	all := s.buy("shown", s.contracts("shown", 1000)[0], 3)
	s.published(0, all)
	s.until("contract has taken up an event", func() error {
		for name := range s.metrics(s.Contract) {
			if strings.HasPrefix(name, "deferpay_messages_total{") {
				return nil
			}
		}
		return errors.New("it has counted no message")
	})
	shown, seen := map[string]bool{}, exposed{}
	for _, x := range s.services() {
		body := s.must(x, "GET", "/metrics", "", "", nil, 200).body
		seen.read(body)
		here := map[string]bool{}
		for _, m := range shownName.FindAllStringSubmatch(body, -1) {
			shown[m[1]], here[m[1]] = true, true
		}
		for _, fault := range serviceFaults(table, x.Name(), here) {
			t.Error(fault)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		if !shown[name] {
			t.Errorf("the chapter names %s, which no instance exposes", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if !told[name] {
			t.Errorf("the chapter does not name %s, which an instance exposes", name)
		}
	}
	if len(shown) == 0 {
		t.Error("the instances expose no metrics")
	}
	s.truthful(all)
	seen.afterFaults()
	seen.dashboard(t)
	seen.alerts(t, chapter, filepath.Join(root, "tools", "alerts", "testdata"))
}

// alerts checks the expressions of alerts, and the series of the files with which they are tested,
// against what instances expose: an alert on what does not exist would never fire.
func (e exposed) alerts(t *testing.T, chapter, testdata string) {
	t.Helper()
	_, chapter, _ = strings.Cut(chapter, "\n### Alerts\n")
	chapter, _, _ = strings.Cut(chapter, "\n### ")
	expressions := codeBlock.FindAllStringSubmatch(chapter, -1)
	for _, m := range expressions {
		for _, fault := range e.faults(m[1], "") {
			t.Errorf("the alert %s: %s", m[1], fault)
		}
	}
	files, err := filepath.Glob(filepath.Join(testdata, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, series := range seriesLine.FindAllString(string(text), -1) {
			for _, fault := range e.seriesFaults(series) {
				t.Errorf("%s: %s: %s", filepath.Base(file), series, fault)
			}
		}
	}
	if len(expressions) < 20 || len(files) < 20 {
		t.Errorf("%d expressions and %d files with cases were found", len(expressions), len(files))
	}
}

// metrics returns the names of an instance's metrics, with their labels, and their values.
func (s *system) metrics(x *cluster.Service) iter.Seq2[string, float64] {
	s.t.Helper()
	text := s.must(x, "GET", "/metrics", "", "", nil, 200).body
	return func(yield func(string, float64) bool) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			at := strings.LastIndex(line, " ")
			value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
			if err != nil {
				s.t.Fatalf("a metric: %q: %v", line, err)
			}
			if !yield(line[:at], value) {
				return
			}
		}
	}
}

// truthful compares some metrics with what has happened.
func (s *system) truthful(all []*purchase) {
	s.t.Helper()
	sums := map[string]float64{}
	for _, b := range s.Billing {
		for name, value := range s.metrics(b) {
			name, _, _ = strings.Cut(name, "{")
			sums[name] += value
		}
	}
	if got := sums["deferpay_ready"]; got != 2 {
		s.t.Errorf("%v of two instances are ready", got)
	}
	owed := 0.0
	for _, p := range all {
		owed += float64(p.amount) / 100
	}
	// each instance shows the whole
	if got := sums["deferpay_outstanding"]; math.Abs(got-2*owed) > 0.001 {
		s.t.Errorf("two instances show %v as outstanding in all, want %v from each", got, owed)
	}
	if got := sums["deferpay_publishes"]; got != 1 {
		s.t.Errorf("%v instances publish", got)
	}
	if got := sums["deferpay_decisions_total"]; got < float64(len(all)) {
		s.t.Errorf("%v decisions for %d purchases", got, len(all))
	}
	if got := sums["deferpay_messages_total"]; got == 0 {
		s.t.Error("no messages were counted, but billing knows contracts")
	}
}
