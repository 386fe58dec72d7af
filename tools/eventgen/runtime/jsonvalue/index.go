package jsonvalue

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// node is a value, or the name of a member, in the index of a text. The values inside it follow it.
type node struct {
	start, end uint32 // of its text; for a string, without the quotes
	next       uint32 // index of the node after it and the values inside it
	kind       Kind
	escaped    bool // a string with escapes
}

// index has the positions of the values in a text. It is valid as long as the text is not changed.
type index struct {
	text  []byte
	nodes []node
}

// SyntaxError is the error for a text that is not JSON or exceeds the limits.
type SyntaxError struct {
	Offset  int // in bytes
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Message) }

var indexes = sync.Pool{New: func() any { return new(index) }}

// largestKept is the number of nodes above which an index is not kept for the next text.
const largestKept = 1 << 16

func (x *index) release() {
	if cap(x.nodes) <= largestKept {
		*x = index{nodes: x.nodes[:0]}
		indexes.Put(x)
	}
}

// read indexes a text, which must be one value.
func (x *index) read(text []byte) error {
	if len(text) > MaxSize {
		return &SyntaxError{MaxSize, fmt.Sprintf("larger than %d bytes", MaxSize)}
	}
	s := scanner{index: x, depth: 0}
	x.text, x.nodes = text, x.nodes[:0]
	s.space()
	if err := s.value(); err != nil {
		return err
	}
	if s.space(); s.at < len(text) {
		return s.errorf("%s after the end of the value", s.seen())
	}
	return nil
}

// scanner makes the index of a text.
type scanner struct {
	*index
	at    int
	depth int
}

func (s *scanner) errorf(format string, args ...any) error {
	return &SyntaxError{s.at, fmt.Sprintf(format, args...)}
}

func (s *scanner) seen() string {
	if s.at >= len(s.text) {
		return "the end of the text"
	}
	r, _ := utf8.DecodeRune(s.text[s.at:])
	return strconv.QuoteRune(r)
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) value() error {
	switch c := s.peek(); {
	case c == '{':
		return s.inside(Object, '}')
	case c == '[':
		return s.inside(Array, ']')
	case c == '"':
		return s.text_()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true", Boolean)
	case c == 'f':
		return s.word("false", Boolean)
	case c == 'n':
		return s.word("null", Null)
	}
	return s.errorf("a value is expected, not %s", s.seen())
}

func (s *scanner) add(kind Kind, start int) int {
	s.nodes = append(s.nodes, node{start: uint32(start), end: uint32(s.at), next: uint32(len(s.nodes) + 1), kind: kind})
	return len(s.nodes) - 1
}

func (s *scanner) word(word string, kind Kind) error {
	if end := s.at + len(word); end > len(s.text) || string(s.text[s.at:end]) != word {
		return s.errorf("a value is expected, not %s", s.seen())
	}
	s.at += len(word)
	s.add(kind, s.at-len(word))
	return nil
}

// inside reads the members of an object or the items of a list.
func (s *scanner) inside(kind Kind, end byte) error {
	if s.depth++; s.depth > MaxDepth {
		return s.errorf("nested deeper than %d", MaxDepth)
	}
	i := s.add(kind, s.at)
	s.at++
	if s.space(); s.peek() != end {
		for {
			err := error(nil)
			if kind == Object {
				err = s.member()
			} else {
				err = s.value()
			}
			if err != nil {
				return err
			}
			if s.space(); s.peek() == end {
				break
			}
			if s.peek() != ',' {
				return s.errorf("',' or %q is expected, not %s", end, s.seen())
			}
			s.at++
			s.space()
		}
	}
	s.at++
	s.depth--
	s.nodes[i].end, s.nodes[i].next = uint32(s.at), uint32(len(s.nodes))
	if kind == Object {
		return s.distinct(i)
	}
	return nil
}

func (s *scanner) member() error {
	if s.peek() != '"' {
		return s.errorf("a member's name is expected, not %s", s.seen())
	}
	if err := s.text_(); err != nil {
		return err
	}
	if s.space(); s.peek() != ':' {
		return s.errorf("':' is expected, not %s", s.seen())
	}
	s.at++
	s.space()
	return s.value()
}

