// Package api serves the contract service's HTTP interface, as specs/contract/openapi.yaml
// describes it, on top of package store. The service's front package imports it, nobody else.
//
// The generated server checks credentials, parameters and body; everything after that, in this
// order, is the store's decision: idempotency key, existence, If-Match, transition. So an answer
// never rests on a check that was true a moment before.
package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/trace"
)

// Prefix is the path under which the interface is served.
const Prefix = "/refcontract/v1"

// Config says what the interface stands on.
type Config struct {
	Store  *store.Store
	Ready  func() error // nothing is served while it gives a reason; nil: the store's
	Keys   *access.Keys
	Logger *slog.Logger
}

// New makes the HTTP interface, with everything around it but health and listening.
func New(cfg Config) (http.Handler, error) {
	if cfg.Ready == nil {
		cfg.Ready = cfg.Store.Ready
	}
	server, err := contractapi.NewServer(&handler{Config: cfg}, security{cfg.Keys},
		contractapi.WithPathPrefix(Prefix),
		contractapi.WithErrorHandler(problem.ErrorHandler(cfg.Logger)),
		contractapi.WithNotFound(problem.WriteNotFound),
		contractapi.WithMethodNotAllowed(problem.WriteMethodNotAllowed),
		contractapi.WithMiddleware(logapi.WhenReady(cfg.Ready)),
	)
	if err != nil {
		return nil, err
	}
	return trace.HTTP(problem.LimitBody(cfg.Keys.Anonymous(server))), nil
}

// security finds out who calls; the scopes each operation needs come from the OpenAPI document.
type security struct{ keys *access.Keys }

func (s security) HandleApiKey(ctx context.Context, _ contractapi.OperationName, t contractapi.ApiKey) (context.Context, error) {
	return s.keys.Authenticate(ctx, t.APIKey, t.Roles)
}

func (s security) HandleOAuth2(ctx context.Context, _ contractapi.OperationName, _ contractapi.OAuth2) (context.Context, error) {
	return access.Bearer(ctx)
}

type handler struct {
	Config
	requests logapi.Requests
}

func (h *handler) CreateContract(ctx context.Context, body *contractapi.NewContract, params contractapi.CreateContractParams) (*contractapi.CreatedContractHeaders, error) {
	command := subscribe(body)
	if err := contract.Check(command); err != nil {
		return nil, err
	}
	req, release, err := h.requests.Begin(ctx, params.IdempotencyKey.Value, "createContract", "", body)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()
	out, err := h.Store.Create(ctx, req, command)
	if err != nil {
		return nil, err
	}
	return &contractapi.CreatedContractHeaders{
		Location: Prefix + "/contracts/" + string(out.Answer.Ref), ETag: etag(out.Answer.Version),
		LogPosition: logapi.Position(h.Store, out.Offset), IdempotentReplayed: replayed(out), Response: contractBody(out.Answer),
	}, nil
}

func (h *handler) ChangeContract(ctx context.Context, body contractapi.ContractChange, params contractapi.ChangeContractParams) (*contractapi.ChangedContractHeaders, error) {
	command := change(&body)
	return h.change(ctx, "changeContract", params.ContractRef, params.IdempotencyKey, params.IfMatch, body, command)
}

// SignMandate validates the account and keeps the last four characters of its IBAN. The rest, IBAN,
// BIC and owner, is not recorded anywhere for now: it is to be sealed with a key that can be
// destroyed, and the record has a place for it. It is left out of the hash that recognises a
// repeated request too, since a hash of an account number can be guessed; so a key used again with
// another account that ends in the same four characters is taken for a repetition.
func (h *handler) SignMandate(ctx context.Context, body *contractapi.SignedMandate, params contractapi.SignMandateParams) (*contractapi.ChangedContractHeaders, error) {
	command := signMandate(body)
	kept := *body
	kept.Iban, kept.Owner = command.Account.LastFour(), ""
	kept.Bic.Reset()
	return h.change(ctx, "signMandate", params.ContractRef, params.IdempotencyKey, params.IfMatch, &kept, command)
}

