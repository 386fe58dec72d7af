package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/deferpay/deferpay/services/internal/livefile"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// keySource is where the public keys of an issuer come from.
type keySource interface {
	// find returns the key that a token names, which names none if kid is "". The error is a
	// problem.
	find(ctx context.Context, kid string) (*jose.JSONWebKey, error)
	// check reads the keys again if they may have changed.
	check()
}

func openKeySource(from string, logger *slog.Logger, now func() time.Time) (keySource, error) {
	if !strings.HasPrefix(from, "https://") && !strings.HasPrefix(from, "http://") {
		f, err := livefile.Open("key set of the issuer", logger, parseKeyFile, from)
		return fileKeys{f}, err
	}
	k := &fetchedKeys{url: from, logger: logger, now: now, client: &http.Client{
		Timeout: fetchTime,
		// a redirect could lead away from https
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	k.refresh(context.Background(), 0)
	return k, nil
}

// keySet are the keys of an issuer.
type keySet []jose.JSONWebKey

// maxKeys bounds the keys of an issuer.
const maxKeys = 100

func parseKeySet(data []byte) (keySet, error) {
	var written struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := checkEncoding(data); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &written); err != nil {
		return nil, fmt.Errorf("not a key set: %w", err)
	}
	if len(written.Keys) == 0 || len(written.Keys) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, want 1 to %d", len(written.Keys), maxKeys)
	}
	var set keySet
	for i, text := range written.Keys {
		if !forSignatures(text) {
			continue
		}
		var k jose.JSONWebKey
		if err := json.Unmarshal(text, &k); err != nil {
			return nil, fmt.Errorf("key %d: %s", i, reason(err))
		}
		if err := usable(k); err != nil {
			return nil, fmt.Errorf("key %d (%.60s): %w", i, k.KeyID, err)
		}
		for _, other := range set {
			if other.KeyID == k.KeyID {
				return nil, fmt.Errorf("key %d (%.60s): another key has the same kid", i, k.KeyID)
			}
		}
		set = append(set, k)
	}
	if len(set) == 0 {
		return nil, errors.New("it has no key for signatures by an algorithm that is accepted")
	}
	return set, nil
}

// reason returns why a key cannot be read, without the names of libraries and types.
func reason(err error) string {
	const by = "go-jose/go-jose: "
	if _, text, known := strings.Cut(err.Error(), by); known {
		text = strings.ReplaceAll(text, by, "")
		if errors.Is(err, jose.ErrUnsupportedKeyType) {
			text += fmt.Sprintf(" (at most %d bits)", jose.MaxRSAModulusBits)
		}
		return text
	}
	return "a member has a value that does not belong there"
}

// forSignatures reports whether a key is for signatures by an algorithm that is accepted, and of a
// type that is known. RFC 7517 asks to ignore others. A shared secret is not ignored, because an
// issuer that publishes one must be noticed.
func forSignatures(key []byte) bool {
	var k struct {
		Type       string                  `json:"kty"`
		Curve      string                  `json:"crv"`
		Use        string                  `json:"use"`
		Operations []string                `json:"key_ops"`
		Algorithm  jose.SignatureAlgorithm `json:"alg"`
	}
	switch {
	case json.Unmarshal(key, &k) != nil:
		return true // what is wrong is found when it is read
	case k.Use != "" && k.Use != "sig" || k.Operations != nil && !slices.Contains(k.Operations, "verify"):
		return false
	case k.Type == "oct":
		return true
	case k.Algorithm != "" && !slices.Contains(algorithms, k.Algorithm):
		return false
	}
	switch k.Type {
	case "EC":
		return slices.Contains([]string{"P-256", "P-384", "P-521"}, k.Curve)
	case "OKP":
		return k.Curve == "Ed25519"
	}
	return k.Type == "RSA"
}

