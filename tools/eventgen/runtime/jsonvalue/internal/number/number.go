// Package number computes with the numbers of JSON exactly, as they are written. The texts that it
// gets were accepted by the scanner of package jsonvalue, which alone imports it.
package number

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"strconv"
)

// Decimal is the exact value of a number: digits without zeros at either end, times ten to the
// power of exp. Zero has no digits.
type Decimal struct {
	negative bool
	digits   []byte
	exp      int
}

// Parse returns the value of a number in JSON.
func Parse(text []byte) Decimal {
	d := Decimal{}
	text, d.negative = bytes.CutPrefix(text, []byte("-"))
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		// the scanner bounds it
		d.exp, _ = strconv.Atoi(string(bytes.TrimPrefix(text[i+1:], []byte("+"))))
		text = text[:i]
	}
	whole, fraction, _ := bytes.Cut(text, []byte("."))
	d.digits = whole
	if len(fraction) > 0 {
		d.digits = append(append(make([]byte, 0, len(text)), whole...), fraction...)
		d.exp -= len(fraction)
	}
	trimmed := bytes.TrimRight(d.digits, "0")
	d.exp += len(d.digits) - len(trimmed)
	if d.digits = bytes.TrimLeft(trimmed, "0"); len(d.digits) == 0 {
		return Decimal{}
	}
	return d
}

// small is the exact value of a number with few digits: n divided by ten to the power of places.
type small struct {
	n      int64
	places int
}

// mostDigits is the number of digits that always fit an int64.
const mostDigits = 18

// smallOf returns the value of a number in JSON, or false if it has an exponent or too many digits.
func smallOf(text []byte) (out small, ok bool) {
	digits, negative, point := 0, false, -1
	for i, c := range text {
		switch {
		case c == '-':
			negative = true
		case c == '.':
			point = i
		case c < '0' || c > '9':
			return small{}, false
		default:
			if digits++; digits > mostDigits {
				return small{}, false
			}
			out.n = 10*out.n + int64(c-'0')
		}
	}
	if negative {
		out.n = -out.n
	}
	if point >= 0 {
		out.places = len(text) - point - 1
	}
	return out, true
}

// with returns the numerators of two numbers over a common denominator, or false if one of them
// overflows.
func (s small) with(o small) (a, b int64, ok bool) {
	ok = s.grow(o.places) && o.grow(s.places)
	return s.n, o.n, ok
}

// grow expands a number to that many places, or returns false if it overflows.
func (s *small) grow(places int) bool {
	for ; s.places < places; s.places++ {
		if s.n > math.MaxInt64/10 || s.n < math.MinInt64/10 {
			return false
		}
		s.n *= 10
	}
	return true
}

// Compare compares two numbers in JSON. It returns -1, 0 or 1.
func Compare(a, b []byte) int {
	if x, ok := smallOf(a); ok {
		if y, ok := smallOf(b); ok {
			if m, n, ok := x.with(y); ok {
				return cmp.Compare(m, n)
			}
		}
	}
	return Parse(a).compare(Parse(b))
}

// MultipleOf reports whether a divided by b is an integer, for two numbers in JSON.
func MultipleOf(a, b []byte) bool {
	if x, ok := smallOf(a); ok {
		if y, ok := smallOf(b); ok && y.n != 0 {
			if m, n, ok := x.with(y); ok {
				return m%n == 0
			}
		}
	}
	return Parse(a).multipleOf(Parse(b))
}

// IsInteger reports whether a number in JSON has no fraction, however it is written.
func IsInteger(text []byte) bool {
	for _, c := range text {
		if c == '.' || c == 'e' || c == 'E' {
			return Parse(text).integer()
		}
	}
	return true
}

func (d Decimal) integer() bool { return d.exp >= 0 }

func (d Decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

func (d Decimal) compare(e Decimal) int {
	if s := cmp.Compare(d.sign(), e.sign()); s != 0 || d.sign() == 0 {
		return s
	}
	size := cmp.Or(cmp.Compare(len(d.digits)+d.exp, len(e.digits)+e.exp), bytes.Compare(d.digits, e.digits))
	return size * d.sign()
}

// multipleOf reports whether d divided by e is an integer. It computes with no number that is
// longer than their digits.
func (d Decimal) multipleOf(e Decimal) bool {
	if len(d.digits) == 0 {
		return true
	}
	shift := d.exp - e.exp
	if shift < 0 || len(e.digits) == 0 {
		return false // the last digit of d is behind that of e
	}
	dv, _ := new(big.Int).SetString(string(d.digits), 10)
	ev, _ := new(big.Int).SetString(string(e.digits), 10)
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), ev)
	return dv.Mul(dv, power).Mod(dv, ev).Sign() == 0
}

// String returns the value in a form that is the same for equal values.
func (d Decimal) String() string {
	sign := ""
	if d.negative {
		sign = "-"
	}
	return sign + string(d.digits) + "e" + strconv.Itoa(d.exp)
}

// Int returns the value as an integer of that many bits, or false if it is not one.
func (d Decimal) Int(bits int) (int64, bool) {
	if len(d.digits) == 0 {
		return 0, true
	}
	if d.exp < 0 || len(d.digits)+d.exp > 19 {
		return 0, false
	}
	text := append([]byte("-"), d.digits...)
	for range d.exp {
		text = append(text, '0')
	}
	if !d.negative {
		text = text[1:]
	}
	n, err := strconv.ParseInt(string(text), 10, bits)
	return n, err == nil
}

// Scaled returns a positive number in JSON as a fraction whose denominator is a power of ten, or
// false if it has more than 15 digits.
func Scaled(text []byte) (n, scale int64, ok bool) {
	const most = 15
	s, ok := smallOf(text)
	if !ok || s.n <= 0 || s.places > most || s.n >= 1e15 {
		return 0, 0, false
	}
	scale = 1
	for range s.places {
		scale *= 10
	}
	return s.n, scale, true
}
