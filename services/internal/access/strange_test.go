package access

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// TestStrangePlaces opens files of keys that are no files, or are reached in strange ways.
func TestStrangePlaces(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	try(syscall.Mkfifo(at("pipe"), 0o600))
	try(os.Symlink(at("pipe"), at("link to a pipe")))
	try(os.Symlink(at("b"), at("a")))
	try(os.Symlink(at("a"), at("b")))
	try(os.Symlink(at("gone"), at("dangling")))
	try(os.WriteFile(at("file"), []byte(only("k")), 0o600))
	try(os.WriteFile(at("large"), append([]byte(only("k")), bytes.Repeat([]byte(" "), 4<<20)...), 0o600))
	for path, want := range map[string]string{
		at("pipe"): "not a regular file", at("link to a pipe"): "not a regular file", at("a"): "too many levels", at("dangling"): "no such file",
		dir: "not a regular file", at("file") + "/": "not a directory", "/dev/null": "not a regular file", at("large"): "larger than", at("a\x00b"): "invalid argument",
	} {
		if _, err := Open(Config{File: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("API keys in %q: error %v, want %q", path, err, want)
		}
		if _, err := Open(Config{Tokens: Tokens{Issuer: "i", Audience: "a", Keys: path, Customers: "c"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a key set in %q: error %v, want %q", path, err, want)
		}
	}
}

// TestReplacedWhileRead replaces the file again and again while it is read. What is in force is
// always one of the two files, and never nothing or a part of them.
func TestReplacedWhileRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "credentials.json")
	many := func(first string) []byte {
		var all []string
		for n := range 300 {
			all = append(all, fmt.Sprintf(`{"subject":"s%d","sha256":%q,"scopes":["read"]}`, n, Hash(fmt.Sprint(first, n))))
		}
		return []byte("[" + strings.Join(all, ",") + "]")
	}
	texts := [][]byte{many("a"), many("b")}
	replace := func(n int) error {
		next := fmt.Sprint(path, n%2)
		if err := os.WriteFile(next, texts[n%2], 0o600); err != nil {
			return err
		}
		return os.Rename(next, path)
	}
	if err := replace(0); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := open(t, Config{File: path, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))})
	done := make(chan error, 1)
	go func() {
		for n := range 200 {
			if err := replace(n); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for seen := 0; ; seen++ {
		c.Check()
		_, first := c.Key(t.Context(), operation, "a0", nil)
		_, last := c.Key(t.Context(), operation, "b299", nil)
		if (first == nil) == (last == nil) {
			t.Fatalf("a0: %v, b299: %v", first, last)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if log.Len() > 0 {
				t.Errorf("after %d looks: %s", seen, log.String())
			}
			return
		default:
		}
	}
}

// TestStrangeKeySets opens key sets that are unusual and right, or wrong in ways of their own.
func TestStrangeKeySets(t *testing.T) {
	i := newIssuer(t)
	key := jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "rsa"}
	with := func(members string) string { return strings.Replace(set(t, key), `{"kty"`, "{"+members+`,"kty"`, 1) }
	written := func(n, e string) string { return `{"keys":[{"kty":"RSA","kid":"x","n":"` + n + `","e":"` + e + `"}]}` }
	var modulus struct{ Keys []struct{ N string } }
	if err := json.Unmarshal([]byte(set(t, key)), &modulus); err != nil {
		t.Fatal(err)
	}
	n := modulus.Keys[0].N
	bits := func(size int) string {
		modulus := new(big.Int).Lsh(big.NewInt(1), uint(size))
		return base64.RawURLEncoding.EncodeToString(modulus.Sub(modulus, big.NewInt(1)).Bytes())
	}
	for name, tt := range map[string]struct{ text, want string }{
		"unknown members":       {with(`"ext":[{"y":null}],"nbf":1`), ""},
		"operations":            {with(`"key_ops":["verify","sign"]`), ""},
		"no operations":         {with(`"key_ops":[]`), "no key for signatures"},
		"operations, not known": {with(`"key_ops":["x"]`), "no key for signatures"},
		"another use":           {with(`"use":"tls"`), "no key for signatures"},
		"a use that is a list":  {with(`"use":["sig"]`), "key 0"},
		"a kid that is null":    {with(`"kid":null`), "duplicate"},
		"a kid of 10 KB":        {set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: strings.Repeat("k", 10_000)}), ""},
		"a kid of 10 KB, twice": {set(t, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: strings.Repeat("k", 10_000)}, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: strings.Repeat("k", 10_000)}), "same kid"},
		"512 bits":              {written(n[:86], "AQAB"), "512 bits"},
		"2047 bits":             {written(bits(2047), "AQAB"), "2047 bits, want at least 2048"},
		"4096 bits":             {written(bits(4096), "AQAB"), ""},
		"4097 bits":             {written(bits(4097), "AQAB"), "at most 4096 bits"},
		"an exponent of 2":      {written(n, "Ag"), "exponent"},
		"an exponent of 1":      {written(n, "AQ"), "key 0: invalid RSA key"},
		"an even exponent":      {written(n, "AQAA"), "exponent"},
		"a huge exponent":       {written(n, strings.Repeat("AQAB", 100)), "key 0: invalid RSA key"},
		"an exponent of 0":      {written(n, "AA"), "key 0"},
		"a huge modulus":        {written(strings.Repeat(n, 100), "AQAB"), "RSA modulus size"},
		"a modulus padded":      {written(n+"==", "AQAB"), "key 0"},
		"a point not on P-256":  {`{"keys":[{"kty":"EC","crv":"P-256","kid":"x","x":"` + n[:43] + `","y":"` + n[43:86] + `"}]}`, "key 0"},
		"a set in a set":        {`{"keys":` + set(t, key) + `}`, "not a key set"},
		"another name":          {strings.Replace(set(t, key), `"keys"`, `"Keys"`, 1), "0 keys"},
		"a certificate":         {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "not a key set"},
		"a key alone":           {strings.TrimSuffix(strings.TrimPrefix(set(t, key), `{"keys":[`), "]}"), "0 keys"},
	} {
		path := credentials(t, tt.text)
		_, err := Open(Config{Tokens: i.tokens(path)})
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || len(err.Error()) > 500 || strings.Contains(err.Error(), "jose")) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}

