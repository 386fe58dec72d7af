// Package access identifies callers and checks what they may do: API keys are kept as hashes in a
// file, each with a subject and scopes. The HTTP layers of the services import it for their
// security handlers; the domains never do.
//
// The file is a JSON list with one entry for each key. A subject may have several keys, so that
// keys can be rotated:
//
//	[{"subject": "agency-paris", "sha256": "9f86d0...", "scopes": ["read", "write"]}]
//
// To hash a key:  printf %s "$KEY" | sha256sum
//
// Keys must be long and random (openssl rand -hex 32): a plain hash does not protect a key that can
// be guessed.
package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/ogen-go/ogen/ogenerrors"

	"github.com/deferpay/deferpay/services/internal/problem"
)

// The scopes of the OpenAPI documents. None implies another.
const (
	Read  = "read"
	Write = "write"
	Admin = "admin"
	// Payments covers the accounts of mandates.
	Payments = "payments"
)

var scopes = []string{Read, Write, Admin, Payments}

// HeaderName is the header that carries an API key.
const HeaderName = "X-API-Key"

// Caller is who sent a request.
type Caller struct {
	// Subject names the client. Idempotency keys and records refer to the subject and not to the
	// API key, because keys rotate.
	Subject string
	Scopes  []string
}

type contextKey struct{}

// With returns a context that carries the caller.
func With(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// From returns the caller that Authenticate put in the context.
func From(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(contextKey{}).(Caller)
	return c, ok
}

// Keys are the API keys that are accepted. They are safe for concurrent use.
type Keys struct {
	entries  []entry
	insecure bool
}

type entry struct {
	hash   [sha256.Size]byte
	caller Caller
}

// Insecure returns keys that accept any API key, or none, as the subject "dev" with every scope. It
// is for development only.
func Insecure() *Keys { return &Keys{insecure: true} }

// Open returns the keys of a file, or Insecure keys if insecure is true.
func Open(path string, insecure bool) (*Keys, error) {
	if insecure {
		return Insecure(), nil
	}
	return Load(path)
}

// Load reads a file of keys. It returns an error if the list is empty, because such a service would
// answer nobody.
func Load(path string) (*Keys, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	k, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("credentials %s: %w", path, err)
	}
	return k, nil
}

func parse(data []byte) (*Keys, error) {
	var list []struct {
		Subject string   `json:"subject"`
		SHA256  string   `json:"sha256"`
		Scopes  []string `json:"scopes"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the list is empty")
	}
	k := &Keys{}
	for i, item := range list {
		e := entry{caller: Caller{Subject: item.Subject, Scopes: item.Scopes}}
		if strings.TrimSpace(item.Subject) == "" {
			return nil, fmt.Errorf("entry %d: no subject", i)
		}
		hash, err := hex.DecodeString(item.SHA256)
		if err != nil || len(hash) != sha256.Size {
			return nil, fmt.Errorf("entry %d (%s): sha256 is not 64 hexadecimal digits", i, item.Subject)
		}
		copy(e.hash[:], hash)
		for _, s := range item.Scopes {
			if !slices.Contains(scopes, s) {
				return nil, fmt.Errorf("entry %d (%s): unknown scope %q, want one of %s", i, item.Subject, s, strings.Join(scopes, ", "))
			}
		}
		for j := range k.entries {
			if k.entries[j].hash == e.hash {
				return nil, fmt.Errorf("entries %d and %d have the same key", j, i)
			}
		}
		k.entries = append(k.entries, e)
	}
	return k, nil
}

// Hash returns the hash of a key as the file contains it.
func Hash(key string) string {
	h := sha256.Sum256([]byte(key))
	return hex.EncodeToString(h[:])
}

// Authenticate returns a context that carries the caller of a key. The error is a problem: 401 if
// the key is not known, 403 if the caller lacks a scope that the operation requires. It never
// contains the key.
func (k *Keys) Authenticate(ctx context.Context, key string, required []string) (context.Context, error) {
	caller, ok := k.lookup(key)
	if !ok {
		return nil, problem.New(problem.Unauthenticated, "the API key is not known").WithHint("send a valid key in %s", HeaderName)
	}
	for _, s := range required {
		if !slices.Contains(caller.Scopes, s) {
			return nil, problem.New(problem.Forbidden, "%q lacks the scope %s", caller.Subject, s).WithHint("ask for a key with the scope %s", s)
		}
	}
	return With(ctx, caller), nil
}

// Bearer handles a bearer token, which is not accepted yet. The generated servers check the API key
// first, so a request with a valid one is served whatever else it carries.
func Bearer(ctx context.Context) (context.Context, error) {
	if _, ok := From(ctx); ok {
		return ctx, ogenerrors.ErrSkipServerSecurity
	}
	return nil, problem.New(problem.Unauthenticated, "bearer tokens are in the contract and not accepted yet").WithHint("send an API key in %s", HeaderName)
}

// lookup compares the key with every entry, so that its duration does not depend on whether one
// matches, or which.
func (k *Keys) lookup(key string) (Caller, bool) {
	if k.insecure {
		return Caller{Subject: "dev", Scopes: scopes}, true
	}
	hash := sha256.Sum256([]byte(key))
	found := -1
	for i := range k.entries {
		match := subtle.ConstantTimeCompare(hash[:], k.entries[i].hash[:])
		found = subtle.ConstantTimeSelect(match, i, found)
	}
	if found < 0 {
		return Caller{}, false
	}
	return k.entries[found].caller, true
}

// Anonymous lets requests without credentials through to the security handlers if the service runs
// with Insecure keys: the generated server would refuse them before it calls a handler. With real
// keys it returns next.
func (k *Keys) Anonymous(next http.Handler) http.Handler {
	if !k.insecure {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(HeaderName) == "" {
			r.Header.Set(HeaderName, "none")
		}
		next.ServeHTTP(w, r)
	})
}
