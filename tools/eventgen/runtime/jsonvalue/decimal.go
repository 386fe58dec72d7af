package jsonvalue

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"strconv"
)

// decimal is a number exactly: digits without zeros at either end, times ten to the power of exp.
// Zero has no digits.
type decimal struct {
	negative bool
	digits   []byte
	exp      int
}

// decimalOf reads a number as JSON writes it.
func decimalOf(text []byte) decimal {
	d := decimal{}
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
		return decimal{}
	}
	return d
}

// small is a number exactly, as most are: n divided by ten to the power of places.
type small struct {
	n      int64
	places int
}

// mostDigits is how many digits every int64 holds.
const mostDigits = 18

// smallOf reads a number as JSON writes it; false when it has an exponent, or more digits than fit.
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

// with gives two numbers as so many of the same part of one; false when that is more than fits.
func (s small) with(o small) (a, b int64, ok bool) {
	ok = s.grow(o.places) && o.grow(s.places)
	return s.n, o.n, ok
}

// grow gives a number more places; false when that does not fit.
func (s *small) grow(places int) bool {
	for ; s.places < places; s.places++ {
		if s.n > math.MaxInt64/10 || s.n < math.MinInt64/10 {
			return false
		}
		s.n *= 10
	}
	return true
}

// compareNumbers gives -1, 0 or 1 for two numbers as JSON writes them.
func compareNumbers(a, b []byte) int {
	if x, ok := smallOf(a); ok {
		if y, ok := smallOf(b); ok {
			if m, n, ok := x.with(y); ok {
				return cmp.Compare(m, n)
			}
		}
	}
	return decimalOf(a).compare(decimalOf(b))
}

// multipleOf tells whether a divided by b is an integer, for two numbers as JSON writes them.
func multipleOf(a, b []byte) bool {
	if x, ok := smallOf(a); ok {
		if y, ok := smallOf(b); ok && y.n != 0 {
			if m, n, ok := x.with(y); ok {
				return m%n == 0
			}
		}
	}
	return decimalOf(a).multipleOf(decimalOf(b))
}

// isInteger tells whether a number has no fraction, however it is written.
func isInteger(text []byte) bool {
	return !bytes.ContainsAny(text, ".eE") || decimalOf(text).integer()
}

func (d decimal) integer() bool { return d.exp >= 0 }

func (d decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// compare gives -1, 0 or 1.
func (d decimal) compare(e decimal) int {
	if s := cmp.Compare(d.sign(), e.sign()); s != 0 || d.sign() == 0 {
		return s
	}
	size := cmp.Or(cmp.Compare(len(d.digits)+d.exp, len(e.digits)+e.exp), bytes.Compare(d.digits, e.digits))
	return size * d.sign()
}

// multipleOf tells whether d divided by e is an integer. No number is made that is longer than
// their digits.
func (d decimal) multipleOf(e decimal) bool {
	if len(d.digits) == 0 {
		return true
	}
	shift := d.exp - e.exp
	if shift < 0 || len(e.digits) == 0 {
		return false // d has a digit behind the last one of e
	}
	dv, _ := new(big.Int).SetString(string(d.digits), 10)
	ev, _ := new(big.Int).SetString(string(e.digits), 10)
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), ev)
	return dv.Mul(dv, power).Mod(dv, ev).Sign() == 0
}

// int64 is the value of an integer of that many bits.
func (d decimal) int(bits int) (int64, bool) {
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