// distinct refuses an object that has a member twice, because readers differ in which of the two
// they use.
func (s *scanner) distinct(object int) error {
	const few = 32
	v := Value{s.index, uint32(object)}
	var names [few]Value
	var seen map[string]bool
	n := 0
	for name := range v.names() {
		switch {
		case n < few:
			if slices.ContainsFunc(names[:n], func(o Value) bool { return string(o.bytes()) == string(name.bytes()) }) {
				return &SyntaxError{int(name.node().start), fmt.Sprintf("the member %q is given twice", name.bytes())}
			}
			names[n] = name
		case n == few:
			seen = map[string]bool{}
			for _, o := range names {
				seen[string(o.bytes())] = true
			}
			fallthrough
		default:
			if seen[string(name.bytes())] {
				return &SyntaxError{int(name.node().start), fmt.Sprintf("the member %q is given twice", name.bytes())}
			}
			seen[string(name.bytes())] = true
		}
		n++
	}
	return nil
}

func (s *scanner) number() error {
	start := s.at
	s.skip('-')
	digits := s.digits()
	if digits == 0 || digits > 1 && s.text[s.at-digits] == '0' {
		return s.errorf("a number is not valid")
	}
	if s.skip('.') && s.digits() == 0 {
		return s.errorf("a digit is expected, not %s", s.seen())
	}
	if s.skip('e') || s.skip('E') {
		if !s.skip('+') {
			s.skip('-')
		}
		from := s.at
		if s.digits() == 0 {
			return s.errorf("a digit is expected, not %s", s.seen())
		}
		if exp, err := strconv.Atoi(string(s.text[from:s.at])); err != nil || exp > maxExp {
			return s.errorf("an exponent beyond %d", maxExp)
		}
	}
	if s.at-start > MaxNumber {
		return s.errorf("a number of more than %d characters", MaxNumber)
	}
	s.add(Number, start)
	return nil
}

func (s *scanner) skip(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) digits() int {
	from := s.at
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.at++
	}
	return s.at - from
}

// plain are the bytes of a string that stand for themselves and are a character each.
var plain = func() (out [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		out[c] = c != '"' && c != '\\'
	}
	return out
}()

// text_ reads a string. It refuses text that is not UTF-8 and halves of surrogate pairs, because
// they cannot be written again.
func (s *scanner) text_() error {
	s.at++
	start, escaped := s.at, false
	for {
		for s.at < len(s.text) && plain[s.text[s.at]] {
			s.at++
		}
		switch c := s.peek(); {
		case s.at >= len(s.text):
			return s.errorf("a string does not end")
		case c == '"':
			s.nodes[s.add(String, start)].escaped = escaped
			s.at++
			return nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return err
			}
		case c < ' ':
			return s.errorf("a control character in a string")
		default:
			r, n := utf8.DecodeRune(s.text[s.at:])
			if r == utf8.RuneError && n == 1 {
				return s.errorf("the text is not UTF-8")
			}
			s.at += n
		}
	}
}

var errEscape = errors.New("a string has an escape that does not exist")

func (s *scanner) escape() error {
	if s.at+1 < len(s.text) {
		switch s.text[s.at+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			s.at += 2
			return nil
		case 'u':
			return s.unicode()
		}
	}
	return s.errorf("%v", errEscape)
}

func (s *scanner) unicode() error {
	high, ok := hex4(s.text[s.at:])
	switch {
	case !ok || high >= 0xDC00 && high < 0xE000:
		return s.errorf("%v", errEscape)
	case high >= 0xD800 && high < 0xDC00:
		low, ok := hex4(s.text[s.at+6:])
		if !ok || low < 0xDC00 || low >= 0xE000 {
			return s.errorf("half a surrogate pair")
		}
		s.at += 6
	}
	s.at += 6
	return nil
}

// hex4 reads \uXXXX at the beginning of b.
func hex4(b []byte) (uint64, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n := uint64(0)
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 + uint64(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 + uint64(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// unescape returns the content of a string that the scanner accepted, without its quotes.
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return append(out, b...)
		}
		out = append(out, b[:i]...)
		switch c := b[i+1]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(b[i:])
			if b = b[i+6:]; r >= 0xD800 && r < 0xDC00 {
				low, _ := hex4(b) // the scanner has seen it
				r, b = 0x10000+(r-0xD800)<<10+(low-0xDC00), b[6:]
			}
			out = utf8.AppendRune(out, rune(r))
			continue
		default:
			out = append(out, c)
		}
		b = b[i+2:]
	}
}
