// Package singleobject writes and reads values in Avro's single-object encoding: C3 01, the
// fingerprint of the schema, the value. The fingerprint identifies one of several messages without
// a registry.
//
// Generated code imports it for channels without operations.
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

// ErrUnknown is wrapped by the error for a fingerprint that no message of a channel has.
var ErrUnknown = errors.New("not a message of this channel")

// Encode returns the single-object encoding of a value. An error is returned if the value is not
// valid.
func Encode(v Value) ([]byte, error) {
	if err := v.Validate(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", v.AvroType().Name, err)
	}
	return avrobin.EncodeSingleObject(v)
}

// Fingerprint returns the fingerprint at the beginning of an encoded value.
func Fingerprint(b []byte) (uint64, error) {
	fp, _, err := avrobin.CutSingleObject(b)
	return fp, err
}

// Unknown returns the error for a fingerprint that no message of a channel has.
func Unknown(fingerprint uint64) error {
	return fmt.Errorf("%w: schema fingerprint %016x", ErrUnknown, fingerprint)
}

// UnknownType returns the error for a message whose type is not one of a channel's messages.
func UnknownType(m any) error {
	return fmt.Errorf("%w: %T", ErrUnknown, m)
}

// Decode decodes a value that was written with v's schema, or with a former version of it, into v.
// The error wraps ErrUnknown if it was written with another schema.
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
