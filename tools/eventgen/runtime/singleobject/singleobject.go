// Package singleobject writes and reads values in Avro's single-object encoding: C3 01, the
// fingerprint of the schema, the value. The fingerprint tells which of several messages a value is,
// without a registry.
//
// Generated code imports it for channels that are no business of a message router.
package singleobject

import (
	"errors"
	"fmt"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/resolve"
)

// Value is a generated Avro record.
type Value interface {
	avrobin.Value
	Validate() error
}

// ErrUnknown says that a fingerprint is that of none of a channel's messages.
var ErrUnknown = errors.New("not a message of this channel")

// Encode gives a value with its fingerprint, unless it may not be written.
func Encode(v Value) ([]byte, error) {
	if err := v.Validate(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", v.AvroType().Name, err)
	}
	return avrobin.EncodeSingleObject(v)
}

// Fingerprint gives the fingerprint in front of a value.
func Fingerprint(b []byte) (uint64, error) {
	fp, _, err := avrobin.CutSingleObject(b)
	return fp, err
}

// Unknown is the error for a fingerprint that no message of a channel has.
func Unknown(fingerprint uint64) error {
	return fmt.Errorf("%w: schema fingerprint %016x", ErrUnknown, fingerprint)
}

// UnknownType returns the error for a message whose type is not one of a channel's messages.
func UnknownType(m any) error {
	return fmt.Errorf("%w: %T", ErrUnknown, m)
}

// Decode reads a value that was written with v's schema, or with one of its former versions, into
// v. The error wraps ErrUnknown if it was written with another schema.
func Decode(b []byte, v Value) error {
	t := v.AvroType()
	fp, body, err := avrobin.CutSingleObject(b)
	if err == nil {
		err = resolve.Decode(fp, body, v)
	}
	if errors.Is(err, resolve.ErrVersion) {
		err = Unknown(fp)
	}
	if err != nil {
		return fmt.Errorf("decode %s: %w", t.Name, err)
	}
	return nil
}
