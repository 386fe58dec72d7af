// Package export sends the spans of a process to a collector or prints them, as the variables of
// OpenTelemetry ask for. Package instance imports it.
package export

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/deferpay/deferpay/services/internal/trace"
)

// The exporters, by their names in OTEL_TRACES_EXPORTER.
const (
	None    = "none"
	OTLP    = "otlp"
	Console = "console"
)

// Config says where spans go, and whose they are.
type Config struct {
	Exporter        string // "" is None
	Service, Writer string // names of the service and of the instance
	Getenv          func(string) string
	Output          io.Writer // of the console
	Logger          *slog.Logger
}

// Provider takes the spans of a process to its exporter. Those of a nil one go nowhere.
type Provider struct {
	inner  *sdk.TracerProvider
	Tracer *trace.Tracer
}

// stopIn bounds the export of what is left when a process ends.
const stopIn = 5 * time.Second

// Open returns the provider that cfg describes, nil if spans go nowhere. The sampler, the limits,
// the size of batches and the collector are those of the variables OTEL_TRACES_SAMPLER,
// OTEL_SPAN_*, OTEL_BSP_* and OTEL_EXPORTER_OTLP_*, which OpenTelemetry's own packages read from
// the environment. An error is returned for an exporter or a protocol that does not exist.
func Open(ctx context.Context, cfg Config) (*Provider, error) {
	if strings.EqualFold(cfg.Getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	var exporter sdk.SpanExporter
	var err error
	switch cfg.Exporter {
	case "", None:
		return nil, nil
	case OTLP:
		if err = onlyHTTP(cfg.Getenv); err == nil {
			exporter, err = otlptracehttp.New(ctx)
		}
	case Console:
		exporter, err = stdouttrace.New(stdouttrace.WithWriter(cfg.Output))
	default:
		err = fmt.Errorf("there is no exporter %q: one of %s, %s and %s", cfg.Exporter, None, OTLP, Console)
	}
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	of, err := described(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("traces: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		cfg.Logger.Warn("spans were not exported", "error", err.Error())
	}))
	inner := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(of))
	return &Provider{inner, trace.NewTracer(inner)}, nil
}

// onlyHTTP returns an error if the variables ask for a protocol other than the one of the exporter.
func onlyHTTP(getenv func(string) string) error {
	// the first one that is set counts
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch p := getenv(name); p {
		case "":
		case "http/protobuf":
			return nil
		default:
			return fmt.Errorf("%s is %q, and http/protobuf is the only one", name, p)
		}
	}
	return nil
}

// described returns the attributes that every span of the process has. What the variables set takes
// precedence.
func described(ctx context.Context, cfg Config) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithAttributes(attribute.String("service.namespace", "deferpay"), attribute.String("service.name", cfg.Service), attribute.String("service.instance.id", cfg.Writer)),
		resource.WithFromEnv())
}

// Tracing returns the tracer of a provider, nil if there is no provider.
func (p *Provider) Tracing() *trace.Tracer {
	if p == nil {
		return nil
	}
	return p.Tracer
}

// Run waits until ctx is done, and exports the spans that are left. It returns nil also if they
// cannot be exported, which is logged: a service does not fail for it.
func (p *Provider) Run(ctx context.Context) error {
	<-ctx.Done()
	if p == nil {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopIn)
	defer cancel()
	if err := p.inner.Shutdown(last); err != nil {
		otel.Handle(err)
	}
	return nil
}
