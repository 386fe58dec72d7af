package openapidiff

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/deferpay/deferpay/tools/contractdiff/input"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// The errors of the library have no positions. A document that it refuses is searched, in its
// order, for the first value that is not of the type of its place, and for the first reference that
// leads nowhere or to something of another kind. Examples, defaults and extensions are any values:
// what looks like a reference there is none.

// locate returns the first fault of a document with its place, or nil if it finds none.
func locate(s *input.Side, file string) error {
	l := locator{s.Reader(), map[reflect.Type]*layout{}, map[visit]bool{}}
	root := l.reader.Open(file, diag.Pos{})
	if d := l.value(reflect.TypeFor[openapi3.T](), root); d != nil {
		return s.Faults(diag.List{*d})
	}
	return nil
}

// locator searches a document for what the library refuses.
type locator struct {
	reader  *input.Reader
	layouts map[reflect.Type]*layout
	seen    map[visit]bool
}

// visit is a value that is read as a type.
type visit struct {
	as reflect.Type
	at *source.Node
}

// kinds are the components that a reference may lead to, by the types that have it.
var kinds = map[reflect.Type]string{
	reflect.TypeFor[openapi3.CallbackRef]():       "callbacks",
	reflect.TypeFor[openapi3.ExampleRef]():        "examples",
	reflect.TypeFor[openapi3.HeaderRef]():         "headers",
	reflect.TypeFor[openapi3.LinkRef]():           "links",
	reflect.TypeFor[openapi3.ParameterRef]():      "parameters",
	reflect.TypeFor[openapi3.RequestBodyRef]():    "requestBodies",
	reflect.TypeFor[openapi3.ResponseRef]():       "responses",
	reflect.TypeFor[openapi3.SchemaRef]():         "schemas",
	reflect.TypeFor[openapi3.SecuritySchemeRef](): "securitySchemes",
	reflect.TypeFor[openapi3.PathItem]():          "pathItems",
}

// named are the types of objects with names that an author chooses, and the types of their members.
var named = map[reflect.Type]reflect.Type{
	reflect.TypeFor[openapi3.Paths]():     reflect.TypeFor[openapi3.PathItem](),
	reflect.TypeFor[openapi3.Callback]():  reflect.TypeFor[openapi3.PathItem](),
	reflect.TypeFor[openapi3.Responses](): reflect.TypeFor[openapi3.ResponseRef](),
}

// inner are the types that are read as another one if they are objects.
var inner = map[reflect.Type]reflect.Type{
	reflect.TypeFor[openapi3.Header]():     reflect.TypeFor[openapi3.Parameter](),
	reflect.TypeFor[openapi3.BoolSchema](): reflect.TypeFor[openapi3.SchemaRef](),
}

// value returns the first fault of a value that is read as a type, or nil.
func (l *locator) value(t reflect.Type, n *source.Node) *diag.Diagnostic {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == source.Null || l.seen[visit{t, n}] {
		return nil
	}
	l.seen[visit{t, n}] = true
	if kinds[t] != "" && reference.Is(n) {
		return l.referred(t, n)
	}
	switch {
	case kinds[t] != "" && len(layoutOf(l.layouts, t).wrapped) > 0:
		return l.value(t.Field(layoutOf(l.layouts, t).wrapped[0]).Type, n)
	case n.Kind == source.Map && inner[t] != nil:
		return l.value(inner[t], n)
	case n.Kind == source.Map && l.members(t) != nil:
		return l.each(n, l.members(t))
	case n.Kind == source.Seq && t.Kind() == reflect.Slice:
		for _, it := range n.Items {
			if d := l.value(t.Elem(), it); d != nil {
				return d
			}
		}
		return nil
	}
	return refused(t, n)
}

// members returns a function that returns the types of the members of an object that is read as a
// type, nil for a member that may be any value. It returns nil for a type of no objects.
func (l *locator) members(t reflect.Type) func(name string) reflect.Type {
	switch {
	case named[t] != nil:
		return func(name string) reflect.Type {
			if strings.HasPrefix(name, "x-") {
				return nil
			}
			return named[t]
		}
	case t.Kind() == reflect.Map:
		return func(string) reflect.Type { return t.Elem() }
	case t.Kind() == reflect.Struct && len(layoutOf(l.layouts, t).fields) > 0:
		return func(name string) reflect.Type {
			for _, f := range layoutOf(l.layouts, t).fields {
				if strings.EqualFold(f.name, name) {
					return t.Field(f.index).Type
				}
			}
			return nil
		}
	}
	return nil
}

func (l *locator) each(n *source.Node, typeOf func(name string) reflect.Type) *diag.Diagnostic {
	for _, p := range n.Pairs {
		if t := typeOf(p.Key.Value); t != nil {
			if d := l.value(t, p.Value); d != nil {
				return d
			}
		}
	}
	return nil
}

// referred returns the first fault of a reference or of what it leads to.
func (l *locator) referred(t reflect.Type, n *source.Node) *diag.Diagnostic {
	ref := n.Get("$ref")
	if steps := component(ref.Value); steps != nil && steps[1] != kinds[t] {
		return &diag.Diagnostic{Pos: ref.Pos, Severity: diag.Error, Message: fmt.Sprintf("$ref %q leads to one of %s, where one of %s is expected", ref.Value, steps[1], kinds[t])}
	}
	known := len(l.reader.Diags)
	target := l.reader.Deref(n)
	if target != nil {
		return l.value(t, target)
	}
	for _, d := range l.reader.Diags[known:] {
		if d.Severity == diag.Error {
			if strings.HasSuffix(d.Message, " is remote") {
				d.Hint = "keep a copy in a file, and refer to that"
			}
			return &d
		}
	}
	return nil
}

// refused returns the fault of a value that the library does not read as a type, or nil.
func refused(t reflect.Type, n *source.Node) *diag.Diagnostic {
	err := json.Unmarshal(n.JSON(), reflect.New(t).Interface())
	if err == nil {
		return nil
	}
	d := &diag.Diagnostic{Pos: n.Pos, Severity: diag.Error, Message: fmt.Sprintf("%s stands where %s is expected", n.Kind, expected(t))}
	switch {
	case (n.Kind == source.Int || n.Kind == source.Float) && expected(t) == "a number":
		d.Message = fmt.Sprintf("%s is not a number of the kind that is expected here", n.Value)
	case t.Kind() == reflect.String && n.Kind != source.Map && n.Kind != source.Seq:
		d.Hint = "put it in quotes"
	}
	return d
}

// expected returns what values of a type are, in words.
func expected(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[openapi3.Types]():
		return "a type or a list of types"
	case reflect.TypeFor[openapi3.BoolSchema]():
		return "a schema or a boolean"
	case reflect.TypeFor[openapi3.ExclusiveBound]():
		return "a number or a boolean"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a number"
}
