package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// KeyCodec encodes and decodes keys. Its errors mean that a key violates the contract, except for
// those of the registry.
type KeyCodec[K any] struct {
	append func(ctx context.Context, schemas registry.Schemas, k K) (string, error)
	decode func(ctx context.Context, schemas registry.Schemas, text string) (K, error)
	// framed: it needs the registry
	framed bool
}

func (c *KeyCodec[K]) declared() bool { return c.append != nil }

// TextKey is the codec of keys that are text.
func TextKey[K interface {
	~string
	Validate() error
}]() KeyCodec[K] {
	return KeyCodec[K]{
		append: func(_ context.Context, _ registry.Schemas, k K) (string, error) { return string(k), k.Validate() },
		decode: func(_ context.Context, _ registry.Schemas, text string) (K, error) {
			return K(text), K(text).Validate()
		},
	}
}

// IntKey is the codec of keys that are integers in decimal.
func IntKey[K interface {
	~int64
	Validate() error
}]() KeyCodec[K] {
	return KeyCodec[K]{
		append: func(_ context.Context, _ registry.Schemas, k K) (string, error) {
			return strconv.FormatInt(int64(k), 10), k.Validate()
		},
		decode: func(_ context.Context, _ registry.Schemas, text string) (K, error) {
			i, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("is %q, not an integer", text)
			}
			return K(i), K(i).Validate()
		},
	}
}

// JSONKey is the codec of keys with a JSON Schema. A string is written without quotes.
func JSONKey[K any, P interface {
	*K
	jsonvalue.Payload
}]() KeyCodec[K] {
	return KeyCodec[K]{
		append: func(_ context.Context, _ registry.Schemas, k K) (string, error) {
			b, err := P(&k).AppendJSON(nil)
			return metadata.Text(b), err
		},
		decode: func(_ context.Context, _ registry.Schemas, text string) (k K, err error) {
			return k, eitherWay(text, P(&k).DecodeJSON)
		},
	}
}

// eitherWay decodes text that is JSON of the schema, or else a string without its quotes.
func eitherWay(text string, decode func([]byte) error) error {
	err := decode([]byte(text))
	if err == nil {
		return nil
	}
	if decode(metadata.Quote(text)) == nil {
		return nil
	}
	return err
}

// AvroKey is the codec of keys with an Avro schema. With a subject it uses Confluent's framing,
// with the id of the schema under that subject.
func AvroKey[K any, P interface {
	*K
	avrobin.Value
	AppendAvro(b []byte) ([]byte, error)
	DecodeAvro(b []byte) error
	Validate() error
}](subject string) KeyCodec[K] {
	c := Avro[K, P]()
	return KeyCodec[K]{
		framed: subject != "",
		append: func(ctx context.Context, schemas registry.Schemas, k K) (string, error) {
			var b []byte
			if subject != "" {
				id, err := registered(ctx, schemas, subject, c.Schema)
				if err != nil {
					return "", err
				}
				b = avrobin.AppendConfluentHeader(nil, uint32(id))
			}
			b, err := c.Append(b, &k)
			return string(b), err
		},
		decode: func(ctx context.Context, schemas registry.Schemas, text string) (k K, err error) {
			if subject == "" {
				return k, c.Decode([]byte(text), &k)
			}
			id, body, err := avrobin.CutConfluent([]byte(text))
			if err != nil {
				return k, err
			}
			writer, err := schemas.Schema(ctx, int(id))
			if err != nil {
				return k, passing{err}
			}
			if writer == c.Schema {
				return k, c.Decode(body, &k)
			}
			dec, err := c.Plan(writer)
			if err != nil {
				return k, err
			}
			return k, dec(body, &k)
		},
	}
}

// registered returns the id of a schema. Its errors are not permanent.
func registered(ctx context.Context, schemas registry.Schemas, subject, schema string) (int, error) {
	if schemas == nil {
		return 0, passing{errors.New("no schema registry was given")}
	}
	id, err := schemas.ID(ctx, subject, schema)
	if err != nil {
		return 0, passing{fmt.Errorf("schema under subject %s: %w", subject, err)}
	}
	return id, nil
}

// passing marks errors that are not faults of the message.
type passing struct{ err error }

func (p passing) Error() string { return p.err.Error() }
func (p passing) Unwrap() error { return p.err }

// invalid makes an error permanent, unless it is marked with passing.
func invalid(err error) error {
	var p passing
	if errors.As(err, &p) {
		return err
	}
	return Permanentf("%w: %w", ErrInvalid, err)
}
