// Package bus sends and receives typed messages over Watermill. The code that eventgen generates
// from an AsyncAPI document calls it.
//
// A Spec describes one message of one channel. Send encodes, frames and publishes a message.
// Receive adds one operation to a Watermill router. A message is acknowledged when its handler has
// returned nil, when the declared policy allows it to be skipped, or when it is on the dead letter
// topic, and never otherwise.
//
// The package works with any message.Publisher and message.Subscriber. The Kafka key, partition and
// offset are in the message's metadata, under the reserved names of package metadata, which an
// adapter to Kafka translates.
package bus

import (
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/resolve"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// Headers that are added to a dead letter: where it was read and why it is one. Its key, its value
// and its other headers are unchanged, if they fit. A dead letter that would be too large for its
// topic has no value, and DeadLetterSize; if it still is, it has no key and no other header either,
// and DeadLetterKeySize.
const (
	DeadLetterTopic     = "dl_topic"
	DeadLetterPartition = "dl_partition"
	DeadLetterOffset    = "dl_offset"
	DeadLetterError     = "dl_error"
	DeadLetterAttempts  = "dl_attempts"
	DeadLetterTime      = "dl_time"
	DeadLetterSize      = "dl_size"     // bytes of the value that is left out
	DeadLetterKeySize   = "dl_key_size" // bytes of the key that is left out
)

// Message is a message as its handler receives it.
type Message[T, K, H any] struct {
	Value     T
	Key       K
	Headers   H
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time // the record's time stamp; zero if the transport has none
	Attempt   int       // 1 for the first call of the handler
}

// NoKey is the key of a message whose contract declares none. It is the key of the record as it is.
type NoKey string

// Headers are those of a message whose contract declares none: all headers of the record.
type Headers map[string]string

// Framing is how a payload identifies its schema.
type Framing int

const (
	// Confluent is the wire format of Confluent's serializers: a zero byte and the id of the schema
	// in a registry.
	Confluent Framing = iota
	// SingleObject is Avro's single-object encoding, with the fingerprint of the schema.
	SingleObject
	// Bare is the encoded value alone.
	Bare
	// IDInHeader is the encoded value alone, with the id of the schema in a header, as Apicurio's
	// serializers write it.
	IDInHeader
)

// Codec encodes and decodes the values of one message. Generated code fills it in.
type Codec[T any] struct {
	Name        string // full name of the Avro record, or name of the type
	Schema      string // its schema, with all types that it uses
	Fingerprint uint64 // CRC-64-AVRO of the schema's canonical form
	Append      func(b []byte, v *T) ([]byte, error)
	Decode      func(b []byte, v *T) error // the whole of b, or an error
	// decoding returns an error for any other message, so messages can be told apart by trying
	Text  bool
	Empty bool // there is no payload
	// Plan returns a decoder of values that were written with another version of the schema. An
	// error is returned if the versions do not resolve.
	Plan func(writer string) (func(b []byte, v *T) error, error)
	// Former are the former versions of the schema.
	Former []FormerCodec[T]
}

// FormerCodec decodes values that were written with a former version of a schema.
type FormerCodec[T any] struct {
	Name        string // full name of the Avro record in that version
	Fingerprint uint64
	Decode      func(b []byte, v *T) error
}

// Avro is the codec of a generated Avro record.
func Avro[T any, P interface {
	*T
	avrobin.Value
	AppendAvro(b []byte) ([]byte, error)
	DecodeAvro(b []byte) error
	Validate() error
}]() Codec[T] {
	t := P(new(T)).AvroType()
	return Codec[T]{
		Name: t.Name, Schema: t.Schema, Fingerprint: t.Fingerprint,
		Append: func(b []byte, v *T) ([]byte, error) {
			if err := P(v).Validate(); err != nil {
				return nil, err
			}
			return P(v).AppendAvro(b)
		},
		Decode: func(b []byte, v *T) error { return P(v).DecodeAvro(b) },
		Plan: func(writer string) (func([]byte, *T) error, error) {
			plan, err := resolve.NewPlan(writer, t)
			if err != nil {
				return nil, err
			}
			return func(b []byte, v *T) error { return plan.Decode(b, P(v)) }, nil
		},
		Former: former[T, P](t),
	}
}

func former[T any, P interface {
	*T
	avrobin.Value
}](t *avrobin.Type) []FormerCodec[T] {
	var out []FormerCodec[T]
	for _, f := range t.Former {
		name, err := recordName(f.Schema)
		if err != nil {
			name = t.Name
		}
		out = append(out, FormerCodec[T]{name, f.Fingerprint, func(b []byte, v *T) error { return resolve.Decode(f.Fingerprint, b, P(v)) }})
	}
	return out
}

// JSON is the codec of a generated type of a JSON Schema.
func JSON[T any, P interface {
	*T
	jsonvalue.Payload
}]() Codec[T] {
	t := P(new(T)).JSONType()
	return Codec[T]{
		Name: t.Name, Schema: t.Schema, Text: true,
		Append: func(b []byte, v *T) ([]byte, error) { return P(v).AppendJSON(b) },
		Decode: func(b []byte, v *T) error { return P(v).DecodeJSON(b) },
	}
}

// Empty is the value of a message without payload.
type Empty struct{}

// NoPayload is the codec of a message without payload.
func NoPayload() Codec[Empty] {
	return Codec[Empty]{
		Name: "no payload", Text: true, Empty: true,
		Append: func(b []byte, _ *Empty) ([]byte, error) { return append(b, []byte{}...), nil },
		Decode: func(b []byte, _ *Empty) error {
			if len(b) > 0 {
				return errors.New("there is a payload, and the contract has none")
			}
			return nil
		},
	}
}

// Raw is the codec of payloads in a format that the generator does not know. Values are the bytes.
func Raw(format string) Codec[[]byte] {
	return Codec[[]byte]{
		Name:   format,
		Append: func(b []byte, v *[]byte) ([]byte, error) { return append(b, *v...), nil },
		Decode: func(b []byte, v *[]byte) error { *v = append([]byte{}, b...); return nil },
	}
}

// Spec describes one message of one channel. Generated code fills it in.
type Spec[T, K, H any] struct {
	Name        string // of the message, as in the document
	Topic       string // empty: given for each message
	Subject     string // in the registry; for Confluent
	ContentType string
	Framing     Framing
	Codec       Codec[T]
	Key         KeyCodec[K]     // zero: the contract declares none
	KeyField    string          // the field of the payload that the key repeats; may be empty
	KeyOf       func(*T) string // that field's value
	Headers     []metadata.Header
	Write       func(*H, message.Metadata) error
	Read        func(message.Metadata) (H, error)
	Correlation Location[T] // of the id that its reply repeats; zero: the header correlation_id
}
