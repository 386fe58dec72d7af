// Package api serves the billing service's HTTP interface, as specs/billing/openapi.yaml describes
// it, on top of package store. Only the service's front package imports it.
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

// Config is what the interface needs.
type Config struct {
	logapi.Config
	Store *store.Store
	Runs  *runs.Runner
}

// New returns the HTTP interface, without health checks.
func New(cfg Config) (http.Handler, error) {
	h := &handler{Config: cfg}
	server, err := billingapi.NewServer(h, security{cfg.Access},
		billingapi.WithPathPrefix(Prefix), billingapi.WithErrorHandler(cfg.ErrorHandler),
		billingapi.WithNotFound(cfg.NotFound), billingapi.WithMethodNotAllowed(cfg.MethodNotAllowed),
		billingapi.WithMiddleware(cfg.Middleware(h.ownership())...))
	if err != nil {
		return nil, err
	}
	return cfg.Around(server), nil
}

type handler struct {
	Config
	requests logapi.Requests
}

// answered is a problem that was recorded, such as a refusal.
type answered struct {
	*problem.Problem
	position int64
	replayed bool
}

func (a *answered) Unwrap() error { return a.Problem }

// NewError returns the problem document of an error that a handler returned.
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
		out.LogPosition.SetTo(h.position(a.position))
		out.IdempotentReplayed = replayed(a.replayed)
	}
	return out
}

// security authenticates callers. The scopes that an operation needs come from the OpenAPI
// document.
type security struct{ access *access.Control }

func (s security) HandleApiKey(ctx context.Context, operation billingapi.OperationName, t billingapi.ApiKey) (context.Context, error) {
	return s.access.Key(ctx, operation, t.APIKey, t.Roles)
}

func (s security) HandleOAuth2(ctx context.Context, operation billingapi.OperationName, t billingapi.OAuth2) (context.Context, error) {
	return s.access.Bearer(ctx, operation, t.Token, t.Scopes)
}
