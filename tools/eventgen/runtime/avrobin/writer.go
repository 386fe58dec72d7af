package avrobin

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"unicode/utf8"
)

// AppendLong appends v as an Avro int or long: zig-zag, then a varint.
func AppendLong(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v)<<1^uint64(v>>63))
}

// AppendBoolean appends one byte.
func AppendBoolean(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendFloat appends four bytes, little endian.
func AppendFloat(dst []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
}

// AppendDouble appends eight bytes, little endian.
func AppendDouble(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
}

// AppendBytes appends the length of v and v.
func AppendBytes(dst, v []byte) []byte {
	return append(AppendLong(dst, int64(len(v))), v...)
}

// AppendString appends the length of v in bytes and v.
func AppendString(dst []byte, v string) []byte {
	return append(AppendLong(dst, int64(len(v))), v...)
}

// Writer appends values to a byte slice. The first value that has no encoding (an unknown enum symbol, a union without a
// value, a time out of range) is kept as its error and makes the rest meaningless; Done reports it.
//
// The zero Writer is ready and allocates as it goes; NewWriter appends to a slice.
type Writer struct {
	buf   []byte
	err   error
	keys  []string
	depth int
}

// NewWriter returns a Writer that appends to dst.
func NewWriter(dst []byte) Writer { return Writer{buf: dst} }

// Done returns dst and everything written after it, or the first error.
func (w *Writer) Done() ([]byte, error) { return w.buf, w.err }

// Fail keeps err, unless there is one already.
func (w *Writer) Fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Failf is Fail with a message made here.
func (w *Writer) Failf(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// Long writes an int, a long, a branch, a symbol or a length.
func (w *Writer) Long(v int64) {
	u := uint64(v)<<1 ^ uint64(v>>63)
	if u < 0x80 {
		w.buf = append(w.buf, byte(u))
		return
	}
	w.buf = binary.AppendUvarint(w.buf, u)
}

// Int writes an Avro int.
func (w *Writer) Int(v int32) { w.Long(int64(v)) }

// Boolean writes one byte.
func (w *Writer) Boolean(v bool) { w.buf = AppendBoolean(w.buf, v) }

// Float writes four bytes.
func (w *Writer) Float(v float32) { w.buf = AppendFloat(w.buf, v) }

// Double writes eight bytes.
func (w *Writer) Double(v float64) { w.buf = AppendDouble(w.buf, v) }

// Bytes writes the length and the bytes.
func (w *Writer) Bytes(v []byte) {
	w.Long(int64(len(v)))
	w.buf = append(w.buf, v...)
}

// String writes the length and the text, which must be UTF-8.
func (w *Writer) String(v string) {
	if !utf8.ValidString(v) {
		w.Failf("avro: a string is not UTF-8: %.40q", v)
	}
	w.Long(int64(len(v)))
	w.buf = append(w.buf, v...)
}

// Fixed writes the bytes alone.
func (w *Writer) Fixed(v []byte) { w.buf = append(w.buf, v...) }

// Block begins the n items of an array or a map. All of them go into one block; without items there is none.
func (w *Writer) Block(n int) {
	if n > 0 {
		w.Long(int64(n))
	}
}

// End closes an array or a map.
func (w *Writer) End() { w.buf = append(w.buf, 0) }

// Unknown fails because value is no symbol of the enum.
func (w *Writer) Unknown(enum, value string) {
	w.Failf("avro: %s has no symbol %q", enum, value)
}

// Unset fails because a union that cannot be null has no value.
func (w *Writer) Unset(union string) {
	w.Failf("avro: %s has no value", union)
}

// Enter goes one level down into a recursive type; false, and an error, when that is too deep. Leave comes back.
func (w *Writer) Enter() bool {
	w.depth++
	if w.depth > MaxDepth {
		w.Failf("avro: values nest deeper than %d", MaxDepth)
	}
	return w.err == nil
}

// Leave ends what Enter began.
func (w *Writer) Leave() { w.depth-- }

// Keys returns the keys of m in order, so that equal maps have equal bytes. ReleaseKeys takes them back.
func Keys[K ~string, V any](w *Writer, m map[K]V) []string {
	start := len(w.keys)
	for k := range m {
		w.keys = append(w.keys, string(k))
	}
	keys := w.keys[start:]
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}

// ReleaseKeys gives back the n keys that Keys returned last.
func (w *Writer) ReleaseKeys(n int) { w.keys = w.keys[:len(w.keys)-n] }

// largestKept is the capacity above which a buffer is left to the collector instead of kept for the next message.
const largestKept = 1 << 20

var writers = sync.Pool{New: func() any { return &Writer{buf: make([]byte, 0, 1024)} }}

// encode writes v after prefix in a kept buffer and returns a copy of the exact size: one allocation.
func encode(prefix []byte, v Value) ([]byte, error) {
	w := writers.Get().(*Writer)
	w.buf, w.err, w.keys, w.depth = append(w.buf[:0], prefix...), nil, w.keys[:0], 0
	v.WriteAvro(w)
	var out []byte
	err := w.err
	if err == nil {
		out = make([]byte, len(w.buf))
		copy(out, w.buf)
	}
	if cap(w.buf) <= largestKept {
		clear(w.keys[:cap(w.keys)])
		writers.Put(w)
	}
	return out, err
}
