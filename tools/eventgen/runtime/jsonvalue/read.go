package jsonvalue

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue/internal/number"
)

// Reader converts checked values to Go values. Its first error is that of the whole.
type Reader struct {
	err   error
	steps int
}

// Decode decodes data, which must be one JSON value within the limits that f accepts.
func Decode[T any](data []byte, f Func, read func(r *Reader, v Value) T) (T, error) {
	x := indexes.Get().(*index)
	defer x.release()
	var zero T
	if err := x.read(data); err != nil {
		return zero, err
	}
	root := Value{x, 0}
	if err := check(root, f); err != nil {
		return zero, err
	}
	r := Reader{steps: stepsAtLeast + stepsPerNode*len(x.nodes)}
	out := read(&r, root)
	if r.err == nil && r.steps < 0 {
		r.err = ErrTooMuchWork
	}
	if r.err != nil {
		return zero, r.err
	}
	return out, nil
}

// DecodeInto is like Decode, and sets x to the value if there is no error.
func DecodeInto[T any](x *T, data []byte, f Func, read func(r *Reader, v Value) T) error {
	out, err := Decode(data, f, read)
	if err == nil {
		*x = out
	}
	return err
}

// Fail records that v has no Go value.
func (r *Reader) Fail(v Value, format string, args ...any) {
	if r.err == nil {
		r.err = &ValueError{v.path(), fmt.Errorf(format, args...)}
	}
}

func (r *Reader) kind(v Value, k Kind) bool {
	if v.Kind() != k {
		r.Fail(v, "is %s, not %s", v.Kind(), k)
		return false
	}
	return true
}

// String reads a text.
func (r *Reader) String(v Value) string {
	if !r.kind(v, String) {
		return ""
	}
	return string(v.bytes())
}

// Bool reads a boolean.
func (r *Reader) Bool(v Value) bool { return r.kind(v, Boolean) && v.raw()[0] == 't' }

// Int64 reads an integer, however it is written.
func (r *Reader) Int64(v Value) int64 { return r.integer(v, 64) }

// Int32 reads an integer, however it is written.
func (r *Reader) Int32(v Value) int32 { return int32(r.integer(v, 32)) }

func (r *Reader) integer(v Value, bits int) int64 {
	if !r.kind(v, Number) {
		return 0
	}
	if n, err := strconv.ParseInt(string(v.raw()), 10, bits); err == nil {
		return n
	}
	n, ok := number.Parse(v.raw()).Int(bits)
	if !ok {
		r.Fail(v, "%s is not an integer of %d bits", v.raw(), bits)
	}
	return n
}

// Float64 reads a number, rounded to the nearest float64.
func (r *Reader) Float64(v Value) float64 {
	if !r.kind(v, Number) {
		return 0
	}
	f, err := strconv.ParseFloat(string(v.raw()), 64)
	if err != nil {
		r.Fail(v, "%s is out of range for a number of 64 bits", v.raw())
	}
	return f
}

// Null reads null.
func (r *Reader) Null(v Value) struct{} { r.kind(v, Null); return struct{}{} }

// Never fails, because the schema accepts no value.
func (r *Reader) Never(v Value) Never { r.Fail(v, "is not allowed"); return Never{} }

// Any reads any value.
func (r *Reader) Any(v Value) Any { return Any{string(v.text())} }

// Bytes reads base64.
func (r *Reader) Bytes(v Value) []byte { return parsed(r, v, base64.StdEncoding.DecodeString) }

// Time reads a time of RFC 3339.
func (r *Reader) Time(v Value) time.Time {
	t := parsed(r, v, parseTime)
	if t.IsZero() {
		r.Fail(v, "is the zero time, which means that there is none")
	}
	return t
}

// Date reads a date.
func (r *Reader) Date(v Value) Date { return parsed(r, v, ParseDate) }

// UUID reads a UUID.
func (r *Reader) UUID(v Value) uuid.UUID { return parsed(r, v, parseUUID) }

// parsed reads a text with a parse function.
func parsed[T any](r *Reader, v Value, parse func(string) (T, error)) T {
	out, err := parse(r.String(v))
	if err != nil {
		r.Fail(v, "%w", err)
	}
	return out
}

// Number returns the index of a value in a list, counted from 1.
func (r *Reader) Number(v, list Value) uint {
	for i, it := range list.Items() {
		if equal(v, it) {
			return uint(i + 1)
		}
	}
	r.Fail(v, "is not one of %s", list.text())
	return 0
}

// ReadText reads a text of a named type.
func ReadText[T ~string](r *Reader, v Value) T { return T(r.String(v)) }

// ReadInteger reads an integer of a named type.
func ReadInteger[T ~int64](r *Reader, v Value) T { return T(r.Int64(v)) }

// ReadList reads a list. It does not return nil for an empty one.
func ReadList[T any](r *Reader, v Value, item func(*Reader, Value) T) []T {
	if !r.kind(v, Array) {
		return nil
	}
	out := make([]T, 0, v.Len())
	for _, it := range v.Items() {
		out = append(out, item(r, it))
	}
	return out
}

// ReadRest reads the items of a list from an index on. It returns nil if there are none.
func ReadRest[T any](r *Reader, v Value, from int, item func(*Reader, Value) T) []T {
	var out []T
	for i, it := range v.Items() {
		if i >= from {
			out = append(out, item(r, it))
		}
	}
	return out
}

// ReadMap reads an object. It does not return nil for an empty one.
func ReadMap[T any](r *Reader, v Value, member func(*Reader, Value) T) map[string]T {
	if !r.kind(v, Object) {
		return nil
	}
	out := make(map[string]T, v.Len())
	for name, m := range v.Members() {
		out[string(name)] = member(r, m)
	}
	return out
}

// Put adds a member to a map, or to a new one if the map is nil.
func Put[T any](m map[string]T, name []byte, v T) map[string]T {
	if m == nil {
		m = map[string]T{}
	}
	m[string(name)] = v
	return m
}

// ReadPointer reads a value and returns a pointer to it.
func ReadPointer[T any](r *Reader, v Value, read func(*Reader, Value) T) *T {
	out := read(r, v)
	return &out
}

// ReadNullable reads null as nil.
func ReadNullable[T any](r *Reader, v Value, read func(*Reader, Value) T) *T {
	if v.Kind() == Null {
		return nil
	}
	return ReadPointer(r, v, read)
}

// ReadNilable reads null as the zero value. It is used for types whose zero value is nil.
func ReadNilable[T any](r *Reader, v Value, read func(*Reader, Value) T) T {
	if v.Kind() == Null {
		var none T
		return none
	}
	return read(r, v)
}
