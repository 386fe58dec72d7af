package jsonvalue

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Writer writes one value, and indexes what it writes. Its first error is that of the whole.
type Writer struct {
	b     []byte
	x     *index
	open  []uint32 // nodes of the objects and lists that are not closed
	first bool     // nothing precedes in the innermost of them
	path  []step
	err   error
	depth int
	// what was written has to be read to be indexed: it may not be JSON, or have a member twice
	foreign bool
}

// step is a part of the path to the value that is being written: a member or an item.
type step struct {
	name string
	item int
}

var writers = sync.Pool{New: func() any { return new(Writer) }}

// Append appends v to dst as JSON that f accepts. On an error it returns dst unchanged.
func Append[T any](dst []byte, v T, write func(*Writer, T), f Func) ([]byte, error) {
	w, x := writers.Get().(*Writer), indexes.Get().(*index)
	defer x.release()
	defer w.release()
	w.x, x.nodes = x, x.nodes[:0]
	write(w, v)
	if w.err != nil {
		return dst, w.err
	}
	if x.text = w.b; w.foreign || len(w.b) > MaxSize {
		if err := x.read(w.b); err != nil {
			return dst, err
		}
	}
	if err := check(Value{x, 0}, f); err != nil {
		return dst, err
	}
	return append(dst, w.b...), nil
}

// Encode returns v as JSON that f accepts.
func Encode[T any](v T, write func(*Writer, T), f Func) ([]byte, error) {
	return Append(nil, v, write, f)
}

// Validate returns an error if v cannot be written.
func Validate[T any](v T, write func(*Writer, T), f Func) error {
	_, err := Append(nil, v, write, f)
	return err
}

func (w *Writer) release() {
	*w = Writer{b: w.b[:0], path: w.path[:0], open: w.open[:0]}
	if cap(w.b) <= MaxSize {
		writers.Put(w)
	}
}

// Fail records that the value cannot be written.
func (w *Writer) Fail(format string, args ...any) {
	if w.err == nil {
		var b strings.Builder
		for _, s := range w.path {
			if s.name == "" {
				fmt.Fprintf(&b, "[%d]", s.item)
			} else {
				writeStep(&b, s.name)
			}
		}
		w.err = &ValueError{b.String(), fmt.Errorf(format, args...)}
	}
}

// Open begins an object, which Close ends. It returns false, after an error, if it is nested too
// deep.
func (w *Writer) Open() bool {
	if w.depth++; w.depth > MaxDepth {
		w.Fail("nested deeper than %d", MaxDepth)
		return false
	}
	w.enter(Object, '{')
	return w.err == nil
}

// Close ends an object.
func (w *Writer) Close() { w.depth--; w.leave('}') }

// Member begins a member of an object, which Done ends.
func (w *Writer) Member(name string) {
	w.path = append(w.path, step{name: name})
	w.comma()
	w.str(name)
	w.b = append(w.b, ':')
}

// Done ends a member.
func (w *Writer) Done() { w.path = w.path[:len(w.path)-1] }

// OpenList begins a list, which CloseList ends. It returns false, after an error, if it is nested
// too deep.
func (w *Writer) OpenList() bool {
	if w.depth++; w.depth > MaxDepth {
		w.Fail("nested deeper than %d", MaxDepth)
		return false
	}
	w.enter(Array, '[')
	return w.err == nil
}

// CloseList ends a list.
func (w *Writer) CloseList() { w.depth--; w.leave(']') }

// Literal writes JSON that is known to be valid.
func (w *Writer) Literal(text string) { w.raw(text) }

// Unset records that a required value is not set.
func (w *Writer) Unset() { w.Fail("is not set") }

// Tag reports whether a member has the text that the type of its object has. If it does not, that
// is an error.
func (w *Writer) Tag(member, text, want string) bool {
	if text != want {
		w.Fail("has %q for %q, but its type has %q", text, member, want)
	}
	return text == want
}

// String writes a text.
func (w *Writer) String(s string) { w.value(s) }

// Bool writes a boolean.
func (w *Writer) Bool(b bool) {
	if b {
		w.word("true", Boolean)
		return
	}
	w.word("false", Boolean)
}

// Int64 writes an integer.
func (w *Writer) Int64(n int64) { w.integer(n) }

// Int32 writes an integer.
func (w *Writer) Int32(n int32) { w.integer(int64(n)) }

// Float64 writes a number.
func (w *Writer) Float64(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.Fail("%v is not a number in JSON", f)
		return
	}
	w.float(f)
}

// Null writes null.
func (w *Writer) Null(struct{}) { w.word("null", Null) }

// Never records that the schema accepts no value.
func (w *Writer) Never(Never) { w.Fail("is not allowed") }

// Any writes a value as it is.
func (w *Writer) Any(a Any) { w.raw(a.String()) }

// Bytes writes base64.
func (w *Writer) Bytes(b []byte) { w.value(base64.StdEncoding.EncodeToString(b)) }

// Time writes a time of RFC 3339. It refuses the zero time, which means that there is none.
func (w *Writer) Time(t time.Time) {
	if t.IsZero() {
		w.Unset()
		return
	}
	w.value(t.Format(time.RFC3339Nano))
}

// Date writes a date.
func (w *Writer) Date(d Date) {
	if d == (Date{}) {
		w.Unset()
		return
	}
	w.value(d.String())
}

// UUID writes a UUID.
func (w *Writer) UUID(u uuid.UUID) { w.value(u.String()) }

// Number writes an item of a list, counted from 1.
func (w *Writer) Number(n uint, list Value) {
	for i, it := range list.Items() {
		if uint(i+1) == n {
			w.raw(string(it.text()))
			return
		}
	}
	w.Unset()
}

// WriteText writes a text of a named type.
func WriteText[T ~string](w *Writer, s T) { w.value(string(s)) }

// WriteInteger writes an integer of a named type.
func WriteInteger[T ~int64](w *Writer, n T) { w.integer(int64(n)) }

// WriteList writes a list. nil is an empty one.
func WriteList[T any](w *Writer, list []T, item func(*Writer, T)) {
	if !w.OpenList() {
		return
	}
	for i, it := range list {
		w.path = append(w.path, step{item: i})
		item(w, it)
		w.Done()
	}
	w.CloseList()
}

// WriteMap writes an object with its members sorted by name. nil is an empty one.
func WriteMap[T any](w *Writer, m map[string]T, member func(*Writer, T)) {
	if !w.Open() {
		return
	}
	writeMembers(w, m, member)
	w.Close()
}

// WriteMembers writes further members of an object.
func WriteMembers[T any](w *Writer, m map[string]T, member func(*Writer, T)) {
	w.foreign = w.foreign || len(m) > 0
	writeMembers(w, m, member)
}

func writeMembers[T any](w *Writer, m map[string]T, member func(*Writer, T)) {
	if len(m) == 1 { // there is nothing to sort
		for name, v := range m {
			w.Member(name)
			member(w, v)
			w.Done()
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		w.Member(name)
		member(w, m[name])
		w.Done()
	}
}

// WriteNullable writes nil as null.
func WriteNullable[T any](w *Writer, v *T, write func(*Writer, T)) {
	if v == nil {
		w.word("null", Null)
		return
	}
	write(w, *v)
}
