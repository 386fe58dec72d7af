package api

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// Problems of invoices.
var (
	invoiceNotFound = problem.NewCode("invoice-not-found", http.StatusNotFound, "No such invoice")
	mandateNotValid = problem.NewCode("mandate-not-valid", http.StatusConflict, "The mandate does not allow a direct debit")
)

var invoiceCauses = causes{
	{billing.ErrInvoiceUnknown, invoiceNotFound, "check the reference; GET /invoices searches", 0},
	{billing.ErrMandateNotValid, mandateNotValid, "have a mandate signed, then present the invoice again", 0},
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

// GetInvoice reads an invoice.
func (h *handler) GetInvoice(ctx context.Context, params billingapi.GetInvoiceParams) (*billingapi.InvoiceHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	i, at, ok := h.Store.Invoice(string(params.InvoiceRef))
	if !ok {
		return nil, notFound(invoiceNotFound, "invoice", string(params.InvoiceRef), "check the reference; GET /invoices searches")
	}
	return &billingapi.InvoiceHeaders{LogPosition: h.position(at), Response: toInvoice(i)}, nil
}

// ListInvoices searches invoices.
func (h *handler) ListInvoices(ctx context.Context, params billingapi.ListInvoicesParams) (*billingapi.InvoicePageHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	f := store.InvoiceFilter{
		ContractRef: string(params.ContractRef.Or("")), CustomerRef: string(params.CustomerRef.Or("")), Status: billing.InvoiceStatus(params.Status.Or("")),
	}
	if err := periodFilter(params.Period, &f.Period); err != nil {
		return nil, err
	}
	page := pageOf(params.Limit, params.Offset)
	l := h.Store.Invoices(f, page)
	return &billingapi.InvoicePageHeaders{LogPosition: h.position(l.Position), Response: billingapi.InvoicePage{
		Items: each(l.Items, toInvoice), Total: billingapi.Count(l.Total), Limit: billingapi.Count(page.Limit), Offset: billingapi.Count(page.Offset),
	}}, nil
}

// forbidden returns the problem of a step that the invoice's status does not allow.
func forbidden(err *billing.StepError) *problem.Problem {
	p := problem.New(problem.TransitionForbidden, "%s", err).WithHint("choose one of the allowed steps")
	if len(err.Allowed) == 0 {
		p.Hint = "nothing more can be done to it"
	}
	for _, s := range err.Allowed {
		p.Allowed = append(p.Allowed, string(s))
	}
	return p
}

func toInvoice(i billing.Invoice) billingapi.Invoice {
	m := func(amount int64) billingapi.Money {
		return toMoney(billing.Money{Amount: amount, Currency: i.Currency})
	}
	out := billingapi.Invoice{
		InvoiceRef: billingapi.InvoiceRef(i.Ref), ContractRef: billingapi.ContractRef(i.ContractRef), SubscriptionRef: billingapi.SubscriptionRef(i.SubscriptionRef),
		CustomerRef: billingapi.CustomerRef(i.CustomerRef), Period: billingapi.Period(i.Period.String()), Status: billingapi.InvoiceStatus(i.Status), Buyer: toBuyer(i.Buyer),
		Purchases: m(i.Purchases), Refunds: m(i.Refunds), Total: m(i.Total()), CreditNotes: m(i.CreditNotes), Due: m(i.Due()), Collected: m(i.Collected),
		Open: m(i.OpenAmount()), CreditDue: m(i.CreditDue()), LineCount: billingapi.Count(i.Lines), LinesHash: hex.EncodeToString(i.Hash[:]),
		Presentations: billingapi.Count(i.Presentations), IssuedAt: billingapi.Instant(i.IssuedAt), SettledAt: optionalInstant(i.SettledAt),
	}
	if i.Rejection != "" {
		out.Rejection.SetTo(billingapi.SepaReason(i.Rejection))
	}
	return out
}

func toBuyer(c billing.Company) billingapi.Buyer {
	return billingapi.Buyer{LegalName: c.LegalName, Siren: c.SIREN, VatNumber: optionalText(c.VATNumber), BillingAddress: billingapi.Address{
		Line1: c.Address.Line1, Line2: optionalText(c.Address.Line2), PostalCode: c.Address.PostalCode, City: c.Address.City, Country: c.Address.Country,
	}}
}
