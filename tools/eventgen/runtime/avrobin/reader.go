package avrobin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"github.com/hamba/avro/v2"
)

// Limits of what a Reader accepts.
const (
	// MaxSize is the size of the largest message, framing excluded.
	MaxSize = 64 << 20
	// MaxDepth is how deep values of recursive types nest.
	MaxDepth = 256
	// MaxEmptyItems is how many items that take no bytes (nulls, records without fields) a message may hold in all.
	MaxEmptyItems = 1 << 16
)

// ErrMalformed is what every error of a Reader wraps: the bytes are not a value of the schema, and never will be.
var ErrMalformed = errors.New("malformed Avro")

// Reader reads values from a byte slice it never changes and keeps no part of. The first fault is kept as its error; from
// then on it returns zero values and counts of zero, so generated loops end by themselves. Done reports the fault.
type Reader struct {
	data  []byte
	pos   int
	err   error
	text  string // a copy of a part of data, which strings are cut from
	start int    // where that part begins
	depth int
	empty int

	chunk   []string // room for further arrays of strings
	chunked int      // how much room there was at first

	hamba avro.Reader
}

// NewReader returns a Reader of data.
func NewReader(data []byte) Reader {
	r := Reader{data: data}
	if len(data) > MaxSize {
		r.Failf("%d bytes are more than the %d allowed", len(data), MaxSize)
	}
	return r
}

// Done returns the first fault, which may be that not all was read.
func (r *Reader) Done() error {
	if r.err == nil && r.pos != len(r.data) {
		r.Failf("%d bytes are left over", len(r.data)-r.pos)
	}
	return r.err
}

// OK tells whether no fault was met yet.
func (r *Reader) OK() bool { return r.err == nil }

// Left is how many bytes are still unread.
func (r *Reader) Left() int { return len(r.data) - r.pos }

// Failf keeps a fault, unless there is one already, and drops the rest of the data.
func (r *Reader) Failf(format string, args ...any) {
	if r.err != nil {
		return
	}
	r.err = fmt.Errorf("%w: byte %d: %s", ErrMalformed, r.pos, fmt.Sprintf(format, args...))
	r.data, r.pos = nil, 0
	r.text, r.start = "", 0
}

// take returns the next n bytes, or nil when there are fewer.
func (r *Reader) take(n int) []byte {
	if n < 0 || n > len(r.data)-r.pos {
		r.Failf("%d bytes are needed, %d are left", n, len(r.data)-r.pos)
		return nil
	}
	b := r.data[r.pos : r.pos+n]
	r.pos += n
	return b
}

// Long reads a long.
func (r *Reader) Long() int64 {
	if r.pos < len(r.data) {
		if b := r.data[r.pos]; b < 0x80 {
			r.pos++
			return int64(b>>1) ^ -int64(b&1)
		}
	}
	return r.long()
}

// long reads a varint of any length.
func (r *Reader) long() int64 {
	rest := r.data[r.pos:]
	n := 0
	if len(rest) >= 8 {
		if ends := ^binary.LittleEndian.Uint64(rest) & highBits; ends != 0 {
			n = bits.TrailingZeros64(ends)/8 + 1
		}
	}
	if n == 0 {
		if n = longEnd(rest); n < 0 {
			r.Failf("an integer is cut off, or has more than 64 bits")
			return 0
		}
	}
	r.pos += n
	var u uint64
	for i, c := range rest[:n] {
		u |= uint64(c&0x7f) << (7 * i)
	}
	return int64(u>>1) ^ -int64(u&1)
}

// longEnd is the length of the varint that b begins with, -1 when it does not end in time.
func longEnd(b []byte) int {
	for i, c := range b[:min(len(b), binary.MaxVarintLen64)] {
		if c < 0x80 && (i < 9 || c <= 1) {
			return i + 1
		}
	}
	return -1
}

// Int reads an int; one of more than 32 bits is a fault.
func (r *Reader) Int() int32 {
	v := r.Long()
	if int64(int32(v)) != v {
		r.Failf("%d does not fit an int", v)
		return 0
	}
	return int32(v)
}

// Boolean reads one byte, which must be 0 or 1.
func (r *Reader) Boolean() bool {
	b := r.take(1)
	if len(b) == 0 {
		return false
	}
	if b[0] > 1 {
		r.Failf("a boolean is %d", b[0])
		return false
	}
	return b[0] == 1
}

// Float reads four bytes.
func (r *Reader) Float() float32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return r.hamba.Reset(b).ReadFloat()
}

// Double reads eight bytes.
func (r *Reader) Double() float64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return r.hamba.Reset(b).ReadDouble()
}

