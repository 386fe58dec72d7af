package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/cluster/callers"
)

func testAccess(t *testing.T) *access {
	t.Helper()
	api, _ := contracts(t)
	a, err := newAccess(t.TempDir(), api)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Each request has one credential, with the scope of its operation alone.
func TestDressedByOperation(t *testing.T) {
	a := testAccess(t)
	var sent http.Header
	via := a.dressed(seen(func(r *http.Request) { sent = r.Header }))
	send := func(method, path, key string) {
		r, err := http.NewRequest(method, "http://service"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-API-Key", "of the story")
		r.Header.Set("Idempotency-Key", key)
		_, _ = via.RoundTrip(r)
	}
	for _, tt := range []struct{ method, path, name string }{
		{"GET", "/refcontract/v1/contracts", "read"},
		{"POST", "/refcontract/v1/contracts", "write"},
		{"DELETE", "/refcontract/v1/contracts/CTR-7/personal-data", "admin"},
		{"GET", "/refcontract/v1/contracts/CTR-7/mandate/account", "payments"},
		{"POST", "/billing/v1/billing-runs", "admin"},
		{"GET", "/billing/v1/nothing", "all"},
	} {
		keys, tokens := 0, 0
		for n := range 40 {
			send(tt.method, tt.path, strings.Repeat("k", n+1))
			key, token := sent.Get("X-API-Key"), strings.TrimPrefix(sent.Get("Authorization"), "Bearer ")
			switch {
			case key == a.Key(tt.name) && token == "":
				keys++
			case key == "" && token == a.tokens[tt.name] && token != "":
				tokens++
			default:
				t.Fatalf("%s %s: the key %q and the token %q", tt.method, tt.path, key, token)
			}
		}
		if keys == 0 || tokens == 0 && tt.name != "all" {
			t.Errorf("%s %s: %d keys and %d tokens", tt.method, tt.path, keys, tokens)
		}
	}
	send("POST", "/billing/v1/operations", "one key")
	first := sent.Get("X-API-Key") != ""
	send("POST", "/billing/v1/billing-runs", "one key")
	if first != (sent.Get("X-API-Key") != "") {
		t.Error("requests with one Idempotency-Key are of two subjects")
	}
}

type seen func(*http.Request)

func (s seen) RoundTrip(r *http.Request) (*http.Response, error) {
	s(r)
	return nil, http.ErrServerClosed
}

// Every operation is sent what it must refuse.
func TestRefusalsOfEachOperation(t *testing.T) {
	a := testAccess(t)
	if err := a.scoped(); err != nil {
		t.Error(err)
	}
	for _, op := range a.api.Operations() {
		statuses := map[int]int{}
		for _, q := range (mistake{op: op}).access(a) {
			statuses[q.status]++
			if scope := op.Scopes[0]; q.status == 403 && q.as.Get("X-API-Key") != a.Key("not "+scope) && q.as.Get("Authorization") == "Bearer "+a.tokens[scope] {
				t.Errorf("%s: 403 for a token with its scope", op.ID)
			}
		}
		if statuses[401] != 6 || statuses[403] != 2 || statuses[429] != 1 {
			t.Errorf("%s: %v", op.ID, statuses)
		}
	}
	if len(callers.Scopes) != 4 {
		t.Errorf("the scopes are %v", callers.Scopes)
	}
}
