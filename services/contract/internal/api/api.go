// Package api serves the contract service's HTTP interface, as specs/contract/openapi.yaml
// describes it, on top of package store. The service's front package imports it, nobody else.
//
// The generated server checks credentials, parameters and body; everything after that, in this
// order, is the store's decision: idempotency key, existence, If-Match, transition. So an answer
// never rests on a check that was true a moment before.
package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/strict"
)

// Prefix is the path under which the interface is served.
const Prefix = "/refcontract/v1"

// Config says what the interface stands on.
type Config struct {
	logapi.Config
	Store *store.Store
}

// New returns the HTTP interface, with everything around it but health and listening.
func New(cfg Config) (http.Handler, error) {
	h := &handler{Config: cfg}
	server, err := contractapi.NewServer(h, security{cfg.Access},
		contractapi.WithPathPrefix(Prefix), contractapi.WithErrorHandler(cfg.ErrorHandler),
		contractapi.WithNotFound(cfg.NotFound), contractapi.WithMethodNotAllowed(cfg.MethodNotAllowed),
		contractapi.WithMiddleware(cfg.Middleware(h.ownership())...))
	if err != nil {
		return nil, err
	}
	return cfg.Around(server), nil
}

// security finds out who calls; the scopes each operation needs come from the OpenAPI document.
type security struct{ access *access.Control }

func (s security) HandleApiKey(ctx context.Context, operation contractapi.OperationName, t contractapi.ApiKey) (context.Context, error) {
	return s.access.Key(ctx, operation, t.APIKey, t.Roles)
}

func (s security) HandleOAuth2(ctx context.Context, operation contractapi.OperationName, t contractapi.OAuth2) (context.Context, error) {
	return s.access.Bearer(ctx, operation, t.Token, t.Scopes)
}

type handler struct {
	Config
	requests logapi.Requests
}

// change decides a command that has an If-Match on an existing contract, as decide does.
func (h *handler) change(ctx context.Context, operation string, ref contractapi.ContractRef, key, ifMatch contractapi.OptString, body json.Marshaler, command contract.Command) (*contractapi.ChangedContractHeaders, error) {
	out, err := h.decide(ctx, operation, ref, key, precondition(ifMatch), body, command)
	if err != nil {
		return nil, err
	}
	return &contractapi.ChangedContractHeaders{
		ETag: etag(out.Answer.Version), LogPosition: logapi.Position(h.Store, out.Offset), IdempotentReplayed: replayed(out),
		Response: contractBody(out.Answer),
	}, nil
}

// decide decides a command on an existing contract. Body distinguishes the request from others with
// the same key.
func (h *handler) decide(ctx context.Context, operation string, ref contractapi.ContractRef, key contractapi.OptString, precondition func(*contract.Contract) error, body json.Marshaler, command contract.Command) (out store.Outcome, err error) {
	out, err = h.answer(ctx, operation, string(ref), key, body, command, func(ctx context.Context, req idempotency.Request) (store.Outcome, error) {
		return h.Store.Change(ctx, req, contract.Ref(ref), precondition, command)
	})
	return out, about(ref, err)
}

// answer decides a command, unless its values are wrong. A request that was accepted before the
// rules became stricter is not decided again, and gets its earlier answer.
func (h *handler) answer(ctx context.Context, operation, path string, key contractapi.OptString, body json.Marshaler, command contract.Command,
	decide func(context.Context, idempotency.Request) (store.Outcome, error)) (out store.Outcome, err error) {
	wrong := cmp.Or(strict.Condition(ctx), check(command))
	req, release, err := h.requests.Begin(ctx, key.Value, operation, path, body)
	if err != nil {
		return out, cmp.Or(wrong, err)
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()
	if wrong != nil {
		return h.Store.UnlessAnswered(ctx, req, wrong)
	}
	return decide(ctx, req)
}

// NewError returns the problem document of whatever a handler returns.
func (h *handler) NewError(ctx context.Context, err error) *contractapi.ProblemStatusCodeWithHeaders {
	return problemBody(h.Report(ctx, problemOf(err), err))
}
