package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	collected "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/deferpay/deferpay/services/internal/trace"
)

// opened returns a provider with the variables given. What it logs is in the buffer.
func opened(t *testing.T, exporter string, env map[string]string) (*Provider, *bytes.Buffer, error) {
	t.Helper()
	var out bytes.Buffer
	p, err := Open(t.Context(), Config{Exporter: exporter, Service: "billing", Writer: "b-1", Getenv: func(name string) string { return env[name] },
		Output: &out, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	return p, &out, err
}

// ended records a span and ends the process.
func ended(t *testing.T, p *Provider) {
	t.Helper()
	_, span := p.Tracing().Start(t.Context(), trace.Internal, "decide")
	span.End()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestConsole(t *testing.T) {
	p, out, err := opened(t, Console, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	var span struct {
		Name     string
		Resource []struct {
			Key   string
			Value struct{ Value any }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &span); err != nil || span.Name != "decide" || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%v: %s", err, out)
	}
	names := map[string]any{}
	for _, a := range span.Resource {
		names[a.Key] = a.Value.Value
	}
	if names["service.name"] != "billing" || names["service.instance.id"] != "b-1" {
		t.Errorf("%v", names)
	}
}

func TestNoExporter(t *testing.T) {
	for exporter, env := range map[string]map[string]string{"": nil, None: nil, Console: {"OTEL_SDK_DISABLED": "true"}} {
		if p, _, err := opened(t, exporter, env); p != nil || err != nil || p.Tracing().On() {
			t.Errorf("%q: %v %v", exporter, p, err)
		}
	}
}

// answering is a collector that answers with some statuses, one after the other, and then 200.
type answering struct {
	t        *testing.T
	statuses []int
	header   http.Header
	names    []string // of the spans it took
}

func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(a.statuses) > 0 {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(a.statuses[0])
		a.statuses = a.statuses[1:]
		return
	}
	a.header = r.Header
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			a.t.Error(err)
			return
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	var taken collected.TracesData
	if err != nil || proto.Unmarshal(data, &taken) != nil || r.URL.Path != "/v1/traces" || r.Method != http.MethodPost {
		a.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	for _, of := range taken.ResourceSpans {
		for _, in := range of.ScopeSpans {
			for _, s := range in.Spans {
				a.names = append(a.names, s.Name)
			}
		}
	}
}

func TestCollector(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		env      map[string]string
		lost     string // what is logged if the spans are lost
	}{
		"takes spans":        {},
		"is busy once":       {statuses: []int{503, 429}},
		"refuses":            {statuses: []int{400}, lost: "400 Bad Request"},
		"sends elsewhere":    {statuses: []int{307}, lost: "307 Temporary Redirect"},
		"wants gzip and key": {env: map[string]string{"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=s%20ecret, x-other=2"}},
		"does not answer":    {statuses: []int{503, 503, 503, 503, 503}, env: map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "50"}, lost: "503 Service Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answering{t: t, statuses: c.statuses}
			server := httptest.NewServer(a)
			defer server.Close()
			env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL + "/"}
			for k, v := range c.env {
				env[k] = v
			}
			p, log, err := opened(t, OTLP, env)
			if err != nil {
				t.Fatal(err)
			}
			ended(t, p)
			if c.lost != "" {
				if len(a.names) != 0 || !strings.Contains(log.String(), "spans were not exported") || !strings.Contains(log.String(), c.lost) {
					t.Errorf("took %q; logged %s", a.names, log)
				}
				return
			}
			if strings.Join(a.names, " ") != "decide" || log.Len() > 0 {
				t.Errorf("took %q; logged %s", a.names, log)
			}
			if c.env != nil && a.header.Get("X-Key") != "s ecret" {
				t.Errorf("%v", a.header)
			}
		})
	}
}

// TestVariables checks that wrong variables are refused by name, and without their values where
// these may be secret.
func TestVariables(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4317",
		"OTEL_EXPORTER_OTLP_HEADERS": "secret", "OTEL_EXPORTER_OTLP_TIMEOUT": "10s", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd",
		"OTEL_EXPORTER_OTLP_CERTIFICATE": "/missing", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/missing",
	} {
		_, _, err := opened(t, OTLP, map[string]string{name: value})
		if err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	if _, _, err := opened(t, "jaeger", nil); err == nil || !strings.Contains(err.Error(), `"jaeger"`) {
		t.Errorf("%v", err)
	}
}
