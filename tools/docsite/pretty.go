package main

import (
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/specfile"
)

// lineWidth is the length of a line of an example above which an object is broken into lines.
const lineWidth = 78

// pretty writes a value as JSON for people: small objects on one line, members in the order of the
// document.
func pretty(v specfile.Value) string {
	var b strings.Builder
	prettyNode(&b, v.Node, "")
	return b.String()
}

func prettyNode(b *strings.Builder, n *source.Node, indent string) {
	flat := spaced(n)
	if !n.Is(source.Map) && !n.Is(source.Seq) || indent != "" && len(indent)+len(flat) <= lineWidth {
		b.WriteString(flat)
		return
	}
	inner := indent + "  "
	if n.Is(source.Seq) {
		b.WriteString("[")
		for i, it := range n.Items {
			b.WriteString(separator(i, inner))
			prettyNode(b, it, inner)
		}
		b.WriteString("\n" + indent + "]")
		return
	}
	b.WriteString("{")
	for i, p := range n.Pairs {
		b.WriteString(separator(i, inner))
		b.WriteString(string(p.Key.JSON()) + ": ")
		prettyNode(b, p.Value, inner)
	}
	b.WriteString("\n" + indent + "}")
}

func separator(i int, indent string) string {
	if i == 0 {
		return "\n" + indent
	}
	return ",\n" + indent
}

// spaced returns the value on one line, with spaces.
func spaced(n *source.Node) string {
	var parts []string
	switch {
	case n.Is(source.Seq):
		for _, it := range n.Items {
			parts = append(parts, spaced(it))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case n.Is(source.Map):
		for _, p := range n.Pairs {
			parts = append(parts, string(p.Key.JSON())+": "+spaced(p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return string(n.JSON())
}
