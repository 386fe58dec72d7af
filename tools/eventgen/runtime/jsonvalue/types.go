package jsonvalue

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

var (
	errNoTime = errors.New("not a time of RFC 3339")
	errNoUUID = errors.New("not a UUID of 36 characters")
	errNoURI  = errors.New("not a URI")
)

// Any is a value whose schema says nothing of it: any JSON. The zero Any is null. Two are == when
// their texts are.
type Any struct{ text string }

// ParseAny reads JSON text, by the rules of this package.
func ParseAny(text []byte) (Any, error) {
	x := indexes.Get().(*index)
	defer x.release()
	if err := x.read(text); err != nil {
		return Any{}, err
	}
	return Any{string(Value{x, 0}.text())}, nil
}

// AnyOf is a Go value as encoding/json writes it.
func AnyOf(v any) (Any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return Any{}, err
	}
	return ParseAny(text)
}

// MustAny is ParseAny for texts that are known to be JSON; it panics when they are not.
func MustAny(text string) Any {
	a, err := ParseAny([]byte(text))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return a
}

// String is the value as JSON.
func (a Any) String() string {
	if a.text == "" {
		return "null"
	}
	return a.text
}

// Into reads the value into a Go value as encoding/json does.
func (a Any) Into(dst any) error { return json.Unmarshal([]byte(a.String()), dst) }

// MarshalJSON gives the value as it is.
func (a Any) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON is ParseAny.
func (a *Any) UnmarshalJSON(text []byte) (err error) {
	*a, err = ParseAny(text)
	return err
}

// Never is the type of a value that the schema says is never there.
type Never struct{}

// Optional is a value that may be left out and that is, when it is there, possibly null: T is a
// type whose nil is null.
type Optional[T any] struct {
	Set   bool // it is there
	Value T
}

// Some is an Optional that is there.
func Some[T any](v T) Optional[T] { return Optional[T]{true, v} }

// IsZero tells whether it is left out, for omitzero.
func (o Optional[T]) IsZero() bool { return !o.Set }

// Ptr gives the address of a copy, for optional values in literals.
func Ptr[T any](v T) *T { return &v }

// Date is a day. The zero Date is none and cannot be written.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads 2026-02-28.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, err
	}
	return Date{t.Year(), t.Month(), t.Day()}, nil
}

// String is the date as 2026-02-28.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// Midnight is when the day begins somewhere.
func (d Date) Midnight(loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

// MarshalText gives String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDate.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}

// Time is a time of day with its zone, as written: 12:30:00Z.
type Time string

// On is the instant of a day.
func (t Time) On(d Date) (time.Time, error) { return parseTime(d.String() + "T" + string(t)) }

// Duration is a duration of ISO 8601, as written: P1DT12H. How long a month is, it does not say.
type Duration string

// Type is what a generated payload knows of its schema.
type Type struct {
	Name   string // of the Go type
	Schema string // draft-07, with all it refers to inside
}

// Payload is a generated type that is the whole of a message.
type Payload interface {
	AppendJSON(dst []byte) ([]byte, error)
	DecodeJSON(data []byte) error
	Validate() error
	JSONType() *Type
}
