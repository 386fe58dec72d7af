package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/contracttest/kafkatest"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
)

const secret = "s3cret"

// selfSigned returns a certificate for 127.0.0.1 and the file of it.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(at, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return at
}

// secured starts a broker with TLS and a login, and a registry with a password, which have an order
// of the shop. It returns the addresses and the file of the authority.
func secured(t *testing.T) (broker, registry, ca string) {
	t.Helper()
	certificate, ca := selfSigned(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "tester", secret))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	plain, err := embedded.Start(t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plain.Close() })
	to, err := url.Parse(plain.Registry)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)

	opened, err := secure.Kafka{User: "tester", Password: secret, CAFile: ca}.Open()
	if err != nil {
		t.Fatal(err)
	}
	broker = cluster.ListenAddrs()[0]
	client, err := kgo.NewClient(append(opened.Options(), kgo.SeedBrokers(broker))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 2, 1, nil, "shop.orders.v1"); err != nil {
		t.Fatal(err)
	}
	contract, err := kafkatest.Load([]string{shop + "asyncapi.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := kafkatest.Connect(contract, kafkatest.Config{Brokers: []string{broker}, Client: opened.Options(), Registry: plain.Registry})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Inject(t.Context(), contract.Channel("shop.orders.v1"), "OrderPlaced", kafkatest.Sample{}); err != nil {
		t.Fatal(err)
	}
	return broker, server.URL, ca
}

// TestSecuredBroker runs the command against a broker with TLS and a login and a registry with a
// password, with all that they require, and with one thing left out or wrong at a time.
func TestSecuredBroker(t *testing.T) {
	broker, registry, ca := secured(t)
	password, wrong := file(t, "password", []byte(secret+"\n")), file(t, "wrong", []byte("guess\n"))
	good := map[string]string{
		"-asyncapi": shop + "asyncapi.yaml", "-brokers": broker, "-registry": registry,
		"-kafka-user": "tester", "-kafka-password-file": password, "-kafka-ca": ca, "-registry-user": "reader", "-registry-password-file": password,
	}
	for name, c := range map[string]struct {
		change map[string]string
		want   string
		status int
	}{
		"everything":               {nil, "contract-test: no violation", 0},
		"a wrong password":         {map[string]string{"-kafka-password-file": wrong}, "another login (-kafka-user)", 2},
		"another authority":        {map[string]string{"-kafka-ca": "", "-kafka-tls": "true"}, "not signed by a trusted authority, check -kafka-ca", 2},
		"no password":              {map[string]string{"-kafka-password-file": ""}, "-kafka-password-file or KAFKA_PASSWORD", 2},
		"a file that is not there": {map[string]string{"-kafka-ca": "gone.pem"}, "gone.pem", 2},
		"a wrong password for the registry": {map[string]string{"-registry-password-file": wrong},
			"contracttest: schema registry " + registry + " answers 401 Unauthorized; check -registry-user", 2},
		"no login for the registry": {map[string]string{"-registry-user": "", "-registry-password-file": ""}, "answers 401 Unauthorized", 2},
		"a registry that is not there": {map[string]string{"-registry": "http://reader:" + secret + "@127.0.0.1:1", "-registry-user": "", "-registry-password-file": ""},
			"schema registry http://reader:xxxxx@127.0.0.1:1: ", 2},
		"another name": {map[string]string{"-kafka-server-name": "other"}, "-kafka-server-name", 2},
	} {
		args := []string{}
		for flag, value := range good {
			if changed, ok := c.change[flag]; ok {
				value = changed
			}
			if value != "" {
				args = append(args, flag+"="+value)
			}
		}
		for flag, value := range c.change {
			if _, known := good[flag]; !known {
				args = append(args, flag+"="+value)
			}
		}
		var out, diagnostics bytes.Buffer
		status := command(t.Context(), args, &out, &diagnostics)
		if text := out.String() + diagnostics.String(); status != c.status || !strings.Contains(text, c.want) || strings.Contains(text, secret) || strings.Contains(text, "FAULT") {
			t.Errorf("%s: status %d, want %q\n%s", name, status, c.want, text)
		}
	}
}
