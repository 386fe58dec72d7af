package jsonvalue

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// begin begins a value: in a list, a comma precedes every value but the first.
func (w *Writer) begin() {
	if n := len(w.open); n > 0 && w.x.nodes[w.open[n-1]].kind == Array {
		w.comma()
	}
}

// comma separates a value or a member from the one before it.
func (w *Writer) comma() {
	if !w.first {
		w.b = append(w.b, ',')
	}
	w.first = false
}

// add adds the value that ends here to the index.
func (w *Writer) add(kind Kind, start int) {
	w.x.nodes = append(w.x.nodes, node{start: uint32(start), end: uint32(len(w.b)), next: uint32(len(w.x.nodes) + 1), kind: kind})
}

// enter begins an object or a list.
func (w *Writer) enter(kind Kind, bracket byte) {
	w.begin()
	w.open = append(w.open, uint32(len(w.x.nodes)))
	w.add(kind, len(w.b))
	w.b = append(w.b, bracket)
	w.first = true
}

// leave ends an object or a list.
func (w *Writer) leave(bracket byte) {
	if len(w.open) == 0 {
		return // after an error
	}
	w.b = append(w.b, bracket)
	n := &w.x.nodes[w.open[len(w.open)-1]]
	n.end, n.next = uint32(len(w.b)), uint32(len(w.x.nodes))
	w.open = w.open[:len(w.open)-1]
	w.first = false
}

// str writes a string, with the escapes that JSON requires.
func (w *Writer) str(s string) {
	w.b = append(w.b, '"')
	start, i := len(w.b), 0
	for i < len(s) && plain[s[i]] {
		i++
	}
	if i == len(s) {
		w.b = append(append(w.b, s...), '"')
		w.x.nodes = append(w.x.nodes, node{start: uint32(start), end: uint32(len(w.b) - 1), next: uint32(len(w.x.nodes) + 1), kind: String})
		return
	}
	if !utf8.ValidString(s) {
		w.foreign = true // the index reports it
	}
	escaped := false
	for from := 0; ; i++ {
		if i < len(s) && s[i] >= ' ' && s[i] != '"' && s[i] != '\\' {
			continue
		}
		w.b = append(w.b, s[from:i]...)
		if i == len(s) {
			break
		}
		w.escape(s[i])
		escaped, from = true, i+1
	}
	w.add(String, start)
	w.x.nodes[len(w.x.nodes)-1].escaped = escaped
	w.b = append(w.b, '"')
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

// value writes a string that is the value of a member or an item.
func (w *Writer) value(s string) { w.begin(); w.str(s) }

// integer writes an integer.
func (w *Writer) integer(n int64) {
	w.begin()
	start := len(w.b)
	w.b = strconv.AppendInt(w.b, n, 10)
	w.add(Number, start)
}

// float writes a number in the form of ECMAScript, as encoding/json does.
func (w *Writer) float(f float64) {
	w.begin()
	start, form := len(w.b), byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	w.b = strconv.AppendFloat(w.b, f, form, -1, 64)
	if n := len(w.b); form == 'e' && n >= 4 && w.b[n-4] == 'e' && w.b[n-3] == '-' && w.b[n-2] == '0' {
		w.b[n-2] = w.b[n-1] // e-09 is e-9
		w.b = w.b[:n-1]
	}
	w.add(Number, start)
}

// word writes null, true or false.
func (w *Writer) word(word string, kind Kind) {
	w.begin()
	start := len(w.b)
	w.b = append(w.b, word...)
	w.add(kind, start)
}

// raw writes a value that is JSON already.
func (w *Writer) raw(text string) {
	w.begin()
	start := len(w.b)
	w.b = append(w.b, text...)
	w.x.text = w.b
	s := scanner{index: w.x, at: start, depth: w.depth}
	if err := s.value(); err != nil || s.at != len(w.b) {
		w.foreign = true // the index reports it
	}
}
