package jsonschema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// methods are what a generated struct has, so that no field may be called so.
var methods = []string{"AppendJSON", "DecodeJSON", "Validate", "JSONType", "MarshalJSON", "UnmarshalJSON"}

func fieldScope() goname.Scope {
	s := goname.Scope{}
	for _, m := range methods {
		s[m] = true
	}
	return s
}

// members is what all parts together say of an object's members.
type members struct {
	names    []string
	parts    map[string][]part
	required map[string]*source.Node
	patterns []patternProps
	extra    []part
	closed   *schema // the one whose additionalProperties is false
	open     bool    // something asks for members that are not named
}

func gather(flat []part) members {
	m := members{parts: map[string][]part{}, required: map[string]*source.Node{}}
	for _, at := range flat {
		s := at.schema
		if s == nil {
			continue
		}
		for _, prop := range s.props {
			if m.parts[prop.name] == nil {
				m.names = append(m.names, prop.name)
			}
			m.parts[prop.name] = append(m.parts[prop.name], part{schema: prop.schema})
		}
		for _, n := range s.required {
			m.required[n.Value] = n
		}
		m.patterns = append(m.patterns, s.patterns...)
		switch {
		case s.additional == nil:
		case s.additional.isFalse():
			m.closed = s
		default:
			m.extra = append(m.extra, part{schema: s.additional})
		}
		m.open = m.open || s.minProperties != nil || s.not != nil || s.cond != nil || len(s.dependencies)+len(s.oneOf)+len(s.anyOf) > 0
	}
	for _, at := range flat {
		if at.schema == nil {
			continue
		}
		for _, n := range at.schema.required { // required, and not described
			if m.parts[n.Value] == nil {
				m.names = append(m.names, n.Value)
				m.parts[n.Value] = []part{}
			}
		}
	}
	return m
}

func (p *shaper) object(out *shape, parts, flat []part, w want) {
	m := gather(flat)
	if len(m.names) == 0 {
		switch {
		case len(m.patterns) == 0 && m.closed == nil:
			out.form = isDict
			out.elem = p.shape(m.extra, w.below("Value"))
			return
		case len(m.patterns) == 1 && m.closed != nil:
			out.form = isDict
			out.elem = p.shape([]part{{schema: m.patterns[0].schema}}, w.below("Value"))
			return
		}
	}
	d := p.declare(isStruct, parts, w)
	out.form, out.decl = isDecl, d
	scope := fieldScope()
	for _, name := range m.names {
		if p.forbidden(flat, m, name) {
			continue
		}
		if f := p.field(d, name, m, scope); f != nil {
			d.fields = append(d.fields, f)
		}
	}
	for _, pat := range m.patterns {
		name := patternName(pat.pattern.Value)
		f := &patternField{pattern: pat.pattern, field: field{goName: scope.Take(name), wish: name, doc: "The members whose names match " + pat.pattern.Value + "."}}
		f.shape = p.shape([]part{{schema: pat.schema}}, want{name: d.name + f.goName + "Value"})
		d.patterns = append(d.patterns, f)
	}
	d.closed = m.closed != nil
	if m.closed == nil && (len(m.extra) > 0 || m.open) {
		d.extra = &field{goName: scope.Take("Extra"), wish: "Extra", doc: "The members that the schema does not name."}
		d.extra.shape = p.shape(m.extra, want{name: d.name + "ExtraValue"})
	}
}

// forbidden tells whether another part of the schema refuses a property, because it is not one of
// its own.
func (p *shaper) forbidden(flat []part, m members, name string) bool {
	for _, at := range flat {
		s := at.schema
		if s == nil || !s.additional.isFalse() || slices.ContainsFunc(s.props, func(q property) bool { return q.name == name }) || len(s.patterns) > 0 {
			continue
		}
		if r := m.required[name]; r != nil {
			p.diags.ErrorHint(r.Pos, "additionalProperties looks at the properties beside it only, not at those of allOf", "%q is required here and refused by additionalProperties: false at %s", name, s.node.Pos)
		} else {
			p.diags.Warnf(s.node.Pos, "additionalProperties looks at the properties beside it only, not at those of allOf", "additionalProperties: false refuses the property %q, which is described elsewhere", name)
		}
		return true
	}
	return false
}

