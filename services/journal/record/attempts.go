package record

import "encoding/binary"

// Attempts returns a source of attempts. They begin with the bytes given, which are random, so no
// two sources return the same one; the last six bytes count. The attempts of one instance resemble
// each other therefore, and take little room where they are compressed. One goroutine uses a source
// at a time.
func Attempts(random [10]byte) func() Attempt {
	var a Attempt
	copy(a[:], random[:])
	a[6] = a[6]&0x0f | 0x80 // a UUID of version 8, whose layout is one's own
	a[8] = a[8]&0x3f | 0x80
	n := uint64(0)
	return func() Attempt {
		n++
		binary.BigEndian.PutUint16(a[10:], uint16(n>>32))
		binary.BigEndian.PutUint32(a[12:], uint32(n))
		return a
	}
}
