package jsonvalue

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// open begins an object or a list.
func (w *Writer) open(bracket byte) bool {
	if w.depth++; w.depth > MaxDepth {
		w.Fail("nested deeper than %d", MaxDepth)
		return false
	}
	w.b = append(w.b, bracket)
	return w.err == nil
}

// separate separates a member or an item from the one before it, if there is one.
func (w *Writer) separate(bracket byte) {
	if w.b[len(w.b)-1] != bracket {
		w.b = append(w.b, ',')
	}
}

// String writes a text.
func (w *Writer) String(s string) {
	i := 0
	for i < len(s) && plain[s[i]] {
		i++
	}
	b := append(w.b, '"')
	if i == len(s) {
		w.b = append(append(b, s...), '"')
		return
	}
	w.b = b
	w.escaped(s, i)
	w.b = append(w.b, '"')
}

// escaped writes a text with the escapes that JSON requires. Its first bytes up to i need none.
func (w *Writer) escaped(s string, i int) {
	from := 0
	for i < len(s) {
		switch c := s[i]; {
		case plain[c]:
			i++
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if i += n; r == utf8.RuneError && n == 1 {
				w.doubt = true // the check of the text refuses it
			}
		default:
			w.b = append(w.b, s[from:i]...)
			w.escape(c)
			i++
			from = i
		}
	}
	w.b = append(w.b, s[from:]...)
}

// escape writes a character that a string can only have as an escape.
func (w *Writer) escape(c byte) {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		w.b = append(w.b, '\\', c)
	case '\n':
		w.b = append(w.b, '\\', 'n')
	case '\r':
		w.b = append(w.b, '\\', 'r')
	case '\t':
		w.b = append(w.b, '\\', 't')
	default:
		w.b = append(w.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
	}
}

// Int64 writes an integer.
func (w *Writer) Int64(n int64) { w.b = strconv.AppendInt(w.b, n, 10) }

// float writes a number in the form of ECMAScript, as encoding/json does.
func (w *Writer) float(f float64) {
	const exact = 1 << 53
	if n := int64(f); f > -exact && f < exact && f != 0 && float64(n) == f {
		w.Int64(n)
		return
	}
	form := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	w.b = strconv.AppendFloat(w.b, f, form, -1, 64)
	if n := len(w.b); form == 'e' && n >= 4 && w.b[n-4] == 'e' && w.b[n-3] == '-' && w.b[n-2] == '0' {
		w.b[n-2] = w.b[n-1] // e-09 is e-9
		w.b = w.b[:n-1]
	}
}

// Bytes writes base64.
func (w *Writer) Bytes(b []byte) {
	w.b = append(base64.StdEncoding.AppendEncode(append(w.b, '"'), b), '"')
}

// time writes a time of RFC 3339. Whether one that RFC 3339 does not have is in the text, the check
// decides.
func (w *Writer) time(t time.Time) {
	from := len(w.b) + 1
	b := t.AppendFormat(append(w.b, '"'), time.RFC3339Nano)
	year, zone := b[from:from+len("2006-")], b[len(b)-len("+00:00"):]
	w.Expect(year[0] != '-' && year[4] == '-' && (zone[5] == 'Z' || (zone[0] == '+' || zone[0] == '-') && string(zone[1:3]) < "24"))
	w.b = append(b, '"')
}

// date writes a date. Whether the calendar has it, the check decides unless it is certain.
func (w *Writer) date(d Date) {
	if !d.certain() {
		w.doubt = true
		w.String(d.String())
		return
	}
	b := append(w.b, '"')
	b = append(b, byte('0'+d.Year/1000), byte('0'+d.Year/100%10), byte('0'+d.Year/10%10), byte('0'+d.Year%10), '-')
	b = append(b, byte('0'+d.Month/10), byte('0'+d.Month%10), '-')
	w.b = append(b, byte('0'+d.Day/10), byte('0'+d.Day%10), '"')
}

func (w *Writer) uuid(u uuid.UUID) {
	b := append(w.b, '"')
	for i, part := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	w.b = append(b, '"')
}

// unfinished returns the path of the value that begins at the end of a text, which a writer has
// written so far.
func unfinished(text []byte) string {
	type level struct {
		object bool
		name   string
		item   int
		named  bool // the name of the present member was read
	}
	var open []*level
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '{', '[':
			open = append(open, &level{object: c == '{'})
		case '}', ']':
			open = open[:len(open)-1]
		case ',':
			at := open[len(open)-1]
			at.item++
			at.named = false
		case '"':
			from := i
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if n := len(open); n > 0 && open[n-1].object && !open[n-1].named {
				open[n-1].named = true
				_ = json.Unmarshal(text[from:i+1], &open[n-1].name)
			}
		}
	}
	var path strings.Builder
	for _, at := range open {
		if at.object {
			writeStep(&path, at.name)
		} else {
			fmt.Fprintf(&path, "[%d]", at.item)
		}
	}
	return path.String()
}
