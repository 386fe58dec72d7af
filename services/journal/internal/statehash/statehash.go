// Package statehash hashes states, so that two readers of a log can be compared. Two values have
// the same hash if they have the same types and the same contents, wherever these lie in memory.
//
// Only package admin and tests import it.
package statehash

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"reflect"
	"slices"
	"time"
	"unsafe"
)

// Size is the number of bytes of a hash.
const Size = sha256.Size

// deepest is how far values may be nested. A value that contains itself is nested for ever.
const deepest = 100

// Of returns the hash of a value. An error is returned if the value holds a function, a channel, or
// itself.
func Of(v any) (sum [Size]byte, err error) {
	w := writer{sha256.New()}
	if err := w.value(reflect.ValueOf(&v).Elem(), 0); err != nil {
		return sum, fmt.Errorf("hash %T: %w", v, err)
	}
	w.Sum(sum[:0])
	return sum, nil
}

type writer struct{ hash.Hash }

func (w writer) number(n uint64) { w.Write(binary.BigEndian.AppendUint64(nil, n)) }

func (w writer) text(s string) {
	w.number(uint64(len(s)))
	w.Write([]byte(s))
}

var timeType = reflect.TypeFor[time.Time]()

// value writes what v is, and what it holds. v is addressable.
func (w writer) value(v reflect.Value, depth int) error {
	if depth > deepest {
		return fmt.Errorf("nested more than %d times", deepest)
	}
	if v.Type() == timeType {
		t := v.Interface().(time.Time)
		w.number(uint64(t.Unix()))
		w.number(uint64(t.Nanosecond()))
		return nil
	}
	switch v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64, reflect.String:
		w.scalar(v)
		return nil
	case reflect.Struct:
		return w.fields(v, depth)
	case reflect.Array, reflect.Slice:
		w.number(uint64(v.Len()))
		for i := range v.Len() {
			if err := w.value(v.Index(i), depth+1); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		return w.entries(v, depth)
	case reflect.Pointer, reflect.Interface:
		return w.pointed(v, depth)
	}
	return fmt.Errorf("a %s has no hash", v.Type())
}

func (w writer) scalar(v reflect.Value) {
	switch {
	case v.Kind() == reflect.Bool && v.Bool():
		w.number(1)
	case v.Kind() == reflect.Bool:
		w.number(0)
	case v.CanInt():
		w.number(uint64(v.Int()))
	case v.CanUint():
		w.number(v.Uint())
	case v.CanFloat():
		w.number(math.Float64bits(v.Float()))
	default:
		w.text(v.String())
	}
}

func (w writer) fields(v reflect.Value, depth int) error {
	w.text(v.Type().String())
	for i := range v.NumField() {
		f := v.Field(i)
		// the fields that are not exported too
		if err := w.value(reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem(), depth+1); err != nil {
			return fmt.Errorf("%s: %w", v.Type().Field(i).Name, err)
		}
	}
	return nil
}

// entries writes the entries of a map in the order of their hashes.
func (w writer) entries(v reflect.Value, depth int) error {
	var sums [][]byte
	for it := v.MapRange(); it.Next(); {
		one := writer{sha256.New()}
		for _, part := range []reflect.Value{it.Key(), it.Value()} {
			if err := one.value(addressable(part), depth+1); err != nil {
				return err
			}
		}
		sums = append(sums, one.Sum(nil))
	}
	slices.SortFunc(sums, slices.Compare)
	w.number(uint64(len(sums)))
	for _, sum := range sums {
		w.Write(sum)
	}
	return nil
}

func (w writer) pointed(v reflect.Value, depth int) error {
	if v.IsNil() {
		w.number(0)
		return nil
	}
	w.number(1)
	if v.Kind() == reflect.Interface {
		w.text(v.Elem().Type().String())
	}
	return w.value(addressable(v.Elem()), depth+1)
}

func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	a := reflect.New(v.Type()).Elem()
	a.Set(v)
	return a
}
