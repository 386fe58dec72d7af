package parse

import (
	"regexp"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

var scalarFields = []string{"type", "title", "description", "format", "const", "enum", "minLength", "maxLength", "pattern", "examples", "default", "example", "$schema", "$id", "$comment"}

// scalar reads the schema of a key or of a header. What it cannot keep to is an error.
func (p *parser) scalar(at *source.Node, what string) *Scalar {
	n := p.Deref(at)
	if n == nil {
		return nil
	}
	if !n.Is(source.Map) {
		p.diags.Errorf(n.Pos, "the schema of %s must be an object, not %s", what, n.Kind)
		return nil
	}
	for _, m := range n.Pairs {
		if name := m.Key.Value; !contains(scalarFields, name) && name[:min(2, len(name))] != "x-" {
			p.diags.ErrorHint(m.Key.Pos, "supported are type, format, const, enum, minLength, maxLength, pattern", "%q in the schema of %s is not supported yet", name, what)
		}
	}
	s := &Scalar{Pos: n.Pos, Title: p.text(n, "title"), Doc: p.text(n, "description"), Type: p.text(n, "type"), Format: p.text(n, "format"),
		MinLength: p.number(n, "minLength", 0), MaxLength: p.number(n, "maxLength", 1), Pattern: p.text(n, "pattern"), KeyField: p.text(n, "x-key-field")}
	if f := n.Get("x-key-field"); f != nil {
		s.FieldPos = f.Pos
	}
	if c := n.Get("const"); c != nil {
		s.Const = c.Value
	}
	for _, e := range p.list(n, "enum") {
		s.Enum = append(s.Enum, e.Value)
	}
	switch s.Type {
	case "string", "integer", "number", "boolean":
	case "":
		s.Type = "string"
	default:
		p.diags.ErrorHint(n.Get("type").Pos, "string, integer, number and boolean are", "type %s of %s is not supported", s.Type, what)
		return nil
	}
	if s.Pattern != "" {
		if _, err := regexp.Compile(s.Pattern); err != nil {
			p.diags.Errorf(n.Get("pattern").Pos, "pattern %q is not a regular expression that Go knows: %v", s.Pattern, err)
		}
	}
	return s
}
