package jsonvalue

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Writer writes one value. Its first error is that of the whole.
type Writer struct {
	b     []byte
	names []string // of the members of the maps that are being written
	err   error
	depth int
	doubt bool // whether what was written conforms to its schema has to be checked
}

var writers = sync.Pool{New: func() any { return new(Writer) }}

// Append appends v to dst as JSON that f accepts. On an error it returns dst unchanged.
func Append[T any](dst []byte, v T, write func(*Writer, T), f Func) ([]byte, error) {
	w := writers.Get().(*Writer)
	defer w.release()
	write(w, v)
	if err := w.finish(f); err != nil {
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
	w := writers.Get().(*Writer)
	defer w.release()
	write(w, v)
	return w.finish(f)
}

// finish returns the error of what was written.
func (w *Writer) finish(f Func) error {
	if w.err != nil || !w.doubt && len(w.b) <= MaxSize {
		return w.err
	}
	x := indexes.Get().(*index)
	defer x.release()
	if err := x.read(w.b); err != nil {
		return err
	}
	return check(Value{x, 0}, f)
}

func (w *Writer) release() {
	*w = Writer{b: w.b[:0], names: w.names[:0]}
	if cap(w.b) <= MaxSize {
		writers.Put(w)
	}
}

// Fail records that the value cannot be written.
func (w *Writer) Fail(format string, args ...any) {
	if w.err == nil {
		w.err = &ValueError{unfinished(w.b), fmt.Errorf(format, args...)}
	}
}

// Expect has the text checked against its schema unless ok, which means that this part of it
// certainly conforms.
func (w *Writer) Expect(ok bool) {
	if !ok {
		w.doubt = true
	}
}

// Recheck has the text checked against its schema, because that has keywords which only a check of
// the text can decide.
func (w *Writer) Recheck() { w.doubt = true }

// Open begins an object, which Close ends. It returns false, after an error, if it is nested too
// deep.
func (w *Writer) Open() bool { return w.open('{') }

// Close ends an object.
func (w *Writer) Close() { w.depth--; w.b = append(w.b, '}') }

// Member begins a member of an object. Its name needs no escapes.
func (w *Writer) Member(name string) {
	w.separate('{')
	b := append(append(w.b, '"'), name...)
	w.b = append(b, '"', ':')
}

// EscapedMember begins a member with any name.
func (w *Writer) EscapedMember(name string) {
	w.separate('{')
	w.String(name)
	w.b = append(w.b, ':')
}

// OpenList begins a list, which CloseList ends. It returns false, after an error, if it is nested
// too deep.
func (w *Writer) OpenList() bool { return w.open('[') }

// CloseList ends a list.
func (w *Writer) CloseList() { w.depth--; w.b = append(w.b, ']') }

// Item begins an item of a list.
func (w *Writer) Item() { w.separate('[') }

// Literal writes JSON that is known to be valid.
func (w *Writer) Literal(text string) { w.b = append(w.b, text...) }

// Unset records that a required value is not set.
func (w *Writer) Unset() { w.Fail("is not set") }

// Tag reports whether a member has a text that the type of its object has. If it does not, that is
// an error.
func (w *Writer) Tag(member, text, want string, or ...string) bool {
	if text == want || slices.Contains(or, text) {
		return true
	}
	all := strconv.Quote(want)
	for _, other := range or {
		all += " or " + strconv.Quote(other)
	}
	w.Fail("has %q for %q, but its type has %s", text, member, all)
	return false
}

// AddText adds a member to the object that was written last.
func (w *Writer) AddText(member, text string) {
	if w.err != nil {
		return
	}
	w.b = w.b[:len(w.b)-len("}")]
	w.EscapedMember(member)
	w.String(text)
	w.b = append(w.b, '}')
}

// Bool writes a boolean.
func (w *Writer) Bool(b bool) {
	if b {
		w.Literal("true")
		return
	}
	w.Literal("false")
}

// Int32 writes an integer.
func (w *Writer) Int32(n int32) { w.Int64(int64(n)) }

// Float64 writes a number.
func (w *Writer) Float64(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.Fail("%v is not a number in JSON", f)
		return
	}
	w.float(f)
}

// Null writes null.
func (w *Writer) Null(struct{}) { w.Literal("null") }

// Never records that the schema accepts no value.
func (w *Writer) Never(Never) { w.Fail("is not allowed") }

// Any writes a value as it is.
func (w *Writer) Any(a Any) {
	text := a.String()
	// What was parsed is JSON, but it may be nested too deep for its place.
	w.Expect(w.depth+strings.Count(text, "{")+strings.Count(text, "[") <= MaxDepth)
	w.Literal(text)
}

// Time writes a time of RFC 3339. It refuses the zero time, which means that there is none.
func (w *Writer) Time(t time.Time) {
	if t.IsZero() {
		w.Unset()
		return
	}
	w.time(t)
}

// Date writes a date.
func (w *Writer) Date(d Date) {
	if d == (Date{}) {
		w.Unset()
		return
	}
	w.date(d)
}

// UUID writes a UUID.
func (w *Writer) UUID(u uuid.UUID) { w.uuid(u) }

// Number writes an item of a list, counted from 1.
func (w *Writer) Number(n uint, list Value) {
	for i, it := range list.Items() {
		if uint(i+1) == n {
			w.Literal(string(it.text()))
			return
		}
	}
	w.Unset()
}

// WriteText writes a text of a named type.
func WriteText[T ~string](w *Writer, s T) { w.String(string(s)) }

// WriteInteger writes an integer of a named type.
func WriteInteger[T ~int64](w *Writer, n T) { w.Int64(int64(n)) }

// WriteList writes a list. nil is an empty one.
func WriteList[T any](w *Writer, list []T, item func(*Writer, T)) {
	if !w.OpenList() {
		return
	}
	for i, it := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		item(w, it)
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

// WriteMembers writes further members of an object, sorted by name. They can repeat one that is
// written already, and a schema that does not name them can refuse them.
func WriteMembers[T any](w *Writer, m map[string]T, member func(*Writer, T)) {
	w.Expect(len(m) == 0)
	writeMembers(w, m, member)
}

func writeMembers[T any](w *Writer, m map[string]T, member func(*Writer, T)) {
	if len(m) == 1 { // there is nothing to sort
		for name, v := range m {
			w.EscapedMember(name)
			member(w, v)
		}
		return
	}
	from := len(w.names)
	w.names = slices.AppendSeq(w.names, maps.Keys(m))
	slices.Sort(w.names[from:])
	for i := range len(m) {
		name := w.names[from+i]
		w.EscapedMember(name)
		member(w, m[name])
	}
	clear(w.names[from:])
	w.names = w.names[:from]
}

// WritePointer writes what v points to, which has to be set.
func WritePointer[T any](w *Writer, v *T, write func(*Writer, T)) {
	if v == nil {
		w.Unset()
		return
	}
	write(w, *v)
}

// WriteNullable writes nil as null.
func WriteNullable[T any](w *Writer, v *T, write func(*Writer, T)) {
	if v == nil {
		w.Null(struct{}{})
		return
	}
	write(w, *v)
}
