package main

import "go.yaml.in/yaml/v3"

// pair is a member of a mapping.
type pair struct {
	key   string
	value *yaml.Node
}

// pairs returns the members of a mapping, in their order.
func pairs(n *yaml.Node) (out []pair) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, pair{n.Content[i].Value, n.Content[i+1]})
	}
	return out
}

// items returns the items of a sequence.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// get returns a member of a mapping, or nil.
func get(n *yaml.Node, key string) *yaml.Node {
	for _, p := range pairs(n) {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

// remove removes a member of a mapping.
func remove(n *yaml.Node, key string) {
	for i, p := range pairs(n) {
		if p.key == key {
			n.Content = append(n.Content[:2*i:2*i], n.Content[2*i+2:]...)
			return
		}
	}
}

// set adds a member to a mapping.
func set(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, scalar(key), value)
}

func scalar(text string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(text)
	return n
}

// mapping returns a mapping of keys and nodes in turn.
func mapping(members ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(members); i += 2 {
		set(n, members[i].(string), members[i+1].(*yaml.Node))
	}
	return n
}
