package drawtest

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Change changes one random part of a Go value behind a pointer, in most cases so that it no longer
// conforms to its schema.
func Change(r *rand.Rand, v any) {
	var parts []reflect.Value
	collect(reflect.ValueOf(v).Elem(), &parts, 0)
	if len(parts) > 0 {
		change(r, parts[r.IntN(len(parts))])
	}
}

var instants = []time.Time{{}, time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 100*3600)), time.Date(2026, 1, 1, 0, 0, 0, 7, time.FixedZone("", 61))}

// collect lists the parts of a value that can be set.
func collect(v reflect.Value, parts *[]reflect.Value, depth int) {
	if depth > 20 {
		return
	}
	if v.CanSet() {
		*parts = append(*parts, v)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Pointer && !v.IsNil() || v.Kind() == reflect.Interface && v.Elem().Kind() == reflect.Pointer && !v.Elem().IsNil() {
			to := v.Elem()
			if v.Kind() == reflect.Interface {
				to = to.Elem()
			}
			collect(to, parts, depth+1)
		}
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			for i := range v.NumField() {
				collect(v.Field(i), parts, depth+1)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), parts, depth+1)
		}
	}
}

func change(r *rand.Rand, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(instants[r.IntN(len(instants))]))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		all := []int64{0, 1, -1, 2, 3, 7, 99, 100, 101, 151, math.MinInt32, math.MaxInt32}
		v.SetInt(all[r.IntN(len(all))])
	case reflect.Uint:
		v.SetUint(r.Uint64N(5))
	case reflect.Float64:
		all := []float64{0, -1, 0.5, 0.005, 1e21, 100, 100.01, 0.1 + 0.2, math.Inf(1), math.Nextafter(1, 2), 1e-9}
		v.SetFloat(all[r.IntN(len(all))])
	case reflect.String:
		all := []string{"", "a", "é", "ééé", "AB1", "a\xffb", "a \"quoted\" text that is longer than most limits", strings.Repeat("é", 30), "12:30:00Z", "P1D", "a@b.org", "x-a"}
		v.SetString(all[r.IntN(len(all))])
	case reflect.Slice:
		changeSlice(r, v)
	case reflect.Map:
		changeMap(r, v)
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			return
		}
		v.SetZero()
	case reflect.Interface:
		if v.IsNil() || v.Elem().Kind() == reflect.Pointer || r.IntN(2) == 0 {
			v.SetZero()
			return
		}
		v.Set(changed(r, v.Elem()))
	}
}

// changed returns a copy of a value with one change.
func changed(r *rand.Rand, v reflect.Value) reflect.Value {
	to := reflect.New(v.Type())
	to.Elem().Set(v)
	Change(r, to.Interface())
	return to.Elem()
}

// changeSlice empties a list, repeats its first item or adds a zero item.
func changeSlice(r *rand.Rand, v reflect.Value) {
	switch r.IntN(3) {
	case 0:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	case 1:
		if v.Len() > 0 {
			v.Set(reflect.Append(v, v.Index(0)))
		}
	default:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	}
}

// changeMap removes a member, changes its value, or adds another one with the same value or a zero
// value.
func changeMap(r *rand.Rand, v reflect.Value) {
	all := []string{"a", "x-a", "id", "kind", "name", "n1", "a\"b", "a\xff", "added"}
	names := v.MapKeys()
	slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	if len(names) == 0 {
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(all[r.IntN(len(all))]), reflect.Zero(v.Type().Elem()))
		return
	}
	name := names[r.IntN(len(names))]
	switch r.IntN(5) {
	case 0:
		v.SetMapIndex(name, reflect.Value{})
	case 1:
		v.SetMapIndex(reflect.ValueOf(all[r.IntN(len(all))]), v.MapIndex(name))
	case 2:
		v.SetMapIndex(reflect.ValueOf(all[r.IntN(len(all))]), reflect.Zero(v.Type().Elem()))
	default:
		v.SetMapIndex(name, changed(r, v.MapIndex(name)))
	}
}
