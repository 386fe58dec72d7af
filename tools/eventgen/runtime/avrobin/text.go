package avrobin

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

// shortText is how long a text may be to be copied here: above it memmove and utf8 are faster.
const shortText = 64

// highBits are the bits that no byte of ASCII has.
const highBits = 0x8080808080808080

// copyText copies v into dst, which has its length, and tells whether it is all ASCII. One pass over a short text costs less
// than the call of memmove alone.
func copyText(dst []byte, v string) (ascii bool) {
	src := unsafe.Slice(unsafe.StringData(v), len(v))
	n := len(src)
	switch {
	case n >= 8:
		last := binary.LittleEndian.Uint64(src[n-8:])
		or := last
		for i := 0; i+8 < n; i += 8 {
			c := binary.LittleEndian.Uint64(src[i:])
			binary.LittleEndian.PutUint64(dst[i:], c)
			or |= c
		}
		binary.LittleEndian.PutUint64(dst[n-8:], last)
		return or&highBits == 0
	case n >= 4:
		first, last := binary.LittleEndian.Uint32(src), binary.LittleEndian.Uint32(src[n-4:])
		binary.LittleEndian.PutUint32(dst, first)
		binary.LittleEndian.PutUint32(dst[n-4:], last)
		return (first|last)&(highBits>>32) == 0
	case n > 0:
		first, middle, last := src[0], src[n/2], src[n-1]
		dst[0], dst[n/2], dst[n-1] = first, middle, last
		return (first|middle|last)&0x80 == 0
	}
	return true
}

// validText is utf8.Valid for texts that are short and mostly ASCII.
func validText(b []byte) bool {
	n := len(b)
	switch {
	case n > shortText:
	case n >= 8:
		or := binary.LittleEndian.Uint64(b[n-8:])
		for i := 0; i+8 < n; i += 8 {
			or |= binary.LittleEndian.Uint64(b[i:])
		}
		if or&highBits == 0 {
			return true
		}
	case n >= 4:
		if (binary.LittleEndian.Uint32(b)|binary.LittleEndian.Uint32(b[n-4:]))&(highBits>>32) == 0 {
			return true
		}
	case n > 0:
		if (b[0]|b[n/2]|b[n-1])&0x80 == 0 {
			return true
		}
	default:
		return true
	}
	return utf8.Valid(b)
}
