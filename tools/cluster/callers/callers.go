// Package callers makes the credentials of a system that is started for a test: a file of API keys,
// the key set of an issuer of tokens, and the keys and tokens themselves. The tools and tests that
// start a system and send requests to it import it; services never do.
package callers

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Scopes are those of the OpenAPI documents.
var Scopes = []string{"read", "write", "admin", "payments"}

const (
	issuer   = "https://issuer.test"
	audience = "deferpay"
)

// Caller is who a credential is for.
type Caller struct {
	Name      string // of an API key, see Set.Key; "": the subject
	Subject   string
	Scopes    []string
	Customers []string      // nil: all
	Expires   time.Duration // from now; 0: an hour
	Rate      float64       // of an API key, in requests a second; 0: that of the service
}

// Set are the credentials of one system.
type Set struct {
	dir    string
	secret *ecdsa.PrivateKey
	keys   map[string]string // by name
}

// New makes one API key for each caller, whose names differ, and writes the files into dir.
func New(dir string, callers ...Caller) (*Set, error) {
	s := &Set{dir: dir, keys: map[string]string{}}
	var err error
	if s.secret, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	var entries []map[string]any
	for _, c := range callers {
		key := rand.Text()
		hash := sha256.Sum256([]byte(key))
		e := map[string]any{"subject": c.Subject, "sha256": hex.EncodeToString(hash[:]), "scopes": c.Scopes, "expires": c.expires()}
		if c.Customers != nil {
			e["customers"] = c.Customers
		}
		if c.Rate != 0 {
			e["rate"] = c.Rate
		}
		name := cmp.Or(c.Name, c.Subject)
		if s.keys[name] != "" {
			return nil, fmt.Errorf("two callers are %s", name)
		}
		s.keys[name], entries = key, append(entries, e)
	}
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.secret.Public(), KeyID: "test", Use: "sig", Algorithm: string(jose.ES256)}}}
	if err := write(s.path("jwks.json"), public); err != nil {
		return nil, err
	}
	return s, write(s.path("keys.json"), entries)
}

func (s *Set) path(name string) string { return filepath.Join(s.dir, name) }

func write(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func (c Caller) expires() time.Time {
	if c.Expires == 0 {
		c.Expires = time.Hour
	}
	return time.Now().Add(c.Expires).UTC().Truncate(time.Second)
}

// Settings are the flags by which a service lets the callers in.
func (s *Set) Settings() []string {
	return []string{"-credentials", s.path("keys.json"), "-jwt-issuer", issuer, "-jwt-audience", audience, "-jwt-keys", s.path("jwks.json")}
}

// Key returns the API key of a caller.
func (s *Set) Key(name string) string {
	key, ok := s.keys[name]
	if !ok {
		panic("no caller is " + name)
	}
	return key
}

// Token returns a bearer token for a caller.
func (s *Set) Token(c Caller) (string, error) {
	if c.Customers == nil {
		c.Customers = []string{"*"}
	}
	claims, err := json.Marshal(map[string]any{
		"iss": issuer, "aud": audience, "sub": c.Subject, "exp": c.expires().Unix(), "scope": strings.Join(c.Scopes, " "), "customers": c.Customers,
	})
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.secret, KeyID: "test"}}, nil)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Transport returns a transport that sends the API key of a caller with each request, whatever
// credentials the request has.
func (s *Set) Transport(name string, next http.RoundTripper) http.RoundTripper {
	return transport{s.Key(name), next}
}

type transport struct {
	key  string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	r.Header.Set("X-API-Key", t.key)
	return t.next.RoundTrip(r)
}
