// Package shape encodes values of Go types that have no schema of their own, such as the states of
// a service, by what their types hold: every field, exported or not. A value may be anything but a
// function, a channel, or something that contains itself. Values that share memory do not share it
// any more after decoding.
//
// The encoding has no names in it, so it can only be read by the same types: Codec.Shape describes
// them, and whoever keeps an encoding keeps that too, and compares it. It is for what can be made
// again from its source, such as the snapshot of a log, and not for what has to be read for years.
//
// Programs that take snapshots of a journal import this package.
package shape

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// Codec encodes values of one type. Its methods may be called at the same time.
type Codec[T any] struct {
	plan  *plan
	shape string
	texts sync.Pool // of *texts
}

// Of returns the codec of a type. An interface in it may hold the types of the values given, and no
// other. An error is returned if the type holds something that cannot be encoded.
func Of[T any](held ...any) (*Codec[T], error) {
	b, err := newBuilder(held)
	if err != nil {
		return nil, err
	}
	t := reflect.TypeFor[T]()
	p, err := b.plan(t)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", t, err)
	}
	c := &Codec[T]{plan: p, shape: b.describe(t)}
	c.texts.New = func() any { return new(texts) }
	return c, nil
}

// Shape describes the types that are encoded, with those that interfaces hold. It changes if a
// field is added, removed, renamed or moved, or has another type.
func (c *Codec[T]) Shape() string { return c.shape }

// Append appends the encoding of a value. An error is returned if an interface holds a type that
// the codec does not know, or if a time is not in UTC.
func (c *Codec[T]) Append(dst []byte, v T) ([]byte, error) {
	return c.plan.append(dst, unsafe.Pointer(&v))
}

// Decode returns the value that data encodes. An error is returned if data is anything else than
// one whole encoding.
func (c *Codec[T]) Decode(data []byte) (v T, err error) {
	known := c.texts.Get().(*texts)
	defer c.texts.Put(known)
	r := reader{data: data, known: known}
	if err := c.plan.decode(&r, unsafe.Pointer(&v)); err != nil {
		return v, err
	}
	if len(r.data) > 0 {
		return v, errMore
	}
	return v, nil
}

// Check returns an error if Decode returns one. It takes less time, because it makes no value.
func (c *Codec[T]) Check(data []byte) error {
	r := reader{data: data}
	if err := c.plan.check(&r); err != nil {
		return err
	}
	if len(r.data) > 0 {
		return errMore
	}
	return nil
}

var errMore = errors.New("there is more than one value")
