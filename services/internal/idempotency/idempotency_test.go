package idempotency

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func request(t *testing.T, operation, path, body string) Request {
	t.Helper()
	r, err := New("agency", "k-1", operation, path, json.RawMessage(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARepetitionIsToldFromAnotherRequest(t *testing.T) {
	first := request(t, "createOperation", "", `{"amount":{"amount":9007199254740993,"currency":"EUR"},"type":"PURCHASE"}`)
	if err := request(t, "createOperation", "", `{"type": "PURCHASE", "amount": {"currency":"EUR", "amount":9007199254740993}}`).Check(first); err != nil {
		t.Errorf("the same in another order: %v", err)
	}
	for name, other := range map[string]Request{
		"other body":      request(t, "createOperation", "", `{"amount":{"amount":9007199254740992,"currency":"EUR"},"type":"PURCHASE"}`),
		"other operation": request(t, "settleInvoice", "", `{"amount":{"amount":9007199254740993,"currency":"EUR"},"type":"PURCHASE"}`),
		"other path":      request(t, "createOperation", "x", `{"amount":{"amount":9007199254740993,"currency":"EUR"},"type":"PURCHASE"}`),
	} {
		if err := other.Check(first); !errors.Is(err, ErrReused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, b := request(t, "op", "ab", `1`), request(t, "opa", "b", `1`)
	if a.Check(b) == nil {
		t.Error("parts run into each other")
	}
}

func TestStreamsOfDifferentKeysDiffer(t *testing.T) {
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
