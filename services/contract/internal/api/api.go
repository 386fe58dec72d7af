// Package api serves the contract service's HTTP interface, as specs/contract/openapi.yaml describes it, on top of package
// store. The service's front package imports it, nobody else.
//
// The generated server checks credentials, parameters and body; everything after that, in this order, is the store's
// decision: idempotency key, existence, If-Match, transition. So an answer never rests on a check that was true a moment
// before.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/ogen-go/ogen/ogenerrors"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// Prefix is the path under which the interface is served.
const Prefix = "/refcontract/v1"

// How long a command may take before its outcome is called unknown, and how long a query waits for a Log-Position.
const (
	commandTime  = 10 * time.Second
	positionTime = 2 * time.Second
)

// New returns the handler of the whole interface.
func New(s *store.Store, keys *access.Keys, logger *slog.Logger) (http.Handler, error) {
	server, err := contractapi.NewServer(&handler{store: s, logger: logger}, security{keys},
		contractapi.WithPathPrefix(Prefix),
		contractapi.WithErrorHandler(problem.ErrorHandler(logger)),
		contractapi.WithNotFound(problem.WriteNotFound),
		contractapi.WithMethodNotAllowed(problem.WriteMethodNotAllowed),
	)
	if err != nil {
		return nil, err
	}
	return withTrace(keys.Anonymous(problem.LimitBody(server))), nil
}

// security finds out who calls; the scopes each operation needs come from the OpenAPI document.
type security struct{ keys *access.Keys }

func (s security) HandleApiKey(ctx context.Context, _ contractapi.OperationName, t contractapi.ApiKey) (context.Context, error) {
	return s.keys.Authenticate(ctx, t.APIKey, t.Roles)
}

// HandleOAuth2 accepts no bearer token yet; a request that also has a good API key is served by that.
func (s security) HandleOAuth2(ctx context.Context, _ contractapi.OperationName, _ contractapi.OAuth2) (context.Context, error) {
	if _, ok := access.From(ctx); ok {
		return ctx, ogenerrors.ErrSkipServerSecurity
	}
	return ctx, problem.New(problem.Unauthenticated, "bearer tokens are in the contract and not accepted yet").WithHint("send an API key in %s", access.HeaderName)
}

type handler struct {
	store  *store.Store
	logger *slog.Logger
}

func (h *handler) CreateContract(ctx context.Context, body *contractapi.NewContract, params contractapi.CreateContractParams) (*contractapi.CreatedContractHeaders, error) {
	command := subscribe(body)
	if err := contract.Check(command); err != nil {
		return nil, err
	}
	req, err := request(ctx, "createContract", params.IdempotencyKey, "", command)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	out, err := h.store.Create(ctx, req, command)
	if err != nil {
		return nil, err
	}
	return &contractapi.CreatedContractHeaders{
		Location: Prefix + "/contracts/" + string(out.Contract.Ref), ETag: etag(out.Contract.Version),
		LogPosition: h.position(out.Position), IdempotentReplayed: replayed(out), Response: contractBody(out.Contract),
	}, nil
}

func (h *handler) ChangeContract(ctx context.Context, body contractapi.ContractChange, params contractapi.ChangeContractParams) (*contractapi.ChangedContractHeaders, error) {
	return h.change(ctx, "changeContract", params.ContractRef, params.IdempotencyKey, params.IfMatch, change(body))
}

// SignMandate validates the account and keeps the last four characters of its IBAN. The rest, IBAN, BIC and owner, is not
// recorded anywhere for now: it is to be sealed with a key that can be destroyed, and the record has a place for it.
// It is left out of the hash that recognises a repeated request too, since a hash of an account number can be guessed; so
// a key used again with another account that ends in the same four characters is taken for a repetition.
func (h *handler) SignMandate(ctx context.Context, body *contractapi.SignedMandate, params contractapi.SignMandateParams) (*contractapi.ChangedContractHeaders, error) {
	return h.change(ctx, "signMandate", params.ContractRef, params.IdempotencyKey, params.IfMatch, signMandate(body))
}

