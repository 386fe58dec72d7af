package avrobin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// Limits of what a Reader accepts.
const (
	// MaxSize is the size of the largest message, without the framing.
	MaxSize = 64 << 20
	// MaxDepth is the depth to which values of recursive types may nest.
	MaxDepth = 256
	// MaxMemory limits the memory of the items of arrays and maps, and of records that may be null.
	// Texts and bytes are not counted, because they are as large as in the message. Neither are
	// scalars that may be null, decimals and branches of unions, which take at most four times as
	// much as the pointers to them.
	MaxMemory = 256 << 20
	// spread is the number of bytes that are allocated in advance, because of announced counts, for
	// each byte of a message. More is allocated as items are read.
	spread = 8
	// MaxEmptyItems limits the number of items in a message that take no bytes: nulls and records
	// without fields.
	MaxEmptyItems = 1 << 16
)

// ErrMalformed is wrapped by every error of a Reader: the bytes are not a value of the schema.
var ErrMalformed = errors.New("malformed Avro")

// Reader reads values from a byte slice, which it neither changes nor keeps. Every method takes the
// position to read at and returns the position after the value, because a position that is passed
// from call to call stays in a register. After the first fault, all methods return zero values and
// counts of zero, so that generated loops end. Done returns the fault.
type Reader struct {
	data  []byte
	err   error
	text  string // a copy of a part of data, of which strings are substrings
	start int    // where that part begins
	end   int    // where it ends
	depth int
	empty int // items without bytes

	trusted int // memory that was allocated in advance
	memory  int // of items, and of records that may be null

	chunk   []string // free space for further arrays of strings
	strings int      // number of strings that were put into such space so far
}

// Begin makes r read data and returns the position to begin at.
func (r *Reader) Begin(data []byte) int {
	r.data = data
	if len(data) > MaxSize {
		r.Fail(0, "%d bytes are more than the %d allowed", len(data), MaxSize)
	}
	return 0
}

// BeginText is Begin for values that always hold a string. It opens the first window at once.
func (r *Reader) BeginText(data []byte) int {
	p := r.Begin(data)
	r.open(p)
	return p
}

// Done returns the first fault. It is a fault too if p is not the end of the data.
func (r *Reader) Done(p int) error {
	if r.memory > MaxMemory {
		return fmt.Errorf("%w: its items take more than the %d bytes of memory allowed", ErrMalformed, MaxMemory)
	}
	if r.err == nil && p != len(r.data) {
		r.Fail(p, "%d bytes are left over", len(r.data)-p)
	}
	return r.err
}

// OK reports whether there was no fault yet and the limit of memory is not exceeded. Long loops
// call it.
func (r *Reader) OK() bool { return r.err == nil && r.memory <= MaxMemory }

// Fail records a fault, unless there is one already, and drops the data, so that nothing more is
// read.
func (r *Reader) Fail(p int, format string, args ...any) {
	if r.err != nil {
		return
	}
	r.err = fmt.Errorf("%w: byte %d: %s", ErrMalformed, p, fmt.Sprintf(format, args...))
	r.data = nil
	r.text, r.start, r.end = "", 0, 0
}

// Take returns the next n bytes, or nil if there are fewer.
func (r *Reader) Take(p, n int) ([]byte, int) {
	if n < 0 || n > len(r.data)-p {
		r.Fail(p, "%d bytes are needed, %d are left", n, len(r.data)-p)
		return nil, p
	}
	return r.data[p : p+n], p + n
}

// peek returns the byte at p, or 0xFF if there is none. A byte below 0x80 is a complete varint.
func (r *Reader) peek(p int) byte {
	if uint(p) < uint(len(r.data)) {
		return r.data[p]
	}
	return 0xFF
}

// Long reads a long.
func (r *Reader) Long(p int) (int64, int) {
	if c := r.peek(p); c < 0x80 {
		return int64(c>>1) ^ -int64(c&1), p + 1
	}
	if p >= 0 && p <= len(r.data)-wordSize {
		if u, n := varint(word(r.data, p)); n <= wordSize {
			return unzigzag(u), p + n
		}
	}
	return r.long(p)
}