func (p *shaper) field(d *decl, name string, m members, scope goname.Scope) *field {
	f := &field{name: name, wish: goname.Exported(name), optional: m.required[name] == nil}
	parts := m.parts[name]
	if len(parts) == 0 { // required, and not described
		parts = m.extra
	}
	flat := p.flatten(parts)
	for _, at := range flat {
		if at.schema == nil {
			continue
		}
		if f.doc == "" && !at.schema.target {
			f.doc = at.schema.doc
		}
		if f.fallback == nil && f.optional {
			f.fallback = at.schema.fallback
		}
	}
	if at := slices.IndexFunc(flat, func(at part) bool { return at.schema.isFalse() }); at >= 0 {
		if !f.optional {
			p.diags.Errorf(m.required[name].Pos, "%q is required, and its schema is false", name)
		}
		return nil
	}
	if f.constant = p.constant(flat); f.constant != nil && !f.optional {
		return f
	}
	f.constant = nil
	f.goName = scope.Take(f.wish, f.wish+"Field")
	f.shape = p.shape(parts, want{name: d.name + f.goName})
	return f
}

// constant is the only value that a property can have.
func (p *shaper) constant(flat []part) *source.Node {
	allowed := kinds(flat)
	if allowed == jsonvalue.Null {
		return &source.Node{Kind: source.Null}
	}
	vals, listed := values(flat, allowed)
	if !listed || len(vals) != 1 || vals[0].Is(source.Map) || vals[0].Is(source.Seq) {
		return nil
	}
	return vals[0]
}

// split takes the members whose names match.
func (f *patternField) split(pairs []source.Pair) (matching, rest []source.Pair) {
	re := regexp.MustCompile(f.pattern.Value) // it compiled when it was read
	for _, p := range pairs {
		if re.MatchString(p.Key.Value) {
			matching = append(matching, p)
		} else {
			rest = append(rest, p)
		}
	}
	return matching, rest
}

// patternName makes a field's name of the letters in a pattern.
func patternName(pattern string) string {
	var b strings.Builder
	escaped := false
	for _, c := range pattern {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case unicode.IsLetter(c):
			b.WriteRune(c)
		default:
			b.WriteByte('_')
		}
	}
	if strings.Trim(b.String(), "_") == "" || strings.ContainsAny(pattern, "[(") {
		return "Matching"
	}
	return goname.Exported(b.String())
}

func (p *shaper) array(out *shape, parts, flat []part, w want) {
	n, least, most := 0, int64(0), int64(-1)
	for _, at := range flat {
		if s := at.schema; s != nil {
			n = max(n, len(s.tuple))
			if v, ok := s.minItems.Int(); ok {
				least = max(least, v)
			}
			if v, ok := s.maxItems.Int(); ok && (most < 0 || v < most) {
				most = v
			}
		}
	}
	if n == 0 {
		out.form, out.elem = isList, p.shape(itemParts(flat, 0), w.below("Item"))
		return
	}
	d := p.declare(isTuple, parts, w)
	out.form, out.decl = isDecl, d
	scope := fieldScope()
	for i := range n {
		f := &field{name: fmt.Sprint(i), goName: scope.Take(fmt.Sprintf("Item%d", i+1)), optional: int64(i) >= least}
		f.wish = f.goName
		f.shape = p.shape(itemParts(flat, i), want{name: d.name + f.goName})
		if f.shape.form == isNever && f.optional {
			return // nor can there be one behind it
		}
		d.fields = append(d.fields, f)
	}
	closed := slices.ContainsFunc(flat, func(at part) bool {
		return at.schema != nil && at.schema.isTuple && at.schema.additionalItems.isFalse()
	})
	if !closed && (most < 0 || most > int64(n)) {
		d.extra = &field{goName: "Rest", wish: "Rest", doc: "The items after those."}
		d.extra.shape = p.shape(itemParts(flat, n), want{name: d.name + "RestItem"})
	}
}

// itemParts is what all parts say of an item of a list.
func itemParts(flat []part, i int) []part {
	var out []part
	for _, at := range flat {
		switch s := at.schema; {
		case s == nil:
		case i < len(s.tuple):
			out = append(out, part{schema: s.tuple[i]})
		case s.isTuple && s.additionalItems != nil:
			out = append(out, part{schema: s.additionalItems})
		case s.items != nil:
			out = append(out, part{schema: s.items})
		}
	}
	return out
}
