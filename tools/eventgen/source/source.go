// Package source reads YAML and JSON into trees of one kind, in which every value has its position.
//
// The stages of eventgen that read files import it. It knows nothing about AsyncAPI or Avro.
package source

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
)

// Kind is the kind of a node.
type Kind int

// The kinds of nodes. Numbers written without fraction and exponent are Int.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Seq
	Map
)

// String returns the name of the kind for diagnostics.
func (k Kind) String() string {
	return [...]string{"null", "a boolean", "an integer", "a number", "a string", "a list", "an object"}[k]
}

// Node is one value of a file. Nodes may be shared (YAML aliases) and are never changed after
// parsing.
type Node struct {
	Pos   diag.Pos
	Kind  Kind
	Value string  // of a scalar: a string's content, a number as JSON writes it, true or false
	Items []*Node // of a Seq
	Pairs []Pair  // of a Map, in the order of the file; keys are unique

	index map[string]int // of the pairs, by name; nil if there are few
	home  string         // see File
}

// few is the number of members up to which no index is made.
const few = 16

// indexed makes the index of a Map with many members.
func (n *Node) indexed() {
	if len(n.Pairs) <= few {
		return
	}
	n.index = make(map[string]int, len(n.Pairs))
	for i, p := range n.Pairs {
		n.index[p.Key.Value] = i
	}
}

// Pair is one member of a Map. Key is a String node with the position of the key.
type Pair struct{ Key, Value *Node }

// Parse reads one file. A file is JSON by its extension (.json, .avsc) or its first character, and
// YAML otherwise. The node is nil if the list has errors.
func Parse(file string, data []byte) (*Node, diag.List) {
	data = bytes.TrimPrefix(decoded(data), []byte("\ufeff"))
	if at := invalid(data); at >= 0 {
		var ds diag.List
		line, last := bytes.Count(data[:at], []byte("\n"))+1, bytes.LastIndexByte(data[:at], '\n')
		ds.ErrorHint(diag.Pos{File: file, Line: line, Col: utf8.RuneCount(data[last+1:at]) + 1}, "save the file as UTF-8", "the file is not UTF-8: byte %#x does not belong to a character", data[at])
		return nil, ds
	}
	ext := strings.ToLower(path.Ext(file))
	if ext == ".json" || ext == ".avsc" {
		return parseJSON(file, data)
	}
	if s := bytes.TrimLeft(data, " \t\r\n"); len(s) > 0 && (s[0] == '{' || s[0] == '[') {
		if n, ds := parseJSON(file, data); !ds.HasErrors() {
			return n, ds
		}
	}
	return parseYAML(file, data)
}

// decoded returns a file in UTF-8, which it converts if it begins with the mark of UTF-16.
func decoded(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	default:
		return data
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// invalid returns the index of the first byte that is not UTF-8, or -1.
func invalid(data []byte) int {
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// Get returns the member of that name, or nil if there is none or the node is not a Map.
func (n *Node) Get(key string) *Node {
	if p, ok := n.Pair(key); ok {
		return p.Value
	}
	return nil
}

// Pair returns the member of that name with its key.
func (n *Node) Pair(key string) (Pair, bool) {
	if n == nil {
		return Pair{}, false
	}
	if n.index != nil {
		i, ok := n.index[key]
		if !ok {
			return Pair{}, false
		}
		return n.Pairs[i], true
	}
	for _, p := range n.Pairs {
		if p.Key.Value == key {
			return p, true
		}
	}
	return Pair{}, false
}

// Keys returns the names of a Map's members, in the order of the file.
func (n *Node) Keys() []string {
	if n == nil {
		return nil
	}
	keys := make([]string, len(n.Pairs))
	for i, p := range n.Pairs {
		keys[i] = p.Key.Value
	}
	return keys
}

// Is reports whether the node is not nil and has the kind.
func (n *Node) Is(k Kind) bool { return n != nil && n.Kind == k }

// Str returns the content of a String node, or "" for any other node.
func (n *Node) Str() string {
	if n.Is(String) {
		return n.Value
	}
	return ""
}

// Int returns the value of an Int node that fits 64 bits.
func (n *Node) Int() (int64, bool) {
	if !n.Is(Int) {
		return 0, false
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	return i, err == nil
}

// Any returns the value as encoding/json does with UseNumber: map[string]any, []any, string,
// json.Number, bool or nil.
func (n *Node) Any() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Bool:
		return n.Value == "true"
	case Int, Float:
		return json.Number(n.Value)
	case String:
		return n.Value
	case Seq:
		out := make([]any, len(n.Items))
		for i, it := range n.Items {
			out[i] = it.Any()
		}
		return out
	case Map:
		out := make(map[string]any, len(n.Pairs))
		for _, p := range n.Pairs {
			out[p.Key.Value] = p.Value.Any()
		}
		return out
	}
	return nil
}

// JSON returns the value as compact JSON with the members in the order of the file, so that it is
// the same text on every run.
func (n *Node) JSON() []byte {
	var b bytes.Buffer
	n.writeJSON(&b)
	return b.Bytes()
}

func (n *Node) writeJSON(b *bytes.Buffer) {
	if n == nil {
		b.WriteString("null")
		return
	}
	switch n.Kind {
	case Null:
		b.WriteString("null")
	case Bool, Int, Float:
		b.WriteString(n.Value)
	case String:
		writeString(b, n.Value)
	case Seq:
		b.WriteByte('[')
		for i, it := range n.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			it.writeJSON(b)
		}
		b.WriteByte(']')
	case Map:
		b.WriteByte('{')
		for i, p := range n.Pairs {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, p.Key.Value)
			b.WriteByte(':')
			p.Value.writeJSON(b)
		}
		b.WriteByte('}')
	}
}

func writeString(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)       // a string and a buffer: cannot fail
	b.Truncate(b.Len() - 1) // Encode ends with a newline
}

// Equal reports whether two nodes have the same value, whatever their positions.
func Equal(a, b *Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if (a.Kind == Int || a.Kind == Float) && (b.Kind == Int || b.Kind == Float) {
		x, okx := new(big.Rat).SetString(a.Value)
		y, oky := new(big.Rat).SetString(b.Value)
		return a.Value == b.Value || okx && oky && x.Cmp(y) == 0
	}
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Items) != len(b.Items) || len(a.Pairs) != len(b.Pairs) {
		return false
	}
	for i := range a.Items {
		if !Equal(a.Items[i], b.Items[i]) {
			return false
		}
	}
	for _, p := range a.Pairs {
		q, ok := b.Pair(p.Key.Value)
		if !ok || !Equal(p.Value, q.Value) {
			return false
		}
	}
	return true
}

// Lookup follows a JSON pointer ("", "/a/b~1c/0"), whose steps may be percent-encoded as in the
// fragment of a URI. If a step leads nowhere, it returns the last node that was reached and that
// step, for the error message.
func (n *Node) Lookup(pointer string) (found, last *Node, missing string) {
	if pointer == "" {
		return n, n, ""
	}
	cur := n
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		key := Unescape(step)
		var next *Node
		switch {
		case cur.Is(Map):
			next = cur.Get(key)
		case cur.Is(Seq):
			if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(cur.Items) {
				next = cur.Items[i]
			}
		}
		if next == nil {
			return nil, cur, key
		}
		cur = next
	}
	return cur, cur, ""
}

// Unescape reverses Escape and the percent-encoding of a URI fragment.
func Unescape(step string) string {
	if u, err := url.PathUnescape(step); err == nil {
		step = u
	}
	return strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
}

// Escape returns a name as a step of a JSON pointer.
func Escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
