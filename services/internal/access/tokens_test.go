package access

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer is an issuer of tokens with one key of each type.
type issuer struct {
	rsa, other *rsa.PrivateKey
	ec         *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
}

var issued = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	var i issuer
	var errs [4]error
	i.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	i.other, errs[1] = rsa.GenerateKey(rand.Reader, 2048)
	i.ec, errs[2] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, i.ed, errs[3] = ed25519.GenerateKey(rand.Reader)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return &i
}

func set(t *testing.T, keys ...jose.JSONWebKey) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (i *issuer) keys(t *testing.T) string {
	return set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "rsa", Algorithm: "RS256", Use: "sig"},
		jose.JSONWebKey{Key: &i.ec.PublicKey, KeyID: "ec"}, jose.JSONWebKey{Key: i.ed.Public(), KeyID: "ed"})
}

// claimed are good claims with changes. A nil value removes a claim.
func claimed(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": "https://auth.example", "aud": "deferpay", "sub": "agency", "scope": "openid read write", "customers": []string{"CE-ACME"},
		"iat": issued.Unix(), "exp": issued.Add(time.Hour).Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t *testing.T, algorithm jose.SignatureAlgorithm, kid, typ string, key any, claims map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if typ != "" {
		options.WithType(jose.ContentType(typ))
	}
	if kid != "" {
		options.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// raw is a token with a header and a signature of one's own.
func raw(t *testing.T, header, payload string, mac func(signed []byte) []byte) string {
	t.Helper()
	e := base64.RawURLEncoding
	signed := e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(payload))
	return signed + "." + e.EncodeToString(mac([]byte(signed)))
}

func (i *issuer) tokens(path string) Tokens {
	return Tokens{Issuer: "https://auth.example", Audience: "deferpay", Keys: path, Customers: "customers", Leeway: 30 * time.Second}
}

func TestBearer(t *testing.T) {
	i := newIssuer(t)
	path := credentials(t, i.keys(t))
	c := open(t, Config{Tokens: i.tokens(path), Now: func() time.Time { return issued }})
	good := func(changes map[string]any) string {
		return sign(t, jose.RS256, "rsa", "at+jwt", i.rsa, claimed(changes))
	}
	payload, err := json.Marshal(claimed(nil))
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&i.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	hs := func(secret []byte) func([]byte) []byte {
		return func(signed []byte) []byte { m := hmac.New(sha256.New, secret); m.Write(signed); return m.Sum(nil) }
	}
	rs := func(signed []byte) []byte {
		sum := sha256.Sum256(signed)
		s, err := rsa.SignPKCS1v15(nil, i.rsa, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const denied = "unauthenticated"
	for name, tt := range map[string]struct{ token, want string }{
		"RS256":                         {good(nil), "oauth2:agency"},
		"ES256":                         {sign(t, jose.ES256, "ec", "JWT", i.ec, claimed(nil)), "oauth2:agency"},
		"EdDSA":                         {sign(t, jose.EdDSA, "ed", "", i.ed, claimed(nil)), "oauth2:agency"},
		"scopes as a list":              {good(map[string]any{"scope": []string{"read"}}), "oauth2:agency"},
		"several audiences":             {good(map[string]any{"aud": []string{"x", "deferpay"}}), "oauth2:agency"},
		"every customer":                {good(map[string]any{"customers": []string{"*"}}), "oauth2:agency"},
		"just expired":                  {good(map[string]any{"exp": issued.Add(-29 * time.Second).Unix()}), "oauth2:agency"},
		"a token just short enough":     {good(map[string]any{"pad": strings.Repeat("x", 11_500)}), "oauth2:agency"},
		"a token of twice the size":     {good(map[string]any{"pad": strings.Repeat("x", 23_000)}), denied},
		"the last moment":               {good(map[string]any{"exp": issued.Add(-29 * time.Second).Unix(), "nbf": issued.Add(30 * time.Second).Unix(), "iat": issued.Add(30 * time.Second).Unix()}), "oauth2:agency"},
		"expired by a second more":      {good(map[string]any{"exp": issued.Add(-31 * time.Second).Unix()}), denied},
		"valid from a far future":       {good(map[string]any{"nbf": 1e18}), denied},
		"issued in a far future":        {good(map[string]any{"iat": 1e18}), denied},
		"an expiry without bound":       {good(map[string]any{"exp": 1e18}), denied},
		"a negative expiry":             {good(map[string]any{"exp": -1}), denied},
		"an expiry in quotes":           {good(map[string]any{"exp": fmt.Sprint(issued.Add(time.Hour).Unix())}), denied},
		"an audience without members":   {good(map[string]any{"aud": []string{}}), denied},
		"another list of audiences":     {good(map[string]any{"aud": []string{"deferpay ", "DEFERPAY"}}), denied},
		"an audience that is an object": {good(map[string]any{"aud": map[string]any{"deferpay": true}}), denied},
		"claims of another case":        {good(map[string]any{"iss": nil, "ISS": "https://auth.example"}), denied},
		"ES384 by a key of P-256":       {raw(t, `{"alg":"ES384","kid":"ec"}`, string(payload), rs), denied},
		"HS512 by the file":             {raw(t, `{"alg":"HS512","kid":"rsa"}`, string(payload), hs([]byte(i.keys(t)))), denied},
		"an empty signature":            {raw(t, `{"alg":"RS256","kid":"rsa"}`, string(payload), func([]byte) []byte { return nil }), denied},
		"no algorithm":                  {raw(t, `{"kid":"rsa"}`, string(payload), rs), denied},
		"a kid that is a number":        {raw(t, `{"alg":"RS256","kid":1}`, string(payload), rs), denied},
		"a header twice":                {raw(t, `{"alg":"none","alg":"RS256","kid":"rsa"}`, string(payload), rs), denied},
		"a critical b64":                {raw(t, `{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":false}`, string(payload), rs), denied},
		"clock ahead":                   {good(map[string]any{"iat": issued.Add(29 * time.Second).Unix(), "nbf": issued.Add(29 * time.Second).Unix()}), "oauth2:agency"},
		"without the scope":             {good(map[string]any{"scope": "write"}), "forbidden"},
		"without scopes":                {good(map[string]any{"scope": nil}), "forbidden"},
		"expired":                       {good(map[string]any{"exp": issued.Add(-30 * time.Second).Unix()}), denied},
		"never expires":                 {good(map[string]any{"exp": nil}), denied},
		"not yet valid":                 {good(map[string]any{"nbf": issued.Add(31 * time.Second).Unix()}), denied},
		"issued in the future":          {good(map[string]any{"iat": issued.Add(31 * time.Second).Unix()}), denied},
		"another issuer":                {good(map[string]any{"iss": "https://auth.example/"}), denied},
		"no issuer":                     {good(map[string]any{"iss": nil}), denied},
		"another audience":              {good(map[string]any{"aud": "deferpay-test"}), denied},
		"an audience of two words":      {good(map[string]any{"aud": "deferpay x"}), denied},
		"no audience":                   {good(map[string]any{"aud": nil}), denied},
		"no subject":                    {good(map[string]any{"sub": nil}), denied},
		"a subject with a blank":        {good(map[string]any{"sub": "a b"}), denied},
		"a long subject":                {good(map[string]any{"sub": strings.Repeat("a", 201)}), denied},
		"no customers":                  {good(map[string]any{"customers": nil}), denied},
		"customers as a text":           {good(map[string]any{"customers": "CE-ACME"}), denied},
		"an empty list of customers":    {good(map[string]any{"customers": []string{}}), denied},
		"a customer and every one":      {good(map[string]any{"customers": []string{"CE-ACME", "*"}}), denied},
		"customers that are numbers":    {good(map[string]any{"customers": []int{7}}), denied},
		"an ID token":                   {sign(t, jose.RS256, "rsa", "id+jwt", i.rsa, claimed(nil)), denied},
		"another key's signature":       {sign(t, jose.RS256, "rsa", "JWT", i.other, claimed(nil)), denied},
		"a key that is not known":       {sign(t, jose.RS256, "new", "JWT", i.other, claimed(nil)), denied},
		"no kid":                        {sign(t, jose.RS256, "", "JWT", i.rsa, claimed(nil)), denied},
		"an algorithm not its key's":    {sign(t, jose.PS256, "rsa", "JWT", i.rsa, claimed(nil)), denied},
		"RS256 by an EC key":            {sign(t, jose.RS256, "ec", "JWT", i.rsa, claimed(nil)), denied},
		"none":                          {raw(t, `{"alg":"none","kid":"rsa"}`, string(payload), func([]byte) []byte { return nil }), denied},
		"None":                          {raw(t, `{"alg":"None","kid":"rsa"}`, string(payload), func([]byte) []byte { return nil }), denied},
		"HS256 by the public key":       {raw(t, `{"alg":"HS256","kid":"rsa"}`, string(payload), hs(public)), denied},
		"HS256 by the modulus":          {raw(t, `{"alg":"HS256","kid":"rsa"}`, string(payload), hs(i.rsa.N.Bytes())), denied},
		"a key of the sender's":         {raw(t, `{"alg":"RS256","jwk":`+string(must(t)(jose.JSONWebKey{Key: &i.other.PublicKey}.MarshalJSON()))+`}`, string(payload), rs), denied},
		"an unknown critical header":    {raw(t, `{"alg":"RS256","kid":"rsa","crit":["x"],"x":1}`, string(payload), rs), denied},
		"a claim twice":                 {raw(t, `{"alg":"RS256","kid":"rsa"}`, strings.Replace(string(payload), `{`, `{"scope":"admin",`, 1), rs), denied},
		"no JSON":                       {raw(t, `{"alg":"RS256","kid":"rsa"}`, "x", rs), denied},
		"changed claims": {func() string {
			p := strings.Split(good(nil), ".")
			p[1] = p[1][:len(p[1])-4] + "fQAA"
			return strings.Join(p, ".")
		}(), denied},
		"no token":           {"", denied},
		"nonsense":           {"a.b.c", denied},
		"two parts":          {"a.b", denied},
		"JSON serialisation": {`{"payload":"e30","signatures":[]}`, denied},
		"too long":           {strings.Repeat("a", maxToken+1), denied},
	} {
		ctx, err := c.Bearer(t.Context(), operation, tt.token, []string{Read})
		if got := outcome(t, ctx, err); got != tt.want {
			t.Errorf("%s: %s, want %s (%v)", name, got, tt.want, err)
		}
		if err != nil && tt.token != "" && strings.Contains(err.Error(), tt.token) {
			t.Errorf("%s: the problem contains the token", name)
		}
	}
	ctx, err := c.Bearer(t.Context(), operation, good(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if who, _ := From(ctx); !slices.Equal(who.Scopes, []string{Read, Write}) || !slices.Equal(who.Customers, []string{"CE-ACME"}) {
		t.Errorf("%+v", who)
	}
	ctx, _ = c.Bearer(t.Context(), operation, good(map[string]any{"customers": []string{"*"}}), nil)
	if Customers(ctx) != nil {
		t.Errorf("a token for every customer is bound to %v", Customers(ctx))
	}
	ctx, err = c.Key(t.Context(), operation, "k", nil)
	if got := outcome(t, ctx, err); got != "unauthenticated" {
		t.Errorf("an API key where there are none: %s", got)
	}
	unbound := i.tokens(path)
	unbound.Customers = ""
	ctx, err = open(t, Config{Tokens: unbound, Now: func() time.Time { return issued }}).Bearer(t.Context(), operation, good(nil), nil)
	if err != nil || Customers(ctx) != nil {
		t.Errorf("without the claim: %v, bound to %v", err, Customers(ctx))
	}
}

func must(t *testing.T) func(b []byte, err error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestInvalidKeySets(t *testing.T) {
	i := newIssuer(t)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	known := jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "rsa"}
	for name, tt := range map[string]struct{ text, want string }{
		"empty":               {"", "not a key set"},
		"no keys":             {`{"keys":[]}`, "0 keys"},
		"half written":        {i.keys(t)[:200], "not a key set"},
		"trailing text":       {i.keys(t) + "x", "not a key set"},
		"a shared secret":     {set(t, known, jose.JSONWebKey{Key: []byte("secret-secret-secret-secret-secret"), KeyID: "s"}), "shared secret"},
		"a private key":       {set(t, jose.JSONWebKey{Key: i.rsa, KeyID: "p"}), "not a public key"},
		"a short key":         {set(t, jose.JSONWebKey{Key: &short.PublicKey, KeyID: "s"}), "1024 bits"},
		"one kid twice":       {set(t, known, known), "same kid"},
		"for encryption":      {set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "e", Use: "enc"}), "no key for signatures"},
		"of another type":     {`{"keys":[{"kty":"XX","kid":"x"}]}`, "no key for signatures"},
		"HTML":                {"<!DOCTYPE html><title>404</title>", "not a key set"},
		"null":                {"null", "0 keys"},
		"a list":              {"[]", "not a key set"},
		"too many keys":       {`{"keys":[` + strings.Repeat(`{"kty":"XX"},`, maxKeys) + `{"kty":"XX"}]}`, "101 keys"},
		"a member twice":      {`{"keys":[],` + i.keys(t)[1:], "duplicate"},
		"a byte order mark":   {"\ufeff" + i.keys(t), "byte order mark"},
		"for a shared secret": {set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "h", Algorithm: "HS256"}), "no key for signatures"},
		"for no algorithm":    {set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "n", Algorithm: "none"}), "no key for signatures"},
		"for key transport":   {set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "e", Algorithm: "RSA-OAEP"}), "no key for signatures"},
		"for wrapping":        {strings.Replace(set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "e"}), `{"kty"`, `{"key_ops":["wrapKey"],"kty"`, 1), "no key for signatures"},
		"no kid twice":        {set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey}, jose.JSONWebKey{Key: &i.other.PublicKey}), "same kid"},
		"broken":              {`{"keys":[{"kty":"RSA","kid":"x","n":"AQ"}]}`, "key 0"},
	} {
		path := credentials(t, tt.text)
		if _, err := Open(Config{Tokens: i.tokens(path)}); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q and the path", name, err, tt.want)
		}
	}
}