// varint returns the number at the beginning of the bytes of w and its length, which is more than
// wordSize if the number does not end there.
func varint(w uint64) (u uint64, n int) {
	ends := ^w & highBits // the last bytes of numbers
	return squeeze(w & (ends ^ (ends - 1))), bits.TrailingZeros64(ends)/8 + 1
}

// long reads a varint that is longer than eight bytes or near the end of the data.
func (r *Reader) long(p int) (int64, int) {
	if uint(p) > uint(len(r.data)) {
		return 0, p // after a fault
	}
	rest := r.data[p:]
	n := longEnd(rest)
	if n < 0 {
		r.Fail(p, "an integer is incomplete, or has more than 64 bits")
		return 0, p
	}
	var u uint64
	for i, c := range rest[:n] {
		u |= uint64(c&0x7f) << (7 * i)
	}
	return unzigzag(u), p + n
}

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// squeeze joins the seven low bits of each of eight bytes.
func squeeze(w uint64) uint64 {
	w = w&0x007f007f007f007f | w&0x7f007f007f007f00>>1
	w = w&0x00003fff00003fff | w&0x3fff00003fff0000>>2
	return w&0x000000000fffffff | w&0x0fffffff00000000>>4
}

// longEnd returns the length of the varint at the beginning of b, or -1 if it is too long.
func longEnd(b []byte) int {
	for i, c := range b[:min(len(b), binary.MaxVarintLen64)] {
		if c < 0x80 && (i < 9 || c <= 1) {
			return i + 1
		}
	}
	return -1
}

// Int reads an int. A number of more than 32 bits is a fault.
func (r *Reader) Int(p int) (int32, int) {
	if c := r.peek(p); c < 0x80 {
		return int32(c>>1) ^ -int32(c&1), p + 1
	}
	v, next := r.Long(p)
	if int64(int32(v)) != v {
		r.Fail(p, "%d does not fit an int", v)
		return 0, next
	}
	return int32(v), next
}

// Boolean reads one byte, which must be 0 or 1.
func (r *Reader) Boolean(p int) (bool, int) {
	if uint(p) < uint(len(r.data)) && r.data[p] <= 1 {
		return r.data[p] == 1, p + 1
	}
	r.Fail(p, "a boolean is neither 0 nor 1")
	return false, p
}

// Float reads four bytes.
func (r *Reader) Float(p int) (float32, int) {
	if p >= 0 && p <= len(r.data)-4 {
		return math.Float32frombits(binary.LittleEndian.Uint32(r.data[p:])), p + 4
	}
	r.Take(p, 4)
	return 0, p
}

// Double reads eight bytes.
func (r *Reader) Double(p int) (float64, int) {
	if p >= 0 && p <= len(r.data)-wordSize {
		return math.Float64frombits(word(r.data, p)), p + wordSize
	}
	r.Take(p, 8)
	return 0, p
}

// Span reads a length and returns that many bytes without copying them.
func (r *Reader) Span(p int) ([]byte, int) {
	if c := r.peek(p); c&0x81 == 0 && int(c>>1) < len(r.data)-p {
		return r.data[p+1 : p+1+int(c>>1)], p + 1 + int(c>>1)
	}
	n, at := r.Long(p)
	if uint64(n) > uint64(len(r.data)-at) || r.err != nil {
		r.Fail(p, "a length is %d, %d bytes are left", n, len(r.data)-at)
		return nil, at
	}
	return r.data[at : at+int(n)], at + int(n)
}

// Bytes reads bytes into a new slice, which is never nil.
func (r *Reader) Bytes(p int) ([]byte, int) {
	b, p := r.Span(p)
	out := make([]byte, len(b))
	copy(out, b)
	return out, p
}

// window is the size of the copies of the data of which strings are substrings. A string that is
// kept keeps no more than that alive.
const window = 4 << 10

// String reads a string, which must be UTF-8. A short ASCII text inside the window takes a few
// instructions. Everything else is a tail call, so that no register has to be saved.
func (r *Reader) String(p int) (string, int) {
	if p < r.end-wordSize {
		if c := r.data[p]; c&0x81 == 0 && c != 0 { // a length below 64
			begin, n := p+1, int(c>>1)
			end := begin + n
			if end <= r.end {
				or := word(r.data, begin)
				if n < wordSize {
					or <<= uint(64-8*n) & 63
				} else {
					or |= word(r.data, end-wordSize)
					for i := begin + wordSize; i < end-wordSize; i += wordSize {
						or |= word(r.data, i)
					}
				}
				if or&highBits == 0 {
					return unsafe.String((*byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(r.text)), begin-r.start)), n), end
				}
				return r.accented(begin, end)
			}
		}
	}
	return r.string(p)
}

