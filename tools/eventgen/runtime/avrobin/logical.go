package avrobin

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// Timestamps are time.Time in UTC. Fractions of the unit are cut off, as time.Time.Truncate does
// for the years after 1.

// TimestampMillis writes t as milliseconds since 1970.
func (w *Writer) TimestampMillis(b []byte, t time.Time) []byte { return appendLong(b, t.UnixMilli()) }

// TimestampMicros writes t as microseconds since 1970.
func (w *Writer) TimestampMicros(b []byte, t time.Time) []byte { return appendLong(b, t.UnixMicro()) }

// TimestampNanos writes t as nanoseconds since 1970. It must be between the years 1678 and 2262.
func (w *Writer) TimestampNanos(b []byte, t time.Time) []byte { return w.nanos(b, t) }

func (w *Writer) nanos(b []byte, t time.Time) []byte {
	n := t.UnixNano()
	if !time.Unix(0, n).Equal(t) {
		w.Fail("%s is out of range for nanoseconds", t.Format(time.RFC3339Nano))
	}
	return w.Long(b, n)
}

// TimestampMillis reads milliseconds since 1970.
func (r *Reader) TimestampMillis(p int) (time.Time, int) {
	// like Long, which is not called here because timestamps are frequent
	if p >= 0 && p <= len(r.data)-wordSize {
		if u, n := varint(word(r.data, p)); n <= wordSize {
			return time.UnixMilli(unzigzag(u)).UTC(), p + n
		}
	}
	v, p := r.long(p)
	return time.UnixMilli(v).UTC(), p
}

// TimestampMicros reads microseconds since 1970.
func (r *Reader) TimestampMicros(p int) (time.Time, int) {
	// like Long, which is not called here because timestamps are frequent
	if p >= 0 && p <= len(r.data)-wordSize {
		if u, n := varint(word(r.data, p)); n <= wordSize {
			return time.UnixMicro(unzigzag(u)).UTC(), p + n
		}
	}
	v, p := r.long(p)
	return time.UnixMicro(v).UTC(), p
}

// TimestampNanos reads nanoseconds since 1970.
func (r *Reader) TimestampNanos(p int) (time.Time, int) {
	v, p := r.Long(p)
	return time.Unix(0, v).UTC(), p
}

// LocalDateTime is a date and a time of day without a zone.
type LocalDateTime struct {
	seconds int64 // since 1970-01-01 00:00
	nanos   int32
}

// LocalDateTimeOf returns the date and the time of day of t in its zone.
func LocalDateTimeOf(t time.Time) LocalDateTime {
	_, offset := t.Zone()
	return LocalDateTime{t.Unix() + int64(offset), int32(t.Nanosecond())}
}

// In returns the instant of d in loc. At a change of the offset it is that of time.Date.
func (d LocalDateTime) In(loc *time.Location) time.Time {
	t := d.wall()
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc)
}

func (d LocalDateTime) wall() time.Time { return time.Unix(d.seconds, int64(d.nanos)).UTC() }

// String returns the ISO 8601 form without a zone.
func (d LocalDateTime) String() string { return d.wall().Format("2006-01-02T15:04:05.999999999") }

// MarshalText returns the text of String.
func (d LocalDateTime) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// LocalTimestampMillis writes d in milliseconds.
func (w *Writer) LocalTimestampMillis(b []byte, d LocalDateTime) []byte {
	return w.Long(b, d.wall().UnixMilli())
}

// LocalTimestampMicros writes d in microseconds.
func (w *Writer) LocalTimestampMicros(b []byte, d LocalDateTime) []byte {
	return w.Long(b, d.wall().UnixMicro())
}

// LocalTimestampNanos writes d in nanoseconds. It must be between the years 1678 and 2262.
func (w *Writer) LocalTimestampNanos(b []byte, d LocalDateTime) []byte { return w.nanos(b, d.wall()) }

// LocalTimestampMillis reads milliseconds.
func (r *Reader) LocalTimestampMillis(p int) (LocalDateTime, int) {
	v, p := r.Long(p)
	return LocalDateTimeOf(time.UnixMilli(v).UTC()), p
}

// LocalTimestampMicros reads microseconds.
func (r *Reader) LocalTimestampMicros(p int) (LocalDateTime, int) {
	v, p := r.Long(p)
	return LocalDateTimeOf(time.UnixMicro(v).UTC()), p
}

// LocalTimestampNanos reads nanoseconds.
func (r *Reader) LocalTimestampNanos(p int) (LocalDateTime, int) {
	v, p := r.Long(p)
	return LocalDateTimeOf(time.Unix(0, v).UTC()), p
}

// Date is a day of the calendar, counted from 1970-01-01.
type Date int32

// NewDate returns the date of a year, month and day.
func NewDate(year int, month time.Month, day int) Date {
	return Date(floorDiv(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), 86400))
}

// DateOf returns the date of t in its zone.
func DateOf(t time.Time) Date { return NewDate(t.Date()) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Date returns the year, month and day of d.
func (d Date) Date() (year int, month time.Month, day int) { return d.In(time.UTC).Date() }

// In returns the first instant of d in loc.
func (d Date) In(loc *time.Location) time.Time {
	y, m, day := time.Unix(int64(d)*86400, 0).UTC().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, loc)
}