func (h *handler) RevokeMandate(ctx context.Context, params contractapi.RevokeMandateParams) (*contractapi.ChangedContractHeaders, error) {
	command := contract.RevokeMandate{Reason: string(params.Reason.Value)}
	return h.change(ctx, "revokeMandate", params.ContractRef, params.IdempotencyKey, params.IfMatch, command)
}

// change decides a command on an existing contract.
func (h *handler) change(ctx context.Context, operation string, ref contractapi.ContractRef, key, ifMatch contractapi.OptString, command contract.Command) (*contractapi.ChangedContractHeaders, error) {
	if err := contract.Check(command); err != nil {
		return nil, about(ref, err)
	}
	req, err := request(ctx, operation, key, string(ref), command)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	out, err := h.store.Change(ctx, req, contract.Ref(ref), precondition(ifMatch), command)
	if err != nil {
		return nil, about(ref, err)
	}
	return &contractapi.ChangedContractHeaders{
		ETag: etag(out.Contract.Version), LogPosition: h.position(out.Position), IdempotentReplayed: replayed(out),
		Response: contractBody(out.Contract),
	}, nil
}

func (h *handler) GetContract(ctx context.Context, params contractapi.GetContractParams) (*contractapi.CurrentContractHeaders, error) {
	if err := h.fresh(ctx, params.LogPosition); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	c, position, err := h.store.Get(ctx, contract.Ref(params.ContractRef))
	if err != nil {
		return nil, about(params.ContractRef, err)
	}
	return &contractapi.CurrentContractHeaders{ETag: etag(c.Version), LogPosition: h.position(position), Response: contractBody(c)}, nil
}

func (h *handler) ListContracts(ctx context.Context, params contractapi.ListContractsParams) (*contractapi.ContractPageHeaders, error) {
	if err := h.fresh(ctx, params.LogPosition); err != nil {
		return nil, err
	}
	filter := store.Filter{CustomerRef: string(params.CustomerRef.Value), Status: contract.Status(params.Status.Value)}
	limit, offset := params.Limit.Or(50), params.Offset.Or(0)
	page := h.store.Find(filter, int(limit), int(offset))
	items := make([]contractapi.Contract, len(page.Items))
	for i, c := range page.Items {
		items[i] = contractBody(c)
	}
	return &contractapi.ContractPageHeaders{
		LogPosition: h.position(page.Position),
		Response:    contractapi.ContractPage{Items: items, Total: int32(min(page.Total, 1<<31-1)), Limit: limit, Offset: offset},
	}, nil
}

func (h *handler) ErasePersonalData(ctx context.Context, params contractapi.ErasePersonalDataParams) (*contractapi.PersonalDataErasureHeaders, error) {
	return nil, notBuilt(ctx, "erasePersonalData", params.IdempotencyKey, params.ContractRef)
}

func (h *handler) RepublishContract(ctx context.Context, params contractapi.RepublishContractParams) (*contractapi.RepublicationHeaders, error) {
	return nil, notBuilt(ctx, "republishContract", params.IdempotencyKey, params.ContractRef)
}

// notBuilt answers an operation that is in the contract and not built yet, after the checks it will make.
func notBuilt(ctx context.Context, operation string, key contractapi.OptString, ref contractapi.ContractRef) error {
	if _, err := request(ctx, operation, key, string(ref), nil); err != nil {
		return err
	}
	return problem.New(problem.NotBuilt, "%s is in the contract and not built yet", operation).WithHint("nothing was recorded")
}

func (h *handler) NewError(ctx context.Context, err error) *contractapi.ProblemStatusCodeWithHeaders {
	p := problemOf(err)
	if p.Code == problem.Internal {
		h.logger.ErrorContext(ctx, "request not handled", "error", err.Error())
	}
	return problemBody(p)
}
