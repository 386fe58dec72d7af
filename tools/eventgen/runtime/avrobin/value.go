package avrobin

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Type describes the schema of a generated type.
type Type struct {
	Name        string // Avro full name; "" for a payload that is not a named type
	Schema      string // self-contained, as it is registered
	Fingerprint uint64 // CRC-64-AVRO of the canonical form
	Former      []Former
}

// Former is a former version of the schema of a type. Package resolve reads values that were
// written with it.
type Former struct {
	Fingerprint uint64
	Schema      string // self-contained
}

// Version returns the former version that has the fingerprint, or nil.
func (t *Type) Version(fingerprint uint64) *Former {
	for i := range t.Former {
		if t.Former[i].Fingerprint == fingerprint {
			return &t.Former[i]
		}
	}
	return nil
}

// Value is a generated record, or the wrapper of a payload that is not a named type.
type Value interface {
	WriteAvro(w *Writer, b []byte) []byte
	ReadAvro(r *Reader, p int) int
	DecodeAvro(body []byte) error
	AvroType() *Type
}

// Encode returns the body of v, without framing, in one allocation.
func Encode(v Value) ([]byte, error) { return encode(nil, v) }

// Decode decodes body, which must hold one value and nothing else, into v.
func Decode(body []byte, v Value) error { return v.DecodeAvro(body) }

// ErrFraming is wrapped by the errors of CutSingleObject and CutConfluent: the bytes do not begin
// with the header of the framing.
var ErrFraming = errors.New("not framed as expected")

const (
	singleObjectHeader = 10
	confluentHeader    = 5
)

// AppendSingleObjectHeader appends the ten bytes of Avro's single-object encoding: C3 01 and the
// fingerprint, little endian.
func AppendSingleObjectHeader(dst []byte, fingerprint uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, 0xC3, 0x01), fingerprint)
}

// EncodeSingleObject returns v in Avro's single-object encoding, in one allocation.
func EncodeSingleObject(v Value) ([]byte, error) {
	var header [singleObjectHeader]byte
	return encode(AppendSingleObjectHeader(header[:0], v.AvroType().Fingerprint), v)
}

// CutSingleObject separates the fingerprint of the writer's schema from the body.
func CutSingleObject(data []byte) (fingerprint uint64, body []byte, err error) {
	if len(data) < singleObjectHeader || data[0] != 0xC3 || data[1] != 0x01 {
		return 0, nil, fmt.Errorf("%w: no single-object header (C3 01 and 8 bytes) in % X", ErrFraming, data[:min(len(data), 2)])
	}
	return binary.LittleEndian.Uint64(data[2:]), data[singleObjectHeader:], nil
}

// AppendConfluentHeader appends the five bytes of Confluent's wire format: 0 and the schema id, big
// endian.
func AppendConfluentHeader(dst []byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), id)
}

// EncodeConfluent returns v in Confluent's wire format under a registry's schema id, in one
// allocation.
func EncodeConfluent(id uint32, v Value) ([]byte, error) {
	var header [confluentHeader]byte
	return encode(AppendConfluentHeader(header[:0], id), v)
}

// CutConfluent separates the schema id from the body.
func CutConfluent(data []byte) (id uint32, body []byte, err error) {
	if len(data) < confluentHeader || data[0] != 0 {
		return 0, nil, fmt.Errorf("%w: no Confluent header (0 and 4 bytes) in % X", ErrFraming, data[:min(len(data), 2)])
	}
	return binary.BigEndian.Uint32(data[1:]), data[confluentHeader:], nil
}
