package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/process"
)

// exposed is what instances answer on /metrics: the values of each label, by metric. A label that
// only a fault would make appear has its values too.
type exposed map[string]map[string][]string

// added by Prometheus to everything that it reads
var ofPrometheus = []string{"job", "instance"}

var (
	sampleLine = regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? \S+$`)
	labelPair  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// read adds what one instance answers.
func (e exposed) read(text string) {
	for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
		if e[m[1]] == nil {
			e[m[1]] = map[string][]string{}
		}
		for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(e[m[1]][pair[1]], pair[2]) {
				e[m[1]][pair[1]] = append(e[m[1]][pair[1]], pair[2])
			}
		}
	}
}

var (
	selector = regexp.MustCompile(`\b([a-z]\w*_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)(=~|!=|!~|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
	shownAs  = regexp.MustCompile(`\{\{(\w+)\}\}`)
	words    = []string{"histogram_quantile", "label_values", "min_over_time"}
	plain    = regexp.MustCompile(`^[\w|-]+$`)
)

// faults returns what a query uses that no instance exposes. Legend is what names its series.
func (e exposed) faults(query, legend string) (found []string) {
	var labels []string
	for _, m := range selector.FindAllStringSubmatch(regexp.MustCompile(`\$\w+`).ReplaceAllString(query, ""), -1) {
		if slices.Contains(words, m[1]) {
			continue
		}
		has, ok := e[m[1]]
		if !ok {
			found = append(found, "no metric "+m[1])
			continue
		}
		for name := range has {
			labels = append(labels, name)
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			values, ok := has[l[1]]
			switch {
			case slices.Contains(ofPrometheus, l[1]):
			case !ok:
				found = append(found, m[1]+" has no label "+l[1])
			case l[2] == "=" || l[2] == "=~" && plain.MatchString(l[3]):
				for value := range strings.SplitSeq(l[3], "|") {
					if !slices.Contains(values, value) {
						found = append(found, fmt.Sprintf("%s has no %s=%q", m[1], l[1], value))
					}
				}
			}
		}
	}
	groups := grouping.FindAllStringSubmatch(query, -1)
	for _, g := range groups {
		for name := range strings.SplitSeq(g[1], ", ") {
			if !slices.Contains(labels, name) && !slices.Contains(ofPrometheus, name) {
				found = append(found, "groups by "+name+", which its metrics do not have")
			}
		}
	}
	for _, m := range shownAs.FindAllStringSubmatch(legend, -1) {
		if len(groups) > 0 && !slices.ContainsFunc(groups, func(g []string) bool { return slices.Contains(strings.Split(g[1], ", "), m[1]) }) {
			found = append(found, "the legend names "+m[1]+", which the query drops")
		}
	}
	return found
}

// panel is what a dashboard shows.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr, LegendFormat string }
}

