package avrobin

import (
	"fmt"
	"math/big"
	"strings"
)

// Decimal is an exact decimal number, unscaled x 10^-scale. The zero Decimal is 0. Decimals are
// immutable.
type Decimal struct {
	unscaled *big.Int // nil is 0; never changed
	scale    int
}

// MaxDecimalBytes limits the unscaled value of a big-decimal that is read.
const MaxDecimalBytes = 1 << 10

// maxScale limits the scale of a big-decimal, so that its text is not much longer than the message.
const maxScale = 1 << 12

// NewDecimal returns unscaled x 10^-scale: NewDecimal(1250, 2) is 12.50.
func NewDecimal(unscaled int64, scale int) Decimal { return Decimal{big.NewInt(unscaled), scale} }

// NewBigDecimal returns unscaled x 10^-scale.
func NewBigDecimal(unscaled *big.Int, scale int) Decimal {
	return Decimal{new(big.Int).Set(unscaled), scale}
}

// ParseDecimal parses digits with an optional sign and fraction. The scale is the number of digits
// after the point.
func ParseDecimal(s string) (Decimal, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	digits := whole + fraction
	bare := strings.TrimLeft(digits, "+-")
	if len(digits)-len(bare) > 1 || bare == "" || strings.Trim(bare, "0123456789") != "" || len(s) > 2*maxScale || strings.HasSuffix(s, ".") || strings.ContainsAny(fraction, "+-") {
		return Decimal{}, fmt.Errorf("%.40q is not a decimal number", s)
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return Decimal{}, fmt.Errorf("%.40q is not a decimal number", s)
	}
	return Decimal{n, len(fraction)}, nil
}

// MustDecimal is like ParseDecimal but panics if s is not a decimal number.
func MustDecimal(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

// Unscaled returns the number without its point.
func (d Decimal) Unscaled() *big.Int {
	if d.unscaled == nil {
		return new(big.Int)
	}
	return new(big.Int).Set(d.unscaled)
}

func (d Decimal) int() *big.Int {
	if d.unscaled == nil {
		return new(big.Int)
	}
	return d.unscaled
}

// Scale returns the number of digits after the point.
func (d Decimal) Scale() int { return d.scale }

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// Rat returns d as a fraction.
func (d Decimal) Rat() *big.Rat {
	if d.scale < 0 {
		return new(big.Rat).SetInt(new(big.Int).Mul(d.int(), pow10(-d.scale)))
	}
	return new(big.Rat).SetFrac(d.int(), pow10(d.scale))
}

// Cmp compares the values of d and e, whatever their scales. It returns -1, 0 or +1.
func (d Decimal) Cmp(e Decimal) int { return d.Rat().Cmp(e.Rat()) }

// String returns the number with every digit of its scale: 12.50.
func (d Decimal) String() string {
	digits := new(big.Int).Abs(d.int()).String()
	sign := ""
	if d.int().Sign() < 0 {
		sign = "-"
	}
	if d.scale < 0 {
		return sign + digits + strings.Repeat("0", -d.scale)
	}
	if d.scale == 0 {
		return sign + digits
	}
	if pad := d.scale + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	return sign + digits[:len(digits)-d.scale] + "." + digits[len(digits)-d.scale:]
}

// MarshalText returns the text of String.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Rescale returns d with another scale, or false if that would lose digits.
func (d Decimal) Rescale(scale int) (Decimal, bool) {
	switch {
	case scale == d.scale:
		return d, true
	case scale > d.scale:
		return Decimal{new(big.Int).Mul(d.int(), pow10(scale-d.scale)), scale}, true
	}
	q, rest := new(big.Int).QuoRem(d.int(), pow10(d.scale-scale), new(big.Int))
	return Decimal{q, scale}, rest.Sign() == 0
}

// Fits returns an error if d cannot be written exactly with that precision and scale.
func (d Decimal) Fits(precision, scale int) error {
	e, ok := d.Rescale(scale)
	if !ok {
		return fmt.Errorf("%s has more than %d digits after the point", d, scale)
	}
	if len(new(big.Int).Abs(e.int()).String()) > precision {
		return fmt.Errorf("%s has more than %d digits", d, precision)
	}
	return nil
}

// twosComplement returns the shortest big-endian two's complement of v, at least one byte.
func twosComplement(v *big.Int) []byte {
	if v.Sign() >= 0 {
		b := v.Bytes()
		if len(b) == 0 || b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	n := new(big.Int).Not(v).BitLen()/8 + 1 // -1-v needs the bits of v, and one for the sign
	return new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n))).FillBytes(make([]byte, n))
}

