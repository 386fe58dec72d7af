package main

import (
	"fmt"

	"github.com/deferpay/deferpay/tools/specfile"
)

// Shape is a schema with the schemas of its members in place.
type Shape struct {
	Type     Type
	Text     string
	Members  []Member
	Variants []Shape
	Notes    []string
}

// Member is a member of an object.
type Member struct {
	Field
	Inner *Shape // its own members or variants, if it has any
}

// Count returns how many members or variants a shape has, in words.
func (s Shape) Count() string {
	switch {
	case len(s.Variants) > 0:
		return fmt.Sprintf("%d variants", len(s.Variants))
	case len(s.Members) == 1:
		return "1 member"
	}
	return fmt.Sprintf("%d members", len(s.Members))
}

// shapeOf returns the shape of a schema. A schema within itself is left to the link of its type.
func shapeOf(v specfile.Value, above ...string) *Shape {
	for _, id := range above {
		if id == v.ID() {
			return nil
		}
	}
	above = append(above, v.ID())
	if items := v.Get("items"); items.Ok() {
		return shapeOf(items, above...)
	}
	s := &Shape{Type: typeOf(v), Text: v.Get("description").Str(), Notes: constraints(v)}
	for _, o := range v.Get("oneOf").Items() {
		if inner := shapeOf(o, above...); inner != nil {
			s.Variants = append(s.Variants, *inner)
		}
	}
	required := map[string]bool{}
	for _, r := range v.Get("required").Items() {
		required[r.Str()] = true
	}
	for _, p := range v.Get("properties").Members() {
		m := Member{Field: Field{Name: p.Name, Required: required[p.Name], Type: typeOf(p.Value), Text: p.Get("description").Str(),
			Default: p.Get("default").Text(), Notes: constraints(p.Value)}}
		if own := v.Get("properties").Raw(p.Name).Raw("description"); own.Ok() {
			m.Text = own.Str()
		}
		m.Inner = shapeOf(p.Value, above...)
		s.Members = append(s.Members, m)
	}
	if len(s.Members) == 0 && len(s.Variants) == 0 {
		return nil
	}
	return s
}
