package shape

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"
)

func (b *builder) structure(p *plan) error {
	type field struct {
		at   uintptr
		plan *plan
		name string
	}
	var fields []field
	for i := range p.typ.NumField() {
		f := p.typ.Field(i)
		of, err := b.plan(f.Type)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		fields = append(fields, field{f.Offset, of, f.Name})
	}
	p.append = func(dst []byte, at unsafe.Pointer) ([]byte, error) {
		var err error
		for i := range fields {
			if dst, err = fields[i].plan.append(dst, unsafe.Add(at, fields[i].at)); err != nil {
				return dst, fmt.Errorf("%s: %w", fields[i].name, err)
			}
		}
		return dst, nil
	}
	p.check = func(r *reader) error {
		for i := range fields {
			if err := fields[i].plan.check(r); err != nil {
				return fmt.Errorf("%s: %w", fields[i].name, err)
			}
		}
		return nil
	}
	p.decode = func(r *reader, at unsafe.Pointer) error {
		for i := range fields {
			if err := fields[i].plan.decode(r, unsafe.Add(at, fields[i].at)); err != nil {
				return fmt.Errorf("%s: %w", fields[i].name, err)
			}
		}
		return nil
	}
	return nil
}

// row returns the plan of so many elements, one after the other.
func row(of *plan) (func([]byte, unsafe.Pointer, int) ([]byte, error), func(*reader, unsafe.Pointer, int) error) {
	size := of.typ.Size()
	if of.typ.Kind() == reflect.Uint8 {
		return func(dst []byte, at unsafe.Pointer, n int) ([]byte, error) {
				return append(dst, unsafe.Slice((*byte)(at), n)...), nil
			}, func(r *reader, at unsafe.Pointer, n int) error {
				data, err := r.bytes(uint64(n))
				copy(unsafe.Slice((*byte)(at), n), data)
				return err
			}
	}
	return func(dst []byte, at unsafe.Pointer, n int) (_ []byte, err error) {
			for i := 0; i < n && err == nil; i++ {
				dst, err = of.append(dst, unsafe.Add(at, uintptr(i)*size))
			}
			return dst, err
		}, func(r *reader, at unsafe.Pointer, n int) (err error) {
			for i := 0; i < n && err == nil; i++ {
				err = of.decode(r, unsafe.Add(at, uintptr(i)*size))
			}
			return err
		}
}

// checkRow checks so many elements, one after the other.
func checkRow(r *reader, of *plan, n int) (err error) {
	if of.typ.Kind() == reflect.Uint8 {
		_, err = r.bytes(uint64(n))
		return err
	}
	for i := 0; i < n && err == nil; i++ {
		err = of.check(r)
	}
	return err
}

func (b *builder) array(p *plan) error {
	of, err := b.plan(p.typ.Elem())
	if err != nil {
		return err
	}
	n := p.typ.Len()
	appendRow, decodeRow := row(of)
	p.append = func(dst []byte, at unsafe.Pointer) ([]byte, error) { return appendRow(dst, at, n) }
	p.decode = func(r *reader, at unsafe.Pointer) error { return decodeRow(r, at, n) }
	p.check = func(r *reader) error { return checkRow(r, of, n) }
	return nil
}

func (b *builder) slice(p *plan) error {
	of, err := b.plan(p.typ.Elem())
	if err != nil {
		return err
	}
	appendRow, decodeRow := row(of)
	empty := of.typ.Size() == 0
	p.append = func(dst []byte, at unsafe.Pointer) ([]byte, error) {
		v := reflect.NewAt(p.typ, at).Elem()
		if v.IsNil() {
			return append(dst, 0), nil
		}
		return appendRow(binary.AppendUvarint(dst, uint64(v.Len())+1), v.UnsafePointer(), v.Len())
	}
	p.decode = func(r *reader, at unsafe.Pointer) error {
		n, err := r.length(empty)
		if err != nil || n < 0 {
			return err
		}
		made := reflect.MakeSlice(p.typ, n, n)
		reflect.NewAt(p.typ, at).Elem().Set(made)
		return decodeRow(r, made.UnsafePointer(), n)
	}
	p.check = func(r *reader) error {
		n, err := r.length(empty)
		if err != nil || n < 0 {
			return err
		}
		return checkRow(r, of, n)
	}
	return nil
}

