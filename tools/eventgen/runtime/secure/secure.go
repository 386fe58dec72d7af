// Package secure has the settings for authentication and encryption of Kafka and of a schema
// registry: TLS, SASL, basic authentication, tokens. Any code that connects to one of them may
// import it: the services, eventgen, tools, and users of generated code.
//
// A secret is read from a file or an environment variable, never from a command line, which every
// user of the machine can read. It is never printed. A file is read again for every connection, so
// that a wrong or changed password can be corrected while the process runs.
package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// Secret is a text that is never printed.
type Secret string

const hidden = "[secret]"

// String hides it from the verbs %v and %s.
func (Secret) String() string { return hidden }

// GoString hides it from the verb %#v.
func (Secret) GoString() string { return hidden }

// LogValue hides it from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides it from encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Declarer declares settings by the names of a flag and of an environment variable.
type Declarer interface {
	String(p *string, name, env, def, usage string)
	Bool(p *bool, name, env string, def bool, usage string)
	// Secret declares a setting that has no flag.
	Secret(p *Secret, env string)
}

// Kafka has the settings for brokers. The zero value is no authentication and no TLS.
type Kafka struct {
	// PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, which is the default if there is a user
	Mechanism    string
	User         string
	Password     Secret
	PasswordFile string // instead of Password
	TLS          bool   // each of the following settings implies it
	CAFile       string // PEM; empty: the authorities of the system are trusted
	CertFile     string // PEM, for brokers that require a client certificate
	KeyFile      string
	ServerName   string // in the brokers' certificates, if it is not the host of their address
}

// Declare declares the settings of k.
func (k *Kafka) Declare(d Declarer) {
	d.String(&k.Mechanism, "kafka-sasl", "KAFKA_SASL_MECHANISM", "", "SASL `mechanism`: SCRAM-SHA-512 (what -kafka-user alone means), SCRAM-SHA-256, or PLAIN, which needs TLS")
	d.String(&k.User, "kafka-user", "KAFKA_USER", "", "`name` to log in to Kafka with")
	d.String(&k.PasswordFile, "kafka-password-file", "KAFKA_PASSWORD_FILE", "", "`file` with the password of -kafka-user, read again for every connection; or KAFKA_PASSWORD in the environment")
	d.Secret(&k.Password, "KAFKA_PASSWORD")
	d.Bool(&k.TLS, "kafka-tls", "KAFKA_TLS", false, "encrypt connections to Kafka and check who answers; any of the following says so too")
	d.String(&k.CAFile, "kafka-ca", "KAFKA_CA_FILE", "", "PEM `file` of the authorities that sign the brokers' certificates, instead of the system's")
	d.String(&k.CertFile, "kafka-cert", "KAFKA_CERT_FILE", "", "PEM `file` of the certificate to show brokers that ask for one; needs -kafka-key")
	d.String(&k.KeyFile, "kafka-key", "KAFKA_KEY_FILE", "", "PEM `file` of its private key")
	d.String(&k.ServerName, "kafka-server-name", "KAFKA_SERVER_NAME", "", "`name` in the brokers' certificates, when they are reached by another one")
}

// SASL mechanisms.
const (
	Plain    = "PLAIN"
	Scram256 = "SCRAM-SHA-256"
	Scram512 = "SCRAM-SHA-512"
)

// Broker is an opened Kafka, whose files are valid. Nil is a broker without security.
type Broker struct {
	TLS       *tls.Config // nil: not encrypted
	Mechanism string      // empty: no login
	User      string

	password source
}

// Open reads the files and refuses settings that contradict each other. It returns nil for the zero
// value.
func (k Kafka) Open() (*Broker, error) {
	b, err := k.open()
	if err != nil {
		return nil, fmt.Errorf("security of Kafka: %w", err)
	}
	return b, nil
}

func (k Kafka) open() (*Broker, error) {
	if k == (Kafka{}) {
		return nil, nil
	}
	b := &Broker{Mechanism: strings.ToUpper(k.Mechanism), User: k.User, password: source{k.Password, k.PasswordFile, "password", "-kafka-password-file or KAFKA_PASSWORD"}}
	secured := k.TLS || k.CAFile != "" || k.CertFile != "" || k.KeyFile != "" || k.ServerName != ""
	var err error
	if secured {
		if b.TLS, err = clientTLS(k.CAFile, k.CertFile, k.KeyFile); err != nil {
			return nil, err
		}
		b.TLS.ServerName = k.ServerName
	}
	if k.User == "" {
		if k.Mechanism != "" || k.Password != "" || k.PasswordFile != "" {
			return nil, errors.New("there is a mechanism or a password but no user: set -kafka-user")
		}
		return b, nil
	}
	if b.Mechanism == "" {
		b.Mechanism = Scram512
	}
	if all := []string{Plain, Scram256, Scram512}; !slices.Contains(all, b.Mechanism) {
		return nil, fmt.Errorf("there is no SASL mechanism %q: use one of %s", k.Mechanism, strings.Join(all, ", "))
	}
	if b.Mechanism == Plain && !secured {
		return nil, errors.New("SASL PLAIN sends the password in clear text: set -kafka-tls or -kafka-ca too, or use SCRAM-SHA-512")
	}
	_, err = b.password.read()
	return b, err
}

