package export

import (
	"bytes"
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

// TestCollector exports a span over HTTP. It is named in the log if it is lost.
func TestCollector(t *testing.T) {
	for name, status := range map[string]int{"takes spans": 200, "refuses": 400} {
		t.Run(name, func(t *testing.T) {
			var names []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				data, err := io.ReadAll(r.Body)
				var taken collected.TracesData // a request of the collector has the same fields
				if err != nil || proto.Unmarshal(data, &taken) != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Key") != "s ecret" {
					t.Errorf("%s %s %v: %v", r.Method, r.URL.Path, r.Header, err)
				}
				for _, of := range taken.ResourceSpans {
					for _, in := range of.ScopeSpans {
						for _, s := range in.Spans {
							names = append(names, s.Name)
						}
					}
				}
				w.WriteHeader(status)
			}))
			defer server.Close()
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=s%20ecret")
			p, log, err := opened(t, OTLP, nil)
			if err != nil {
				t.Fatal(err)
			}
			ended(t, p)
			if strings.Join(names, " ") != "decide" {
				t.Errorf("the collector got %q", names)
			}
			if lost := strings.Contains(log.String(), "spans were not exported"); lost != (status != 200) || strings.Contains(log.String(), "s ecret") {
				t.Errorf("logged %s", log)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if _, _, err := opened(t, OTLP, map[string]string{name: "grpc"}); err == nil || !strings.Contains(err.Error(), name+` is "grpc"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := opened(t, "jaeger", nil); err == nil || !strings.Contains(err.Error(), `"jaeger"`) {
		t.Errorf("%v", err)
	}
}
