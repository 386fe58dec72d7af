package avrobin

import (
	"encoding/binary"
	"unicode/utf8"
)

// shortText is the length from which memmove and utf8 are faster than what is done here; shorter lengths take one byte.
const shortText = 64

// highBits are the bits that no byte of ASCII has.
const highBits = 0x8080808080808080

// validText is utf8.Valid for texts that are short and mostly ASCII.
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