// Password returns the password of User, read again.
func (b *Broker) Password() (string, error) { return b.password.read() }

// source is where a secret is read from.
type source struct {
	value Secret
	file  string
	what  string // the secret is
	give  string // the names of its settings
}

func (s source) read() (string, error) {
	switch {
	case s.value != "" && s.file != "":
		return "", fmt.Errorf("the %s is set twice, by a file and in the environment", s.what)
	case s.value != "":
		return string(s.value), nil
	case s.file == "":
		return "", fmt.Errorf("there is no %s: set %s", s.what, s.give)
	}
	data, err := os.ReadFile(s.file)
	if err != nil {
		return "", fmt.Errorf("read the %s: %w", s.what, err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", fmt.Errorf("the %s file %s is empty", s.what, s.file)
	}
	return text, nil
}

// clientTLS returns a configuration that trusts the authorities of a file, or else those of the
// system. The client certificate is read again for every connection.
func clientTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read the trusted authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM format", caFile)
		}
	}
	if certFile == "" && keyFile == "" {
		return c, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client's certificate %q and key %q: %w", certFile, keyFile, err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return c, nil
}

// Registry has the settings for a schema registry. The zero value is no authentication. The URL of
// the registry determines whether TLS is used.
type Registry struct {
	User         string
	Password     Secret
	PasswordFile string
	Token        Secret // a bearer token, instead of User
	TokenFile    string
	CAFile       string // PEM; empty: the authorities of the system are trusted
}

// Declare declares the settings of r.
func (r *Registry) Declare(d Declarer) {
	d.String(&r.User, "registry-user", "SCHEMA_REGISTRY_USER", "", "`name` for the schema registry's basic authentication")
	d.String(&r.PasswordFile, "registry-password-file", "SCHEMA_REGISTRY_PASSWORD_FILE", "", "`file` with its password, read again for every request; or SCHEMA_REGISTRY_PASSWORD in the environment")
	d.Secret(&r.Password, "SCHEMA_REGISTRY_PASSWORD")
	d.String(&r.TokenFile, "registry-token-file", "SCHEMA_REGISTRY_TOKEN_FILE", "", "`file` with a bearer token for the schema registry, read again for every request; or SCHEMA_REGISTRY_TOKEN in the environment")
	d.Secret(&r.Token, "SCHEMA_REGISTRY_TOKEN")
	d.String(&r.CAFile, "registry-ca", "SCHEMA_REGISTRY_CA_FILE", "", "PEM `file` of the authorities that sign the registry's certificate, instead of the system's")
}

// askIn limits the time of a request to the schema registry.
const askIn = 10 * time.Second

// HTTPClient reads the files and returns a client that adds the credentials to every request. It
// refuses settings that contradict each other.
func (r Registry) HTTPClient() (*http.Client, error) {
	c, err := r.httpClient()
	if err != nil {
		return nil, fmt.Errorf("security of the schema registry: %w", err)
	}
	return c, nil
}

func (r Registry) httpClient() (*http.Client, error) {
	sign, err := r.sign()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = clientTLS(r.CAFile, "", ""); err != nil {
		return nil, err
	}
	return &http.Client{Transport: signer{transport, sign}, Timeout: askIn,
		// the credentials must not be sent to another host
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// sign returns a function that adds the credentials to a request.
func (r Registry) sign() (func(*http.Request) error, error) {
	password := source{r.Password, r.PasswordFile, "password", "-registry-password-file or SCHEMA_REGISTRY_PASSWORD"}
	token := source{r.Token, r.TokenFile, "token", "-registry-token-file or SCHEMA_REGISTRY_TOKEN"}
	hasToken := r.Token != "" || r.TokenFile != ""
	switch {
	case r.User != "" && hasToken:
		return nil, errors.New("there are both a user and a token: set only one of them")
	case r.User == "" && (r.Password != "" || r.PasswordFile != ""):
		return nil, errors.New("there is a password but no user: set -registry-user")
	case r.User != "":
		_, err := password.read()
		return func(q *http.Request) error {
			text, err := password.read()
			q.SetBasicAuth(r.User, text)
			return err
		}, err
	case hasToken:
		_, err := token.read()
		return func(q *http.Request) error {
			text, err := token.read()
			q.Header.Set("Authorization", "Bearer "+text)
			return err
		}, err
	}
	return nil, nil
}

type signer struct {
	next http.RoundTripper
	sign func(*http.Request) error
}

// RoundTrip adds the credentials to a copy, because the request belongs to its caller.
func (s signer) RoundTrip(q *http.Request) (*http.Response, error) {
	if s.sign != nil {
		q = q.Clone(q.Context())
		if err := s.sign(q); err != nil {
			return nil, err
		}
	}
	return s.next.RoundTrip(q)
}
