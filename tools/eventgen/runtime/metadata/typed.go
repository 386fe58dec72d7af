package metadata

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// SetText sets a header unless it is empty.
func SetText(m message.Metadata, name, v string) {
	if v != "" {
		m[name] = v
	}
}

// SetTime sets a header to a time in UTC unless it is zero.
func SetTime(m message.Metadata, name string, t time.Time) {
	if !t.IsZero() {
		m[name] = t.UTC().Format(time.RFC3339Nano)
	}
}

// SetInt sets a header to an integer unless it is nil.
func SetInt(m message.Metadata, name string, v *int64) {
	if v != nil {
		m[name] = strconv.FormatInt(*v, 10)
	}
}

// SetFloat sets a header to a number unless it is nil.
func SetFloat(m message.Metadata, name string, v *float64) {
	if v != nil {
		m[name] = strconv.FormatFloat(*v, 'g', -1, 64)
	}
}

// SetBool sets a header to true or false unless it is nil.
func SetBool(m message.Metadata, name string, v *bool) {
	if v != nil {
		m[name] = strconv.FormatBool(*v)
	}
}

// Reader reads typed headers. Err is the first fault.
type Reader struct {
	Metadata message.Metadata
	Err      error
}

// Text returns a header, or "".
func (r *Reader) Text(name string) string { return r.Metadata[name] }

// Time returns a header as a time in UTC, or the zero time.
func (r *Reader) Time(name string) time.Time {
	t := parse(r, name, "a time", func(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) })
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Int returns a header as an integer, or nil.
func (r *Reader) Int(name string) *int64 {
	return parse(r, name, "an integer", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
}

// Float returns a header as a number, or nil.
func (r *Reader) Float(name string) *float64 {
	return parse(r, name, "a number", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
}

// Bool returns a header as a boolean, or nil.
func (r *Reader) Bool(name string) *bool {
	return parse(r, name, "true or false", strconv.ParseBool)
}

func parse[T any](r *Reader, name, what string, f func(string) (T, error)) *T {
	s, ok := r.Metadata[name]
	if !ok {
		return nil
	}
	v, err := f(s)
	if err != nil {
		if r.Err == nil {
			r.Err = fmt.Errorf("header %s is %q, not %s", name, s, what)
		}
		return nil
	}
	return &v
}
