package parse

import (
	"math"
	"regexp"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

var scalarFields = []string{"type", "title", "description", "format", "const", "enum", "minLength", "maxLength", "pattern", "examples", "default", "example", "$schema", "$id", "$comment"}

// isScalar reports whether a schema is of text, a number or a boolean, and has no keyword that
// scalar does not read.
func (p *parser) isScalar(n *source.Node) bool {
	if !n.Is(source.Map) {
		return false
	}
	for _, m := range n.Pairs {
		if !contains(scalarFields, m.Key.Value) && !strings.HasPrefix(m.Key.Value, "x-") || m.Key.Value == "maxLength" && m.Value.Value == "0" {
			return false
		}
	}
	t := n.Get("type") // without it the type is string, because headers and keys are text
	return t == nil || t.Is(source.String) && contains([]string{"string", "integer", "number", "boolean"}, t.Value)
}

// scalar reads a schema for which isScalar returned true.
func (p *parser) scalar(at *source.Node, what string) *Scalar {
	n := p.Deref(at)
	s := &Scalar{Pos: n.Pos, Title: p.text(n, "title"), Doc: p.text(n, "description"), Type: p.text(n, "type"), Format: p.text(n, "format"),
		MinLength: p.number(n, "minLength", 0, math.MaxInt32), MaxLength: p.number(n, "maxLength", 1, math.MaxInt32), Pattern: p.text(n, "pattern")}
	if c := n.Get("const"); c != nil {
		s.Const = c.Value
	}
	for _, e := range p.list(n, "enum") {
		s.Enum = append(s.Enum, e.Value)
	}
	if s.Type == "" {
		s.Type = "string"
	}
	if s.Pattern != "" {
		if _, err := regexp.Compile(s.Pattern); err != nil {
			p.diags.Warnf(n.Get("pattern").Pos, "Go's regular expressions have neither look-around nor back references", "the pattern of %s is not checked: %v", what, err)
			s.Pattern = ""
		}
	}
	return s
}
