package export

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	collected "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// stopIn bounds the export of what is left when a process ends.
	stopIn = 5 * time.Second
	// timeout bounds one export, unless a variable does.
	timeout = 10 * time.Second
	// maxPause is the longest wait before an export is tried again.
	maxPause = 5 * time.Second
)

// collector sends spans over HTTP, as protobuf, to a collector. It implements otlptrace.Client. The
// exporter of OpenTelemetry for the same protocol links gRPC in; docs/decisions.md has the figures.
type collector struct {
	url     string
	headers http.Header
	zipped  bool
	timeout time.Duration
	client  *http.Client
	pause   time.Duration // before the second attempt
}

// newCollector returns the collector that the variables describe.
func newCollector(getenv func(string) string) (*collector, error) {
	v := variables{getenv}
	if protocol := v.get("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q, and http/protobuf is the only one", protocol)
	}
	at, err := v.endpoint()
	if err != nil {
		return nil, err
	}
	c := &collector{url: at, headers: http.Header{}, timeout: timeout, pause: 500 * time.Millisecond}
	if err := v.headers(c.headers); err != nil {
		return nil, err
	}
	if text := v.get("TIMEOUT"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms < 1 {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT is %q, not a number of milliseconds", text)
		}
		c.timeout = time.Duration(ms) * time.Millisecond
	}
	switch compression := v.get("COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		c.zipped = true
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_COMPRESSION is %q, neither gzip nor none", compression)
	}
	trusted, err := v.tls()
	if err != nil {
		return nil, err
	}
	c.client = &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trusted, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// variables are those of OpenTelemetry about exporters. One about traces takes precedence over that
// about everything.
type variables struct{ getenv func(string) string }

func (v variables) get(name string) string {
	return cmp.Or(v.getenv("OTEL_EXPORTER_OTLP_TRACES_"+name), v.getenv("OTEL_EXPORTER_OTLP_"+name))
}

// endpoint returns the URL that spans are sent to. That about traces is taken as it is.
func (v variables) endpoint() (string, error) {
	at := v.getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if at == "" {
		at = strings.TrimSuffix(cmp.Or(v.getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://localhost:4318"), "/") + "/v1/traces"
	}
	u, err := url.Parse(at)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is not the URL of a collector, such as http://localhost:4318")
	}
	return at, nil
}

// headers adds the headers of the variables, which are NAME=VALUE, separated by commas, with values
// encoded as in a URL. An error has no value, which may be a credential.
func (v variables) headers(to http.Header) error {
	for item := range strings.SplitSeq(v.get("HEADERS"), ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			return errors.New("OTEL_EXPORTER_OTLP_HEADERS is not a list of NAME=VALUE, separated by commas")
		}
		to.Set(name, decoded)
	}
	return nil
}

// tls returns the certificates to trust, and the one to show.
func (v variables) tls() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := v.get("CERTIFICATE"); file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %s has no certificate in PEM", file)
		}
	}
	cert, key := v.get("CLIENT_CERTIFICATE"), v.get("CLIENT_KEY")
	if cert == "" && key == "" {
		return cfg, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: %w", err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

// Start implements otlptrace.Client.
func (c *collector) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *collector) Stop(context.Context) error {
	c.client.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. While the collector is away or overloaded, it tries
// again, until its time is over.
func (c *collector) UploadTraces(ctx context.Context, spans []*collected.ResourceSpans) error {
	// A request of the collector has the same fields as this message, and is in a package that
	// links gRPC in.
	body, err := proto.Marshal(&collected.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	if c.zipped {
		body = zip(body)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for pause := c.pause; ; pause = min(2*pause, maxPause) {
		again, err := c.send(ctx, body)
		if !again {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// send sends a request once. It reports whether the error is one that may pass.
func (c *collector) send(ctx context.Context, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header = c.headers.Clone()
	r.Header.Set("Content-Type", "application/x-protobuf")
	if c.zipped {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return ctx.Err() == nil, err
	}
	defer answer.Body.Close()
	// so that the connection is kept
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	switch answer.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("the collector answered %s", answer.Status)
}

func zip(body []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}
