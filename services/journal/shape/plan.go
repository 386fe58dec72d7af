package shape

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// plan is how the values of one type are encoded. append and decode are given where a value lies.
// check reads an encoding as decode does, and makes no value of it.
type plan struct {
	typ    reflect.Type
	append func(dst []byte, at unsafe.Pointer) ([]byte, error)
	decode func(r *reader, at unsafe.Pointer) error
	check  func(r *reader) error
}

// builder makes plans.
type builder struct {
	held  []reflect.Type // what interfaces may hold, in order
	plans map[reflect.Type]*plan
}

// newBuilder returns a builder for interfaces that hold the types of these values.
func newBuilder(held []any) (*builder, error) {
	b := &builder{plans: map[reflect.Type]*plan{}}
	for _, v := range held {
		if v == nil {
			return nil, fmt.Errorf("nil is of no type that an interface may hold")
		}
		b.held = append(b.held, reflect.TypeOf(v))
	}
	slices.SortFunc(b.held, func(a, b reflect.Type) int { return cmp.Compare(name(a), name(b)) })
	b.held = slices.Compact(b.held)
	return b, nil
}

// name returns the full name of a type.
func name(t reflect.Type) string {
	if t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}

// plan returns the plan of a type. A type that refers to itself finds the plan that is being made.
func (b *builder) plan(t reflect.Type) (*plan, error) {
	if p := b.plans[t]; p != nil {
		return p, nil
	}
	p := &plan{typ: t}
	b.plans[t] = p
	err := b.fill(p)
	return p, err
}

var timeType = reflect.TypeFor[time.Time]()

func (b *builder) fill(p *plan) error {
	t := p.typ
	if t == timeType {
		p.append, p.decode, p.check = appendTime, decodeTime, checkTime
		return nil
	}
	switch t.Kind() {
	case reflect.Bool:
		p.append, p.decode, p.check = appendBool, decodeBool, checkBool
	case reflect.String:
		p.append, p.decode, p.check = appendText, decodeText, checkText
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.append, p.decode = signed(t)
		p.check = checkSigned(t)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.append, p.decode = unsigned(t)
		p.check = checkUnsigned(t)
	case reflect.Float64:
		p.append, p.decode, p.check = appendFloat, decodeFloat, checkFloat
	case reflect.Struct:
		return b.structure(p)
	case reflect.Array:
		return b.array(p)
	case reflect.Slice:
		return b.slice(p)
	case reflect.Map:
		return b.mapping(p)
	case reflect.Pointer:
		return b.pointer(p)
	case reflect.Interface:
		return b.dynamic(p)
	default:
		return fmt.Errorf("a %s cannot be encoded", t)
	}
	return nil
}

// describe returns what a type and those that it holds are made of.
func (b *builder) describe(t reflect.Type) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", name(t))
	for _, h := range b.held {
		fmt.Fprintf(&text, "interfaces hold %s\n", name(h))
	}
	types := make([]reflect.Type, 0, len(b.plans))
	for known := range b.plans {
		types = append(types, known)
	}
	slices.SortFunc(types, func(a, b reflect.Type) int { return cmp.Compare(name(a)+"\x00"+a.String(), name(b)+"\x00"+b.String()) })
	for _, known := range types {
		fmt.Fprintf(&text, "%s is %s", name(known), known.Kind())
		switch known.Kind() {
		case reflect.Struct:
			for i := range known.NumField() {
				fmt.Fprintf(&text, " %s:%s", known.Field(i).Name, name(known.Field(i).Type))
			}
		case reflect.Array:
			fmt.Fprintf(&text, " %d %s", known.Len(), name(known.Elem()))
		case reflect.Slice, reflect.Pointer:
			fmt.Fprintf(&text, " %s", name(known.Elem()))
		case reflect.Map:
			fmt.Fprintf(&text, " %s %s", name(known.Key()), name(known.Elem()))
		}
		text.WriteByte('\n')
	}
	return text.String()
}
