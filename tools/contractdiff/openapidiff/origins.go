package openapidiff

import (
	"reflect"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// The library of oasdiff reads YAML twice, as a tree with positions and as JSON, which takes most
// of the time of a comparison. A document is parsed anyway for the pointers of findings, so that it
// is read from that tree, and the positions are set from it here, as the library sets them.

// plain reports whether a document can be read from its tree: every $ref leads to one of its
// components, and it has no YAML aliases. The library reads the others itself.
func plain(n *source.Node, seen map[*source.Node]bool) bool {
	if n.Is(source.Map) || n.Is(source.Seq) {
		if seen[n] {
			return false
		}
		seen[n] = true
	}
	if ref := n.Get("$ref"); ref.Is(source.String) && component(ref.Value) == nil {
		return false
	}
	for i := range n.Pairs {
		if !plain(n.Pairs[i].Value, seen) {
			return false
		}
	}
	return !slices.ContainsFunc(n.Items, func(it *source.Node) bool { return !plain(it, seen) })
}

// component returns the steps to the component of a reference, nil if it leads elsewhere.
func component(ref string) []string {
	steps := strings.Split(ref, "/")
	if len(steps) != 4 || steps[0] != "#" || steps[1] != "components" || steps[2] == "pathItems" {
		return nil
	}
	return []string{steps[1], steps[2], source.Unescape(steps[3])}
}

var origin = reflect.TypeFor[*openapi3.Origin]()

// origins sets the positions of a document.
type origins struct {
	file    string
	root    *source.Node
	layouts map[reflect.Type]*layout
}

func (o origins) value(v reflect.Value, key source.Pair) {
	var pointer reflect.Value
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		if v.Kind() == reflect.Pointer {
			pointer = v
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		o.structure(v, pointer, key)
	case reflect.Map:
		o.members(v, key.Value)
	case reflect.Slice:
		for i := range min(v.Len(), len(key.Value.Items)) {
			if it := key.Value.Items[i]; len(it.Pairs) > 0 { // it is known by its first member
				o.value(v.Index(i), source.Pair{Key: it.Pairs[0].Key, Value: it})
			}
		}
	}
}

// field is a field of a struct with its name in JSON.
type field struct {
	index int
	name  string
}

// layout is what is known of a type of struct.
type layout struct {
	fields  []field
	index   map[string]int  // of the fields, by their names in JSON
	folded  map[string]bool // the names in lower case
	origin  []int           // index of Origin, nil if it has none
	wrapped []int           // fields that stand for the struct itself
	ref     int             // index of Ref, -1 if it has none
	mapped  bool            // it has a method Map
}

// layoutOf returns the layout of a type, which is the same for every document.
func layoutOf(known map[reflect.Type]*layout, t reflect.Type) *layout {
	if l := known[t]; l != nil {
		return l
	}
	l := &layout{ref: -1, index: map[string]int{}, folded: map[string]bool{}}
	known[t] = l
	if f, ok := t.FieldByName("Origin"); ok && f.Type == origin && f.Tag.Get("json") == "-" {
		l.origin = f.Index
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported():
		case f.Name == "Ref" && f.Type.Kind() == reflect.String:
			l.ref = i
		case tag == "" && (f.Name == "Value" || f.Name == "Schema") && f.Type.Kind() == reflect.Pointer:
			l.wrapped = append(l.wrapped, i)
		case tag != "" && tag != "-":
			l.fields = append(l.fields, field{i, tag})
			l.index[tag], l.folded[strings.ToLower(tag)] = i, true
		}
	}
	_, l.mapped = reflect.PointerTo(t).MethodByName("Map")
	return l
}

func (o origins) structure(v, pointer reflect.Value, key source.Pair) {
	l, n := layoutOf(o.layouts, v.Type()), key.Value
	var set *openapi3.Origin
	if l.origin != nil && n.Is(source.Map) && key.Key != nil {
		set = o.of(key)
		v.FieldByIndex(l.origin).Set(reflect.ValueOf(set))
	}
	if l.ref >= 0 && v.Field(l.ref).Len() > 0 {
		o.referred(v, v.Field(l.ref).String())
		return
	}
	for _, f := range l.fields {
		at := pair(n, f.name)
		if at == nil {
			continue
		}
		child := v.Field(f.index)
		if set != nil && scalars(child) && len(at.Value.Pairs) > 0 {
			if set.Sequences == nil {
				set.Sequences = map[string][]openapi3.Location{}
			}
			set.Sequences[f.name] = o.keys(at.Value)
		}
		o.value(child, *at)
	}
	for _, i := range l.wrapped {
		o.value(v.Field(i), key)
	}
	if l.mapped {
		if !pointer.IsValid() {
			pointer = v.Addr()
		}
		if all := pointer.MethodByName("Map").Call(nil); len(all) == 1 {
			o.members(all[0], n)
		}
	}
}