// accented returns a text of the window that is not ASCII.
func (r *Reader) accented(begin, end int) (string, int) {
	if !utf8.Valid(r.data[begin:end]) {
		return r.notText(begin, end)
	}
	return r.text[begin-r.start : end-r.start], end
}

func (r *Reader) notText(begin, end int) (string, int) {
	r.Fail(begin, "a string is not UTF-8: %.40q", r.data[begin:end])
	return "", end
}

// string reads a text that is not in the current window, or may not be valid.
func (r *Reader) string(p int) (string, int) {
	if c := r.peek(p); c&0x81 == 0 && c != 0 {
		if end := p + 1 + int(c>>1); end > r.end && end <= len(r.data) {
			r.open(p + 1)
			return r.String(p)
		}
	}
	b, end := r.Span(p)
	if len(b) == 0 {
		return "", end
	}
	if !validText(b) {
		return r.notText(end-len(b), end)
	}
	if end > r.end {
		if len(b) > window/4 {
			return string(b), end
		}
		r.open(end - len(b))
	}
	return r.text[end-len(b)-r.start : end-r.start], end
}

// open starts a window at p.
func (r *Reader) open(p int) {
	r.start = p
	r.text = string(r.data[p:min(p+window, len(r.data))])
	r.end = p + len(r.text)
}

// largestChunk is the largest number of strings in one allocation for several arrays.
const largestChunk = 64

// chunkFor allocates space for n strings and for as many more as the rest of the data probably
// holds, judging by what was read before.
func (r *Reader) chunkFor(p, n int) {
	expected := 0
	if r.strings > 0 {
		expected = r.strings * (len(r.data) - p) / p
	}
	r.chunk = make([]string, min(n+expected, largestChunk))
	r.memory += len(r.chunk) * int(unsafe.Sizeof(""))
}

// Strings reads an array of strings. Short arrays share an allocation, but not their capacity.
func (r *Reader) Strings(p int) ([]string, int) {
	n, p := r.Block(p, 1)
	switch {
	case n == 0:
		return nil, p
	case n > largestChunk/2:
		return r.moreStrings(p, n, nil)
	case n > len(r.chunk):
		r.chunkFor(p, n)
	}
	out := r.chunk[:n:n]
	r.chunk = r.chunk[n:]
	r.strings += n
	for i := range out {
		out[i], p = r.String(p)
	}
	if r.peek(p) == 0 {
		return out, p + 1
	}
	n, p = r.Block(p, 1)
	return r.moreStrings(p, n, out)
}

// moreStrings reads a block of n strings, and those that follow.
func (r *Reader) moreStrings(p, n int, out []string) ([]string, int) {
	for ; n > 0; n, p = r.Block(p, 1) {
		for n > 0 && r.OK() {
			items := Extend(r, &out, n)
			for i := range items {
				items[i], p = r.String(p)
			}
			n -= len(items)
		}
	}
	return out, p
}

// Fixed reads exactly len(into) bytes.
func (r *Reader) Fixed(p int, into []byte) int {
	b, p := r.Take(p, len(into))
	copy(into, b)
	return p
}

// Branch reads the index of a branch in a union of n, or returns -1 after a fault.
func (r *Reader) Branch(p, n int) (branch, next int) {
	if c := r.peek(p); c&0x81 == 0 && int(c>>1) < n {
		return int(c >> 1), p + 1
	}
	return r.index(p, n, "a union of %d branches has no branch %d")
}

// Symbol reads a symbol of an enum, or returns "" after a fault.
func (r *Reader) Symbol(p int, symbols []string) (string, int) {
	if c := r.peek(p); c&0x81 == 0 && int(c>>1) < len(symbols) {
		return symbols[c>>1], p + 1
	}
	i, p := r.index(p, len(symbols), "an enum of %d symbols has no symbol %d")
	if i < 0 {
		return "", p
	}
	return symbols[i], p
}