// usable returns an error for a key that must not verify tokens. Package jose has refused RSA keys
// of more than 4096 bits or with an exponent below 2.
func usable(k jose.JSONWebKey) error {
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 2048 {
			return fmt.Errorf("it has %d bits, want at least 2048", bits)
		}
		if key.E%2 == 0 {
			return fmt.Errorf("its exponent is %d, want an odd one", key.E)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	case []byte:
		return errors.New("it is a shared secret, and tokens are accepted by public keys only")
	default:
		return errors.New("it is not a public key")
	}
	if !k.Valid() {
		return errors.New("it is not valid")
	}
	return nil
}

// find returns the key with an id. A token that names none has the only key of its issuer.
func (s keySet) find(kid string) (*jose.JSONWebKey, bool) {
	if kid == "" && len(s) == 1 {
		return &s[0], true
	}
	for i := range s {
		if s[i].KeyID == kid && kid != "" {
			return &s[i], true
		}
	}
	return nil, false
}

func unknownKey() *problem.Problem {
	return refused("is signed by a key that the issuer does not have")
}

type fileKeys struct{ *livefile.File[keySet] }

func parseKeyFile(files []livefile.Content) (keySet, error) {
	if err := checkMode(files[0].Mode); err != nil {
		return nil, err
	}
	return parseKeySet(files[0].Data)
}

func (f fileKeys) check() { f.Check() }

func (f fileKeys) find(_ context.Context, kid string) (*jose.JSONWebKey, error) {
	if k, ok := f.Value().find(kid); ok {
		return k, nil
	}
	return nil, unknownKey()
}

const (
	fetchTime  = 5 * time.Second
	fetchEvery = 5 * time.Minute // an issuer rotates its keys less often
	// fetchAgain is how soon the keys are fetched again for a token with a key that is not known,
	// or after a failure. A stranger cannot make the service fetch them more often.
	fetchAgain = 10 * time.Second
	maxKeySet  = 1 << 20 // bytes
)

// fetchedKeys are the keys at a URL. If they cannot be fetched, those that were fetched last stay
// in force.
type fetchedKeys struct {
	url    string
	client *http.Client
	logger *slog.Logger
	now    func() time.Time

	fetching sync.Mutex // held during a fetch
	mu       sync.Mutex
	set      keySet
	tried    time.Time // when they were fetched last, or that was tried
	failed   bool
}

func (k *fetchedKeys) find(ctx context.Context, kid string) (*jose.JSONWebKey, error) {
	for again := range 2 {
		k.mu.Lock()
		set := k.set
		k.mu.Unlock()
		if key, ok := set.find(kid); ok {
			return key, nil
		}
		if again == 0 {
			k.refresh(ctx, fetchAgain)
			continue
		}
		if set == nil {
			return nil, problem.New(problem.NotReady, "the keys of the issuer of tokens could not be read yet").WithHint("try again, or send an API key").WithRetryAfter(int(fetchAgain.Seconds()))
		}
	}
	return nil, unknownKey()
}

func (k *fetchedKeys) check() {
	k.mu.Lock()
	every := fetchEvery
	if k.failed {
		every = fetchAgain
	}
	k.mu.Unlock()
	k.refresh(context.Background(), every)
}

// refresh fetches the keys, unless that was done or tried less than after ago.
func (k *fetchedKeys) refresh(ctx context.Context, after time.Duration) {
	k.fetching.Lock()
	defer k.fetching.Unlock()
	now := k.now()
	k.mu.Lock()
	recent := !k.tried.IsZero() && now.Sub(k.tried) < after
	k.mu.Unlock()
	if recent {
		return
	}
	// not cut short when the client that asked goes away: others wait for it too
	set, err := k.fetch(context.WithoutCancel(ctx))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried = now
	if err != nil {
		if !k.failed {
			k.logger.Error("the keys of the issuer of tokens cannot be read, those read before stay in force", "url", shown(k.url), "keys", len(k.set), "error", err.Error())
		}
		k.failed = true
		return
	}
	if k.failed || k.set == nil {
		k.logger.Info("the keys of the issuer of tokens were read", "url", shown(k.url), "keys", len(set))
	}
	k.set, k.failed = set, false
}

func (k *fetchedKeys) fetch(ctx context.Context) (keySet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeySet {
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxKeySet)
	}
	return parseKeySet(data)
}

// shown returns an address without the password that it may have.
func shown(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "(not a URL)"
}
