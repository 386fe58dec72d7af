package bus

import "github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"

// JSON is the codec of a generated type of a JSON Schema. Messages of one channel are told apart by the header ce_type, which has the name.
func JSON[T any, P interface {
	*T
	jsonvalue.Payload
}](name string) Codec[T] {
	return Codec[T]{
		Name: name, Schema: P(new(T)).JSONType().Schema,
		Append: func(b []byte, v *T) ([]byte, error) { return P(v).AppendJSON(b) },
		Decode: func(b []byte, v *T) error { return P(v).DecodeJSON(b) },
	}
}
