// Package wire frames payloads: it puts in front of them, and reads back, what tells a reader which schema they were written with.
//
// Generated code and runtime/bus import it; it knows neither Kafka nor registries.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ConfluentHeader is the length of the Confluent wire format's header: a zero byte and the schema's id in the registry.
const ConfluentHeader = 5

// SingleObjectHeader is the length of the header of Avro's single-object encoding: C3 01 and the schema's fingerprint.
const SingleObjectHeader = 10

// ErrFraming says that bytes do not begin as the framing asks.
var ErrFraming = errors.New("wrong framing")

// AppendConfluent appends the Confluent header for a schema id.
func AppendConfluent(b []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(b, 0), uint32(id))
}

// SplitConfluent gives the schema id and what follows the header.
func SplitConfluent(b []byte) (id int, body []byte, err error) {
	if len(b) < ConfluentHeader {
		return 0, nil, fmt.Errorf("%w: %d bytes are too few for the Confluent wire format", ErrFraming, len(b))
	}
	if b[0] != 0 {
		return 0, nil, fmt.Errorf("%w: the Confluent wire format begins with 0, not with %#02x", ErrFraming, b[0])
	}
	return int(binary.BigEndian.Uint32(b[1:])), b[ConfluentHeader:], nil
}

// AppendSingleObject appends the single-object header for a schema's CRC-64-AVRO fingerprint.
func AppendSingleObject(b []byte, fingerprint uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, 0xC3, 0x01), fingerprint)
}

// SplitSingleObject gives the fingerprint and what follows the header.
func SplitSingleObject(b []byte) (fingerprint uint64, body []byte, err error) {
	if len(b) < SingleObjectHeader {
		return 0, nil, fmt.Errorf("%w: %d bytes are too few for Avro's single-object encoding", ErrFraming, len(b))
	}
	if b[0] != 0xC3 || b[1] != 0x01 {
		return 0, nil, fmt.Errorf("%w: Avro's single-object encoding begins with c3 01, not with %02x %02x", ErrFraming, b[0], b[1])
	}
	return binary.LittleEndian.Uint64(b[2:]), b[SingleObjectHeader:], nil
}
