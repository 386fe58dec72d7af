package api

import (
	"context"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/logapi"
)

// CreateContract opens a contract.
func (h *handler) CreateContract(ctx context.Context, body *contractapi.NewContract, params contractapi.CreateContractParams) (*contractapi.CreatedContractHeaders, error) {
	command := subscribe(body)
	out, err := h.answer(ctx, "createContract", "", params.IdempotencyKey, body, command, func(ctx context.Context, req idempotency.Request) (store.Outcome, error) {
		return h.Store.Create(ctx, req, command)
	})
	if err != nil {
		return nil, err
	}
	return &contractapi.CreatedContractHeaders{
		Location: Prefix + "/contracts/" + string(out.Answer.Ref), ETag: etag(out.Answer.Version),
		LogPosition: logapi.Position(h.Store, out.Offset), IdempotentReplayed: replayed(out), Response: contractBody(out.Answer),
	}, nil
}

// ChangeContract changes the status or the terms of a contract.
func (h *handler) ChangeContract(ctx context.Context, body contractapi.ContractChange, params contractapi.ChangeContractParams) (*contractapi.ChangedContractHeaders, error) {
	command := change(&body)
	return h.change(ctx, "changeContract", params.ContractRef, params.IdempotencyKey, params.IfMatch, body, command)
}

// GetContract reads a contract.
func (h *handler) GetContract(ctx context.Context, params contractapi.GetContractParams) (*contractapi.CurrentContractHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, params.LogPosition.Value); err != nil {
		return nil, err
	}
	var c *contract.Contract
	var position int64
	found, err := logapi.Find(ctx, h.Store, func() bool {
		var unknown error
		c, position, unknown = h.Store.Get(contract.Ref(params.ContractRef))
		return unknown == nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, about(params.ContractRef, contract.ErrUnknown)
	}
	return &contractapi.CurrentContractHeaders{ETag: etag(c.Version), LogPosition: logapi.Position(h.Store, position), Response: contractBody(c)}, nil
}

// ListContracts searches contracts.
func (h *handler) ListContracts(ctx context.Context, params contractapi.ListContractsParams) (*contractapi.ContractPageHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, params.LogPosition.Value); err != nil {
		return nil, err
	}
	filter := store.Filter{CustomerRef: string(params.CustomerRef.Value), Status: contract.Status(params.Status.Value), Of: access.Customers(ctx)}
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

func subscribe(b *contractapi.NewContract) contract.Subscribe {
	s := contract.Subscribe{
		CustomerRef: string(b.CustomerRef), SellerRef: string(b.SellerRef), Buyer: companyOf(b.Buyer), Ceiling: contract.Money(b.Ceiling),
		ValidFrom: utc(&b.ValidFrom),
	}
	if b.ValidUntil.Set {
		s.ValidUntil = utc(&b.ValidUntil.Value)
	}
	return s
}

func change(b *contractapi.ContractChange) contract.Command {
	switch b.Type {
	case contractapi.SuspendContractContractChange:
		return contract.Suspend{Reason: string(b.SuspendContract.Reason)}
	case contractapi.ReinstateContractContractChange:
		return contract.Reinstate{Reason: string(b.ReinstateContract.Reason.Value)}
	case contractapi.TerminateContractContractChange:
		return contract.Terminate{Reason: string(b.TerminateContract.Reason)}
	default:
		return amend(&b.AmendContract)
	}
}

func amend(b *contractapi.AmendContract) contract.Amend {
	a := contract.Amend{Reason: string(b.Reason.Value)}
	if b.Ceiling.Set {
		ceiling := contract.Money(b.Ceiling.Value)
		a.Ceiling = &ceiling
	}
	if b.Buyer.Set {
		buyer := companyOf(b.Buyer.Value)
		a.Buyer = &buyer
	}
	if b.ValidFrom.Set {
		from := utc(&b.ValidFrom.Value)
		a.ValidFrom = &from
	}
	if b.ValidUntil.Set && b.ValidUntil.Null {
		a.OpenEnded = true
	} else if b.ValidUntil.Set {
		until := utc(&b.ValidUntil.Value)
		a.ValidUntil = &until
	}
	return a
}

// contractBody is a contract as answers show it.
func contractBody(c *contract.Contract) contractapi.Contract {
	b := contractapi.Contract{
		ContractRef: contractapi.ContractRef(c.Ref), SubscriptionRef: contractapi.SubscriptionRef(c.Ref.SubscriptionRef()),
		CustomerRef: contractapi.CustomerRef(c.CustomerRef), SellerRef: contractapi.SellerRef(c.SellerRef), Version: c.Version,
		Status: contractapi.ContractStatus(c.Status), Buyer: companyBody(c.Buyer), Ceiling: contractapi.Money(c.Ceiling),
		ValidFrom: c.ValidFrom, ValidUntil: optTime(c.ValidUntil), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
	if m := c.Mandate; m != nil {
		status := contractapi.MandateStatusSIGNED
		if m.Revoked() {
			status = contractapi.MandateStatusREVOKED
		}
		b.Mandate = contractapi.NewOptMandate(contractapi.Mandate{
			Rum: contractapi.Rum(m.RUM), Ics: contractapi.Ics(m.ICS), Scheme: contractapi.MandateScheme(m.Scheme), Status: status,
			SignedAt: m.SignedAt, RevokedAt: optTime(m.RevokedAt), IbanLastFour: m.IBANLastFour,
		})
	}
	if s := c.Suspension; s != nil {
		b.Suspension = contractapi.NewOptSuspension(contractapi.Suspension{
			Cause: contractapi.SuspensionCause(s.Cause), Detail: s.Detail, Since: s.Since,
			InvoiceRef: contractapi.OptString{Value: s.InvoiceRef, Set: s.InvoiceRef != ""},
		})
	}
	if x := c.Expiry; x != nil {
		b.Expiry = contractapi.NewOptExpiry(contractapi.Expiry{StatusBefore: contractapi.ExpiryStatusBefore(x.Before), Since: x.Since})
	}
	if t := c.Termination; t != nil {
		b.Termination = contractapi.NewOptTermination(contractapi.Termination{Reason: contractapi.Reason(t.Reason), Since: t.Since})
	}
	return b
}
