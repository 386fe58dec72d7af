package avrobin

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Generation3 exists as long as the runtime supports code of this version of the generator.
const Generation3 = 3

// Null is the value of Avro's null.
type Null struct{}

// MarshalJSON returns null.
func (Null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// ErrUnset is wrapped by the error for a required value that is not set.
var ErrUnset = errors.New("is not set")

// FieldError is a fault of a field.
type FieldError struct {
	Path string // lines[3].amount
	Err  error
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns the fault itself.
func (e *FieldError) Unwrap() error { return e.Err }

// At returns err with a field, and the indices or keys of items in it, before its path.
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

// CheckSymbol returns nil if ok, and otherwise an error about a value of an enum.
func CheckSymbol(enum, value string, ok bool) error {
	switch {
	case ok:
		return nil
	case value == "":
		return ErrUnset
	}
	return fmt.Errorf("%q is not a %s that can be written", value, enum)
}

// CheckTime returns an error for the zero time.
func CheckTime(t time.Time) error {
	if t.IsZero() {
		return ErrUnset
	}
	return nil
}

// Validate returns an error for a time outside one day.
func (t TimeOfDay) Validate() error {
	if t < 0 || t >= TimeOfDay(24*time.Hour) {
		return fmt.Errorf("%s is not a time of day", time.Duration(t))
	}
	return nil
}