func fromTwosComplement(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

func (w *Writer) decimal(d Decimal, precision, scale int) []byte {
	if err := d.Fits(precision, scale); err != nil {
		w.Fail("decimal(%d,%d): %w", precision, scale, err)
		return nil
	}
	d, _ = d.Rescale(scale)
	return twosComplement(d.int())
}

// Decimal writes d exactly, with the scale of the schema.
func (w *Writer) Decimal(b []byte, d Decimal, precision, scale int) []byte {
	return w.Bytes(b, w.decimal(d, precision, scale))
}

// DecimalFixed writes d into size bytes.
func (w *Writer) DecimalFixed(b []byte, d Decimal, size, precision, scale int) []byte {
	v := w.decimal(d, precision, scale)
	if len(v) > size {
		w.Fail("%s does not fit %d bytes", d, size)
		return b
	}
	return AppendSigned(b, v, size)
}

// AppendSigned appends a two's complement, extended to size bytes. It must not be longer.
func AppendSigned(b, v []byte, size int) []byte {
	fill := byte(0)
	if len(v) > 0 && v[0] >= 0x80 {
		fill = 0xFF
	}
	for range size - len(v) {
		b = append(b, fill)
	}
	return append(b, v...)
}

// TrimSigned returns a two's complement without the leading bytes that only repeat the sign.
func TrimSigned(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xFF && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}

func (r *Reader) decimal(p int, b []byte, precision, scale int) Decimal {
	b = TrimSigned(b)
	// A digit takes less than 10/3 bits. Longer input is refused before it is converted to a
	// number, which would cost more than reading it.
	if len(b) > precision*10/24+2 {
		r.Fail(p, "decimal(%d,%d): %d bytes have more than %d digits", precision, scale, len(b), precision)
		return Decimal{}
	}
	d := Decimal{fromTwosComplement(b), scale}
	if err := d.Fits(precision, scale); err != nil {
		r.Fail(p, "decimal(%d,%d): %v", precision, scale, err)
	}
	return d
}

// Decimal reads a decimal.
func (r *Reader) Decimal(p, precision, scale int) (Decimal, int) {
	b, next := r.Span(p)
	return r.decimal(p, b, precision, scale), next
}

// DecimalFixed reads a decimal of size bytes.
func (r *Reader) DecimalFixed(p, size, precision, scale int) (Decimal, int) {
	b, next := r.Take(p, size)
	return r.decimal(p, b, precision, scale), next
}

// BigDecimal writes d with its own scale.
func (w *Writer) BigDecimal(b []byte, d Decimal) []byte {
	if d.scale > maxScale || d.scale < -maxScale {
		w.Fail("a big-decimal with the scale %d", d.scale)
	}
	inner := AppendLong(AppendBytes(nil, twosComplement(d.int())), int64(d.scale))
	return w.Bytes(b, inner)
}

// BigDecimal reads a decimal with its own scale.
func (r *Reader) BigDecimal(p int) (Decimal, int) {
	whole, next := r.Span(p)
	var inner Reader
	b, at := inner.Span(inner.Begin(whole))
	scale, at := inner.Int(at)
	if err := inner.Done(at); err != nil {
		r.Fail(p, "a big-decimal: %v", err)
		return Decimal{}, next
	}
	if len(b) > MaxDecimalBytes || scale > maxScale || scale < -maxScale {
		r.Fail(p, "a big-decimal of %d bytes and scale %d is too large", len(b), scale)
		return Decimal{}, next
	}
	return Decimal{fromTwosComplement(b), int(scale)}, next
}