// TestRedirectedKeys serves the key set behind redirects, which are not followed: they could lead
// away from https.
func TestRedirectedKeys(t *testing.T) {
	i := newIssuer(t)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			asked.Add(1)
			_, _ = io.WriteString(w, i.keys(t))
			return
		}
		w.Header().Set("Location", "/keys")
		w.WriteHeader(int(r.URL.Path[1]-'0')*100 + int(r.URL.Path[2]-'0')*10 + int(r.URL.Path[3]-'0'))
	}))
	defer server.Close()
	for _, status := range []string{"301", "302", "303", "307", "308"} {
		var log bytes.Buffer
		c := open(t, Config{Tokens: i.tokens(server.URL + "/" + status), Now: func() time.Time { return issued }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		_, err := c.Bearer(t.Context(), operation, sign(t, jose.RS256, "rsa", "", i.rsa, claimed(nil)), nil)
		if err == nil || asked.Load() > 0 || !strings.Contains(log.String(), status) {
			t.Errorf("%s: %v, asked %d times, logged %s", status, err, asked.Load(), log.String())
		}
	}
}

// TestStrangeSubjects opens files with subjects that an operator cannot tell apart, or that are no
// names.
func TestStrangeSubjects(t *testing.T) {
	for subject, want := range map[string]string{
		" agency": "blank", "agency ": "blank", "agency\u00a0": "blank", "a\\u200bgency": "cannot be seen", "a\\ngency": "cannot be seen", "\\u202eagency": "cannot be seen",
		"\\u0000": "cannot be seen", "\u2003": "no subject", strings.Repeat("a", maxSubject+1): "longer than 200", strings.Repeat("a", maxSubject): "", "agency paris": "",
		"agency\u00a0paris": "a blank other than U+0020", "agency\u3000paris": "a blank other than U+0020", "agency\u2003paris": "a blank other than U+0020",
		"a\ufe0fgency": "variation selector", "agency\ufe0e": "variation selector", "a\U000e0100gency": "variation selector", "Agence n\u00ba 7": "",
	} {
		_, err := Open(Config{File: credentials(t, strings.Replace(only("k"), "agency", subject, 1))})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || len(err.Error()) > 500) {
			t.Errorf("%q: error %v, want %q", subject, err, want)
		}
	}
}

