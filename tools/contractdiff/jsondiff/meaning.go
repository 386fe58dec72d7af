package jsondiff

import (
	"fmt"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/unit"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// meaning finds values that both versions accept and that mean something else.
type meaning struct {
	seen map[[2]*source.Node]bool
	path []string
	out  []finding.Difference
}

func (m *meaning) add(level finding.Level, id string, at Schema, hint, format string, args ...any) {
	where := strings.Join(m.path, ".")
	if where != "" {
		where += ": "
	}
	m.out = append(m.out, finding.Difference{Level: level, ID: id, Pos: at.Node.Pos, Message: where + fmt.Sprintf(format, args...), Hint: hint})
}

func (m *meaning) compare(former, next Schema) {
	if former.Node == nil || next.Node == nil {
		return
	}
	pair := [2]*source.Node{former.Node, next.Node}
	if m.seen[pair] {
		return
	}
	if m.seen == nil {
		m.seen = map[[2]*source.Node]bool{}
	}
	m.seen[pair] = true
	a, b := former.view(), next.view()
	m.format(a, b, next)
	if x, y := a.words["default"], b.words["default"]; x != nil && y != nil && !source.Equal(x, y) {
		m.add(finding.Warning, Default, next, "", "the default changed from %s to %s", x.JSON(), y.JSON())
	}
	m.properties(a, b)
	if x, y := a.words["items"], b.words["items"]; x.Is(source.Map) && y.Is(source.Map) {
		m.within("[]", func() { m.compare(former.at(x), next.at(y)) })
	}
	if a.more.Node.Is(source.Map) && b.more.Node.Is(source.Map) {
		m.within("*", func() { m.compare(a.more, b.more) })
	}
	olds, news := a.alternatives(former), b.alternatives(next)
	for i := range min(len(olds), len(news)) {
		m.compare(olds[i], news[i])
	}
}

func (m *meaning) within(step string, f func()) {
	m.path = append(m.path, step)
	f()
	m.path = m.path[:len(m.path)-1]
}

func (m *meaning) format(a, b view, next Schema) {
	x, y := a.words["format"].Str(), b.words["format"].Str()
	times := func(f string) bool { return f == "date" || f == "date-time" }
	switch {
	case x == y:
	case times(x) && times(y):
		m.add(finding.Semantic, DateTime, next, "keep the format, and add a property of another name", "the format changed from %s to %s", x, y)
	case x == "uuid" && y == "":
		m.add(finding.Semantic, UUIDDropped, next, "keep format: uuid", "the value need no longer be a uuid")
	case x != "" && y != "" || times(x):
		m.add(finding.Semantic, Format, next, "keep the format, and add a property of another name", "the format changed from %q to %q", x, y)
	default:
		m.add(finding.Warning, Format, next, "", "the format changed from %q to %q", x, y)
	}
}

func (m *meaning) properties(a, b view) {
	for _, p := range b.properties {
		old, known := a.property(p.name)
		m.within(p.name, func() {
			if known {
				m.compare(old, p.schema)
			}
		})
		if known {
			continue
		}
		for _, q := range a.properties {
			if _, kept := b.property(q.name); !kept && p.schema.Node != nil && unit.Changed(q.name, p.name) {
				m.add(finding.Semantic, UnitInName, p.schema, "keep the former property, and add the new one beside it", "property %s became %s: the name has another unit or currency", q.name, p.name)
			}
		}
	}
}
