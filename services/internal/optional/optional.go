// Package optional converts between the zero values that a domain uses for "none" and the nil
// pointers that messages use for it. The packages of a service that convert to and from messages
// may import it.
package optional

import "time"

// Text returns nil for the empty string.
func Text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Instant returns nil for the zero time, in whatever location.
func Instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Value returns what p points to, or the zero value if p is nil.
func Value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