// index reads a number below n that takes more than one byte or is wrong.
func (r *Reader) index(p, n int, wrong string) (i, next int) {
	v, next := r.Long(p)
	if uint64(v) >= uint64(n) || r.err != nil {
		r.Fail(p, wrong, n, v)
		return -1, next
	}
	return int(v), next
}

// Block reads the number of items in the next block of an array or a map, which is 0 at the end.
// Every item takes at least smallest bytes. A count that the rest of the data cannot hold is a
// fault before anything is allocated.
func (r *Reader) Block(p, smallest int) (count, next int) {
	left := len(r.data) - p
	if c := r.peek(p); c&0x81 == 0 && int(c>>1)*smallest < left && smallest > 0 {
		return int(c >> 1), p + 1
	}
	n, next := r.Long(p)
	if n < 0 {
		n, next = r.sizedBlock(next, n)
	}
	if n == 0 || r.err != nil {
		return 0, next
	}
	left = len(r.data) - next
	if smallest == 0 {
		if n > int64(MaxEmptyItems-r.empty) {
			r.Fail(p, "%d items without bytes exceed the limit", n)
			return 0, next
		}
		r.empty += int(n)
		return int(n), next
	}
	if n > int64(left) || int(n)*smallest > left {
		r.Fail(p, "%d items of at least %d bytes are announced, %d bytes are left", n, smallest, left)
		return 0, next
	}
	return int(n), next
}

// sizedBlock reads the size that follows a negative count and returns the count.
func (r *Reader) sizedBlock(p int, n int64) (count int64, next int) {
	size, next := r.Long(p)
	if n == math.MinInt64 || uint64(size) > uint64(len(r.data)-next) || r.err != nil {
		r.Fail(p, "a block of %d bytes is announced, %d are left", size, len(r.data)-next)
		return 0, next
	}
	return -n, next
}

// Enter enters a value of a recursive type. It returns false, after a fault, if that is too deep.
// Leave leaves it.
func (r *Reader) Enter(p int) bool {
	r.depth++
	if r.depth > MaxDepth {
		r.Fail(p, "values nest deeper than %d", MaxDepth)
	}
	return r.OK()
}

// Leave leaves the value that Enter entered.
func (r *Reader) Leave() { r.depth-- }

// room returns for how many of n announced items to allocate memory. It is all of them as long as
// the whole message takes no more than spread bytes for each of its bytes, and then as many as
// there are already. size is that of an item in memory.
func (r *Reader) room(n, size, there int) int {
	if size > 0 {
		n = min(n, max(1, there, (spread*len(r.data)-r.trusted)/size))
		r.trusted += n * size
		r.memory += n * size
	}
	return n
}

// largestStep is the number of items after which the limit of memory is checked.
const largestStep = 1 << 12

// Extend appends some of n announced items to s, and returns them to be read into. It returns none
// after a fault.
func Extend[T any](r *Reader, s *[]T, n int) []T {
	before := len(*s)
	if before == cap(*s) {
		var zero T
		// twice as many, because blocks may have one item each
		room := r.room(max(n, before), int(unsafe.Sizeof(zero)), before)
		if !r.OK() {
			return nil
		}
		grown := make([]T, before, before+room)
		copy(grown, *s)
		*s = grown
	}
	*s = (*s)[:before+min(n, cap(*s)-before, largestStep)]
	return (*s)[before:]
}

// mapKey is the memory of an entry beside its value, in a full map. A map may be more than half
// empty.
const mapKey = 17

// GrowMap returns m, or a new map, for a block of n entries.
func GrowMap[V any](r *Reader, m map[string]V, n int) map[string]V {
	var zero V
	size := 3 * (int(unsafe.Sizeof(zero)) + mapKey)
	room := r.room(n, size, 0)
	r.memory += (n - room) * size
	switch {
	case m != nil:
		return m
	case !r.OK():
		room = 0
	}
	return make(map[string]V, room)
}

// New returns a new record that may be null and is not.
func New[T any](r *Reader) *T {
	var zero T
	r.memory += int(unsafe.Sizeof(zero))
	return new(T)
}

// Ptr returns a pointer to v, for a value that may be null and is not.
func Ptr[T any](v T) *T { return &v }
