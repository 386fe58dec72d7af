package effect

import (
	"reflect"
	"testing"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger/ledgertest"
)

// values draws the types of the domain that not every value is good for.
func values() ledgertest.Values {
	v := ledgertest.Values{}
	v.Among(contract.Core, contract.B2B)
	v.Among(contract.Requested, contract.DirectDebitRejected, contract.DirectDebitReturned)
	return v
}

func TestCodec(t *testing.T) { ledgertest.Codec[contract.Visitor](t, Codec(), values()) }

func TestEveryEventIsDecided(t *testing.T) {
	ledgertest.Decided[contract.Visitor](t, "../contract")
}

func TestEveryMessageIsPublished(t *testing.T) {
	ledgertest.Published(t, reflect.TypeFor[*contractbus.Publisher]())
}

func TestCodecRefuses(t *testing.T) {
	asker := &idempotency.Request{Client: "agency", Key: "k-1", Operation: "op", Hash: []byte("0123456789abcdef0123456789abcdef")}
	for name, b := range map[string]Body{
		"no request":   {Event: contract.Terminated{Ref: "CTR-1"}},
		"a request":    {Event: contract.Activated{Ref: "CTR-1"}, Request: asker},
		"unknown enum": {Event: contract.Suspended{Ref: "CTR-1", Cause: "made up"}, Request: asker},
	} {
		if _, _, err := Codec().Encode(b); err == nil {
			t.Errorf("%T with %s was written", b.Event, name)
		}
	}
	_, data, err := Codec().Encode(Body{Event: contract.Activated{Ref: "CTR-1"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		kind string
		data []byte
	}{
		"another kind":   {"Suspended", data},
		"cut short":      {"Activated", data[:len(data)-1]},
		"trailing bytes": {"Activated", append(data[:len(data):len(data)], 0)},
		"no schema":      {"Activated", []byte{0xc3, 1, 1, 2, 3, 4, 5, 6, 7, 8}},
		"nothing":        {"Activated", nil},
	} {
		if b, err := Codec().Decode(c.kind, c.data); err == nil {
			t.Errorf("%s was read as %+v", name, b)
		}
	}
}
