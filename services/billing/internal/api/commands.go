package api

import (
	"context"
	"time"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// runIn is how long a billing run is waited for before it is answered as it stands.
const runIn = 8 * time.Second

// CreateOperation records a purchase or a refund.
func (h *handler) CreateOperation(ctx context.Context, body billingapi.OperationRequest, params billingapi.CreateOperationParams) (*billingapi.OperationHeaders, error) {
	req, release, err := h.requests.Begin(ctx, params.IdempotencyKey.Value, "createOperation", "", &body)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()

	var a store.Answer[store.Operation]
	switch body.Type {
	case billingapi.PurchaseRequestOperationRequest:
		p := body.PurchaseRequest
		a, err = h.Store.Purchase(ctx, req, string(p.ContractRef), billing.Purchase{OrderRef: string(p.OrderRef), Label: p.Label.Or(""), Amount: fromMoney(p.Amount)})
	case billingapi.RefundRequestOperationRequest:
		r := body.RefundRequest
		a, err = h.Store.Refund(ctx, req, string(r.PurchaseRef), billing.Refund{Reason: r.Reason.Or(""), Amount: fromMoney(r.Amount)})
	default:
		return nil, problem.New(problem.InvalidRequest, "an operation is a PURCHASE or a REFUND")
	}
	if err != nil {
		return nil, err
	}
	if a.Value.Status == billing.OperationRefused {
		return nil, &answered{Problem: refused(a.Value), position: a.Offset, replayed: a.Replayed}
	}
	return &billingapi.OperationHeaders{
		IdempotentReplayed: replayed(a.Replayed), LogPosition: h.position(a.Offset), Response: toOperation(a.Value),
	}, nil
}

// CancelOperation is in the contract and not built yet.
func (h *handler) CancelOperation(ctx context.Context, _ *billingapi.CancellationRequest, params billingapi.CancelOperationParams) (*billingapi.OperationHeaders, error) {
	return nil, h.requests.NotBuilt(ctx, params.IdempotencyKey.Value, "cancelOperation", "refund the purchase instead")
}

// SettleInvoice records a step of collecting an invoice.
func (h *handler) SettleInvoice(ctx context.Context, body billingapi.SettlementRequest, params billingapi.SettleInvoiceParams) (*billingapi.SettleInvoiceOKHeaders, error) {
	step := store.Step{Step: billing.Step(body.Type)}
	switch body.Type {
	case billingapi.SettlementReturnedSettlementRequest:
		return nil, h.requests.NotBuilt(ctx, params.IdempotencyKey.Value, "settleInvoice with RETURNED", "settle the matter outside for now")
	case billingapi.SettlementOtherwiseSettlementRequest:
		return nil, h.requests.NotBuilt(ctx, params.IdempotencyKey.Value, "settleInvoice with SETTLED_OTHERWISE", "present the invoice for direct debit")
	case billingapi.SettlementRejectedSettlementRequest:
		step.Reason = string(body.SettlementRejected.Reason)
	}
	req, release, err := h.requests.Begin(ctx, params.IdempotencyKey.Value, "settleInvoice", string(params.InvoiceRef), &body)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()
	a, err := h.Store.Settle(ctx, req, string(params.InvoiceRef), step)
	if err != nil {
		return nil, err
	}
	return &billingapi.SettleInvoiceOKHeaders{
		IdempotentReplayed: replayed(a.Replayed), LogPosition: h.position(a.Offset), Response: toInvoice(a.Value),
	}, nil
}

// StartBillingRun bills a month, or shows what would be issued.
func (h *handler) StartBillingRun(ctx context.Context, body *billingapi.BillingRunRequest, params billingapi.StartBillingRunParams) (*billingapi.BillingRunHeaders, error) {
	p, err := parsePeriod(body.Period)
	if err != nil {
		return nil, err
	}
	req, release, err := h.requests.Begin(ctx, params.IdempotencyKey.Value, "startBillingRun", "", body)
	if err != nil {
		return nil, err
	}
	defer release()
	decide, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()
	if body.DryRun.Or(false) {
		if _, err := h.Store.Answered(decide, &req); err != nil {
			return nil, err
		}
		r := h.Store.RunOf(p, firstPage)
		out := toRun(p, r)
		out.Status = billingapi.BillingRunStatusDRYRUN
		out.StartedAt.Reset()
		out.CompletedAt.Reset()
		return &billingapi.BillingRunHeaders{LogPosition: h.position(r.Position), Response: out}, nil
	}
	done, again, err := h.Runs.Start(decide, &req, p)
	if err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-time.After(runIn):
	case <-ctx.Done():
	}
	r := h.Store.RunOf(p, firstPage)
	return &billingapi.BillingRunHeaders{
		IdempotentReplayed: replayed(again), LogPosition: h.position(r.Position), Response: toRun(p, r),
	}, nil
}
