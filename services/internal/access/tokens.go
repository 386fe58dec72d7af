package access

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/settings"
)

// Tokens says which bearer tokens are accepted: JSON Web Tokens signed by one issuer for one
// audience, as RFC 9068 describes them.
type Tokens struct {
	Issuer   string // the claim iss; "": no token is accepted
	Audience string // must be among the claim aud
	// Keys is the file or the URL of the issuer's key set (JWKS). A URL is https, or http on this
	// machine.
	Keys string
	// Customers is the name of the claim that lists the customers a token is bound to, or ["*"] for
	// all. A token without it is refused. If the name is "", no token is bound.
	Customers string
	// Leeway is how far the clocks of issuer and service may be apart.
	Leeway time.Duration
}

// check returns an error for settings that would accept a token that is meant for somebody else.
func (t Tokens) check() error {
	switch {
	case t.Audience == "":
		return errors.New("tokens need an audience: without it, those for other services would be accepted")
	case t.Keys == "":
		return errors.New("tokens need the key set of their issuer")
	case t.Leeway < 0 || t.Leeway > 10*time.Minute:
		return errors.New("the leeway of tokens is at most 10 minutes")
	}
	if u, err := url.Parse(t.Keys); err == nil && u.Scheme == "http" && !settings.IsLoopback(u.Hostname()) {
		return errors.New("the key set must be read by https: whoever changes it on its way is let in")
	}
	return nil
}

// algorithms are those by which a token may be signed. All of them need a private key: a signature
// by a shared secret could be made of the public key.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// tokenTypes are the values of the header typ that an access token has, if it has one.
var tokenTypes = []string{"", "jwt", "at+jwt", "application/at+jwt"}

// accessToken reports whether a value of the header typ is that of an access token.
func accessToken(typ any) bool {
	text, is := typ.(string)
	return is && slices.Contains(tokenTypes, strings.ToLower(text))
}

// compact reports whether a text has the form of a signed token: three parts of base64url. The
// decoder of base64 passes over line breaks.
func compact(token string) bool {
	return strings.Count(token, ".") == 2 && !strings.ContainsFunc(token, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// subjectPrefix begins the subjects of tokens, so that an issuer cannot name that of an API key.
const subjectPrefix = "oauth2:"

const (
	maxToken   = 16 << 10 // bytes
	maxSubject = 200      // bytes
)

// verifier verifies the tokens of one issuer.
type verifier struct {
	cfg  Tokens
	keys keySource
	now  func() time.Time
}

func newVerifier(cfg Tokens, logger *slog.Logger, now func() time.Time) (*verifier, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	source, err := openKeySource(cfg.Keys, logger, now)
	if err != nil {
		return nil, err
	}
	return &verifier{cfg, source, now}, nil
}

// check reads the key set again if it may have changed.
func (v *verifier) check() { v.keys.check() }

// claims are those of a token that are looked at.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Expires   *numeric `json:"exp"`
	NotBefore *numeric `json:"nbf"`
	IssuedAt  *numeric `json:"iat"`
	Scope     words    `json:"scope"`
}

// numeric is an instant in seconds since 1970.
type numeric float64

// UnmarshalJSON implements json.Unmarshaler. It refuses instants outside of years of four digits,
// which time cannot convert: one in the far future could become one in the past.
func (n *numeric) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*float64)(n)); err != nil {
		return err
	}
	if *n < 0 || *n >= firstTooLate {
		return errors.New("not an instant")
	}
	return nil
}

// firstTooLate is the first second of the year 10000.
const firstTooLate = 253402300800

func (n numeric) time() time.Time { return time.UnixMilli(int64(float64(n) * 1000)) }

// audience is one text, or a list of texts.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// words are one text with blanks between them, or a list of texts.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*w = strings.Fields(one)
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

func refused(format string, args ...any) *problem.Problem {
	return problem.New(problem.Unauthenticated, "the bearer token "+format, args...).WithHint("get a new token from the issuer")
}

