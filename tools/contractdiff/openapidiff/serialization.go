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
		out = append(out, written(path, "", item.ParametersDiff, next)...)
		if item.OperationsDiff == nil {
			continue
		}
		for _, method := range slices.Sorted(maps.Keys(item.OperationsDiff.Modified)) {
			out = append(out, written(path, method, item.OperationsDiff.Modified[method].ParametersDiff, next)...)
		}
	}
	return out
}

func written(path, method string, parameters *diff.ParametersDiffByLocation, next *Document) (out []finding.Finding) {
	if parameters == nil {
		return nil
	}
	for _, in := range slices.Sorted(maps.Keys(parameters.Modified)) {
		for _, name := range slices.Sorted(maps.Keys(parameters.Modified[in])) {
			p := parameters.Modified[in][name]
			if p.Base == nil || p.Revision == nil || len(p.Base.Content) > 0 || len(p.Revision.Content) > 0 {
				continue
			}
			was, is := serialization(p.Base), serialization(p.Revision)
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

// serialization returns how a parameter is written. A value of a query that is no list and no
// object is written as its name and the value, whatever the style is.
func serialization(p *openapi3.Parameter) string {
	style := p.Style
	if style == "" {
		style = map[string]string{"query": "form", "cookie": "form"}[p.In]
		if style == "" {
			style = "simple"
		}
	}
	if !composite(p.Schema) {
		if p.In == "query" || p.In == "cookie" {
			return "form"
		}
		return style
	}
	explode := style == "form"
	if p.Explode != nil {
		explode = *p.Explode
	}
	if explode {
		return style + ", exploded"
	}
	return style
}

// composite reports whether values of a schema can be lists or objects.
func composite(s *openapi3.SchemaRef) bool {
	if s == nil || s.Value == nil || s.Value.Type == nil || len(s.Value.Type.Slice()) == 0 {
		return true
	}
	return s.Value.Type.Includes("array") || s.Value.Type.Includes("object")
}
