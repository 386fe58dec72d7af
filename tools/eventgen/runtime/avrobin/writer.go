package avrobin

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
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

// Writer appends values to a byte slice. Err returns an error if one of the values has no encoding:
// an unknown enum symbol, a union without a value, a time out of range. The bytes are then
// meaningless. The slice is passed from call to call, so that it stays in registers.
type Writer struct {
	err   error
	keys  []string
	depth int
	buf   []byte // kept by encode
}

// Err returns the first error.
func (w *Writer) Err() error { return w.err }

// Fail records an error, unless there is one already.
func (w *Writer) Fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("avro: "+format, args...)
	}
}

// Long appends an int, a long, a branch, a symbol or a length.
func (w *Writer) Long(b []byte, v int64) []byte {
	if uint64(v+64) < 128 {
		return append(b, byte(v<<1^v>>63))
	}
	return appendLong(b, v)
}

// appendLong stores the bytes of all but the largest numbers at once, which is faster for times and
// amounts. It is not inlined, so that Long is.
//
//go:noinline
func appendLong(b []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	at := len(b)
	if cap(b)-at < binary.MaxVarintLen64 {
		b = slices.Grow(b, binary.MaxVarintLen64)
	}
	if u < 1<<56 {
		n := (bits.Len64(u|1) + 6) / 7 // zero takes a byte too
		setWord(b, at, unsqueeze(u)|highBits&(1<<(8*uint(n-1)&63)-1))
		return b[:at+n]
	}
	return binary.AppendUvarint(b, u)
}

// unsqueeze distributes a number over the seven low bits of each of eight bytes. It reverses
// squeeze.
func unsqueeze(u uint64) uint64 {
	u = u&0x000000000fffffff | u<<4&0x0fffffff00000000
	u = u&0x00003fff00003fff | u<<2&0x3fff00003fff0000
	return u&0x007f007f007f007f | u<<1&0x7f007f007f007f00
}

// Boolean appends one byte.
func (w *Writer) Boolean(b []byte, v bool) []byte { return AppendBoolean(b, v) }

// Float appends four bytes.
func (w *Writer) Float(b []byte, v float32) []byte { return AppendFloat(b, v) }

// Double appends eight bytes.
func (w *Writer) Double(b []byte, v float64) []byte { return AppendDouble(b, v) }

// Bytes appends the length and the bytes.
func (w *Writer) Bytes(b, v []byte) []byte { return append(w.Long(b, int64(len(v))), v...) }

// String appends the length and the text, which must be UTF-8. A short text is copied and checked
// in one pass, which takes less time than two calls.
func (w *Writer) String(b []byte, v string) []byte {
	n, at := len(v), len(b)
	if n >= shortText || cap(b)-at <= n {
		return w.longString(b, v)
	}
	b = b[:at+1+n]
	b[at] = byte(n << 1)
	at++
	or := uint64(0)
	switch {
	case n >= wordSize:
		last := textWord(v, n-wordSize)
		or = last
		for i := 0; i+wordSize < n; i += wordSize {
			c := textWord(v, i)
			setWord(b, at+i, c)
			or |= c
		}
		setWord(b, at+n-wordSize, last)
	case n >= 4:
		first, last := textHalf(v, 0), textHalf(v, n-4)
		setHalf(b, at, first)
		setHalf(b, at+n-4, last)
		or = uint64(first | last)
	case n > 0:
		first, middle, last := v[0], v[n/2], v[n-1]
		b[at], b[at+n/2], b[at+n-1] = first, middle, last
		or = uint64(first | middle | last)
	}
	if or&highBits != 0 {
		w.checkText(v)
	}
	return b
}

func (w *Writer) longString(b []byte, v string) []byte {
	w.checkText(v)
	return append(w.Long(b, int64(len(v))), v...)
}

func (w *Writer) checkText(v string) {
	if !utf8.ValidString(v) {
		w.Fail("a string is not UTF-8: %.40q", v)
	}
}

// Fixed appends the bytes alone.
func (w *Writer) Fixed(b, v []byte) []byte { return append(b, v...) }

// Block begins an array or a map of n items, which are one block, or none if n is 0.
func (w *Writer) Block(b []byte, n int) []byte {
	if n > 0 {
		return w.Long(b, int64(n))
	}
	return b
}

// End ends an array or a map.
func (w *Writer) End(b []byte) []byte { return append(b, 0) }

// Unknown records an error: value is not a symbol of the enum.
func (w *Writer) Unknown(enum, value string) { w.Fail("%s has no symbol %q", enum, value) }

// Unset records an error: a union that cannot be null has no value.
func (w *Writer) Unset(union string) { w.Fail("%s has no value", union) }

// Enter enters a value of a recursive type. It returns false, after an error, if that is too deep.
// Leave leaves it.
func (w *Writer) Enter() bool {
	w.depth++
	if w.depth > MaxDepth {
		w.Fail("values nest deeper than %d", MaxDepth)
	}
	return w.err == nil
}

// Leave leaves the value that Enter entered.
func (w *Writer) Leave() { w.depth-- }

// Keys returns the sorted keys of m, so that equal maps have equal bytes. They are valid until
// ReleaseKeys.
func Keys[K ~string, V any](w *Writer, m map[K]V) []string {
	start := len(w.keys)
	for k := range m {
		w.keys = append(w.keys, string(k))
	}
	keys := w.keys[start:]
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}

// ReleaseKeys releases the n keys that Keys returned last.
func (w *Writer) ReleaseKeys(n int) { w.keys = w.keys[:len(w.keys)-n] }

// largestKept is the capacity above which a buffer is not kept for the next message.
const largestKept = 1 << 20

var writers = sync.Pool{New: func() any { return &Writer{buf: make([]byte, 0, 1024)} }}

// encode appends v to prefix in a kept buffer, and returns a copy of the exact size.
func encode(prefix []byte, v Value) ([]byte, error) {
	w := writers.Get().(*Writer)
	b := v.WriteAvro(w, append(w.buf[:0], prefix...))
	if w.err != nil {
		return nil, w.err
	}
	out := make([]byte, len(b))
	copy(out, b)
	if cap(b) <= largestKept {
		w.release(b)
	}
	return out, nil
}

// release keeps w and its buffer for the next value.
func (w *Writer) release(b []byte) {
	if cap(w.keys) > 0 {
		clear(w.keys[:cap(w.keys)])
	}
	w.buf = b
	writers.Put(w)
}