// span reads a length and the bytes it counts, without copying them.
func (r *Reader) span() []byte {
	n := r.Long()
	if uint64(n) > uint64(len(r.data)-r.pos) {
		r.Failf("a length is %d, %d bytes are left", n, len(r.data)-r.pos)
		return nil
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// Bytes reads bytes into a slice of their own, never nil.
func (r *Reader) Bytes() []byte {
	b := r.span()
	out := make([]byte, len(b))
	copy(out, b)
	return out
}

// Strings are cut from copies of this much of the data: a string that is kept for long keeps no more than that alive.
const window = 1 << 10

// String reads a string, which must be UTF-8.
func (r *Reader) String() string {
	if r.pos < len(r.data) {
		if c := r.data[r.pos]; c&0x81 == 0 { // a length below 64
			begin := r.pos + 1
			end := begin + int(c>>1)
			if end <= r.start+len(r.text) && validText(r.data[begin:end]) {
				r.pos = end
				return r.text[begin-r.start : end-r.start]
			}
		}
	}
	return r.string()
}

// string reads what does not lie in the current window, or is not valid.
func (r *Reader) string() string {
	b := r.span()
	if len(b) == 0 {
		return ""
	}
	if !validText(b) {
		r.Failf("a string is not UTF-8: %.40q", b)
		return ""
	}
	end := r.pos - r.start
	if end > len(r.text) {
		if len(b) > window/4 {
			return string(b)
		}
		r.start = r.pos - len(b)
		r.text = string(r.data[r.start:min(r.start+window, len(r.data))])
		end = len(b)
	}
	return r.text[end-len(b) : end]
}

// largestChunk is how many strings of several arrays share an allocation at most.
const largestChunk = 32

// Strings reads an array of strings. Short arrays share memory, as short strings do; each has only its own capacity.
func (r *Reader) Strings() []string {
	var out []string
	for n := r.Block(1); n > 0; n = r.Block(1) {
		switch {
		case out != nil || n > largestChunk:
			out = Grow(r, out, n)
		case n > cap(r.chunk):
			r.chunk = make([]string, min(max(n, 2*r.chunked), largestChunk))
			r.chunked = len(r.chunk)
			fallthrough
		default:
			out, r.chunk = r.chunk[:0:n], r.chunk[n:]
		}
		for ; n > 0 && r.OK(); n-- {
			out = append(out, r.String())
		}
	}
	return out
}

// Fixed reads exactly len(into) bytes.
func (r *Reader) Fixed(into []byte) { copy(into, r.take(len(into))) }

// Branch reads the index of a union of n branches, -1 after a fault.
func (r *Reader) Branch(n int) int {
	v := r.Long()
	if v < 0 || v >= int64(n) {
		r.Failf("a union of %d branches has no branch %d", n, v)
		return -1
	}
	if r.err != nil {
		return -1
	}
	return int(v)
}

// Symbol reads a symbol of an enum, "" after a fault.
func (r *Reader) Symbol(symbols []string) string {
	v := r.Long()
	if v < 0 || v >= int64(len(symbols)) {
		r.Failf("an enum of %d symbols has no symbol %d", len(symbols), v)
		return ""
	}
	if r.err != nil {
		return ""
	}
	return symbols[v]
}

// Block reads the count of the next block of an array or a map, 0 when there is no further one. Every item takes at least
// smallest bytes, so a count the rest of the data cannot hold is a fault before anything is allocated.
func (r *Reader) Block(smallest int) int {
	n := r.Long()
	if n < 0 {
		n = r.sizedBlock(n)
	}
	if n == 0 || r.err != nil {
		return 0
	}
	left := len(r.data) - r.pos
	if smallest == 0 {
		if n > int64(MaxEmptyItems-r.empty) {
			r.Failf("%d items without bytes are too many", n)
			return 0
		}
		r.empty += int(n)
		return int(n)
	}
	if n > int64(left/smallest) {
		r.Failf("%d items of at least %d bytes are announced, %d bytes are left", n, smallest, left)
		return 0
	}
	return int(n)
}

// sizedBlock reads the size that follows a negative count and returns the count.
func (r *Reader) sizedBlock(n int64) int64 {
	size := r.Long()
	if n == math.MinInt64 || size < 0 || size > int64(len(r.data)-r.pos) {
		r.Failf("a block of %d bytes is announced, %d are left", size, len(r.data)-r.pos)
		return 0
	}
	return -n
}

// Enter goes one level down into a recursive type; false, and a fault, when that is too deep. Leave comes back.
func (r *Reader) Enter() bool {
	r.depth++
	if r.depth > MaxDepth {
		r.Failf("values nest deeper than %d", MaxDepth)
	}
	return r.err == nil
}

// Leave ends what Enter began.
func (r *Reader) Leave() { r.depth-- }

// spread bounds what is allocated on the word of a count alone: this many bytes of memory for each byte of data left. More
// is allocated as items are really read.
const spread = 8

// Room is how many of the n items announced, of the given size in memory, to make room for at once.
func (r *Reader) Room(n, size int) int {
	if size == 0 {
		return n
	}
	return min(n, (len(r.data)-r.pos)*spread/size+1)
}

// Grow makes room in s for a block of n items.
func Grow[T any](r *Reader, s []T, n int) []T {
	var zero T
	n = r.Room(n, int(unsafe.Sizeof(zero)))
	if n <= cap(s)-len(s) {
		return s
	}
	if s == nil {
		return make([]T, 0, n)
	}
	out := make([]T, len(s), max(len(s)+n, 2*len(s)))
	copy(out, s)
	return out
}

// mapEntry is about what one entry of a map costs beside its key and value.
const mapEntry = 32

// GrowMap returns m, or a new map with room for a block of n entries.
func GrowMap[V any](r *Reader, m map[string]V, n int) map[string]V {
	if m != nil {
		return m
	}
	var zero V
	return make(map[string]V, r.Room(n, int(unsafe.Sizeof(zero))+mapEntry))
}

// Ptr returns a pointer to v: a nullable value that is there.
func Ptr[T any](v T) *T { return &v }
