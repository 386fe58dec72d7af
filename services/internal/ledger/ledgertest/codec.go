package ledgertest

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
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
				refusals := 0
				for _, b := range []ledger.Body[E]{{Event: e}, {Event: e, Request: request(t)}} {
					encoded, err := roundTrip(codec, typ.Name(), b)
					if encoded && err != nil {
						t.Fatal(err)
					}
					if !encoded {
						t.Log(err)
						refusals++
					}
				}
				if refusals == 2 && !unset {
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

// roundTrip reports whether the codec encodes a body. The error says why it does not, or that the
// body does not come back as it was under the kind.
func roundTrip[E any](codec journal.Codec[ledger.Body[E]], want string, b ledger.Body[E]) (encoded bool, err error) {
	kind, data, err := codec.Encode(b)
	if err != nil {
		return false, fmt.Errorf("encode %+v: %w", b, err)
	}
	if kind != want {
		return true, fmt.Errorf("the kind of %s is %q", want, kind)
	}
	back, err := codec.Decode(kind, data)
	if err != nil {
		return true, fmt.Errorf("decode %+v: %w", b, err)
	}
	if !reflect.DeepEqual(back, b) {
		return true, fmt.Errorf("encoded %+v, decoded %+v", b, back)
	}
	return true, nil
}
