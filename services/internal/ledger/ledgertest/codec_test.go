package ledgertest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

type paid struct{ Amount int }

// broken is a codec of which a test replaces a part.
type broken struct {
	kind           string
	encode, decode func(ledger.Body[paid]) (ledger.Body[paid], error)
}

func (c broken) Encode(b ledger.Body[paid]) (string, []byte, error) {
	b, err := c.encode(b)
	if err != nil {
		return "", nil, err
	}
	data, err := json.Marshal(b)
	return c.kind, data, err
}

func (c broken) Decode(_ string, data []byte) (b ledger.Body[paid], err error) {
	if err := json.Unmarshal(data, &b); err != nil {
		return b, err
	}
	return c.decode(b)
}

func TestBrokenCodec(t *testing.T) {
	whole := func(b ledger.Body[paid]) (ledger.Body[paid], error) { return b, nil }
	fails := func(b ledger.Body[paid]) (ledger.Body[paid], error) { return b, errors.New("no such type") }
	without := func(b ledger.Body[paid]) (ledger.Body[paid], error) { return ledger.Body[paid]{Event: b.Event}, nil }
	made := func(b ledger.Body[paid]) (ledger.Body[paid], error) {
		b.Request = &idempotency.Request{Key: "made up"}
		return b, nil
	}
	other := func(b ledger.Body[paid]) (ledger.Body[paid], error) {
		b.Event.Amount++
		return b, nil
	}
	asked := ledger.Body[paid]{Event: paid{3}, Request: &idempotency.Request{Key: "k"}}
	for name, c := range map[string]struct {
		codec   broken
		body    ledger.Body[paid]
		encoded bool
		want    string // in the error; empty: none
	}{
		"whole":             {broken{"paid", whole, whole}, asked, true, ""},
		"refused":           {broken{"paid", fails, whole}, asked, false, "no such type"},
		"not read":          {broken{"paid", whole, fails}, asked, true, "no such type"},
		"another kind":      {broken{"sold", whole, whole}, asked, true, `kind of paid is "sold"`},
		"another value":     {broken{"paid", whole, other}, asked, true, "decoded"},
		"request dropped":   {broken{"paid", without, whole}, asked, true, "decoded"},
		"request made up":   {broken{"paid", whole, made}, ledger.Body[paid]{Event: paid{3}}, true, "decoded"},
		"without a request": {broken{"paid", without, whole}, ledger.Body[paid]{Event: paid{3}}, true, ""},
	} {
		encoded, err := roundTrip(c.codec, "paid", c.body)
		if encoded != c.encoded || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: encoded %t, error %v, want %q", name, encoded, err, c.want)
		}
	}
}
