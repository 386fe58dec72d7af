package openapidiff

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/diff"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Serialization is the id of the finding about a parameter that is written in another way, such as
// a list with other separators. oasdiff sees such a change and does not judge it.
const Serialization = "parameter-serialization-changed"

// serializations returns the parameters that are written in another way: a client of the former
// document is understood otherwise, or not at all.
func serializations(changes *diff.Diff, next *Document) (out []finding.Finding) {
	if changes == nil || changes.PathsDiff == nil {
		return nil
	}
	for _, path := range slices.Sorted(maps.Keys(changes.PathsDiff.Modified)) {
		item := changes.PathsDiff.Modified[path]
		out = append(out, rewritten(path, "", item.ParametersDiff, next)...)
		if item.OperationsDiff == nil {
			continue
		}
		for _, method := range slices.Sorted(maps.Keys(item.OperationsDiff.Modified)) {
			out = append(out, rewritten(path, method, item.OperationsDiff.Modified[method].ParametersDiff, next)...)
		}
	}
	return out
}

func rewritten(path, method string, parameters *diff.ParametersDiffByLocation, next *Document) (out []finding.Finding) {
	if parameters == nil {
		return nil
	}
	for _, in := range slices.Sorted(maps.Keys(parameters.Modified)) {
		for _, name := range slices.Sorted(maps.Keys(parameters.Modified[in])) {
			p := parameters.Modified[in][name]
			if p.Base == nil || p.Revision == nil || len(p.Base.Content) > 0 || len(p.Revision.Content) > 0 {
				continue
			}
			was, is := written(p.Base, p.Revision)
			if was == is {
				continue
			}
			f := finding.Finding{Level: finding.Breaking, ID: Serialization, Kind: Kind, File: next.reader.Display(next.file), Hint: "add a parameter of another name",
				Message: fmt.Sprintf("%s: the %s parameter %s is written as %s instead of %s", strings.TrimSpace(method+" "+path), in, name, is, was)}
			f.Pointer = "/paths/" + source.Escape(path)
			if method != "" {
				f.Pointer += "/" + strings.ToLower(method)
			}
			if o := p.Revision.Origin; o != nil && o.Key != nil && o.Key.Line > 0 {
				f.Line, f.Col = o.Key.Line, o.Key.Column
				if at := next.reader.Pointer(diag.Pos{File: next.file, Line: f.Line, Col: f.Col}); at != "" {
					f.Pointer = at
				}
			}
			out = append(out, f)
		}
	}
	return out
}

// serialization is how a parameter is written.
type serialization struct {
	style   string
	explode bool // of lists and objects alone
}

func (s serialization) String() string {
	if s.explode {
		return s.style + ", exploded"
	}
	return s.style
}

// oneValue is how lists and objects are written where none are allowed: not at all.
var oneValue = serialization{style: "one value"}

// written returns how both versions of a parameter are written. A value of a query or a cookie that
// is no list and no object is written as its name and the value, whatever the style is. How lists
// and objects are exploded is compared if both versions have some: that a value became a list is a
// change of its schema. The reverse is one that the library takes for harmless.
func written(former, next *openapi3.Parameter) (was, is serialization) {
	was.style, is.style = style(former), style(next)
	a, b := shapeOf(former.Schema), shapeOf(next.Schema)
	if both := a & b & (list | object); both != 0 {
		was.explode, is.explode = explode(former, was.style, both), explode(next, is.style, both)
		return was, is
	}
	if gone := a & (list | object); gone != 0 && b == scalar && declared(former.Schema) {
		exploded := serialization{was.style, explode(former, was.style, gone)}
		if exploded.style == "deepObject" || exploded.style != "simple" && exploded.explode {
			return exploded, oneValue
		}
	}
	if former.In == "query" || former.In == "cookie" {
		return serialization{}, serialization{}
	}
	return was, is
}

// declared reports whether a schema has types. The library finds alternatives that are gone itself.
func declared(s *openapi3.SchemaRef) bool {
	return shapeOf(s) != scalar|list|object && len(s.Value.OneOf)+len(s.Value.AnyOf) == 0
}

func style(p *openapi3.Parameter) string {
	switch {
	case p.Style != "":
		return p.Style
	case p.In == "query" || p.In == "cookie":
		return "form"
	}
	return "simple"
}

// explode reports whether values are exploded, false if that makes no difference to them.
func explode(p *openapi3.Parameter, style string, values shape) bool {
	switch {
	case style == "deepObject", style == "simple" && values&object == 0:
		return false
	case p.Explode != nil:
		return *p.Explode
	}
	return style == "form"
}

// shape is what values can be, a set.
type shape int

const (
	scalar shape = 1 << iota
	list
	object
)

// shapeOf returns what values of a schema can be.
func shapeOf(s *openapi3.SchemaRef) shape { return shapeIn(s, map[*openapi3.Schema]bool{}) }

func shapeIn(s *openapi3.SchemaRef, open map[*openapi3.Schema]bool) shape {
	all := scalar | list | object
	if s == nil || s.Value == nil || open[s.Value] {
		return all
	}
	open[s.Value] = true
	defer delete(open, s.Value)
	out := all
	if s.Value.Type != nil && len(s.Value.Type.Slice()) > 0 {
		out = shapesOf(s.Value.Type.Slice())
	}
	for _, part := range s.Value.AllOf {
		out &= shapeIn(part, open)
	}
	for _, alternatives := range []openapi3.SchemaRefs{s.Value.OneOf, s.Value.AnyOf} {
		some := shape(0)
		for _, a := range alternatives {
			some |= shapeIn(a, open)
		}
		if len(alternatives) > 0 {
			out &= some
		}
	}
	return out
}

func shapesOf(types []string) (out shape) {
	for _, t := range types {
		switch t {
		case "array":
			out |= list
		case "object":
			out |= object
		default:
			out |= scalar
		}
	}
	return out
}
