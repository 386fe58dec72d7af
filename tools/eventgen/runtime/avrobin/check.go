package avrobin

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Generation3 is what code made by this version of the generator needs; it goes when such code no
// longer works.
const Generation3 = 3

// Null is the value of Avro's null.
type Null struct{}

// MarshalJSON is null.
func (Null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// ErrUnset means that a value that must be there is missing.
var ErrUnset = errors.New("is not set")

// FieldError says which field of a value is wrong.
type FieldError struct {
	Path string // lines[3].amount
	Err  error
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap is the fault itself.
func (e *FieldError) Unwrap() error { return e.Err }

// At puts a field, and the index or key of an item in it, before the place of err.
func At(err error, field string, items ...any) error {
	var path strings.Builder
	path.WriteString(field)
	for _, it := range items {
		if key, ok := it.(string); ok {
			fmt.Fprintf(&path, "[%q]", key)
		} else {
			fmt.Fprintf(&path, "[%v]", it)
		}
	}
	if inner, ok := err.(*FieldError); ok {
		return &FieldError{Path: path.String() + "." + inner.Path, Err: inner.Err}
	}
	return &FieldError{Path: path.String(), Err: err}
}

// CheckSymbol is nil when ok, else an error about a value of an enum.
func CheckSymbol(enum, value string, ok bool) error {
	switch {
	case ok:
		return nil
	case value == "":
		return ErrUnset
	}
	return fmt.Errorf("%q is no %s that may be written", value, enum)
}

// CheckTime refuses the zero time, which nobody means to write.
func CheckTime(t time.Time) error {
	if t.IsZero() {
		return ErrUnset
	}
	return nil
}

// Validate refuses what is outside one day.
func (t TimeOfDay) Validate() error {
	if t < 0 || t >= TimeOfDay(24*time.Hour) {
		return fmt.Errorf("%s is no time of day", time.Duration(t))
	}
	return nil
}