func TestTokenSettings(t *testing.T) {
	i := newIssuer(t)
	path := credentials(t, i.keys(t))
	for want, change := range map[string]func(*Tokens){
		"audience": func(t *Tokens) { t.Audience = "" },
		"key set":  func(t *Tokens) { t.Keys = "" },
		"leeway":   func(t *Tokens) { t.Leeway = time.Hour },
		"https":    func(t *Tokens) { t.Keys = "http://auth.example/keys" },
	} {
		cfg := i.tokens(path)
		change(&cfg)
		if _, err := Open(Config{Tokens: cfg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestKeyFileIsReadAgain(t *testing.T) {
	i := newIssuer(t)
	path := filepath.Join(t.TempDir(), "keys.json")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(i.keys(t))
	c := open(t, Config{Tokens: i.tokens(path), Now: func() time.Time { return issued }})
	in := func(kid string, key any) bool {
		_, err := c.Bearer(t.Context(), operation, sign(t, jose.RS256, kid, "", key, claimed(nil)), nil)
		return err == nil
	}
	rotated := set(t, jose.JSONWebKey{Key: &i.other.PublicKey, KeyID: "new"})
	for _, step := range []struct {
		text     string
		old, new bool
	}{{i.keys(t), true, false}, {rotated[:50], true, false}, {rotated, false, true}} {
		write(step.text)
		c.Check()
		if in("rsa", i.rsa) != step.old || in("new", i.other) != step.new {
			t.Errorf("%s: the old key's token is accepted: %t, the new one's: %t", step.text, in("rsa", i.rsa), in("new", i.other))
		}
	}
}

// The key set at a URL is away at the start, comes, is rotated, and goes away again.
func TestFetchedKeys(t *testing.T) {
	i := newIssuer(t)
	var text atomic.Value
	var fetched atomic.Int64
	text.Store("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		switch body := text.Load().(string); body {
		case "":
			w.WriteHeader(http.StatusBadGateway)
		case "redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			_, _ = w.Write([]byte(body))
		}
	}))
	defer server.Close()
	now := issued
	var log bytes.Buffer
	c := open(t, Config{Tokens: i.tokens(server.URL), Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ask := func(kid string, key any, want string) {
		t.Helper()
		ctx, err := c.Bearer(t.Context(), operation, sign(t, jose.RS256, kid, "", key, claimed(nil)), nil)
		if got := outcome(t, ctx, err); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	const in, out = "oauth2:agency", "unauthenticated"
	ask("rsa", i.rsa, "not-ready")
	if fetched.Load() != 1 || !strings.Contains(log.String(), "502") {
		t.Errorf("fetched %d times; log %s", fetched.Load(), log.String())
	}
	text.Store(i.keys(t))
	now = now.Add(fetchAgain)
	c.Check()
	ask("rsa", i.rsa, in)
	text.Store(set(t, jose.JSONWebKey{Key: &i.other.PublicKey, KeyID: "new"}))
	ask("new", i.other, out) // just fetched
	now = now.Add(fetchAgain)
	ask("new", i.other, in)
	ask("rsa", i.rsa, out)
	before := fetched.Load()
	for range 100 { // a stranger's tokens
		ask("none", i.rsa, out)
	}
	if n := fetched.Load() - before; n > 0 {
		t.Errorf("a stranger had the keys fetched %d times", n)
	}
	for _, away := range []string{"", "redirect", `{"keys":[]}`, set(t, jose.JSONWebKey{Key: []byte("a secret that everybody shares with all"), KeyID: "new"})} {
		text.Store(away)
		now = now.Add(fetchEvery)
		c.Check()
		ask("new", i.other, in) // by the keys that were read last
	}
}

// TestKeysFromABadServer has the key set served in every wrong way. The keys that were read last
// stay in force, and the fault is logged by name.
func TestKeysFromABadServer(t *testing.T) {
	i := newIssuer(t)
	stranger := set(t, jose.JSONWebKey{Key: &i.other.PublicKey, KeyID: "rsa"})
	var serve atomic.Value
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	good := write(i.keys(t))
	serve.Store(good)
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve.Load().(http.HandlerFunc)(w, r) }))
	defer server.Close()
	defer close(ended)
	now := issued
	var log bytes.Buffer
	c := open(t, Config{Tokens: i.tokens(server.URL), Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	check := func(name string, h http.HandlerFunc, logged string) {
		t.Helper()
		serve.Store(h)
		c.tokens.keys.(*fetchedKeys).client.Timeout = fetchTime
		if strings.HasPrefix(name, "slow") {
			c.tokens.keys.(*fetchedKeys).client.Timeout = 50 * time.Millisecond
		}
		log.Reset()
		now = now.Add(fetchEvery)
		c.Check()
		for _, key := range []*rsa.PrivateKey{i.rsa, i.other} {
			token := sign(t, jose.RS256, "rsa", "", key, claimed(map[string]any{"exp": now.Add(time.Hour).Unix()}))
			if _, err := c.Bearer(t.Context(), operation, token, []string{Read}); (err == nil) != (key == i.rsa) {
				t.Errorf("%s: a token by the issuer: %t: %v", name, key == i.rsa, err)
			}
		}
		if !strings.Contains(log.String(), logged) {
			t.Errorf("%s: logged %q, want %q", name, log.String(), logged)
		}
	}
	for name, tt := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"404":      {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, stranger, http.StatusNotFound) }, "404 Not Found"},
		"204":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "204 No Content"},
		"HTML":     {write("<!DOCTYPE html><title>Log in</title>"), "not a key set"},
		"two sets": {write(i.keys(t) + stranger), "not a key set"},
		"huge":     {write(strings.Repeat(" ", maxKeySet) + stranger), "larger than"},
		"without end": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, strings.NewReader(strings.Repeat(" ", 8*maxKeySet)))
		}, "larger than"},
		"ends early": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "9000")
			write(stranger)(w, r)
		}, "unexpected EOF"},
		"slow": {func(_ http.ResponseWriter, r *http.Request) { wait(r, ended) }, "Client.Timeout"},
		"slow to end": {func(w http.ResponseWriter, r *http.Request) {
			write(stranger)(w, r)
			w.(http.Flusher).Flush()
			wait(r, ended)
		}, "Client.Timeout"},
		"one kid twice": {write(set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "rsa"}, jose.JSONWebKey{Key: &i.other.PublicKey, KeyID: "rsa"})), "same kid"},
		"no algorithm":  {write(set(t, jose.JSONWebKey{Key: &i.other.PublicKey, KeyID: "rsa", Algorithm: "none"})), "no key for signatures"},
	} {
		check(name, tt.serve, tt.want)
		check("after "+name, good, "were read")
	}
}

