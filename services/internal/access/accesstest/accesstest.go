// Package accesstest tries every operation of a service with every kind of credential, and compares
// who got in with the table in docs/security.md. The tests of the services' HTTP layers import it.
package accesstest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.yaml.in/yaml/v3"

	"github.com/deferpay/deferpay/services/internal/access"
)

var update = flag.Bool("update", false, "write the table in docs/security.md")

// The customer that the requests are about, and another one.
const (
	Mine   = "CE-ACME"
	Others = "CE-OTHER"
)

// credential is a kind of credential, and the header that carries it.
type credential struct{ name, header, value string }

// Gate lets callers in, with one credential of every kind.
type Gate struct {
	Access      *access.Control
	credentials []credential
}

const (
	issuer   = "https://auth.example"
	audience = "deferpay"
)

var all = []string{access.Read, access.Write, access.Admin, access.Payments}

// New returns a gate.
func New(t *testing.T) *Gate {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{}
	entries := []map[string]any{}
	key := func(name string, entry map[string]any) {
		entry["subject"], entry["sha256"] = name, access.Hash(name)
		entries = append(entries, entry)
		g.credentials = append(g.credentials, credential{name, access.HeaderName, name})
	}
	g.credentials = append(g.credentials, credential{"none", "", ""}, credential{"unknown key", access.HeaderName, "guess"})
	key("expired key", map[string]any{"scopes": all, "expires": time.Now().Add(-time.Second)})
	for _, s := range all {
		key(s, map[string]any{"scopes": []string{s}})
	}
	key("all scopes", map[string]any{"scopes": all})
	key("its customer's", map[string]any{"scopes": all, "customers": []string{Mine}})
	key("another's", map[string]any{"scopes": all, "customers": []string{Others}})
	token := func(name string, customers []string, expires time.Time, scopes ...string) {
		text := sign(t, private, map[string]any{"iss": issuer, "aud": audience, "sub": "t", "exp": expires.Unix(), "scope": strings.Join(scopes, " "), "customers": customers})
		g.credentials = append(g.credentials, credential{name, "Authorization", "Bearer " + text})
	}
	soon := time.Now().Add(time.Hour)
	token("token", []string{"*"}, soon, all...)
	token("token, read", []string{"*"}, soon, access.Read)
	token("token, its customer's", []string{Mine}, soon, all...)
	token("token, another's", []string{Others}, soon, all...)
	token("expired token", []string{"*"}, time.Now().Add(-time.Hour), all...)
	g.Access, err = access.Open(access.Config{
		File:   write(t, "keys.json", entries),
		Tokens: access.Tokens{Issuer: issuer, Audience: audience, Customers: "customers", Keys: write(t, "jwks.json", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &private.PublicKey, KeyID: "k"}}})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func write(t *testing.T, name string, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sign(t *testing.T, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Request is a request of an operation about something of Mine.
type Request struct{ Method, Path, Body string }

// Walk sends a request of every operation of a document with every credential, and compares who got
// in with the table of the service.
func (g *Gate) Walk(t *testing.T, service, document string, handler http.Handler, requests map[string]Request) {
	t.Helper()
	var table strings.Builder
	table.WriteString("| operation |")
	for _, c := range g.credentials {
		table.WriteString(" " + c.name + " |")
	}
	table.WriteString("\n| -- |" + strings.Repeat(" -- |", len(g.credentials)) + "\n")
	for _, id := range operations(t, document) {
		r, ok := requests[id]
		if !ok {
			t.Errorf("no request of %s is tried", id)
			continue
		}
		fmt.Fprintf(&table, "| `%s` |", id)
		for n, c := range g.credentials {
			fmt.Fprintf(&table, " %s |", send(t, handler, c, r, fmt.Sprint(id, "-", n)))
		}
		table.WriteString("\n")
	}
	compare(t, service, table.String())
}

// operations returns the operations of a document in its order.
func operations(t *testing.T, document string) (ids []string) {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	for _, methods := range d.Paths {
		for _, node := range methods {
			var op struct {
				ID string `yaml:"operationId"`
			}
			if node.Kind == yaml.MappingNode && node.Decode(&op) == nil && op.ID != "" {
				ids = append(ids, op.ID)
			}
		}
	}
	if len(ids) == 0 {
		t.Fatalf("%s has no operations", document)
	}
	slices.Sort(ids)
	return ids
}

// send returns what a request with a credential comes to: "in", "in, empty" for a list without
// items, or the status of the refusal.
func send(t *testing.T, handler http.Handler, c credential, r Request, key string) string {
	t.Helper()
	req := httptest.NewRequest(r.Method, r.Path, strings.NewReader(r.Body))
	if c.header != "" {
		req.Header.Set(c.header, c.value)
	}
	if r.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Method != http.MethodGet {
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("If-Match", "*")
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	var a struct {
		Code  string
		Total any
	}
	if err := json.NewDecoder(w.Body).Decode(&a); err != nil && err != io.EOF {
		t.Fatalf("%s %s: %d, not JSON", r.Method, r.Path, w.Code)
	}
	// every request is about something that there is
	hidden := strings.HasSuffix(a.Code, "-not-found") || a.Code == "contract-unknown"
	switch {
	case w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden || hidden:
		return fmt.Sprint(w.Code)
	case w.Code >= 500 || a.Code == "invalid-request":
		t.Errorf("%s %s as %s: %d %s", r.Method, r.Path, c.name, w.Code, a.Code)
	case a.Total == 0.0:
		return "in, empty"
	}
	return "in"
}

// compare compares a table with that of a service in docs/security.md.
func compare(t *testing.T, service, table string) {
	t.Helper()
	const file = "../../../../docs/security.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := fmt.Sprintf("<!-- who gets in: %s -->\n\n", service), fmt.Sprintf("\n<!-- end: %s -->", service)
	before, rest, ok := strings.Cut(string(data), begin)
	written, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of %s", file, service)
	}
	if written == table {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the table of %s in docs/security.md is not what was seen (-update writes it):\n%s", service, table)
}

// AsCustomer sends a request with a key of all scopes that is bound to Mine, and returns the status
// and the body of the answer.
func (g *Gate) AsCustomer(t *testing.T, handler http.Handler, method, path, body string) string {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set(access.HeaderName, "its customer's")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet {
		req.Header.Set("Idempotency-Key", rand.Text())
		req.Header.Set("If-Match", "*")
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	return fmt.Sprint(w.Code, " ", w.Body)
}
