package jsonvalue

import (
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue/internal/number"
)

// Kind is the kind of a value. Kinds are bits, so that a schema can allow several.
type Kind uint8

// The kinds of values. Integer is a Number without a fraction, however it is written: 1, 1.0 and
// 1e3.
const (
	Null Kind = 1 << iota
	Boolean
	Number
	String
	Array
	Object
	Integer
)

var kindNames = []string{"null", "a boolean", "a number", "a string", "a list", "an object", "an integer"}

func (k Kind) String() string {
	var out []string
	for i, name := range kindNames {
		if k&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, " or ")
}

// Value is a value in an indexed text. It is valid only while the text is being read.
type Value struct {
	x *index
	i uint32
}

func (v Value) node() *node { return &v.x.nodes[v.i] }

// Kind returns the kind of the value. An integer is a Number.
func (v Value) Kind() Kind { return v.node().kind }

// Is reports whether the value has one of the kinds.
func (v Value) Is(k Kind) bool {
	own := v.Kind()
	return own&k != 0 || own == Number && k&Integer != 0 && number.IsInteger(v.raw())
}

// raw returns the text of the value, for a string without quotes.
func (v Value) raw() []byte { n := v.node(); return v.x.text[n.start:n.end] }

// bytes returns the content of a string.
func (v Value) bytes() []byte {
	if v.node().escaped {
		return unescape(v.raw())
	}
	return v.raw()
}

// text returns the value as JSON.
func (v Value) text() []byte {
	if n := v.node(); n.kind == String {
		return v.x.text[n.start-1 : n.end+1]
	}
	return v.raw()
}

// length returns the number of characters of a string.
func (v Value) length() int { return utf8.RuneCount(v.bytes()) }

// Items returns the items of a list, in order. There are none for any other value.
func (v Value) Items() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if v.Kind() != Array {
			return
		}
		n := 0
		for i := v.i + 1; i < v.node().next; i = v.x.nodes[i].next {
			if !yield(n, Value{v.x, i}) {
				return
			}
			n++
		}
	}
}

// Members returns the members of an object, in order. There are none for any other value. A name is
// valid only during its iteration.
func (v Value) Members() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		for name := range v.names() {
			if !yield(name.bytes(), Value{v.x, name.i + 1}) {
				return
			}
		}
	}
}

// names returns the names of an object's members as values. The node of a member follows its name.
func (v Value) names() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Object {
			return
		}
		for i := v.i + 1; i < v.node().next; i = v.x.nodes[i+1].next {
			if !yield(Value{v.x, i}) {
				return
			}
		}
	}
}

// Len returns the number of items or members.
func (v Value) Len() int {
	n := 0
	for range v.Items() {
		n++
	}
	for range v.names() {
		n++
	}
	return n
}

// Member returns the member of that name.
func (v Value) Member(name string) (Value, bool) {
	if v.Kind() != Object {
		return Value{}, false
	}
	for i, end := v.i+1, v.node().next; i < end; i = v.x.nodes[i+1].next {
		n := &v.x.nodes[i]
		if !n.escaped && string(v.x.text[n.start:n.end]) == name || n.escaped && string(Value{v.x, i}.bytes()) == name {
			return Value{v.x, i + 1}, true
		}
	}
	return Value{}, false
}

// path returns the path of the value in its text: lines[3].amount.
func (v Value) path() string {
	var b strings.Builder
	for at := (Value{v.x, 0}); at.i != v.i; {
		next := at
		for i, it := range at.Items() {
			if v.i >= it.i && v.i < it.node().next {
				fmt.Fprintf(&b, "[%d]", i)
				next = it
			}
		}
		for name := range at.names() {
			if m := (Value{v.x, name.i + 1}); v.i == name.i || v.i >= m.i && v.i < m.node().next {
				if next = m; v.i == name.i {
					next = name
				}
				writeStep(&b, string(name.bytes()))
			}
		}
		if next == at {
			break
		}
		at = next
	}
	return b.String()
}

func writeStep(b *strings.Builder, name string) {
	plain := name != ""
	for _, c := range name {
		plain = plain && (c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z')
	}
	switch {
	case !plain:
		fmt.Fprintf(b, "[%q]", name)
	case b.Len() == 0:
		b.WriteString(name)
	default:
		b.WriteString("." + name)
	}
}

// Literal returns a value of generated code, such as the values of an enum. It panics if the text
// is not JSON.
func Literal(text string) Value {
	x := new(index)
	if err := x.read([]byte(text)); err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return Value{x, 0}
}
