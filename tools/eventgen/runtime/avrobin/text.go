package avrobin

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

const wordSize = 8

// word returns the eight bytes of b at i, little endian. The caller has checked that they exist.
func word(b []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[wordSize]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))[:])
}

// textWord is like word, for a string.
func textWord(s string, i int) uint64 {
	return binary.LittleEndian.Uint64((*[wordSize]byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(s)), i))[:])
}

// setWord stores eight bytes of b at i, within its capacity. The caller has checked that there is
// space.
func setWord(b []byte, i int, w uint64) {
	binary.LittleEndian.PutUint64((*[wordSize]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))[:], w)
}

// textHalf and setHalf are like textWord and setWord, for four bytes.
func textHalf(s string, i int) uint32 {
	return binary.LittleEndian.Uint32((*[wordSize / 2]byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(s)), i))[:])
}

func setHalf(b []byte, i int, w uint32) {
	binary.LittleEndian.PutUint32((*[wordSize / 2]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))[:], w)
}

// shortText is the length from which memmove and utf8 are faster than the code here. Shorter
// lengths take one byte.
const shortText = 64

// highBits are the bits that are zero in ASCII.
const highBits = 0x8080808080808080

// validText is like utf8.Valid, and faster for short texts that are mostly ASCII.
func validText(b []byte) bool {
	n := len(b)
	switch {
	case n >= shortText:
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
