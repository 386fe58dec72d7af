package avrobin

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"unicode/utf8"
	"unsafe"
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

// Writer goes along while values are appended to a byte slice. It keeps the first value that has no encoding (an unknown
// enum symbol, a union without a value, a time out of range), which makes the bytes meaningless; Err reports it. The slice
// is passed from call to call and not kept here, because that is what keeps it in registers.
type Writer struct {
	err   error
	keys  []string
	depth int
	buf   []byte // kept by encode
}

// Err is the first error.
func (w *Writer) Err() error { return w.err }

// Fail keeps an error, unless there is one already.
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

// appendLong stores the bytes without asking for room each time, which matters for times and amounts. It is kept out of
// line so that Long is not.
//
//go:noinline
func appendLong(b []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	n := len(b)
	b = slices.Grow(b, binary.MaxVarintLen64)[:n+binary.MaxVarintLen64]
	for ; u >= 0x80; n++ {
		b[n] = byte(u) | 0x80
		u >>= 7
	}
	b[n] = byte(u)
	return b[:n+1]
}

// Int appends an Avro int.
func (w *Writer) Int(b []byte, v int32) []byte { return w.Long(b, int64(v)) }

// Boolean appends one byte.
func (w *Writer) Boolean(b []byte, v bool) []byte { return AppendBoolean(b, v) }

// Float appends four bytes.
func (w *Writer) Float(b []byte, v float32) []byte { return AppendFloat(b, v) }

// Double appends eight bytes.
func (w *Writer) Double(b []byte, v float64) []byte { return AppendDouble(b, v) }

// Bytes appends the length and the bytes.
func (w *Writer) Bytes(b, v []byte) []byte { return append(w.Long(b, int64(len(v))), v...) }

// String appends the length and the text, which must be UTF-8. A short text is copied and looked at in one pass, which costs
// less than the calls alone would.
func (w *Writer) String(b []byte, v string) []byte {
	n, at := len(v), len(b)
	if n >= shortText || cap(b)-at <= n {
		return w.longString(b, v)
	}
	b = b[:at+1+n]
	b[at] = byte(n << 1)
	dst, src := b[at+1:], unsafe.Slice(unsafe.StringData(v), n)
	or := uint64(0)
	switch {
	case n >= 8:
		last := binary.LittleEndian.Uint64(src[n-8:])
		or = last
		for i := 0; i+8 < n; i += 8 {
			c := binary.LittleEndian.Uint64(src[i:])
			binary.LittleEndian.PutUint64(dst[i:], c)
			or |= c
		}
		binary.LittleEndian.PutUint64(dst[n-8:], last)
	case n >= 4:
		first, last := binary.LittleEndian.Uint32(src), binary.LittleEndian.Uint32(src[n-4:])
		binary.LittleEndian.PutUint32(dst, first)
		binary.LittleEndian.PutUint32(dst[n-4:], last)
		or = uint64(first | last)
	case n > 0:
		first, middle, last := src[0], src[n/2], src[n-1]
		dst[0], dst[n/2], dst[n-1] = first, middle, last
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

// Block begins the n items of an array or a map. All of them go into one block; without items there is none.
func (w *Writer) Block(b []byte, n int) []byte {
	if n > 0 {
		return w.Long(b, int64(n))
	}
	return b
}

// End closes an array or a map.
func (w *Writer) End(b []byte) []byte { return append(b, 0) }

// Unknown fails because value is no symbol of the enum.
func (w *Writer) Unknown(enum, value string) { w.Fail("%s has no symbol %q", enum, value) }

// Unset fails because a union that cannot be null has no value.
func (w *Writer) Unset(union string) { w.Fail("%s has no value", union) }

// Enter goes one level down into a recursive type; false, and an error, when that is too deep. Leave comes back.
func (w *Writer) Enter() bool {
	w.depth++
	if w.depth > MaxDepth {
		w.Fail("values nest deeper than %d", MaxDepth)
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

// encode appends v to prefix in a kept buffer and returns a copy of the exact size: one allocation.
func encode(prefix []byte, v Value) ([]byte, error) {
	w := writers.Get().(*Writer)
	b := v.WriteAvro(w, append(w.buf[:0], prefix...))
	var out []byte
	err := w.err
	if err == nil {
		out = bytes.Clone(b)
	}
	if cap(b) <= largestKept {
		clear(w.keys[:cap(w.keys)])
		*w = Writer{buf: b, keys: w.keys[:0]}
		writers.Put(w)
	}
	return out, err
}
