package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// AppendJSON appends the binary encoding of a value in the form of a field's default: bytes and
// fixed are strings of characters up to U+00FF, a union is a value of the first branch that accepts
// it.
func AppendJSON(dst []byte, t *Type, n *Node) ([]byte, error) {
	f := filler{left: maxImplied}
	return f.append(dst, t, n)
}

// A default may leave out fields that have defaults, which may do the same. The values that are
// taken from them are bounded: a few records can make a default of any size, or one that takes any
// time to refuse.
const (
	maxImplied      = 1 << 14 // in one default
	maxImpliedInAll = 1 << 20 // in all defaults that Link checks
)

// filler counts its depth, because the defaults of a recursive record can contain each other
// without end.
type filler struct {
	depth  int
	inside int // defaults of fields that were left out
	left   int // number of values that may still be taken from such defaults
}

func (f *filler) append(dst []byte, t *Type, n *Node) ([]byte, error) {
	f.depth++
	defer func() { f.depth-- }()
	if f.depth > maxDepth {
		return dst, errors.New("has no end")
	}
	if f.inside > 0 {
		if f.left == 0 {
			return dst, errors.New("takes too many values from the defaults of other fields")
		}
		f.left--
	}
	switch t.Kind {
	case Null:
		return dst, want(n, JSONNull, "null")
	case Boolean:
		if err := want(n, JSONBool, "true or false"); err != nil {
			return dst, err
		}
		if n.Value == "true" {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case Int, Long:
		return appendInteger(dst, t, n)
	case Float, Double:
		return appendFloat(dst, t, n)
	case String:
		if err := want(n, JSONString, "a string"); err != nil {
			return dst, err
		}
		return append(appendLong(dst, int64(len(n.Value))), n.Value...), nil
	case Bytes, Fixed:
		return appendLatin1(dst, t, n)
	case Enum:
		i := slices.Index(t.Symbols, n.Value)
		if n.Kind != JSONString || i < 0 {
			return dst, fmt.Errorf("is not one of %s", strings.Join(t.Symbols, ", "))
		}
		return appendLong(dst, int64(i)), nil
	case Union:
		return f.branch(dst, t, n)
	case Array, Map:
		return f.items(dst, t, n)
	}
	return f.record(dst, t, n)
}

func want(n *Node, k NodeKind, what string) error {
	if n.Kind != k {
		return fmt.Errorf("is %s, not %s", n.Kind, what)
	}
	return nil
}

func appendLong(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v)<<1^uint64(v>>63))
}

func appendInteger(dst []byte, t *Type, n *Node) ([]byte, error) {
	if err := want(n, JSONNumber, "an integer"); err != nil {
		return dst, err
	}
	bits := 64
	if t.Kind == Int {
		bits = 32
	}
	v, err := strconv.ParseInt(n.Value, 10, bits)
	if err != nil {
		return dst, fmt.Errorf("is not an integer of %d bits", bits)
	}
	return appendLong(dst, v), nil
}

func appendFloat(dst []byte, t *Type, n *Node) ([]byte, error) {
	text := n.Value
	special := n.Kind == JSONString && slices.Contains([]string{"NaN", "Infinity", "-Infinity"}, text)
	if n.Kind != JSONNumber && !special {
		return dst, fmt.Errorf("is %s, not a number", n.Kind)
	}
	bits := 64
	if t.Kind == Float {
		bits = 32
	}
	v, err := strconv.ParseFloat(text, bits)
	if err != nil {
		return dst, fmt.Errorf("is not a number of %d bits", bits)
	}
	if bits == 32 {
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v))), nil
	}
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v)), nil
}

func appendLatin1(dst []byte, t *Type, n *Node) ([]byte, error) {
	if err := want(n, JSONString, "a string"); err != nil {
		return dst, err
	}
	b := make([]byte, 0, len(n.Value))
	for _, c := range n.Value {
		if c > 0xFF {
			return dst, fmt.Errorf("has the character %q, which is not a byte (only U+0000 to U+00FF are)", c)
		}
		b = append(b, byte(c))
	}
	if t.Kind == Bytes {
		dst = appendLong(dst, int64(len(b)))
	} else if len(b) != t.Size {
		return dst, fmt.Errorf("has %d bytes, not %d", len(b), t.Size)
	}
	return append(dst, b...), nil
}

func (f *filler) branch(dst []byte, t *Type, n *Node) ([]byte, error) {
	var first error
	for i, b := range t.Branches {
		out, err := f.append(appendLong(dst, int64(i)), b, n)
		if err == nil {
			return out, nil
		}
		if first == nil {
			first = err
		}
	}
	if len(t.Branches) > 0 {
		return dst, fmt.Errorf("fits no branch of the union (the first, %s: %w)", t.Branches[0].BranchName(), first)
	}
	return dst, fmt.Errorf("fits no branch of the union")
}

func (f *filler) items(dst []byte, t *Type, n *Node) ([]byte, error) {
	count, kind := len(n.Items), JSONArray
	if t.Kind == Map {
		count, kind = len(n.Pairs), JSONObject
	}
	if err := want(n, kind, kind.String()); err != nil {
		return dst, err
	}
	var err error
	if count > 0 {
		dst = appendLong(dst, int64(count))
	}
	for i, it := range n.Items {
		if dst, err = f.append(dst, t.Items, it); err != nil {
			return dst, fmt.Errorf("item %d %w", i, err)
		}
	}
	for _, p := range n.Pairs {
		dst = append(appendLong(dst, int64(len(p.Key))), p.Key...)
		if dst, err = f.append(dst, t.Items, p.Value); err != nil {
			return dst, fmt.Errorf("value %q %w", p.Key, err)
		}
	}
	return append(dst, 0), nil
}

func (f *filler) record(dst []byte, t *Type, n *Node) ([]byte, error) {
	if err := want(n, JSONObject, "an object"); err != nil {
		return dst, err
	}
	var err error
	for _, field := range t.Fields {
		v := n.Get(field.Name)
		implied := 0
		if v == nil {
			v, implied = field.Default, 1
		}
		if v == nil {
			return dst, fmt.Errorf("lacks the field %q", field.Name)
		}
		f.inside += implied
		dst, err = f.append(dst, field.Type, v)
		if f.inside -= implied; err != nil {
			return dst, fmt.Errorf("field %q %w", field.Name, err)
		}
	}
	return dst, nil
}
