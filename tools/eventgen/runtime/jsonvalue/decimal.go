package jsonvalue

import (
	"bytes"
	"cmp"
	"math/big"
	"strconv"
)

// decimal is a number exactly: digits without zeros at either end, times ten to the power of exp. Zero has no digits.
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
		d.exp, _ = strconv.Atoi(string(bytes.TrimPrefix(text[i+1:], []byte("+")))) // the scanner bounds it
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

// multipleOf tells whether d divided by e is an integer. No number is made that is longer than their digits.
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
