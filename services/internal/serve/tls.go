package serve

import (
	"crypto/tls"
	"log/slog"
	"net"

	"github.com/deferpay/deferpay/services/internal/livefile"
)

// Certificate is a certificate with its key, which are read again when their files change. Its
// methods may be called on nil, which is no certificate.
type Certificate struct {
	file *livefile.File[*tls.Certificate]
}

// OpenCertificate reads a certificate and its key, both PEM. It returns nil if cert is "".
func OpenCertificate(cert, key string, logger *slog.Logger) (*Certificate, error) {
	if cert == "" {
		return nil, nil
	}
	f, err := livefile.Open("certificate", logger, func(c []livefile.Content) (*tls.Certificate, error) {
		pair, err := tls.X509KeyPair(c[0].Data, c[1].Data)
		return &pair, err
	}, cert, key)
	if err != nil {
		return nil, err
	}
	return &Certificate{f}, nil
}

// Check reads the files again if they have changed. If they do not fit each other then, those that
// were read last stay in force.
func (c *Certificate) Check() {
	if c != nil {
		c.file.Check()
	}
}

// over returns a listener that speaks TLS on the connections of another one. Connections that are
// open keep the certificate they began with.
func (c *Certificate) over(l net.Listener) net.Listener {
	if c == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.file.Value(), nil },
	})
}
