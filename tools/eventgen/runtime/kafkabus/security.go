package kafkabus

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
)

// protect sets TLS and the login of a broker. The password is read once for PLAIN, and at every
// login for SCRAM.
func protect(s *sarama.Config, b *secure.Broker) error {
	if b == nil {
		return nil
	}
	s.Net.TLS.Enable, s.Net.TLS.Config = b.TLS != nil, b.TLS
	if b.Mechanism == "" {
		return nil
	}
	password, err := b.Password()
	if err != nil {
		return err
	}
	s.Net.SASL.Enable = true
	s.Net.SASL.Mechanism = sarama.SASLMechanism(b.Mechanism)
	s.Net.SASL.User, s.Net.SASL.Password = b.User, password
	hash := map[string]scram.HashGeneratorFcn{secure.Scram256: scram.SHA256, secure.Scram512: scram.SHA512}[b.Mechanism]
	if hash != nil {
		s.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &login{broker: b, hash: hash} }
	}
	return nil
}

// login is one exchange of SCRAM.
type login struct {
	broker *secure.Broker
	hash   scram.HashGeneratorFcn
	*scram.ClientConversation
}

// Begin reads the password again, because it may have been corrected. The argument is the password
// at the time when the client was created.
func (l *login) Begin(user, _, authzID string) error {
	password, err := l.broker.Password()
	if err != nil {
		return err
	}
	client, err := l.hash.NewClient(user, password, authzID)
	if err != nil {
		return err
	}
	l.ClientConversation = client.NewConversation()
	return nil
}

// explain adds a hint to an error of sarama that is caused by security, like secure.Broker.Explain.
func (c Config) explain(err error) error {
	refused := []error{sarama.ErrSASLAuthenticationFailed}
	denied := []error{sarama.ErrTopicAuthorizationFailed, sarama.ErrGroupAuthorizationFailed, sarama.ErrClusterAuthorizationFailed}
	has := func(all []error) bool {
		return slices.ContainsFunc(all, func(e error) bool { return errors.Is(err, e) })
	}
	var unknown x509.UnknownAuthorityError
	user := ""
	if c.Security != nil {
		user = c.Security.User
	}
	switch {
	case has(refused):
		return fmt.Errorf("the broker refuses the login of user %q, check the name and the password: %w", user, err)
	case has(denied):
		return fmt.Errorf("user %q is not allowed to do this, check the ACLs: %w", user, err)
	case errors.As(err, &unknown):
		return fmt.Errorf("the broker's certificate is not signed by a trusted authority, check -kafka-ca: %w", err)
	}
	return err
}
