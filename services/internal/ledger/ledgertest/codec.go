package ledgertest

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/journal"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

// Codec checks that every event that the interface V has a visiting method for comes back from the
// log as it was, under its own name as the kind, with the request that led to it, or without one.
// It is an error for the codec to drop a request, or to make one up. The codec may refuse an event
// with an instant that is not set, and no other.
func Codec[V, E any](t *testing.T, codec journal.Codec[ledger.Body[E]], values Values) {
	for _, typ := range Events(reflect.TypeFor[V]()) {
		t.Run(typ.Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				unset := rapid.Bool().Draw(t, "unset")
				e := values.draw(t, typ, unset).Interface().(E)
				kept := roundTrip(t, codec, typ, ledger.Body[E]{Event: e})
				if asked := roundTrip(t, codec, typ, ledger.Body[E]{Event: e, Request: request(t)}); !kept && !asked && !unset {
					t.Fatalf("%+v is refused with a request and without", e)
				}
			})
		})
	}
}

func request(t *rapid.T) *idempotency.Request {
	return &idempotency.Request{
		Client: rapid.String().Draw(t, "client"), Key: rapid.String().Draw(t, "key"), Operation: "op",
		Hash: rapid.SliceOfN(rapid.Byte(), 32, 33).Draw(t, "hash"),
	}
}

// roundTrip reports whether the codec encodes a body. It is fatal if the body does not come back.
func roundTrip[E any](t *rapid.T, codec journal.Codec[ledger.Body[E]], typ reflect.Type, b ledger.Body[E]) bool {
	kind, data, err := codec.Encode(b)
	if err != nil {
		t.Logf("encode %+v: %v", b, err)
		return false
	}
	if kind != typ.Name() {
		t.Fatalf("the kind of %s is %q", typ, kind)
	}
	back, err := codec.Decode(kind, data)
	if err != nil {
		t.Fatalf("decode %+v: %v", b, err)
	}
	if !reflect.DeepEqual(back, b) {
		t.Fatalf("encoded %+v\ndecoded %+v", b, back)
	}
	return true
}
