package shape

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// methods are the names of the methods of a generated struct, which no field may have.
var methods = []string{"AppendJSON", "DecodeJSON", "Validate", "JSONType", "MarshalJSON", "UnmarshalJSON"}

func fieldScope() goname.Scope {
	s := goname.Scope{}
	for _, m := range methods {
		s[m] = true
	}
	return s
}

// members describes the members of an object that conforms to all parts.
type members struct {
	names    []string
	parts    map[string][]Part
	required map[string]*source.Node
	patterns []schema.PatternProperty
	extra    []Part
	closed   *schema.Schema // a schema whose additionalProperties is false
	open     bool           // a keyword applies to members that are not named
}

func gather(flat []Part) members {
	m := members{parts: map[string][]Part{}, required: map[string]*source.Node{}}
	for _, at := range flat {
		s := at.Schema
		if s == nil {
			continue
		}
		for _, prop := range s.Properties {
			if m.parts[prop.Name] == nil {
				m.names = append(m.names, prop.Name)
			}
			m.parts[prop.Name] = append(m.parts[prop.Name], Part{Schema: prop.Schema})
		}
		for _, n := range s.Required {
			m.required[n.Value] = n
		}
		m.patterns = append(m.patterns, s.Patterns...)
		switch {
		case s.Additional == nil:
		case s.Additional.IsFalse():
			m.closed = s
		default:
			m.extra = append(m.extra, Part{Schema: s.Additional})
		}
		m.open = m.open || s.MinProperties != nil || s.Not != nil || s.If != nil || len(s.Dependencies)+len(s.OneOf)+len(s.AnyOf) > 0
	}
	for _, at := range flat {
		if at.Schema == nil {
			continue
		}
		for _, n := range at.Schema.Required { // required, but not described
			if m.parts[n.Value] == nil {
				m.names = append(m.names, n.Value)
				m.parts[n.Value] = []Part{}
			}
		}
	}
	return m
}

func (p *Shaper) object(out *Shape, parts, flat []Part, w want) {
	m := gather(flat)
	if len(m.names) == 0 {
		switch {
		case len(m.patterns) == 0 && m.closed == nil:
			out.Form = Map
			out.Elem = p.shape(m.extra, w.below("Value"))
			return
		case len(m.patterns) == 1 && m.closed != nil:
			out.Form = Map
			out.Elem = p.shape([]Part{{Schema: m.patterns[0].Schema}}, w.below("Value"))
			return
		}
	}
	d := p.declare(Struct, parts, w)
	out.Form, out.Decl = Declared, d
	scope := fieldScope()
	for _, name := range m.names {
		if p.forbidden(flat, m, name) {
			continue
		}
		if f := p.field(d, name, m, scope); f != nil {
			d.Fields = append(d.Fields, f)
		}
	}
	for _, pat := range m.patterns {
		name := patternName(pat.Pattern.Value)
		f := &patternField{Pattern: pat.Pattern, Field: Field{GoName: scope.Take(name), Wish: name, Doc: "The members whose names match " + pat.Pattern.Value + "."}}
		f.Shape = p.shape([]Part{{Schema: pat.Schema}}, want{name: d.Name + f.GoName + "Value"})
		d.Patterns = append(d.Patterns, f)
	}
	d.Closed = m.closed != nil
	if m.closed == nil && (len(m.extra) > 0 || m.open) {
		d.Extra = extra(scope)
		d.Extra.Shape = p.shape(m.extra, want{name: d.Name + "ExtraValue"})
	}
}

// forbidden reports whether additionalProperties: false of another part refuses a property, and
// adds a fault for it.
func (p *Shaper) forbidden(flat []Part, m members, name string) bool {
	for _, at := range flat {
		s := at.Schema
		if s == nil || !s.Additional.IsFalse() || slices.ContainsFunc(s.Properties, func(q schema.Property) bool { return q.Name == name }) || len(s.Patterns) > 0 {
			continue
		}
		if r := m.required[name]; r != nil {
			p.Diags.ErrorHint(r.Pos, "additionalProperties knows the properties of its own schema only, not those of allOf", "%q is required here, but additionalProperties: false at %s refuses it", name, s.Node.Pos)
		} else {
			p.Diags.Warnf(s.Node.Pos, "additionalProperties knows the properties of its own schema only, not those of allOf", "additionalProperties: false refuses the property %q, which is described elsewhere", name)
		}
		return true
	}
	return false
}

