package serve

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair writes a certificate for 127.0.0.1 with a serial number, and its key.
func pair(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}))
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair(t, cert, key, 1)
	var log bytes.Buffer
	c, err := OpenCertificate(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	url, _ := start(t, HTTPConfig{TLS: c, Handler: http.NotFoundHandler()})
	addr := strings.TrimPrefix(url, "http://")
	serial := func() int64 {
		t.Helper()
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("serial %d", n)
	}
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	pair(t, cert, key, 2)
	renewed, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, good) // the certificate is there already, its key not yet
	c.Check()
	if n := serial(); n != 1 || !strings.Contains(log.String(), "certificate "+cert) {
		t.Errorf("serial %d with a key that does not fit; log %s", n, log.String())
	}
	write(t, key, renewed)
	c.Check()
	if n := serial(); n != 2 {
		t.Errorf("serial %d after the renewal", n)
	}
}

func TestAnswersOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair(t, cert, key, 1)
	c, err := OpenCertificate(cert, key, quiet)
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan bool, 10)
	url, _ := start(t, HTTPConfig{
		TLS: c, HoldEarly: func(context.Context) { held <- true },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
	})
	addr := strings.TrimPrefix(url, "http://")
	for name, request := range map[string]string{"an answer": "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "an error of net/http": "nonsense\r\n\r\n"} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, request)
		data, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		answer := string(data)
		for _, want := range []string{"Strict-Transport-Security: max-age=31536000", "X-Content-Type-Options: nosniff", "Content-Security-Policy: default-src 'none'"} {
			if !strings.Contains(answer, want) {
				t.Errorf("%s: no %s in %s", name, want, answer)
			}
		}
		if name != "an answer" && !strings.Contains(answer, `"code":"invalid-request"`) {
			t.Errorf("%s: %s", name, answer)
		}
	}
	if len(held) != 1 { // the error of net/http
		t.Errorf("%d answers were held back", len(held))
	}
	for name, max := range map[string]uint16{"TLS 1.1": tls.VersionTLS11, "TLS 1.2": tls.VersionTLS12} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: max})
		if (err == nil) != (max == tls.VersionTLS12) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	<-held
	select {
	case <-held:
	case <-time.After(10 * time.Second):
		t.Error("a connection on which TLS does not begin is not held back")
	}
	if _, err := OpenCertificate(key, cert, quiet); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("files in the wrong order: %v", err)
	}
}