func (b *builder) mapping(p *plan) error {
	key, err := b.plan(p.typ.Key())
	if err != nil {
		return err
	}
	elem, err := b.plan(p.typ.Elem())
	if err != nil {
		return err
	}
	p.append = func(dst []byte, at unsafe.Pointer) ([]byte, error) {
		m := reflect.NewAt(p.typ, at).Elem()
		if m.IsNil() {
			return append(dst, 0), nil
		}
		dst = binary.AppendUvarint(dst, uint64(m.Len())+1)
		k, e := reflect.New(key.typ), reflect.New(elem.typ)
		for it := m.MapRange(); it.Next(); {
			k.Elem().SetIterKey(it)
			e.Elem().SetIterValue(it)
			var err error
			if dst, err = key.append(dst, k.UnsafePointer()); err != nil {
				return dst, err
			}
			if dst, err = elem.append(dst, e.UnsafePointer()); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	p.decode = func(r *reader, at unsafe.Pointer) error {
		n, err := r.length(key.typ.Size() == 0)
		if err != nil || n < 0 {
			return err
		}
		m := reflect.MakeMapWithSize(p.typ, n)
		reflect.NewAt(p.typ, at).Elem().Set(m)
		for range n {
			k, e := reflect.New(key.typ), reflect.New(elem.typ)
			if err := key.decode(r, k.UnsafePointer()); err != nil {
				return err
			}
			if err := elem.decode(r, e.UnsafePointer()); err != nil {
				return err
			}
			m.SetMapIndex(k.Elem(), e.Elem())
		}
		return nil
	}
	p.check = func(r *reader) error {
		n, err := r.length(key.typ.Size() == 0)
		for i := 0; i < n && err == nil; i++ {
			if err = key.check(r); err == nil {
				err = elem.check(r)
			}
		}
		return err
	}
	return nil
}

func (b *builder) pointer(p *plan) error {
	of, err := b.plan(p.typ.Elem())
	if err != nil {
		return err
	}
	p.append = func(dst []byte, at unsafe.Pointer) ([]byte, error) {
		to := *(*unsafe.Pointer)(at)
		if to == nil {
			return append(dst, 0), nil
		}
		return of.append(append(dst, 1), to)
	}
	p.decode = func(r *reader, at unsafe.Pointer) error {
		var set bool
		if err := decodeBool(r, unsafe.Pointer(&set)); err != nil || !set {
			return err
		}
		made := reflect.New(of.typ)
		*(*unsafe.Pointer)(at) = made.UnsafePointer()
		return of.decode(r, made.UnsafePointer())
	}
	p.check = func(r *reader) error {
		set, err := r.bool()
		if err != nil || !set {
			return err
		}
		return of.check(r)
	}
	return nil
}

func (b *builder) dynamic(p *plan) error {
	number := map[reflect.Type]int{}
	var plans []*plan
	for _, t := range b.held {
		if !t.Implements(p.typ) {
			continue
		}
		of, err := b.plan(t)
		if err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		plans = append(plans, of)
		number[t] = len(plans)
	}
	p.append = func(dst []byte, at unsafe.Pointer) ([]byte, error) {
		v := reflect.NewAt(p.typ, at).Elem().Elem()
		if !v.IsValid() {
			return append(dst, 0), nil
		}
		n := number[v.Type()]
		if n == 0 {
			return dst, fmt.Errorf("a %s is not among what a %s may hold", v.Type(), p.typ)
		}
		of := plans[n-1]
		dst = binary.AppendUvarint(dst, uint64(n))
		if of.typ.Size() != unsafe.Sizeof(uintptr(0)) {
			// what is no pointer lies where the second word of the interface points
			return of.append(dst, (*[2]unsafe.Pointer)(at)[1])
		}
		held := reflect.New(of.typ)
		held.Elem().Set(v)
		return of.append(dst, held.UnsafePointer())
	}
	held := func(r *reader) (*plan, error) {
		n, err := r.unsigned()
		if err != nil || n == 0 {
			return nil, err
		}
		if n > uint64(len(plans)) {
			return nil, fmt.Errorf("a %s holds type %d of %d", p.typ, n, len(plans))
		}
		return plans[n-1], nil
	}
	p.check = func(r *reader) error {
		of, err := held(r)
		if err != nil || of == nil {
			return err
		}
		return of.check(r)
	}
	p.decode = func(r *reader, at unsafe.Pointer) error {
		of, err := held(r)
		if err != nil || of == nil {
			return err
		}
		held := reflect.New(of.typ)
		if err := of.decode(r, held.UnsafePointer()); err != nil {
			return err
		}
		reflect.NewAt(p.typ, at).Elem().Set(held.Elem())
		return nil
	}
	return nil
}