// wait returns when the client has gone, or the test ends.
func wait(r *http.Request, ended chan struct{}) {
	select {
	case <-r.Context().Done():
	case <-ended:
	}
}

// TestKeyWithoutKid lets a token without a kid in only if there is no choice of keys.
func TestKeyWithoutKid(t *testing.T) {
	i := newIssuer(t)
	one, two := jose.JSONWebKey{Key: &i.rsa.PublicKey}, jose.JSONWebKey{Key: &i.other.PublicKey, KeyID: "two"}
	for _, tt := range []struct {
		set  string
		key  *rsa.PrivateKey
		want string
	}{
		{set(t, one), i.rsa, "oauth2:agency"},
		{set(t, two), i.other, "oauth2:agency"},
		{set(t, one), i.other, "unauthenticated"},
		{set(t, one, two), i.rsa, "unauthenticated"},
	} {
		c := open(t, Config{Tokens: i.tokens(credentials(t, tt.set)), Now: func() time.Time { return issued }})
		ctx, err := c.Bearer(t.Context(), operation, sign(t, jose.RS256, "", "", tt.key, claimed(nil)), nil)
		if got := outcome(t, ctx, err); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.set, got, tt.want)
		}
	}
}

// TestTokensFetchNothing sends tokens whose headers name addresses of keys.
func TestTokensFetchNothing(t *testing.T) {
	i := newIssuer(t)
	asked := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Error("asked for", r.URL) }))
	defer asked.Close()
	c := open(t, Config{Tokens: i.tokens(credentials(t, i.keys(t))), Now: func() time.Time { return issued }})
	for _, header := range []string{"jku", "x5u"} {
		token := raw(t, `{"alg":"RS256","kid":"new","`+header+`":"`+asked.URL+`"}`, `{"iss":"https://auth.example"}`, func(b []byte) []byte { return b })
		ctx, err := c.Bearer(t.Context(), operation, token, nil)
		if got := outcome(t, ctx, err); got != "unauthenticated" {
			t.Errorf("%s: %s", header, got)
		}
	}
}
