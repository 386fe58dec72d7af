package record

import "testing"

// Attempts are UUIDs, differ within a source and between sources, and begin alike in one.
func TestAttempts(t *testing.T) {
	random := [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	next, seen := Attempts(random), map[Attempt]bool{}
	for range 70_000 { // more than two bytes count
		a := next()
		if seen[a] || a[6]>>4 != 8 || a[8]>>6 != 2 || [6]byte(a[:6]) != [6]byte(random[:6]) || a[9] != 10 {
			t.Fatalf("%s, seen before: %t", a, seen[a])
		}
		seen[a] = true
	}
	for i := range random {
		other := random
		other[i] ^= 1
		if a := Attempts(other)(); seen[a] {
			t.Errorf("%s is of two sources, whose bytes %d differ", a, i)
		}
	}
}