// overlaps reports whether two panels are in the same place.
func (p panel) overlaps(q panel) bool {
	a, b := p.GridPos, q.GridPos
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

// dashboard checks the dashboard in docs/grafana against what instances expose.
func (e exposed) dashboard(t *testing.T) {
	t.Helper()
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "grafana", "deferpay.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels     []panel
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for i, p := range d.Panels {
		for _, q := range d.Panels[:i] {
			if p.ID == q.ID || p.overlaps(q) {
				t.Errorf("panels %q and %q have one place or one id", q.Title, p.Title)
			}
		}
		for _, target := range p.Targets {
			queries++
			for _, fault := range e.faults(target.Expr, target.LegendFormat) {
				t.Errorf("panel %q: %s", p.Title, fault)
			}
		}
	}
	for _, v := range d.Templating.List {
		for _, fault := range e.faults(v.Definition, "") {
			t.Errorf("variable %q: %s", v.Name, fault)
		}
	}
	if queries < 30 {
		t.Errorf("only %d queries were found in the dashboard", queries)
	}
}

// afterFaults adds the values that only a fault makes appear: outcomes of messages and of requests,
// and statuses.
func (e exposed) afterFaults() {
	of := e["deferpay_messages_total"]
	for _, o := range []bus.Outcome{bus.Handled, bus.Ignored, bus.Retrying, bus.DeadLettered} {
		of["outcome"] = append(of["outcome"], string(o))
	}
	of = e["deferpay_answers_total"]
	of["outcome"] = append(of["outcome"], problem.Internal.String())
	of = e["deferpay_request_seconds_bucket"]
	for _, status := range []int{http.StatusUnauthorized, http.StatusTooManyRequests} {
		of["code"] = append(of["code"], fmt.Sprint(status))
	}
}

// seriesFaults returns in what a series with one value of each label, as a test of alerts has them,
// differs from those that instances expose.
func (e exposed) seriesFaults(series string) []string {
	found := e.faults(series, "")
	name, list, _ := strings.Cut(series, "{")
	if _, known := e[name]; !known && name != "up" { // what Prometheus itself adds
		return append(found, "no metric "+name)
	}
	var has []string
	for _, pair := range labelPair.FindAllStringSubmatch(list, -1) {
		has = append(has, pair[1])
	}
	for _, label := range slices.Sorted(maps.Keys(e[name])) {
		if !slices.Contains(has, label) {
			found = append(found, name+" has a label "+label)
		}
	}
	for _, label := range ofPrometheus {
		if !slices.Contains(has, label) {
			found = append(found, name+" has a label "+label)
		}
	}
	return found
}

func TestDashboardFaults(t *testing.T) {
	e := exposed{}
	e.read("# HELP up is up\ndeferpay_messages_total{operation=\"receive\",outcome=\"handled\"} 1\ndeferpay_ready 1\n")
	for query, want := range map[string]string{
		`sum by (operation) (rate(deferpay_messages_total{job=~"$job",outcome="handled"}[$__rate_interval]))`: "",
		`deferpay_ready{instance=~"$instance"} == 1`:                                                          "",
		`deferpay_reedy`: "no metric deferpay_reedy",
		`rate(deferpay_messages_total{kind="x"}[5m])`:                   "deferpay_messages_total has no label kind",
		`rate(deferpay_messages_total{outcome="lost"}[5m])`:             `deferpay_messages_total has no outcome="lost"`,
		`deferpay_messages_total{outcome=~"handled|lost"}`:              `deferpay_messages_total has no outcome="lost"`,
		`deferpay_messages_total{outcome=~"hand.*"}`:                    "",
		`sum by (job, topic) (rate(deferpay_messages_total[5m]))`:       "groups by topic, which its metrics do not have",
		`sum by (outcome) (rate(deferpay_messages_total{job="x"}[5m]))`: "the legend names operation, which the query drops",
	} {
		if got := strings.Join(e.faults(query, "{{operation}}"), "; "); got != want && !(want != "" && strings.HasPrefix(got, want)) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func TestSeriesFaults(t *testing.T) {
	e := exposed{}
	e.read("deferpay_ready 1\ndeferpay_age_bucket{topic=\"a\",le=\"+Inf\"} 1\n")
	for series, want := range map[string]string{
		`deferpay_ready{job="billing",instance="billing-1"}`:                          "",
		`up{job="billing",instance="billing-1"}`:                                      "",
		`deferpay_ready{job="billing"}`:                                               "deferpay_ready has a label instance",
		`deferpay_reedy{job="billing",instance="billing-1"}`:                          "no metric deferpay_reedy",
		`ready{job="billing",instance="billing-1"}`:                                   "no metric ready",
		`deferpay_ready{job="billing",instance="billing-1",topic="a"}`:                "deferpay_ready has no label topic",
		`deferpay_age_bucket{job="billing",instance="billing-1",topic="a",le="+Inf"}`: "",
		`deferpay_age_bucket{job="billing",instance="billing-1",topic="a",le="3"}`:    `deferpay_age_bucket has no le="3"`,
		`deferpay_age_bucket{job="billing",instance="billing-1",le="+Inf"}`:           "deferpay_age_bucket has a label topic",
	} {
		if got := strings.Join(e.seriesFaults(series), "; "); got != want && !(want != "" && strings.HasPrefix(got, want)) {
			t.Errorf("%s: %q, want %q", series, got, want)
		}
	}
}
