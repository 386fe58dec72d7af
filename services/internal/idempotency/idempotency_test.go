package idempotency

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// order is a body as generated code has it: decoded, and encoded with its members in a fixed order.
type order struct {
	Amount struct {
		Amount   json.Number `json:"amount"`
		Currency string      `json:"currency"`
	} `json:"amount"`
	Type string `json:"type"`
}

func (o order) MarshalJSON() ([]byte, error) {
	type plain order
	return json.Marshal(plain(o))
}

func request(t *testing.T, operation, path, body string) *Request {
	t.Helper()
	var o order
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		t.Fatal(err)
	}
	r, err := New("agency", "k-1", operation, path, o)
	if err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestRepetition(t *testing.T) {
	first := request(t, "createOperation", "", `{"amount":{"amount":9007199254740993,"currency":"EUR"},"type":"PURCHASE"}`)
	if err := request(t, "createOperation", "", `{"type": "PURCHASE", "amount": {"currency":"EUR", "amount":9007199254740993}}`).Check(*first); err != nil {
		t.Errorf("the same in another order: %v", err)
	}
	for name, other := range map[string]*Request{
		"other body":      request(t, "createOperation", "", `{"amount":{"amount":9007199254740992,"currency":"EUR"},"type":"PURCHASE"}`),
		"other operation": request(t, "settleInvoice", "", `{"amount":{"amount":9007199254740993,"currency":"EUR"},"type":"PURCHASE"}`),
		"other path":      request(t, "createOperation", "x", `{"amount":{"amount":9007199254740993,"currency":"EUR"},"type":"PURCHASE"}`),
	} {
		if err := other.Check(*first); !errors.Is(err, ErrReused) {
			t.Errorf("%s: %v", name, err)
		}
		if err := other.Check(first.Kept()); !errors.Is(err, ErrReused) {
			t.Errorf("%s, by what is kept: %v", name, err)
		}
	}
	if k := first.Kept(); first.Check(k) != nil || k.Operation != "createOperation" || len(k.Hash) != 17 {
		t.Errorf("of the request %+v is kept", k)
	}
	a, b := request(t, "op", "ab", `{}`), request(t, "opa", "b", `{}`)
	if a.Check(*b) == nil {
		t.Error("parts run into each other")
	}
}

func TestStream(t *testing.T) {
	a, b := Request{Client: "a/b", Key: "c"}, Request{Client: "a", Key: "b/c"}
	if a.Stream() == b.Stream() {
		t.Errorf("both are %s", a.Stream())
	}
}

func TestValidKey(t *testing.T) {
	for key, want := range map[string]bool{"o-17": true, "!~": true, "": false, "a b": false, "é": false, "a\n": false, strings.Repeat("k", 128): true, strings.Repeat("k", 129): false} {
		if ValidKey(key) != want {
			t.Errorf("%q", key)
		}
	}
}

// TestHashOfVersion1 checks a repetition against what the first version of the services recorded.
func TestHashOfVersion1(t *testing.T) {
	const body = `{"type":"PURCHASE","amount":{"currency":"EUR","amount":120000}}`
	hash, err := hex.DecodeString("9a748e9236ec8b6e944ef143c4cc323dd8335ca79a961507a3a653ddb30b4952")
	if err != nil {
		t.Fatal(err)
	}
	recorded := Request{Client: "agency", Key: "k-1", Operation: "createOperation", Hash: hash}
	if err := request(t, "createOperation", "CTR-7", body).Check(recorded); err != nil {
		t.Errorf("the same request: %v", err)
	}
	for name, other := range map[string]*Request{
		"other body":      request(t, "createOperation", "CTR-7", strings.Replace(body, "120000", "120001", 1)),
		"other operation": request(t, "settleInvoice", "CTR-7", body),
		"other path":      request(t, "createOperation", "CTR-8", body),
	} {
		if err := other.Check(recorded); !errors.Is(err, ErrReused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecordedKeepsNoBody(t *testing.T) {
	r := request(t, "createOperation", "CTR-7", `{"type":"PURCHASE"}`)
	want := &Request{Client: "agency", Key: "k-1", Operation: "createOperation", Hash: r.Hash}
	if got := r.Recorded(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := (*Request)(nil).Recorded(); got != nil {
		t.Errorf("got %+v of no request", got)
	}
}
