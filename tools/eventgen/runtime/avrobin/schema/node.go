// Package schema is the model of an Avro schema: parsing, linking of names, checks, the canonical
// form and its fingerprint, the text for a registry, and defaults in binary form. It depends on the
// standard library alone, because it is needed at run time too, to compile a writer's schema into a
// resolution plan.
//
// Package resolve and eventgen's Avro stage import it.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// NodeKind is the kind of a JSON value.
type NodeKind uint8

// The kinds of JSON values. A number keeps its text.
const (
	JSONNull NodeKind = iota
	JSONBool
	JSONNumber
	JSONString
	JSONArray
	JSONObject
)

// String returns the name of the kind for diagnostics.
func (k NodeKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}[k]
}

// Node is a JSON value with its members in order. Pos is set by the reader of the file, and is
// returned in a Fault.
type Node struct {
	Kind  NodeKind
	Value string // of a scalar: content of a string, text of a number, true or false
	Items []*Node
	Pairs []Pair
	Pos   any
}

// Pair is a member of an object.
type Pair struct {
	Key   string
	Pos   any
	Value *Node
}

// Get returns the member of that name, or nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, p := range n.Pairs {
		if p.Key == key {
			return p.Value
		}
	}
	return nil
}

func (n *Node) text() (string, bool) {
	if n == nil || n.Kind != JSONString {
		return "", false
	}
	return n.Value, true
}

// JSON appends the node as compact JSON.
func (n *Node) JSON(dst []byte) []byte {
	switch n.Kind {
	case JSONNull:
		return append(dst, "null"...)
	case JSONBool, JSONNumber:
		return append(dst, n.Value...)
	case JSONString:
		return appendQuoted(dst, n.Value)
	case JSONArray:
		dst = append(dst, '[')
		for i, it := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = it.JSON(dst)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i, p := range n.Pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, p.Key), ':')
		dst = p.Value.JSON(dst)
	}
	return append(dst, '}')
}

func appendQuoted(dst []byte, s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string into a buffer cannot fail
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

const (
	maxText  = 4 << 20
	maxDepth = 500
)

// ParseNode parses JSON. A schema that is only a name, as in "string", is accepted too.
func ParseNode(text string) (*Node, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("a schema of %d bytes is larger than the %d allowed", len(text), maxText)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	n, err := readNode(dec, 0)
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not JSON: text after its end")
	}
	return n, nil
}

func readNode(dec *json.Decoder, depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := tok.(type) {
	case nil:
		return &Node{Kind: JSONNull}, nil
	case bool:
		return &Node{Kind: JSONBool, Value: fmt.Sprint(v)}, nil
	case json.Number:
		return &Node{Kind: JSONNumber, Value: v.String()}, nil
	case string:
		return &Node{Kind: JSONString, Value: v}, nil
	case json.Delim:
		if v == '[' {
			return readArray(dec, depth)
		}
		return readObject(dec, depth)
	}
	return nil, fmt.Errorf("unexpected %v", tok)
}

func readArray(dec *json.Decoder, depth int) (*Node, error) {
	n := &Node{Kind: JSONArray}
	for dec.More() {
		it, err := readNode(dec, depth+1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, it)
	}
	_, err := dec.Token()
	return n, err
}

func readObject(dec *json.Decoder, depth int) (*Node, error) {
	n := &Node{Kind: JSONObject}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("unexpected %v", key)
		}
		v, err := readNode(dec, depth+1)
		if err != nil {
			return nil, err
		}
		n.Pairs = append(n.Pairs, Pair{Key: name, Value: v})
	}
	_, err := dec.Token()
	return n, err
}
