package source

// File returns the file that references in the node are relative to: the one that it stands in,
// unless it was put into another one.
func (n *Node) File() string {
	if n.home != "" {
		return n.home
	}
	return n.Pos.File
}

// In returns a copy of the node as a part of another file. Its positions stay those of where it
// stands.
func (n *Node) In(file string) *Node {
	if n == nil {
		return nil
	}
	out := *n
	out.home, out.index = file, nil
	out.Items, out.Pairs = make([]*Node, len(n.Items)), make([]Pair, len(n.Pairs))
	for i, item := range n.Items {
		out.Items[i] = item.In(file)
	}
	for i, p := range n.Pairs {
		out.Pairs[i] = Pair{p.Key.In(file), p.Value.In(file)}
	}
	out.indexed()
	return &out
}

// WithPairs returns a copy of a Map with other members.
func (n *Node) WithPairs(pairs []Pair) *Node {
	out := *n
	out.Pairs, out.index = pairs, nil
	out.indexed()
	return &out
}

// WithItems returns a copy of a Seq with other items.
func (n *Node) WithItems(items []*Node) *Node {
	out := *n
	out.Items = items
	return &out
}
