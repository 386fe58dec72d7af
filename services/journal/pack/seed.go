package pack

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// Seed makes hashes of names differ from those by another seed. Whoever does not know it cannot
// choose names of one hash, which would make an Index slow. It is kept with the entries of an
// index, because they mean nothing without it.
type Seed [16]byte

// NewSeed returns a random seed.
func NewSeed() (s Seed) {
	rand.Read(s[:])
	return s
}

// Hash returns the hash of a name for an Index.
func Hash[T ~string | ~[]byte](s Seed, name T) uint64 {
	var room [128]byte
	sum := sha256.Sum256(append(append(room[:0], s[:]...), name...))
	return binary.LittleEndian.Uint64(sum[:]) & hashMask
}
