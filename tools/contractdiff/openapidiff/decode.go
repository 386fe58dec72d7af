package openapidiff

import (
	"encoding"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/load"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// The library decodes each object of a document twice, once into its fields and once for the
// members that are no fields, and every level of nesting again inside the one above. A decoder
// reads a tree once. It takes only what it is sure to read as the library does; anything else is an
// error, and the library reads the document itself.

// decoder makes values of the library from trees.
type decoder struct{ layouts map[reflect.Type]*layout }

// errLeft is the error for what the library has to read itself.
var errLeft = errors.New("this is left to the library")

// decode returns the document of a tree. Its references are resolved, and it has no positions.
func decode(loader *openapi3.Loader, root *source.Node, file string, layouts map[reflect.Type]*layout) (*load.SpecInfo, error) {
	location := &url.URL{Path: file}
	doc, err := loader.LoadFromDataWithPath([]byte("{}"), location) // it knows the location
	if err != nil {
		return nil, err
	}
	d := decoder{layouts}
	if err := d.object(reflect.ValueOf(doc).Elem(), root); err != nil {
		return nil, err
	}
	if err := loader.ResolveRefsIn(doc, location); err != nil {
		return nil, err
	}
	out := &load.SpecInfo{Url: file, Spec: doc}
	if doc.Info != nil {
		out.Version = doc.Info.Version
	}
	return out, nil
}

// objects are the types whose fields are the members of an object, with Extensions for the others.
var objects = map[reflect.Type]bool{
	reflect.TypeFor[openapi3.T]():           true,
	reflect.TypeFor[openapi3.Components]():  true,
	reflect.TypeFor[openapi3.PathItem]():    true,
	reflect.TypeFor[openapi3.Operation]():   true,
	reflect.TypeFor[openapi3.Parameter]():   true,
	reflect.TypeFor[openapi3.RequestBody](): true,
	reflect.TypeFor[openapi3.Response]():    true,
	reflect.TypeFor[openapi3.MediaType]():   true,
	reflect.TypeFor[openapi3.Example]():     true,
	reflect.TypeFor[openapi3.Schema]():      true,
}

// references are the types that have a $ref or a value.
var references = map[reflect.Type]bool{
	reflect.TypeFor[openapi3.ParameterRef]():   true,
	reflect.TypeFor[openapi3.RequestBodyRef](): true,
	reflect.TypeFor[openapi3.ResponseRef]():    true,
	reflect.TypeFor[openapi3.HeaderRef]():      true,
	reflect.TypeFor[openapi3.ExampleRef]():     true,
	reflect.TypeFor[openapi3.SchemaRef]():      true,
}

var unmarshaler, text = reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()

// value sets a value, which is zero, to what a node is.
func (d decoder) value(v reflect.Value, n *source.Node) error {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		if n.Kind == source.Null {
			return nil
		}
		v.Set(reflect.New(t.Elem()))
		return d.value(v.Elem(), n)
	}
	switch at := v.Addr().Interface().(type) {
	case *openapi3.Paths:
		return d.paths(at, n)
	case *openapi3.Responses:
		return d.responses(at, n)
	case *openapi3.Header:
		return d.value(v.FieldByName("Parameter"), n)
	case *openapi3.Types:
		if n.Kind == source.String {
			*at = openapi3.Types{n.Value}
			return nil
		}
	case *openapi3.BoolSchema:
		if len(n.Pairs) > 0 {
			return d.value(reflect.ValueOf(at).Elem().FieldByName("Schema"), n)
		}
	}
	switch {
	case objects[t] && n.Kind == source.Map:
		return d.object(v, n)
	case references[t] && n.Kind == source.Map && n.Get("$ref") == nil:
		return d.value(v.FieldByName("Value"), n)
	case reflect.PointerTo(t).Implements(unmarshaler):
		return left(v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(n.JSON()))
	case reflect.PointerTo(t).Implements(text), t.Kind() == reflect.Struct:
		return left(json.Unmarshal(n.JSON(), v.Addr().Interface()))
	}
	return d.plain(v, n)
}

// left leaves what cannot be read to the library.
func left(err error) error {
	if err == nil {
		return nil
	}
	return errLeft
}

