package api

import (
	"context"
	"time"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
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

	command, err := operation(body)
	if err != nil {
		return nil, err
	}
	o, out, err := h.Store.Operate(ctx, req, command)
	if err != nil {
		return nil, err
	}
	if o.Status == billing.OperationRefused {
		return nil, &answered{Problem: refused(o), position: out.Offset, replayed: out.Replayed}
	}
	return &billingapi.OperationHeaders{
		IdempotentReplayed: replayed(out.Replayed), LogPosition: h.position(out.Offset), Response: toOperation(o),
	}, nil
}

// operation returns the command that a request is.
func operation(body billingapi.OperationRequest) (billing.Command, error) {
	switch body.Type {
	case billingapi.PurchaseRequestOperationRequest:
		p := body.PurchaseRequest
		return billing.Purchase{ContractRef: string(p.ContractRef), OrderRef: string(p.OrderRef), Label: p.Label.Or(""), Amount: fromMoney(p.Amount)}, nil
	case billingapi.RefundRequestOperationRequest:
		r := body.RefundRequest
		return billing.Refund{PurchaseRef: string(r.PurchaseRef), Reason: r.Reason.Or(""), Amount: fromMoney(r.Amount)}, nil
	}
	return nil, problem.New(problem.InvalidRequest, "an operation is a PURCHASE or a REFUND")
}

// CancelOperation is in the contract and not built yet.
func (h *handler) CancelOperation(ctx context.Context, _ *billingapi.CancellationRequest, params billingapi.CancelOperationParams) (*billingapi.OperationHeaders, error) {
	return nil, h.requests.NotBuilt(ctx, params.IdempotencyKey.Value, "cancelOperation", "refund the purchase instead")
}

// SettleInvoice records a step of collecting an invoice.
func (h *handler) SettleInvoice(ctx context.Context, body billingapi.SettlementRequest, params billingapi.SettleInvoiceParams) (*billingapi.SettleInvoiceOKHeaders, error) {
	command, err := h.settlement(ctx, body, params)
	if err != nil {
		return nil, err
	}
	req, release, err := h.requests.Begin(ctx, params.IdempotencyKey.Value, "settleInvoice", string(params.InvoiceRef), &body)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()
	i, out, err := h.Store.Settle(ctx, req, command)
	if err != nil {
		return nil, err
	}
	return &billingapi.SettleInvoiceOKHeaders{
		IdempotentReplayed: replayed(out.Replayed), LogPosition: h.position(out.Offset), Response: toInvoice(i),
	}, nil
}

// settlement returns the command that a request is.
func (h *handler) settlement(ctx context.Context, body billingapi.SettlementRequest, params billingapi.SettleInvoiceParams) (billing.Command, error) {
	ref, key := string(params.InvoiceRef), params.IdempotencyKey.Value
	switch body.Type {
	case billingapi.SettlementPresentedSettlementRequest:
		return billing.Present{InvoiceRef: ref}, nil
	case billingapi.SettlementCollectedSettlementRequest:
		return billing.Collect{InvoiceRef: ref}, nil
	case billingapi.SettlementRejectedSettlementRequest:
		return billing.Reject{InvoiceRef: ref, Reason: string(body.SettlementRejected.Reason)}, nil
	case billingapi.SettlementReturnedSettlementRequest:
		return nil, h.requests.NotBuilt(ctx, key, "settleInvoice with RETURNED", "settle the matter outside for now")
	case billingapi.SettlementOtherwiseSettlementRequest:
		return nil, h.requests.NotBuilt(ctx, key, "settleInvoice with SETTLED_OTHERWISE", "present the invoice for direct debit")
	}
	return nil, problem.New(problem.InvalidRequest, "a settlement is PRESENTED, COLLECTED, REJECTED, RETURNED or SETTLED_OTHERWISE")
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