// TestStrangeTokens sends tokens that are unusual and right, or wrong in ways of their own.
func TestStrangeTokens(t *testing.T) {
	i := newIssuer(t)
	c := open(t, Config{Tokens: i.tokens(credentials(t, i.keys(t))), Now: func() time.Time { return issued }})
	token := func(header, claim, value string) string {
		payload, err := json.Marshal(claimed(nil))
		if err != nil {
			t.Fatal(err)
		}
		text := string(payload)
		if claim != "" {
			without, err := json.Marshal(claimed(map[string]any{claim: nil}))
			if err != nil {
				t.Fatal(err)
			}
			text = `{"` + claim + `":` + value + "," + string(without[1:])
		}
		if header == "" {
			header = `{"alg":"RS256","kid":"rsa"}`
		}
		return raw(t, header, text, func(signed []byte) []byte {
			sum := sha256.Sum256(signed)
			s, err := rsa.SignPKCS1v15(nil, i.rsa, crypto.SHA256, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	}
	good := token("", "", "")
	soon := fmt.Sprint(issued.Add(time.Hour).Unix())
	const in, denied = "oauth2:agency", "unauthenticated"
	for name, tt := range map[string]struct{ token, want string }{
		"as it is":                 {good, in},
		"an expiry with a point":   {token("", "exp", soon+".75"), in},
		"an expiry in powers":      {token("", "exp", "1.7725284e9"), in},
		"an expiry of null":        {token("", "exp", "null"), denied},
		"an expiry of true":        {token("", "exp", "true"), denied},
		"an expiry as a list":      {token("", "exp", "["+soon+"]"), denied},
		"an expiry of 1e400":       {token("", "exp", "1e400"), denied},
		"milliseconds":             {token("", "exp", soon+"000"), denied},
		"a start in quotes":        {token("", "nbf", `"0"`), denied},
		"an issuer as a list":      {token("", "iss", `["https://auth.example"]`), denied},
		"an audience of null":      {token("", "aud", "null"), denied},
		"an audience in a list":    {token("", "aud", `[["deferpay"]]`), denied},
		"a subject of null":        {token("", "sub", "null"), denied},
		"a subject as a number":    {token("", "sub", "7"), denied},
		"a subject with a blank":   {token("", "sub", `"a b"`), denied},
		"a subject with NUL":       {token("", "sub", `"a\u0000"`), denied},
		"scopes with commas":       {token("", "scope", `"read,write"`), "forbidden"},
		"scopes in capitals":       {token("", "scope", `"READ"`), "forbidden"},
		"scopes with line breaks":  {token("", "scope", `"read\nwrite"`), in},
		"scopes as an object":      {token("", "scope", `{"read":true}`), denied},
		"customers of null":        {token("", "customers", "null"), denied},
		"customers with null":      {token("", "customers", `["CE-ACME",null]`), denied},
		"every customer in quotes": {token("", "customers", `"*"`), denied},
		"every customer, twice":    {token("", "customers", `["*","*"]`), denied},
		"an algorithm in lower":    {token(`{"alg":"rs256","kid":"rsa"}`, "", ""), denied},
		"an algorithm as a list":   {token(`{"alg":["RS256"],"kid":"rsa"}`, "", ""), denied},
		"compressed":               {token(`{"alg":"RS256","kid":"rsa","crit":["zip"],"zip":"DEF"}`, "", ""), denied},
		"an empty crit":            {token(`{"alg":"RS256","kid":"rsa","crit":[]}`, "", ""), denied},
		"a crit that is no list":   {token(`{"alg":"RS256","kid":"rsa","crit":"exp"}`, "", ""), denied},
		"a kid of 10 KB":           {token(`{"alg":"RS256","kid":"`+strings.Repeat("k", 10_000)+`"}`, "", ""), denied},
		"a kid of another case":    {token(`{"alg":"RS256","kid":"RSA"}`, "", ""), denied},
		"a type that is a number":  {token(`{"alg":"RS256","kid":"rsa","typ":7}`, "", ""), denied},
		"a signed request":         {token(`{"alg":"RS256","kid":"rsa","typ":"dpop+jwt"}`, "", ""), denied},
		"a blank before it":        {" " + good, denied},
		"a line break behind it":   {good + "\n", denied},
		"a dot behind it":          {good + ".", denied},
		"two dots in it":           {strings.Replace(good, ".", "..", 1), denied},
		"padding":                  {good + "==", denied},
		"Bearer in it":             {"Bearer " + good, denied},
		"twice":                    {good + "," + good, denied},
		"encrypted":                {"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.YQ.YQ.YQ.YQ", denied},
	} {
		ctx, err := c.Bearer(t.Context(), operation, tt.token, []string{Read})
		if got := outcome(t, ctx, err); got != tt.want {
			t.Errorf("%s: %s, want %s (%v)", name, got, tt.want, err)
		}
	}
}