// plain sets a scalar, a list, a map or any value.
func (d decoder) plain(v reflect.Value, n *source.Node) error {
	number := n.Kind == source.Int || n.Kind == source.Float
	switch kind := v.Kind(); {
	case n.Kind == source.Null:
		return nil
	case kind == reflect.Interface && v.NumMethod() == 0:
		x, err := anything(n)
		if err == nil {
			v.Set(reflect.ValueOf(x))
		}
		return err
	case kind == reflect.String && n.Kind == source.String:
		v.SetString(n.Value)
	case kind == reflect.Bool && n.Kind == source.Bool:
		v.SetBool(n.Value == "true")
	case kind == reflect.Float64 && number:
		x, err := strconv.ParseFloat(n.Value, 64)
		v.SetFloat(x)
		return left(err)
	case kind == reflect.Uint64 && number:
		x, err := strconv.ParseUint(n.Value, 10, 64)
		v.SetUint(x)
		return left(err)
	case kind == reflect.Slice && n.Kind == source.Seq:
		v.Set(reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items)))
		for i, it := range n.Items {
			if err := d.value(v.Index(i), it); err != nil {
				return err
			}
		}
	case kind == reflect.Map && n.Kind == source.Map && v.Type().Key().Kind() == reflect.String:
		return d.members(v, n)
	default:
		return errLeft
	}
	return nil
}

func (d decoder) members(v reflect.Value, n *source.Node) error {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Pairs)))
	for _, p := range n.Pairs {
		element := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(element, p.Value); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(p.Key.Value).Convert(v.Type().Key()), element)
	}
	return nil
}

// object sets the fields of a struct, and its Extensions to the members that are no fields.
func (d decoder) object(v reflect.Value, n *source.Node) error {
	l := layoutOf(d.layouts, v.Type())
	var more map[string]any
	for _, p := range n.Pairs {
		i, known := l.index[p.Key.Value]
		if !known {
			if l.folded[strings.ToLower(p.Key.Value)] {
				return errLeft // encoding/json takes it for the field
			}
			x, err := anything(p.Value)
			if err != nil {
				return err
			}
			if more == nil {
				more = map[string]any{}
			}
			more[p.Key.Value] = x
			continue
		}
		if p.Key.Value == "responses" && p.Value.Kind == source.Null {
			return errLeft // the library remembers it
		}
		if err := d.value(v.Field(i), p.Value); err != nil {
			return err
		}
	}
	if more != nil {
		v.FieldByName("Extensions").Set(reflect.ValueOf(more))
	}
	return nil
}

func (d decoder) paths(to *openapi3.Paths, n *source.Node) error {
	if n.Kind != source.Map {
		return errLeft
	}
	*to = *openapi3.NewPathsWithCapacity(len(n.Pairs))
	to.Extensions = map[string]any{}
	for _, p := range n.Pairs {
		if strings.HasPrefix(p.Key.Value, "x-") {
			x, err := anything(p.Value)
			if err != nil {
				return err
			}
			to.Extensions[p.Key.Value] = x
			continue
		}
		item := &openapi3.PathItem{}
		if p.Value.Kind != source.Map {
			return errLeft
		}
		if err := d.object(reflect.ValueOf(item).Elem(), p.Value); err != nil {
			return err
		}
		to.Set(p.Key.Value, item)
	}
	return nil
}

func (d decoder) responses(to *openapi3.Responses, n *source.Node) error {
	if n.Kind != source.Map {
		return errLeft
	}
	*to = *openapi3.NewResponsesWithCapacity(len(n.Pairs))
	to.Extensions = map[string]any{}
	for _, p := range n.Pairs {
		if strings.HasPrefix(p.Key.Value, "x-") {
			x, err := anything(p.Value)
			if err != nil {
				return err
			}
			to.Extensions[p.Key.Value] = x
			continue
		}
		ref := &openapi3.ResponseRef{}
		if err := d.value(reflect.ValueOf(ref).Elem(), p.Value); err != nil {
			return err
		}
		to.Set(p.Key.Value, ref)
	}
	return nil
}

// anything returns a value as encoding/json decodes it into an interface.
func anything(n *source.Node) (any, error) {
	switch n.Kind {
	case source.Null:
		return nil, nil
	case source.Bool:
		return n.Value == "true", nil
	case source.String:
		return n.Value, nil
	case source.Seq:
		out := make([]any, len(n.Items))
		for i, it := range n.Items {
			x, err := anything(it)
			if err != nil {
				return nil, err
			}
			out[i] = x
		}
		return out, nil
	case source.Map:
		out := make(map[string]any, len(n.Pairs))
		for _, p := range n.Pairs {
			x, err := anything(p.Value)
			if err != nil {
				return nil, err
			}
			out[p.Key.Value] = x
		}
		return out, nil
	}
	x, err := strconv.ParseFloat(n.Value, 64)
	return x, left(err)
}
