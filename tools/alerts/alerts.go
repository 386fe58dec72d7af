package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// alert is one expression of an alert, for how long it has to hold before the alert fires, and what
// that means.
type alert struct {
	name, expr, meaning string
	pending             time.Duration
}

var (
	section  = regexp.MustCompile("(?m)^#### (.+)$")
	rule     = regexp.MustCompile("(?s)```\n(.*?)\n```\n\n(For [0-9]+ [a-z]+|At once);\\s(.+?)(?:\n\n|\\s*$)")
	block    = regexp.MustCompile("(?m)^```$")
	link     = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	language = parser.NewParser(parser.Options{})
)

// read returns the alerts of the chapter "Alerts". An error is returned if an expression is not
// valid, or if no duration follows it.
func read(text string) (all []alert, err error) {
	_, text, found := strings.Cut(text, "\n### Alerts\n")
	if !found {
		return nil, errors.New("there is no chapter of alerts")
	}
	text, _, _ = strings.Cut(text, "\n### ")
	heads := section.FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		name, body := text[h[2]:h[3]], text[h[1]:end]
		rules := rule.FindAllStringSubmatch(body, -1)
		if len(rules) == 0 || 2*len(rules) != len(block.FindAllString(body, -1)) {
			return nil, fmt.Errorf("alert %q: an expression is not followed by For or At once", name)
		}
		for _, r := range rules {
			a := alert{name: name, expr: r[1], meaning: plain(r[3])}
			if _, err := language.ParseExpr(a.expr); err != nil {
				return nil, fmt.Errorf("alert %q: %w", name, err)
			}
			if text, ok := strings.CutPrefix(r[2], "For "); ok {
				if a.pending, err = time.ParseDuration(strings.ReplaceAll(text, " ", "")); err != nil {
					return nil, fmt.Errorf("alert %q: %w", name, err)
				}
			}
			all = append(all, a)
		}
	}
	return all, nil
}

// plain returns a paragraph as one line, with the texts of its links alone.
func plain(text string) string {
	return strings.Join(strings.Fields(link.ReplaceAllString(text, "$1")), " ")
}

// firing returns what fires at the last scrape: the name of an alert, a space and the labels.
func firing(alerts []alert, scrapes []scrape) (all []string, err error) {
	s, err := seriesOf(scrapes)
	if err != nil {
		return nil, err
	}
	if len(s.times) == 0 {
		return nil, errors.New("there are no scrapes")
	}
	engine := newEngine()
	for _, a := range alerts {
		fires, err := a.fires(engine, s)
		if err != nil {
			return nil, fmt.Errorf("alert %q: %w", a.name, err)
		}
		for _, labels := range fires {
			if line := a.name + " " + labels; !slices.Contains(all, line) {
				all = append(all, line)
			}
		}
	}
	return all, nil
}

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute, Parser: language})
}

// fires returns the labels with which the alert fires at the last scrape, sorted: those of the
// results of its expression that were there at every scrape for as long as the alert says.
func (a alert) fires(engine *promql.Engine, s *series) ([]string, error) {
	var held map[string]bool
	last := s.times[len(s.times)-1]
	for _, at := range slices.Backward(s.times) {
		results, err := a.results(engine, s, at)
		if err != nil {
			return nil, err
		}
		if held == nil {
			held = results
		}
		for r := range held {
			if !results[r] {
				delete(held, r)
			}
		}
		if len(held) == 0 {
			return nil, nil
		}
		if last.Sub(at) >= a.pending {
			return slices.Sorted(maps.Keys(held)), nil
		}
	}
	return nil, nil // it has held since the first scrape, and that is not long enough ago
}

// results returns the labels of what the expression results in at a time. The name of a metric is
// not a label of an alert.
func (a alert) results(engine *promql.Engine, s *series, at time.Time) (map[string]bool, error) {
	q, err := engine.NewInstantQuery(context.Background(), s, nil, a.expr, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	result := q.Exec(context.Background())
	vector, err := result.Vector()
	if err != nil {
		return nil, err
	}
	isName := func(label string) bool { return label == model.MetricNameLabel }
	all := map[string]bool{}
	for _, sample := range vector {
		all[sample.Metric.DropReserved(isName).String()] = true
	}
	return all, nil
}
