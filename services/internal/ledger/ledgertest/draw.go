// Package ledgertest holds tests that every service's events have to pass, whatever they are. They
// take the events from the methods of the service's Visitor, and draw values of them by reflection,
// so that a new event is tested without an edit. Tests of services import it.
package ledgertest

import (
	"fmt"
	"reflect"
	"time"

	"pgregory.net/rapid"
)

// Events returns the types that an interface has a visiting method for, in the order of their
// names. Each method takes one event.
func Events(visitor reflect.Type) []reflect.Type {
	var out []reflect.Type
	for i := range visitor.NumMethod() {
		out = append(out, visitor.Method(i).Type.In(0))
	}
	return out
}

// Values draws values of any type, all fields included.
type Values map[reflect.Type]func(*rapid.T) any

// Among lets values of the type of the first be drawn among those given.
func (v Values) Among(values ...any) {
	v[reflect.TypeOf(values[0])] = func(t *rapid.T) any { return rapid.SampledFrom(values).Draw(t, "value") }
}

// With lets values of the type T be drawn by a function.
func With[T any](v Values, draw func(*rapid.T) T) {
	v[reflect.TypeFor[T]()] = func(t *rapid.T) any { return draw(t) }
}

// draw returns a value of a type. Strings may be empty, pointers and slices nil, and instants zero
// if unset is true. Integers are those that fit into an Avro int and are not negative.
func (v Values) draw(t *rapid.T, typ reflect.Type, unset bool) reflect.Value {
	if own, ok := v[typ]; ok {
		return reflect.ValueOf(own(t))
	}
	out := reflect.New(typ).Elem()
	if typ == reflect.TypeFor[time.Time]() {
		if !unset || rapid.Bool().Draw(t, "set") {
			out.Set(reflect.ValueOf(time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(t, "micros")).UTC()))
		}
		return out
	}
	switch typ.Kind() {
	case reflect.String:
		out.SetString(rapid.StringMatching(`|[A-Za-zé0-9 -]{1,20}`).Draw(t, "text"))
	case reflect.Bool:
		out.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int32, reflect.Int64:
		out.SetInt(rapid.Int64Range(0, 1<<31-1).Draw(t, "number"))
	case reflect.Uint8:
		out.SetUint(rapid.Uint64Range(0, 255).Draw(t, "byte"))
	case reflect.Struct:
		for i := range typ.NumField() {
			out.Field(i).Set(v.draw(t, typ.Field(i).Type, unset))
		}
	case reflect.Array:
		for i := range typ.Len() {
			out.Index(i).Set(v.draw(t, typ.Elem(), unset))
		}
	case reflect.Slice:
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			out = reflect.Append(out, v.draw(t, typ.Elem(), unset))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "present") {
			out.Set(reflect.New(typ.Elem()))
			out.Elem().Set(v.draw(t, typ.Elem(), unset))
		}
	default:
		panic(fmt.Sprintf("ledgertest: no values of the type %s", typ))
	}
	return out
}
