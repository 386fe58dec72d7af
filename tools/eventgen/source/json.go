package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
)

// maxDepth limits nesting, so that no file can exhaust the stack.
const maxDepth = 500

// parseJSON reads strict JSON. The reader of YAML cannot be used for it, because it refuses tabs
// and some escapes.
func parseJSON(file string, data []byte) (*Node, diag.List) {
	p := &jsonParser{file: file, data: data, line: 1, col: 1, comments: strings.EqualFold(path.Ext(file), ".avsc")}
	n, err := p.document()
	if err != nil {
		return nil, diag.List{*err}
	}
	return n, p.dups
}

type jsonParser struct {
	file      string
	data      []byte
	at        int
	line, col int
	comments  bool // Avro's own parser skips comments, so schemas have them
	dups      diag.List
}

func (p *jsonParser) pos() diag.Pos { return diag.Pos{File: p.file, Line: p.line, Col: p.col} }

func (p *jsonParser) errorf(format string, args ...any) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: p.pos(), Hint: "JSON requires double quotes and commas between members, and has no comments and no comma after the last member", Message: "not valid JSON: " + fmt.Sprintf(format, args...)}
}

func (p *jsonParser) document() (*Node, *diag.Diagnostic) {
	p.space()
	if p.at == len(p.data) {
		return nil, p.errorf("the file is empty")
	}
	n, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at < len(p.data) {
		return nil, p.errorf("%s after the end of the document", p.seen())
	}
	return n, nil
}

// step skips n bytes of one line and counts columns in characters.
func (p *jsonParser) step(n int) {
	for _, c := range p.data[p.at : p.at+n] {
		if utf8.RuneStart(c) {
			p.col++
		}
	}
	p.at += n
}

func (p *jsonParser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\r', '\n':
			p.skip(1)
		default:
			n := p.comment()
			if n == 0 {
				return
			}
			p.skip(n)
		}
	}
}

// comment returns the length of the comment here, or 0 if there is none, it has no end, or the file
// may not have comments.
func (p *jsonParser) comment() int {
	rest := p.data[p.at:]
	switch {
	case !p.comments:
	case bytes.HasPrefix(rest, []byte("//")):
		if end := bytes.IndexByte(rest, '\n'); end >= 0 {
			return end
		}
		return len(rest)
	case bytes.HasPrefix(rest, []byte("/*")):
		if end := bytes.Index(rest[2:], []byte("*/")); end >= 0 {
			return end + 4
		}
	}
	return 0
}

// skip skips n bytes, which may have several lines.
func (p *jsonParser) skip(n int) {
	for end := p.at + n; p.at < end; {
		if p.data[p.at] == '\n' {
			p.at++
			p.line, p.col = p.line+1, 1
			continue
		}
		p.step(1)
	}
}

func (p *jsonParser) peek() byte {
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *jsonParser) seen() string {
	if p.at >= len(p.data) {
		return "the end of the file"
	}
	r, _ := utf8.DecodeRune(p.data[p.at:])
	return fmt.Sprintf("%q", r)
}

func (p *jsonParser) value(depth int) (*Node, *diag.Diagnostic) {
	if depth > maxDepth {
		return nil, p.errorf("nested deeper than %d levels", maxDepth)
	}
	pos := p.pos()
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		s, err := p.text()
		return &Node{Pos: pos, Kind: String, Value: s}, err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for word, kind := range map[string]Kind{"null": Null, "true": Bool, "false": Bool} {
		if end := p.at + len(word); end <= len(p.data) && string(p.data[p.at:end]) == word {
			p.step(len(word))
			n := &Node{Pos: pos, Kind: kind}
			if kind == Bool {
				n.Value = word
			}
			return n, nil
		}
	}
	return nil, p.errorf("a value is expected, not %s", p.seen())
}

func (p *jsonParser) object(depth int) (*Node, *diag.Diagnostic) {
	n := &Node{Pos: p.pos(), Kind: Map}
	p.step(1)
	first := map[string]diag.Pos{}
	for p.space(); p.peek() != '}' || len(n.Pairs) > 0; p.space() {
		key := &Node{Pos: p.pos(), Kind: String}
		if p.peek() != '"' {
			return nil, p.errorf("a member name in double quotes is expected, not %s", p.seen())
		}
		var err *diag.Diagnostic
		if key.Value, err = p.text(); err != nil {
			return nil, err
		}
		if p.space(); p.peek() != ':' {
			return nil, p.errorf("':' is expected after the name %q, not %s", key.Value, p.seen())
		}
		p.step(1)
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if at, dup := first[key.Value]; dup {
			p.dups.ErrorHint(key.Pos, "first given at "+at.String(), "%q is given twice", key.Value)
		} else {
			first[key.Value] = key.Pos
			n.Pairs = append(n.Pairs, Pair{key, v})
		}
		p.space()
		if p.peek() == '}' {
			break
		}
		if p.peek() != ',' {
			return nil, p.errorf("',' or '}' is expected, not %s", p.seen())
		}
		p.step(1)
	}
	p.step(1)
	n.indexed()
	return n, nil
}

func (p *jsonParser) array(depth int) (*Node, *diag.Diagnostic) {
	n := &Node{Pos: p.pos(), Kind: Seq}
	p.step(1)
	for p.space(); p.peek() != ']' || len(n.Items) > 0; p.space() {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, v)
		p.space()
		if p.peek() == ']' {
			break
		}
		if p.peek() != ',' {
			return nil, p.errorf("',' or ']' is expected, not %s", p.seen())
		}
		p.step(1)
	}
	p.step(1)
	return n, nil
}

func (p *jsonParser) text() (string, *diag.Diagnostic) {
	end := p.at + 1
	for end < len(p.data) && p.data[end] != '"' {
		if p.data[end] == '\n' {
			break
		}
		if p.data[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.data) || p.data[end] != '"' {
		return "", p.errorf("this string does not end on its line")
	}
	var s string
	if err := json.Unmarshal(p.data[p.at:end+1], &s); err != nil {
		return "", p.errorf("string: %v", err)
	}
	p.step(end + 1 - p.at)
	return s, nil
}

func (p *jsonParser) number() (*Node, *diag.Diagnostic) {
	n := &Node{Pos: p.pos(), Kind: Int}
	end := p.at
	for end < len(p.data) {
		switch c := p.data[end]; {
		case c == '.' || c == 'e' || c == 'E':
			n.Kind = Float
		case c == '-' || c == '+' || c >= '0' && c <= '9':
		default:
			goto done
		}
		end++
	}
done:
	n.Value = string(p.data[p.at:end])
	if !json.Valid([]byte(n.Value)) {
		return nil, p.errorf("%s is not a number", n.Value)
	}
	p.step(end - p.at)
	return n, nil
}
