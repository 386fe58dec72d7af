package main

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// variant is an alert that differs from another one in one respect.
type variant struct {
	alert
	what string
}

// variantsOf returns an alert with other durations, metrics, labels, numbers, comparisons and
// functions, each with one of them.
func variantsOf(t *testing.T, a alert) (all []variant) {
	t.Helper()
	root, err := language.ParseExpr(a.expr)
	if err != nil {
		t.Fatal(err)
	}
	for _, pending := range otherDurations(a.pending) {
		all = append(all, variant{alert{name: a.name, expr: a.expr, pending: pending}, "another time"})
	}
	parser.Inspect(root, func(node parser.Node, path []parser.Node) error {
		if node == nil {
			return nil
		}
		at := node.PositionRange()
		for _, e := range edits(node, path) {
			text := a.expr[:at.Start] + e.text + a.expr[at.End:]
			if parsed, err := language.ParseExpr(text); err != nil || parsed.String() == root.String() {
				t.Errorf("%s: %s is no variant: %s: %v", a.name, e.what, text, err)
			}
			all = append(all, variant{alert{name: a.name, expr: text, pending: a.pending}, e.what})
		}
		return nil
	})
	return all
}

// otherDurations returns a third and three times the duration, or a minute if it is 0.
func otherDurations(d time.Duration) []time.Duration {
	if d == 0 {
		return []time.Duration{time.Minute}
	}
	return []time.Duration{d / 3, 3 * d}
}

// edit is what replaces a node of an expression.
type edit struct{ what, text string }

func edits(node parser.Node, path []parser.Node) []edit {
	var within parser.Node
	if len(path) > 0 {
		within = path[len(path)-1]
	}
	switch n := node.(type) {
	case *parser.VectorSelector:
		return selectorEdits(n, within)
	case *parser.MatrixSelector:
		return rangeEdits(n)
	case *parser.NumberLiteral:
		return numberEdits(n.Val, within)
	case *parser.BinaryExpr:
		return binaryEdits(n)
	case *parser.AggregateExpr:
		return aggregateEdits(n)
	case *parser.Call:
		return callEdits(n)
	}
	return nil
}

func selectorEdits(n *parser.VectorSelector, within parser.Node) (all []edit) {
	b, ok := within.(*parser.BinaryExpr)
	// of the right side, only what has the labels of the left one counts
	matched := ok && b.Op == parser.LUNLESS && b.RHS == n
	other := func(what string, change func(c *parser.VectorSelector)) {
		c := *n
		c.LabelMatchers = slices.Clone(n.LabelMatchers)
		change(&c)
		all = append(all, edit{what, c.String()})
	}
	other("another metric", func(c *parser.VectorSelector) {
		c.Name += "_other"
		at := slices.IndexFunc(c.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == model.MetricNameLabel })
		c.LabelMatchers[at] = labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, c.Name)
	})
	if n.OriginalOffset > 0 {
		for _, d := range append(otherDurations(n.OriginalOffset), 0) {
			other("another offset", func(c *parser.VectorSelector) { c.OriginalOffset = d })
		}
	}
	for i, m := range n.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			continue
		}
		if !matched {
			other("no "+m.Name, func(c *parser.VectorSelector) { c.LabelMatchers = slices.Delete(c.LabelMatchers, i, i+1) })
		}
		as := func(kind labels.MatchType, value string) {
			other("another "+m.Name, func(c *parser.VectorSelector) {
				c.LabelMatchers[i] = labels.MustNewMatcher(kind, m.Name, value)
			})
		}
		as(opposite[m.Type], m.Value)
		if values := strings.Split(m.Value, "|"); len(values) > 1 {
			for j := range values {
				as(m.Type, strings.Join(slices.Delete(slices.Clone(values), j, j+1), "|"))
			}
		}
	}
	return all
}

var opposite = map[labels.MatchType]labels.MatchType{
	labels.MatchEqual: labels.MatchNotEqual, labels.MatchNotEqual: labels.MatchEqual,
	labels.MatchRegexp: labels.MatchNotRegexp, labels.MatchNotRegexp: labels.MatchRegexp,
}

func rangeEdits(n *parser.MatrixSelector) (all []edit) {
	for _, d := range otherDurations(n.Range) {
		c := *n
		c.Range = d
		all = append(all, edit{"another range", c.String()})
	}
	return all
}

// numberEdits returns the integers next to a number. An increase of one is a little more than 1 for
// Prometheus, so that what is compared with an increase changes by two.
func numberEdits(v float64, within parser.Node) []edit {
	below, above := math.Floor(v), math.Ceil(v)
	if below == above {
		below, above = v-1, v+1
		if b, ok := within.(*parser.BinaryExpr); ok && strings.HasPrefix(b.LHS.String(), "increase(") {
			above = v + 2
		}
	}
	var all []edit
	for _, x := range []float64{below, above} {
		all = append(all, edit{"another number", strconv.FormatFloat(x, 'f', -1, 64)})
	}
	return all
}

// turned has for a comparison another direction, and whether it holds for equal values. What is
// compared with a number between two integers is never equal to it.
var turned = map[parser.ItemType][]parser.ItemType{
	parser.GTR: {parser.LSS, parser.GTE}, parser.LSS: {parser.GTR, parser.LTE}, parser.EQLC: {parser.NEQ},
}

func binaryEdits(n *parser.BinaryExpr) (all []edit) {
	if n.Op.IsSetOperator() {
		return []edit{{"the left side alone", n.LHS.String()}, {"the right side alone", n.RHS.String()}}
	}
	number, _ := n.RHS.(*parser.NumberLiteral)
	for _, op := range turned[n.Op] {
		if (op == parser.GTE || op == parser.LTE) && number != nil && number.Val != math.Trunc(number.Val) {
			continue
		}
		c := *n
		c.Op = op
		all = append(all, edit{"another comparison", c.String()})
	}
	return all
}

func aggregateEdits(n *parser.AggregateExpr) (all []edit) {
	c := *n
	c.Op = parser.MIN
	all = append(all, edit{"the least", c.String()})
	for i, label := range n.Grouping {
		c := *n
		c.Grouping = slices.Delete(slices.Clone(n.Grouping), i, i+1)
		all = append(all, edit{"not by " + label, c.String()})
	}
	return all
}

// callEdits returns the argument of a function, or the last value of its range.
func callEdits(n *parser.Call) []edit {
	argument := n.Args[len(n.Args)-1]
	if m, ok := argument.(*parser.MatrixSelector); ok {
		argument = m.VectorSelector
	}
	return []edit{{"without " + n.Func.Name, argument.String()}}
}
