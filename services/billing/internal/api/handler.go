// Package api serves the billing service's HTTP interface, as specs/billing/openapi.yaml describes
// it, on top of package store. The service's front package imports it, nobody else.
package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/runs"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// Prefix is the path under which the interface is served.
const Prefix = "/billing/v1"

// Config says what the interface stands on.
type Config struct {
	logapi.Config
	Store *store.Store
	Runs  *runs.Runner
}

// New returns the HTTP interface, with everything around it but health and listening.
func New(cfg Config) (http.Handler, error) {
	server, err := billingapi.NewServer(&handler{Config: cfg}, security{cfg.Keys},
		billingapi.WithPathPrefix(Prefix), billingapi.WithErrorHandler(problem.ErrorHandler(cfg.Logger)),
		billingapi.WithNotFound(problem.WriteNotFound), billingapi.WithMethodNotAllowed(problem.WriteMethodNotAllowed),
		billingapi.WithMiddleware(logapi.WhenReady(cfg.Ready)))
	if err != nil {
		return nil, err
	}
	return cfg.Around(server), nil
}

type handler struct {
	Config
	requests logapi.Requests
}

// answered is a problem that stands on a record.
type answered struct {
	*problem.Problem
	position int64
	replayed bool
}

func (a *answered) Unwrap() error { return a.Problem }

// NewError returns the problem document of whatever a handler returns.
func (h *handler) NewError(ctx context.Context, err error) *billingapi.ProblemStatusCodeWithHeaders {
	p := h.Report(ctx, problemOf(err), err)
	out := &billingapi.ProblemStatusCodeWithHeaders{
		StatusCode: p.Code.Status(), WWWAuthenticate: optionalText(logapi.Challenge(p)), Response: document(p),
	}
	if p.RetryAfter > 0 {
		out.RetryAfter.SetTo(int32(p.RetryAfter))
	}
	var a *answered
	if errors.As(err, &a) {
		out.LogPosition = h.position(a.position)
		out.IdempotentReplayed = replayed(a.replayed)
	}
	return out
}

// security finds out who calls; the scopes each operation needs come from the OpenAPI document.
type security struct{ keys *access.Keys }

func (s security) HandleApiKey(ctx context.Context, _ billingapi.OperationName, t billingapi.ApiKey) (context.Context, error) {
	return s.keys.Authenticate(ctx, t.APIKey, t.Roles)
}

func (s security) HandleOAuth2(ctx context.Context, _ billingapi.OperationName, _ billingapi.OAuth2) (context.Context, error) {
	return access.Bearer(ctx)
}