// verify returns the caller of a token. The error is a problem.
func (v *verifier) verify(ctx context.Context, token string) (Caller, error) {
	if len(token) > maxToken {
		return Caller{}, refused("is longer than %d bytes", maxToken)
	}
	if !compact(token) {
		return Caller{}, refused("is not a signed JSON Web Token")
	}
	signed, err := jose.ParseSignedCompact(token, algorithms)
	var algorithm *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &algorithm):
		return Caller{}, refused("is signed by an algorithm that is not accepted")
	case err != nil:
		return Caller{}, refused("is not a signed JSON Web Token")
	}
	header := signed.Signatures[0].Protected
	if typ, is := header.ExtraHeaders[jose.HeaderType]; is && !accessToken(typ) {
		return Caller{}, refused("is not an access token")
	}
	if _, is := header.ExtraHeaders["crit"]; is {
		return Caller{}, refused("has a header that is critical, and none is known")
	}
	key, err := v.keys.find(ctx, header.KeyID)
	if err != nil {
		return Caller{}, err
	}
	if key.Algorithm != "" && key.Algorithm != header.Algorithm {
		return Caller{}, refused("is signed by another algorithm than its key is for")
	}
	payload, err := signed.Verify(key.Key)
	if err != nil {
		return Caller{}, refused("has a signature that does not verify")
	}
	return v.caller(payload)
}

// caller returns the caller that verified claims name.
func (v *verifier) caller(payload []byte) (Caller, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Caller{}, refused("has claims that cannot be read")
	}
	now := v.now()
	switch {
	case c.Issuer != v.cfg.Issuer:
		return Caller{}, refused("has another issuer")
	case !slices.Contains(c.Audience, v.cfg.Audience):
		return Caller{}, refused("is meant for another audience")
	case c.Expires == nil:
		return Caller{}, refused("never expires, which is not accepted")
	case !now.Before(c.Expires.time().Add(v.cfg.Leeway)):
		return Caller{}, refused("expired at %s", c.Expires.time().UTC().Format(time.RFC3339))
	case c.NotBefore != nil && now.Add(v.cfg.Leeway).Before(c.NotBefore.time()):
		return Caller{}, refused("is not valid before %s", c.NotBefore.time().UTC().Format(time.RFC3339))
	case c.IssuedAt != nil && now.Add(v.cfg.Leeway).Before(c.IssuedAt.time()):
		return Caller{}, refused("was issued in the future, at %s: are the clocks right?", c.IssuedAt.time().UTC().Format(time.RFC3339))
	case !printable(c.Subject) || len(c.Subject) > maxSubject:
		return Caller{}, refused("has no subject of 1 to %d printable characters", maxSubject)
	}
	caller := Caller{Subject: subjectPrefix + c.Subject}
	for _, s := range c.Scope {
		if slices.Contains(scopes, s) { // an issuer may have scopes for other services too
			caller.Scopes = append(caller.Scopes, s)
		}
	}
	bound, err := v.customers(payload)
	caller.Customers = bound
	return caller, err
}

// customers returns the customers that verified claims bind the caller to, nil for all.
func (v *verifier) customers(payload []byte) ([]string, error) {
	name := v.cfg.Customers
	if name == "" {
		return nil, nil
	}
	var all map[string]any
	if err := json.Unmarshal(payload, &all); err != nil {
		return nil, refused("has claims that cannot be read")
	}
	values, ok := all[name].([]any)
	if !ok {
		return nil, refused(`has no list %q of the customers it is for, ["*"] for all`, name)
	}
	list := make([]string, len(values))
	for i, value := range values {
		list[i], _ = value.(string)
	}
	if slices.Equal(list, []string{"*"}) {
		return nil, nil
	}
	bound, err := customersOf(list)
	if err != nil || slices.Contains(list, "*") {
		return nil, refused("has a list %q that does not name customers", name)
	}
	return bound, nil
}

func printable(s string) bool {
	for _, r := range s {
		if r < 0x21 || r > 0x7e {
			return false
		}
	}
	return s != ""
}
