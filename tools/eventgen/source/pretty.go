package source

import "strings"

// prettyWidth is the width up to which Pretty puts a value on one line.
const prettyWidth = 100

// Pretty returns the value as JSON for people to read, with the members in the order of the file. A
// list or an object that does not fit on its line has each of its parts on a line of its own. All
// lines but the first are indented by indent blanks and more.
func (n *Node) Pretty(indent int) string {
	var b strings.Builder
	n.pretty(&b, indent, indent)
	return b.String()
}

// pretty writes the value after column blanks or characters of its line.
func (n *Node) pretty(b *strings.Builder, indent, column int) {
	if line := n.line(); column+len([]rune(line)) <= prettyWidth || !n.Is(Seq) && !n.Is(Map) {
		b.WriteString(line)
		return
	}
	brackets := "[]"
	if n.Kind == Map {
		brackets = "{}"
	}
	b.WriteByte(brackets[0])
	inner := indent + 2
	for i := range max(len(n.Items), len(n.Pairs)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + strings.Repeat(" ", inner))
		if n.Kind == Seq {
			n.Items[i].pretty(b, inner, inner)
			continue
		}
		key := n.Pairs[i].Key.line() + ": "
		b.WriteString(key)
		n.Pairs[i].Value.pretty(b, inner, inner+len([]rune(key)))
	}
	b.WriteString("\n" + strings.Repeat(" ", indent) + brackets[1:])
}

// line returns the value as JSON on one line, with blanks between its parts.
func (n *Node) line() string {
	if !n.Is(Seq) && !n.Is(Map) {
		return string(n.JSON())
	}
	var parts []string
	for _, it := range n.Items {
		parts = append(parts, it.line())
	}
	for _, p := range n.Pairs {
		parts = append(parts, p.Key.line()+": "+p.Value.line())
	}
	if n.Kind == Seq {
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
