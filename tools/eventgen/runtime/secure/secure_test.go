package secure

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestKafkaOpen(t *testing.T) {
	password, empty := file(t, "pw\n"), file(t, "\n")
	for name, c := range map[string]struct {
		k    Kafka
		want string
	}{
		"nothing":             {Kafka{}, ""},
		"encrypted":           {Kafka{TLS: true}, ""},
		"SCRAM":               {Kafka{User: "u", PasswordFile: password}, ""},
		"any case":            {Kafka{User: "u", PasswordFile: password, Mechanism: "scram-sha-256"}, ""},
		"PLAIN with TLS":      {Kafka{User: "u", Password: "p", Mechanism: Plain, TLS: true}, ""},
		"PLAIN in clear":      {Kafka{User: "u", Password: "p", Mechanism: Plain}, "SASL PLAIN sends the password in clear text"},
		"unknown mechanism":   {Kafka{User: "u", Password: "p", Mechanism: "GSSAPI"}, `there is no SASL mechanism "GSSAPI": use one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512`},
		"no user":             {Kafka{Password: "p"}, "set -kafka-user"},
		"no password":         {Kafka{User: "u"}, "no password: set -kafka-password-file or KAFKA_PASSWORD"},
		"two passwords":       {Kafka{User: "u", Password: "p", PasswordFile: password}, "set twice"},
		"empty password":      {Kafka{User: "u", PasswordFile: empty}, "is empty"},
		"no password file":    {Kafka{User: "u", PasswordFile: "/does/not/exist"}, "read the password: open /does/not/exist: no such file"},
		"no authority":        {Kafka{CAFile: "/does/not/exist"}, "read the trusted authorities: open /does/not/exist: no such file"},
		"no PEM":              {Kafka{CAFile: password}, "has no certificate in PEM format"},
		"certificate, no key": {Kafka{CertFile: password}, "read the client's certificate"},
	} {
		_, err := c.k.Open()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), "security of Kafka: ") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if b, err := (Kafka{}).Open(); b != nil || err != nil || len(b.Options()) != 0 {
		t.Errorf("no settings: %v %v", b, err)
	}
}

func TestRegistryHTTPClient(t *testing.T) {
	for name, c := range map[string]struct {
		r    Registry
		want string
	}{
		"nothing":    {Registry{}, ""},
		"basic":      {Registry{User: "u", Password: "p"}, ""},
		"bearer":     {Registry{Token: "t"}, ""},
		"both":       {Registry{User: "u", Token: "t"}, "both a user and a token"},
		"nobody":     {Registry{Password: "p"}, "set -registry-user"},
		"no secret":  {Registry{User: "u"}, "set -registry-password-file or SCHEMA_REGISTRY_PASSWORD"},
		"no token":   {Registry{TokenFile: "/does/not/exist"}, "read the token: open /does/not/exist"},
		"no ca file": {Registry{CAFile: "/does/not/exist"}, "read the trusted authorities"},
	} {
		if _, err := c.r.HTTPClient(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	k := Kafka{User: "u", Password: "hunter2"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "k", k, "p", k.Password)
	asJSON, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), fmt.Sprintf("%q", k.Password), log.String(), string(asJSON)} {
		if strings.Contains(text, "hunter2") {
			t.Error(text)
		}
	}
}

func TestFlagsOverrideEnvironment(t *testing.T) {
	env := map[string]string{"KAFKA_USER": "of-env", "KAFKA_PASSWORD": "pw", "KAFKA_TLS": "true", "KAFKA_SASL_MECHANISM": Scram256}
	flags := flag.NewFlagSet("x", flag.ContinueOnError)
	declared := NewFlags(flags, func(name string) string { return env[name] })
	var k Kafka
	k.Declare(declared)
	if err := flags.Parse([]string{"-kafka-user", "of-flag"}); err != nil {
		t.Fatal(err)
	}
	if want := (Kafka{Mechanism: Scram256, User: "of-flag", Password: "pw", TLS: true}); k != want || declared.Err() != nil {
		t.Errorf("%+v, %v", k, declared.Err())
	}
	env["KAFKA_TLS"] = "perhaps"
	bad := NewFlags(flag.NewFlagSet("x", flag.ContinueOnError), func(name string) string { return env[name] })
	k.Declare(bad)
	if err := bad.Err(); err == nil || !strings.Contains(err.Error(), `KAFKA_TLS: "perhaps" is neither`) {
		t.Errorf("got %v", err)
	}
}

// TestPasswordCorrected corrects a wrong password in its file. The next login reads it again.
func TestPasswordCorrected(t *testing.T) {
	for _, mechanism := range []string{Scram256, Scram512} {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(mechanism, "u", "right"), kfake.SeedTopics(1, "t"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		password := file(t, "wrong\n")
		b, err := Kafka{User: "u", PasswordFile: password, Mechanism: mechanism}.Open()
		if err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(append(b.Options(), kgo.SeedBrokers(c.ListenAddrs()...))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		err = b.Explain(client.Ping(t.Context()))
		// the embedded broker only closes the connection
		if err == nil || !strings.Contains(err.Error(), "another login (-kafka-user)") {
			t.Errorf("%s: %v", mechanism, err)
		}
		if err := os.WriteFile(password, []byte("right\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := client.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
	}
}

func TestRegistryCredentials(t *testing.T) {
	var got []string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		got = append(got, user+":"+password, r.Header.Get("Authorization"))
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}
	}))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	ca := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	get := func(r Registry, path string) (*http.Response, error) {
		c, err := r.HTTPClient()
		if err != nil {
			t.Fatal(err)
		}
		q, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Do(q)
	}
	if _, err := get(Registry{User: "u", Password: "p"}, "/"); err == nil || !strings.Contains(err.Error(), x509.UnknownAuthorityError{}.Error()) {
		t.Errorf("an authority that is not trusted: %v", err)
	}
	if _, err := get(Registry{User: "u", Password: "p", CAFile: ca}, "/"); err != nil || got[0] != "u:p" {
		t.Errorf("%v, %q", err, got)
	}
	if _, err := get(Registry{Token: "tok", CAFile: ca}, "/"); err != nil || got[3] != "Bearer tok" {
		t.Errorf("%v, %q", err, got)
	}
	if res, err := get(Registry{Token: "tok", CAFile: ca}, "/away"); err != nil || res.StatusCode != http.StatusFound || len(got) != 6 {
		t.Errorf("the redirect was followed: %v, %q", err, got)
	}
}

func TestExplainOtherErrors(t *testing.T) {
	var b *Broker
	if b.Explain(nil) != nil || b.Explain(context.Canceled) != context.Canceled {
		t.Error("changed")
	}
	if err := b.Explain(fmt.Errorf("read: %w", io.EOF)); !strings.Contains(err.Error(), "-kafka-tls") {
		t.Error(err)
	}
}
