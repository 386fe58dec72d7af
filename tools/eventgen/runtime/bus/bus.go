// Package bus carries typed messages over Watermill: it is what the code that eventgen generates
// from an AsyncAPI document calls.
//
// Sending: a Spec describes one message of one channel; Send encodes, frames and publishes it.
// Receiving: Receive registers one operation with a Watermill router. A message is acknowledged
// only after its handler returned nil, after the declared policy said that it may be passed over,
// or after it lies on the dead letter topic. Nothing is acknowledged silently.
//
// It works with any message.Publisher and message.Subscriber. The Kafka key, partition and offset
// travel in the message's metadata, under the reserved names of package metadata, which an adapter
// to Kafka translates.
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

// Headers of a dead letter: where it came from and why it is one. The headers of the original are
// kept beside them, its key and value are unchanged.
const (
	DeadLetterTopic     = "dl_topic"
	DeadLetterPartition = "dl_partition"
	DeadLetterOffset    = "dl_offset"
	DeadLetterError     = "dl_error"
	DeadLetterAttempts  = "dl_attempts"
	DeadLetterTime      = "dl_time"
)

// Message is one message as a handler gets it.
type Message[T, K, H any] struct {
	Value     T
	Key       K
	Headers   H
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time // the record's time stamp; zero when the transport has none
	Attempt   int       // 1 for the first time this handler sees it
}

// NoKey is the key of messages whose contract declares none: whatever was there.
type NoKey string

// Headers are those of messages whose contract declares none: whatever was there.
type Headers map[string]string

// Framing says how a payload tells its schema.
type Framing int

const (
	// Confluent is the wire format of Confluent's serializers: a zero byte and the id that a schema
	// registry gave.
	Confluent Framing = iota
	// SingleObject is Avro's single-object encoding: the schema's fingerprint, no registry.
	SingleObject
	// Bare is the encoded value alone.
	Bare
	// IDInHeader is the encoded value alone, with the id that a schema registry gave in a header,
	// as Apicurio's serializers do it.
	IDInHeader
)

// Codec is how values of one message become bytes and back. Generated code fills it in.
type Codec[T any] struct {
	Name        string // full name of the Avro record, or name of the type
	Schema      string // its schema, with everything it refers to
	Fingerprint uint64 // CRC-64-AVRO of the schema's canonical form
	Append      func(b []byte, v *T) ([]byte, error)
	Decode      func(b []byte, v *T) error // the whole of b, or an error
	// decoding succeeds only for what the schema describes, so that payloads can be told apart by
	// trying
	Text  bool
	Empty bool // there is no payload
	// Plan returns a decoder of values that were written with another version of the schema. An
	// error is returned if the versions do not resolve.
	Plan func(writer string) (func(b []byte, v *T) error, error)
	// Former are the former versions of the schema that the document lists.
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

// Empty is the value of a message whose contract declares no payload.
type Empty struct{}

// NoPayload is the codec of messages without payload.
func NoPayload() Codec[Empty] {
	return Codec[Empty]{
		Name: "no payload", Text: true, Empty: true,
		Append: func(b []byte, _ *Empty) ([]byte, error) { return append(b, []byte{}...), nil },
		Decode: func(b []byte, _ *Empty) error {
			if len(b) > 0 {
				return errors.New("a payload where there should be none")
			}
			return nil
		},
	}
}

// Raw is the codec of payloads in a format that the generator does not know: bytes as they are.
func Raw(format string) Codec[[]byte] {
	return Codec[[]byte]{
		Name:   format,
		Append: func(b []byte, v *[]byte) ([]byte, error) { return append(b, *v...), nil },
		Decode: func(b []byte, v *[]byte) error { *v = append([]byte{}, b...); return nil },
	}
}

// Spec describes one message on one channel. Generated code fills it in.
type Spec[T, K, H any] struct {
	Name        string // of the message, as in the document
	Topic       string // empty: given with each message
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
	Correlation Location[T] // of the id that a reply repeats; zero: the header correlation_id
}