func (p *Shaper) field(d *Decl, name string, m members, scope goname.Scope) *Field {
	f := &Field{Name: name, Wish: goname.Exported(name), Optional: m.required[name] == nil}
	parts := m.parts[name]
	if len(parts) == 0 { // required, but not described
		parts = m.extra
	}
	flat := p.flatten(parts)
	for _, at := range flat {
		if at.Schema == nil {
			continue
		}
		if f.Doc == "" && !at.Schema.Target {
			f.Doc = at.Schema.Doc
		}
		if f.Optional && f.Default == nil && at.Schema.Default != nil {
			f.Default, f.from = at.Schema.Default, at.Schema
		}
	}
	if at := slices.IndexFunc(flat, func(at Part) bool { return at.Schema.IsFalse() }); at >= 0 {
		if !f.Optional {
			p.Diags.Errorf(m.required[name].Pos, "%q is required, but its schema is false", name)
		}
		return nil
	}
	if f.Constant = p.constant(flat); f.Constant != nil && !f.Optional {
		return f
	}
	f.Constant = nil
	f.GoName = scope.Take(f.Wish, f.Wish+"Field")
	f.Shape = p.shape(parts, want{name: d.Name + f.GoName})
	return f
}

// constant returns the only value that a property can have, or nil.
func (p *Shaper) constant(flat []Part) *source.Node {
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

// Split returns the members whose names match the pattern, and the others.
func (f *patternField) Split(pairs []source.Pair) (matching, rest []source.Pair) {
	re := regexp.MustCompile(f.Pattern.Value) // the loader compiled it
	for _, p := range pairs {
		if re.MatchString(p.Key.Value) {
			matching = append(matching, p)
		} else {
			rest = append(rest, p)
		}
	}
	return matching, rest
}

// patternName returns the name of a field made from the letters of a pattern.
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

func (p *Shaper) array(out *Shape, parts, flat []Part, w want) {
	n, least, most := 0, int64(0), int64(-1)
	for _, at := range flat {
		if s := at.Schema; s != nil {
			n = max(n, len(s.Tuple))
			if v, ok := s.MinItems.Int(); ok {
				least = max(least, v)
			}
			if v, ok := s.MaxItems.Int(); ok && (most < 0 || v < most) {
				most = v
			}
		}
	}
	if n == 0 {
		out.Form, out.Elem = List, p.shape(itemParts(flat, 0), w.below("Item"))
		return
	}
	d := p.declare(Tuple, parts, w)
	out.Form, out.Decl = Declared, d
	scope := fieldScope()
	for i := range n {
		f := &Field{Name: fmt.Sprint(i), GoName: scope.Take(fmt.Sprintf("Item%d", i+1)), Optional: int64(i) >= least}
		f.Wish = f.GoName
		f.Shape = p.shape(itemParts(flat, i), want{name: d.Name + f.GoName})
		if f.Shape.Form == Never && f.Optional {
			return // there cannot be an item after it either
		}
		d.Fields = append(d.Fields, f)
	}
	closed := slices.ContainsFunc(flat, func(at Part) bool {
		return at.Schema != nil && at.Schema.IsTuple && at.Schema.AdditionalItems.IsFalse()
	})
	if !closed && (most < 0 || most > int64(n)) {
		d.Extra = &Field{GoName: "Rest", Wish: "Rest", Doc: "The items after those."}
		d.Extra.Shape = p.shape(itemParts(flat, n), want{name: d.Name + "RestItem"})
	}
}

// itemParts returns the schemas of an item of a list.
func itemParts(flat []Part, i int) []Part {
	var out []Part
	for _, at := range flat {
		switch s := at.Schema; {
		case s == nil:
		case i < len(s.Tuple):
			out = append(out, Part{Schema: s.Tuple[i]})
		case s.IsTuple && s.AdditionalItems != nil:
			out = append(out, Part{Schema: s.AdditionalItems})
		case s.Items != nil:
			out = append(out, Part{Schema: s.Items})
		}
	}
	return out
}
