package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Options returns the options of a franz-go client of the broker.
func (b *Broker) Options() []kgo.Opt {
	if b == nil {
		return nil
	}
	var out []kgo.Opt
	if b.TLS != nil {
		out = append(out, kgo.DialTLSConfig(b.TLS))
	}
	if b.Mechanism != "" {
		out = append(out, kgo.SASL(b.mechanism()))
	}
	return out
}

func (b *Broker) mechanism() sasl.Mechanism {
	login := func(context.Context) (scram.Auth, error) {
		password, err := b.Password()
		return scram.Auth{User: b.User, Pass: password}, err
	}
	switch b.Mechanism {
	case Scram256:
		return scram.Sha256(login)
	case Scram512:
		return scram.Sha512(login)
	}
	return plain.Plain(func(context.Context) (plain.Auth, error) {
		password, err := b.Password()
		return plain.Auth{User: b.User, Pass: password}, err
	})
}

// Explain adds a hint to an error of a connection that is caused by security. It returns other
// errors unchanged.
func (b *Broker) Explain(err error) error {
	var (
		unknown x509.UnknownAuthorityError
		invalid *tls.CertificateVerificationError
		record  tls.RecordHeaderError
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.SaslAuthenticationFailed) && b != nil:
		return fmt.Errorf("the broker refuses the login of user %q by %s, check the name and the password: %w", b.User, b.Mechanism, err)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return fmt.Errorf("the broker does not support the SASL mechanism of -kafka-sasl: %w", err)
	case errors.As(err, &unknown):
		return fmt.Errorf("the broker's certificate is not signed by a trusted authority, check -kafka-ca: %w", err)
	case errors.As(err, &invalid):
		return fmt.Errorf("the broker's certificate is not valid, check -kafka-ca and -kafka-server-name: %w", err)
	case errors.As(err, &record):
		return fmt.Errorf("the broker does not use TLS at this address: %w", err)
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed):
		return fmt.Errorf("%s is not allowed to do this, check the ACLs: %w", b.who(), err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the broker closes the connection at once: it may require TLS (-kafka-tls, -kafka-ca) or another login (-kafka-user): %w", err)
	}
	return err
}

func (b *Broker) who() string {
	if b == nil || b.User == "" {
		return "the client"
	}
	return fmt.Sprintf("user %q", b.User)
}
