package jsonvalue

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

var (
	errNoTime = errors.New("not a time of RFC 3339")
	errNoUUID = errors.New("not a UUID of 36 characters")
	errNoURI  = errors.New("not a URI")
)

// Any is a value whose schema accepts any JSON. The zero Any is null. Two of them are equal (==) if
// their texts are.
type Any struct{ text string }

// ParseAny parses JSON by the rules of this package.
func ParseAny(text []byte) (Any, error) {
	x := indexes.Get().(*index)
	defer x.release()
	if err := x.read(text); err != nil {
		return Any{}, err
	}
	return Any{string(Value{x, 0}.text())}, nil
}

// AnyOf returns a Go value as encoding/json encodes it.
func AnyOf(v any) (Any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return Any{}, err
	}
	return ParseAny(text)
}

// MustAny is like ParseAny but panics if the text is not JSON.
func MustAny(text string) Any {
	a, err := ParseAny([]byte(text))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return a
}

// String returns the value as JSON.
func (a Any) String() string {
	if a.text == "" {
		return "null"
	}
	return a.text
}

// Text returns the value if it is a text, and "" otherwise.
func (a Any) Text() string {
	var s string
	if json.Unmarshal([]byte(a.String()), &s) != nil {
		return ""
	}
	return s
}

// Into decodes the value into a Go value with encoding/json.
func (a Any) Into(dst any) error { return json.Unmarshal([]byte(a.String()), dst) }

// MarshalJSON returns the value as it is.
func (a Any) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON parses JSON like ParseAny.
func (a *Any) UnmarshalJSON(text []byte) (err error) {
	*a, err = ParseAny(text)
	return err
}

// Never is the type of a value that the schema does not allow.
type Never struct{}

// Optional is a value that may be absent, and may be null if it is present. T is a type whose nil
// is null.
type Optional[T any] struct {
	Set   bool // it is present
	Value T
}

// Some returns an Optional that is present.
func Some[T any](v T) Optional[T] { return Optional[T]{true, v} }

// IsZero reports whether the value is absent, for omitzero.
func (o Optional[T]) IsZero() bool { return !o.Set }

// Ptr returns a pointer to a copy of v, for optional values in literals.
func Ptr[T any](v T) *T { return &v }

// Date is a date. The zero Date is not set and cannot be written.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate parses a date like 2026-02-28.
func ParseDate(s string) (Date, error) {
	const form = "0000-00-00"
	if len(s) == len(form) && formed(s, form) {
		number := func(from, to int) int { n, _ := strconv.Atoi(s[from:to]); return n }
		if d := (Date{number(0, 4), time.Month(number(5, 7)), number(8, 10)}); d.certain() {
			return d, nil
		}
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, err
	}
	return Date{t.Year(), t.Month(), t.Day()}, nil
}

// certain reports whether a date is one of the first 28 days of a month, which the calendar
// certainly has.
func (d Date) certain() bool {
	return d.Year >= 0 && d.Year <= 9999 && d.Month >= 1 && d.Month <= 12 && d.Day >= 1 && d.Day <= 28
}

// String returns the date as 2026-02-28.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// Midnight returns the beginning of the day in loc.
func (d Date) Midnight(loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

// MarshalText returns the text of String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText parses a date like ParseDate.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}

// Time is a time of day with its zone, as written: 12:30:00Z.
type Time string

// On returns the instant of the time on a date.
func (t Time) On(d Date) (time.Time, error) { return parseTime(d.String() + "T" + string(t)) }

// Duration is an ISO 8601 duration, as written: P1DT12H. It does not define the length of a month.
type Duration string

// Type describes the schema of a generated payload.
type Type struct {
	Name   string // of the Go type
	Schema string // draft-07, with everything that it refers to
}

// Payload is a generated type of the payload of a message.
type Payload interface {
	AppendJSON(dst []byte) ([]byte, error)
	DecodeJSON(data []byte) error
	Validate() error
	JSONType() *Type
}