func (h *handler) RevokeMandate(ctx context.Context, params contractapi.RevokeMandateParams) (*contractapi.ChangedContractHeaders, error) {
	command := contract.RevokeMandate{Reason: string(params.Reason.Value)}
	asked, err := json.Marshal(params.Reason.Value)
	if err != nil {
		return nil, err
	}
	return h.change(ctx, "revokeMandate", params.ContractRef, params.IdempotencyKey, params.IfMatch, json.RawMessage(asked), command)
}

// change decides a command on an existing contract. Body is what tells the request from another
// with its key.
func (h *handler) change(ctx context.Context, operation string, ref contractapi.ContractRef, key, ifMatch contractapi.OptString, body json.Marshaler, command contract.Command) (*contractapi.ChangedContractHeaders, error) {
	if err := contract.Check(command); err != nil {
		return nil, err
	}
	req, release, err := h.requests.Begin(ctx, key.Value, operation, string(ref), body)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()
	out, err := h.Store.Change(ctx, req, contract.Ref(ref), precondition(ifMatch), command)
	if err != nil {
		return nil, about(ref, err)
	}
	return &contractapi.ChangedContractHeaders{
		ETag: etag(out.Answer.Version), LogPosition: logapi.Position(h.Store, out.Offset), IdempotentReplayed: replayed(out),
		Response: contractBody(out.Answer),
	}, nil
}

func (h *handler) GetContract(ctx context.Context, params contractapi.GetContractParams) (*contractapi.CurrentContractHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, params.LogPosition.Value); err != nil {
		return nil, err
	}
	c, position, err := h.Store.Get(contract.Ref(params.ContractRef))
	if err != nil {
		return nil, about(params.ContractRef, err)
	}
	return &contractapi.CurrentContractHeaders{ETag: etag(c.Version), LogPosition: logapi.Position(h.Store, position), Response: contractBody(c)}, nil
}

func (h *handler) ListContracts(ctx context.Context, params contractapi.ListContractsParams) (*contractapi.ContractPageHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, params.LogPosition.Value); err != nil {
		return nil, err
	}
	filter := store.Filter{CustomerRef: string(params.CustomerRef.Value), Status: contract.Status(params.Status.Value)}
	limit, offset := params.Limit.Or(50), params.Offset.Or(0)
	page := h.Store.Find(filter, int(limit), int(offset))
	items := make([]contractapi.Contract, len(page.Items))
	for i, c := range page.Items {
		items[i] = contractBody(c)
	}
	return &contractapi.ContractPageHeaders{
		LogPosition: logapi.Position(h.Store, page.Position),
		Response:    contractapi.ContractPage{Items: items, Total: int32(min(page.Total, 1<<31-1)), Limit: limit, Offset: offset},
	}, nil
}

func (h *handler) ErasePersonalData(ctx context.Context, params contractapi.ErasePersonalDataParams) (*contractapi.PersonalDataErasureHeaders, error) {
	return nil, h.requests.NotBuilt(ctx, params.IdempotencyKey.Value, "erasePersonalData", "only the last four characters of the IBAN are kept for now")
}

func (h *handler) RepublishContract(ctx context.Context, params contractapi.RepublishContractParams) (*contractapi.RepublicationHeaders, error) {
	return nil, h.requests.NotBuilt(ctx, params.IdempotencyKey.Value, "republishContract", "an amendment publishes the whole contract too")
}

func (h *handler) NewError(ctx context.Context, err error) *contractapi.ProblemStatusCodeWithHeaders {
	p := problemOf(err)
	if p.Code == problem.Internal {
		h.Logger.ErrorContext(ctx, "request not handled", "error", err.Error(), "traceparent", trace.From(ctx))
	}
	return problemBody(p)
}
