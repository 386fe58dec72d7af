package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
)

// version12 matches the directive of YAML 1.2. The library refuses it, although it reads the
// content of such files.
var version12 = regexp.MustCompile(`\A((?:\s*(?:#[^\n]*)?\n)*%YAML[ \t]+)1\.2`)

func parseYAML(file string, data []byte) (*Node, diag.List) {
	c := &yamlConverter{file: file, data: data, open: map[*yaml.Node]bool{}, done: map[*yaml.Node]*Node{}, size: map[*Node]int{}}
	dec := yaml.NewDecoder(bytes.NewReader(version12.ReplaceAll(data, []byte("${1}1.1"))))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		c.ds.ErrorHint(diag.Pos{File: file, Line: 1, Col: 1}, "write YAML or JSON into it", "the file is empty")
		return nil, c.ds
	case err != nil:
		c.syntax(err)
		return nil, c.ds
	}
	if err := dec.Decode(&more); err == nil {
		c.ds.ErrorHint(c.pos(&more), "write each document into a file of its own", "the file holds more than one YAML document")
	} else if !errors.Is(err, io.EOF) {
		c.syntax(err)
	}
	n := c.node(doc.Content[0], 0)
	if c.ds.HasErrors() {
		return nil, c.ds
	}
	return n, c.ds
}

// yamlConverter converts the tree of yaml.v3 to ours. It follows aliases and merge keys, and types
// scalars as in YAML 1.2.
type yamlConverter struct {
	file string
	data []byte
	ds   diag.List
	open map[*yaml.Node]bool  // nodes being converted: an alias to one of them is a cycle
	done map[*yaml.Node]*Node // an alias returns the same node again
	size map[*Node]int        // number of values of a node with its aliases written out
}

func (c *yamlConverter) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: c.file, Line: n.Line, Col: n.Column}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (c *yamlConverter) syntax(err error) {
	msg, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		msg = msg[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	lines := bytes.SplitAfter(c.data, []byte("\n"))
	line = min(max(line, firstWrong(lines)), len(lines))
	text := lines[line-1]
	hint := "look at this line and the one before: a quote, a bracket or the indentation is wrong"
	if strings.Contains(msg, "tab") || bytes.IndexByte(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t') >= 0 {
		hint = "YAML is indented with spaces, never with tabs"
	}
	c.ds.ErrorHint(diag.Pos{File: c.file, Line: line, Col: 1}, hint, "not valid YAML: %s", msg)
}

// firstWrong returns the number of the line after the longest valid part of the file. The library
// names the line where the object with the fault begins, which may be far above. A part that ends
// inside a value of several lines is not valid either, so a few more lines are tried before going
// back.
func firstWrong(lines [][]byte) int {
	valid := func(n int) bool {
		var doc yaml.Node
		dec := yaml.NewDecoder(bytes.NewReader(bytes.Join(lines[:n], nil)))
		for {
			if err := dec.Decode(&doc); err != nil {
				return errors.Is(err, io.EOF)
			}
		}
	}
	low, high := 0, len(lines)
	for high-low > 1 {
		middle := (low + high) / 2
		at := middle
		for at < min(high, middle+20) && !valid(at) {
			at++
		}
		if at < min(high, middle+20) {
			low = at
		} else {
			high = middle
		}
	}
	return low + 1
}

func (c *yamlConverter) node(y *yaml.Node, depth int) *Node {
	if n, ok := c.done[y]; ok {
		return n
	}
	n := &Node{Pos: c.pos(y)}
	if c.open[y] {
		c.ds.ErrorHint(n.Pos, "use $ref for a value that contains itself", "anchor %q contains itself", y.Anchor)
		return n
	}
	if depth > maxDepth {
		c.ds.Errorf(n.Pos, "nested deeper than %d levels", maxDepth)
		return n
	}
	c.open[y] = true
	defer delete(c.open, y)
	switch y.Kind {
	case yaml.AliasNode:
		return c.node(y.Alias, depth+1)
	case yaml.SequenceNode:
		n.Kind = Seq
		for _, it := range y.Content {
			n.Items = append(n.Items, c.node(it, depth+1))
		}
	case yaml.MappingNode:
		n.Kind = Map
		c.mapping(n, y, depth)
		n.indexed()
	default:
		c.scalar(n, y)
	}
	c.done[y] = n
	c.measure(n)
	return n
}

// maxValues limits the number of values that aliases can make of a file, because readers of the
// tree visit each of them.
const maxValues = 1_000_000

// measure counts the values of a node whose parts were counted, and reports the first node with too
// many.
func (c *yamlConverter) measure(n *Node) {
	size := 1
	for _, it := range n.Items {
		size += c.size[it]
	}
	for _, p := range n.Pairs {
		size += c.size[p.Value]
	}
	if size > maxValues && !c.ds.HasErrors() {
		c.ds.ErrorHint(n.Pos, "write the repeated value once under components, and refer to it with $ref", "aliases make more than %d values of this", maxValues)
	}
	c.size[n] = min(size, maxValues)
}

func (c *yamlConverter) mapping(n *Node, y *yaml.Node, depth int) {
	first := map[string]diag.Pos{}
	var merges []*Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			c.ds.Errorf(c.pos(k), "a name is expected here, not a list or an object")
			continue
		}
		if k.ShortTag() == "!!merge" {
			merges = append(merges, c.node(v, depth+1))
			continue
		}
		if at, dup := first[k.Value]; dup {
			c.ds.ErrorHint(c.pos(k), "first given at "+at.String(), "%q is given twice", k.Value)
			continue
		}
		first[k.Value] = c.pos(k)
		key := &Node{Pos: c.pos(k), Kind: String, Value: k.Value}
		n.Pairs = append(n.Pairs, Pair{key, c.node(v, depth+1)})
	}
	for _, m := range merges {
		for _, from := range append([]*Node{m}, m.Items...) {
			for _, p := range from.Pairs {
				if _, ok := first[p.Key.Value]; !ok {
					first[p.Key.Value] = p.Key.Pos
					n.Pairs = append(n.Pairs, p)
				}
			}
		}
	}
}

func (c *yamlConverter) scalar(n *Node, y *yaml.Node) {
	n.Value = y.Value
	switch y.ShortTag() {
	case "!!null":
		n.Kind, n.Value = Null, ""
	case "!!bool":
		n.Kind, n.Value = Bool, strings.ToLower(y.Value)
	case "!!int":
		n.Kind = Int
		if !json.Valid([]byte(n.Value)) { // 0x1f, 0o17, +1, 1_000
			var i int64
			var u uint64
			if y.Decode(&i) == nil {
				n.Value = strconv.FormatInt(i, 10)
			} else if y.Decode(&u) == nil {
				n.Value = strconv.FormatUint(u, 10)
			} else {
				n.Kind = String
			}
		}
	case "!!float":
		n.Kind = Float
		if !json.Valid([]byte(n.Value)) { // .5, 1., .inf
			var f float64
			if y.Decode(&f) != nil || math.IsInf(f, 0) || math.IsNaN(f) {
				n.Kind = String
				return
			}
			n.Value = strconv.FormatFloat(f, 'g', -1, 64)
		}
	default:
		n.Kind = String
	}
}