// String returns the ISO 8601 form, 2026-02-28.
func (d Date) String() string { return d.In(time.UTC).Format(time.DateOnly) }

// MarshalText returns the text of String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// TimeOfDay is the time since midnight.
type TimeOfDay time.Duration

// NewTimeOfDay returns the time of an hour, minute, second and nanosecond.
func NewTimeOfDay(hour, minute, second, nano int) TimeOfDay {
	return TimeOfDay(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(nano))
}

// String returns the ISO 8601 form, 15:04:05.999.
func (t TimeOfDay) String() string {
	return time.Unix(0, int64(t)).UTC().Format("15:04:05.999999999")
}

// MarshalText returns the text of String.
func (t TimeOfDay) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func (w *Writer) timeOfDay(b []byte, t TimeOfDay, unit time.Duration) []byte {
	if t < 0 || t >= TimeOfDay(24*time.Hour) {
		w.Fail("%s is not a time of day", time.Duration(t))
	}
	return w.Long(b, int64(t)/int64(unit))
}

func (r *Reader) timeOfDay(p int, v int64, unit time.Duration) TimeOfDay {
	if v < 0 || v >= int64(24*time.Hour/unit) {
		r.Fail(p, "%d is not a time of day in units of %s", v, unit)
		return 0
	}
	return TimeOfDay(v * int64(unit))
}

// TimeMillis writes t in milliseconds.
func (w *Writer) TimeMillis(b []byte, t TimeOfDay) []byte { return w.timeOfDay(b, t, time.Millisecond) }

// TimeMicros writes t in microseconds.
func (w *Writer) TimeMicros(b []byte, t TimeOfDay) []byte { return w.timeOfDay(b, t, time.Microsecond) }

// TimeMillis reads milliseconds.
func (r *Reader) TimeMillis(p int) (TimeOfDay, int) {
	v, next := r.Int(p)
	return r.timeOfDay(p, int64(v), time.Millisecond), next
}

// TimeMicros reads microseconds.
func (r *Reader) TimeMicros(p int) (TimeOfDay, int) {
	v, next := r.Long(p)
	return r.timeOfDay(p, v, time.Microsecond), next
}

// Duration is Avro's duration: three counts that cannot be converted into each other.
type Duration struct{ Months, Days, Millis uint32 }

// String returns the ISO 8601 form, P3M2DT1.5S.
func (d Duration) String() string {
	return fmt.Sprintf("P%dM%dDT%d.%03dS", d.Months, d.Days, d.Millis/1000, d.Millis%1000)
}

// Duration writes twelve bytes.
func (w *Writer) Duration(b []byte, d Duration) []byte {
	for _, v := range [...]uint32{d.Months, d.Days, d.Millis} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// Duration reads twelve bytes.
func (r *Reader) Duration(p int) (Duration, int) {
	b, p := r.Take(p, 12)
	var v [3]uint32
	for i, c := range b {
		v[i/4] |= uint32(c) << (8 * (i % 4))
	}
	return Duration{v[0], v[1], v[2]}, p
}

// UUID is an RFC 9562 identifier.
type UUID [16]byte

// ParseUUID parses the canonical text, in upper or lower case.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, fmt.Errorf("%.40q is not a UUID", s)
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(u[:], []byte(digits)); err != nil {
		return UUID{}, fmt.Errorf("%.40q is not a UUID", s)
	}
	return u, nil
}

// String returns the canonical text.
func (u UUID) String() string {
	var b [36]byte
	u.text(b[:])
	return string(b[:])
}

func (u UUID) text(b []byte) {
	at := 0
	for i, part := range [...][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b[at] = '-'
			at++
		}
		at += hex.Encode(b[at:], part)
	}
}

// MarshalText returns the text of String.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UUID writes u as text, the encoding on a string.
func (w *Writer) UUID(b []byte, u UUID) []byte {
	var text [36]byte
	u.text(text[:])
	return w.Bytes(b, text[:])
}

// UUID reads a UUID from text.
func (r *Reader) UUID(p int) (UUID, int) {
	b, next := r.Span(p)
	if r.err != nil {
		return UUID{}, next
	}
	u, err := ParseUUID(string(b[:min(len(b), 40)]))
	if err != nil || len(b) != 36 {
		r.Fail(p, "%.40q is not a UUID", b)
	}
	return u, next
}

// UUIDFixed writes the sixteen bytes of u, the encoding on a fixed.
func (w *Writer) UUIDFixed(b []byte, u UUID) []byte { return append(b, u[:]...) }

// UUIDFixed reads the sixteen bytes of a UUID.
func (r *Reader) UUIDFixed(p int) (u UUID, next int) {
	b, next := r.Take(p, 16)
	copy(u[:], b)
	return u, next
}

// Date writes the count of days.
func (w *Writer) Date(b []byte, d Date) []byte { return w.Long(b, int64(d)) }

// Date reads the count of days.
func (r *Reader) Date(p int) (Date, int) {
	v, p := r.Int(p)
	return Date(v), p
}