// referred sets the position of what a $ref leads to. It is a copy if the $ref has siblings.
func (o origins) referred(v reflect.Value, ref string) {
	target := v.FieldByName("Value")
	if !target.IsValid() || target.Kind() != reflect.Pointer || target.IsNil() {
		return
	}
	l := layoutOf(o.layouts, target.Type().Elem())
	at := &source.Pair{Value: o.root}
	for range 32 {
		for _, step := range component(ref) {
			if at = pair(at.Value, step); at == nil {
				return
			}
		}
		if ref = at.Value.Get("$ref").Str(); ref == "" {
			break
		}
		at = &source.Pair{Value: o.root}
	}
	if l.origin != nil && at.Key != nil && target.Elem().FieldByIndex(l.origin).IsNil() {
		target.Elem().FieldByIndex(l.origin).Set(reflect.ValueOf(o.of(*at)))
	}
}

func pair(n *source.Node, name string) *source.Pair {
	for i := range n.Pairs {
		if n.Pairs[i].Key.Value == name {
			return &n.Pairs[i]
		}
	}
	return nil
}

// scalars reports whether a value is a map of scalars, which has no position of its own.
func scalars(v reflect.Value) bool {
	if v.Kind() != reflect.Map || v.Len() == 0 {
		return false
	}
	kind := v.Type().Elem().Kind()
	return kind == reflect.String || kind >= reflect.Bool && kind <= reflect.Float64 && kind != reflect.Uintptr
}

func (o origins) members(v reflect.Value, n *source.Node) {
	if v.Kind() != reflect.Map {
		return
	}
	for i := range n.Pairs {
		p := n.Pairs[i]
		element := v.MapIndex(reflect.ValueOf(p.Key.Value).Convert(v.Type().Key()))
		switch {
		case !element.IsValid():
		case element.Kind() == reflect.Struct:
			changed := reflect.New(element.Type()).Elem()
			changed.Set(element)
			o.structure(changed, reflect.Value{}, p)
			v.SetMapIndex(reflect.ValueOf(p.Key.Value).Convert(v.Type().Key()), changed)
		case element.Kind() == reflect.Pointer, element.Kind() == reflect.Interface:
			o.value(element, p)
		}
	}
}

func (o origins) at(n *source.Node) openapi3.Location {
	return openapi3.Location{File: o.file, Line: n.Pos.Line, Column: n.Pos.Col, Name: n.Value}
}

// of returns the position of an object: that of its key and of everything in it.
func (o origins) of(key source.Pair) *openapi3.Origin {
	first := o.at(key.Key)
	out := &openapi3.Origin{Key: &first}
	if n := len(key.Value.Pairs); n > 0 {
		out.Fields = make(openapi3.FieldLocations, 0, n)
	}
	for i := range key.Value.Pairs {
		p := &key.Value.Pairs[i]
		out.Fields = append(out.Fields, o.at(p.Key))
		var items []openapi3.Location
		for _, it := range p.Value.Items {
			if !it.Is(source.Map) && !it.Is(source.Seq) {
				items = append(items, o.at(it))
			}
		}
		if items != nil {
			if out.Sequences == nil {
				out.Sequences = map[string][]openapi3.Location{}
			}
			out.Sequences[p.Key.Value] = items
		}
	}
	return out
}

// keys returns the positions of the members of a map of scalars, in the order of their names.
func (o origins) keys(n *source.Node) []openapi3.Location {
	out := make([]openapi3.Location, 0, len(n.Pairs))
	for i := range n.Pairs {
		out = append(out, o.at(n.Pairs[i].Key))
	}
	slices.SortFunc(out, func(a, b openapi3.Location) int { return strings.Compare(a.Name, b.Name) })
	return out
}
