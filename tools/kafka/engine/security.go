package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
)

// Admin is the user who may do everything on a secured cluster. The brokers log in to each other as
// Admin.
const Admin = "admin"

// brokerName is the name in the certificate that brokers show to controllers.
const brokerName = "broker"

// security is the folder with the files of a secured cluster. They are made once and kept with the
// data: the authority, one certificate for all brokers, and a password for each user.
type security struct{ dir string }

func (s security) ca() string                   { return filepath.Join(s.dir, "ca.pem") }
func (s security) keystore() string             { return filepath.Join(s.dir, "broker.pem") }
func (s security) passwordFile(u string) string { return filepath.Join(s.dir, u+".password") }

// As returns what a client needs to connect as a user; the zero value if the cluster is not
// secured.
func (b *Brokers) As(user string) secure.Kafka {
	if b.security.dir == "" {
		return secure.Kafka{}
	}
	return secure.Kafka{User: user, PasswordFile: b.security.passwordFile(user), CAFile: b.security.ca()}
}

// SecurityDir returns the folder that holds ca.pem, and USER.password for each user of a secured
// cluster; "" if the cluster is not secured.
func (b *Brokers) SecurityDir() string { return b.security.dir }

// make creates the files that are missing. Only their owner can read the secret ones.
func (s security) make(users []string) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	for _, u := range users {
		if strings.ContainsFunc(u, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_", r) }) {
			return fmt.Errorf("user %q: want lower-case letters, digits, dashes", u)
		}
		if err := once(s.passwordFile(u), func() ([]byte, error) { return []byte(rand.Text() + "\n"), nil }); err != nil {
			return err
		}
	}
	if _, err := os.Stat(s.ca()); err == nil {
		return nil
	}
	ca, store, err := certificates(time.Now())
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(s.keystore(), store, 0o600), os.WriteFile(s.ca(), ca, 0o644))
}

// once writes a file unless it exists.
func once(file string, content func() ([]byte, error)) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := content()
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// certificates returns the certificate of a new authority, whose key is not kept, and a broker's
// key and certificate, signed by it.
func certificates(now time.Time) (ca, store []byte, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a local Kafka"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(2, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	broker := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: brokerName},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		// brokers are clients of controllers
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, broker, authority, &key.PublicKey, caKey)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	return ca, slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), ca), nil
}

// settings returns what is added to a broker's settings: TLS and a login for clients, certificates
// among controllers, and no right without an ACL.
func (s security) settings(users []string) (map[string]string, error) {
	passwords := map[string]string{}
	for _, u := range users {
		text, err := os.ReadFile(s.passwordFile(u))
		if err != nil {
			return nil, err
		}
		passwords[u] = strings.TrimSpace(string(text))
	}
	var plain strings.Builder
	fmt.Fprintf(&plain, `org.apache.kafka.common.security.plain.PlainLoginModule required username="%s" password="%s"`, Admin, passwords[Admin])
	for _, u := range users {
		fmt.Fprintf(&plain, ` user_%s="%s"`, u, passwords[u])
	}
	scram := fmt.Sprintf(`org.apache.kafka.common.security.scram.ScramLoginModule required username="%s" password="%s";`, Admin, passwords[Admin])
	return map[string]string{
		"listener.security.protocol.map":                      "CLIENT:SASL_SSL,CONTROLLER:SSL",
		"sasl.enabled.mechanisms":                             "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
		"sasl.mechanism.inter.broker.protocol":                "SCRAM-SHA-512",
		"listener.name.client.scram-sha-512.sasl.jaas.config": scram,
		"listener.name.client.scram-sha-256.sasl.jaas.config": scram,
		"listener.name.client.plain.sasl.jaas.config":         plain.String() + ";",
		"listener.name.controller.ssl.client.auth":            "required",
		"ssl.keystore.type":                                   "PEM",
		"ssl.keystore.location":                               s.keystore(),
		"ssl.truststore.type":                                 "PEM",
		"ssl.truststore.location":                             s.ca(),
		"authorizer.class.name":                               "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":                                         "User:" + Admin + ";User:CN=" + brokerName,
		"allow.everyone.if.no.acl.found":                      "false",
	}, nil
}

// scram returns the options by which the storage tool creates the users before the first start,
// because brokers log in to each other.
func (s security) scram(users []string) ([]string, error) {
	var out []string
	for _, u := range users {
		text, err := os.ReadFile(s.passwordFile(u))
		if err != nil {
			return nil, err
		}
		for _, mechanism := range []string{secure.Scram512, secure.Scram256} {
			out = append(out, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, u, strings.TrimSpace(string(text))))
		}
	}
	return out, nil
}
