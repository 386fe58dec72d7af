package api

import (
	"cmp"
	"context"
	"encoding/hex"
	"net/http"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/codes/sepa"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/strict"
)

// Problems of invoices.
var (
	invoiceNotFound = problem.NewCode("invoice-not-found", http.StatusNotFound, "No such invoice")
	mandateNotValid = problem.NewCode("mandate-not-valid", http.StatusConflict, "The mandate does not allow a direct debit")
)

var invoiceCauses = causes{
	{billing.ErrInvoiceUnknown, invoiceNotFound, "check the reference; GET /invoices searches", 0},
}

// SettleInvoice records a step of collecting a part of an invoice.
func (h *handler) SettleInvoice(ctx context.Context, body billingapi.SettlementRequest, params billingapi.SettleInvoiceParams) (*billingapi.SettleInvoiceOKHeaders, error) {
	req, release, err := h.requests.Begin(ctx, params.IdempotencyKey.Value, "settleInvoice", string(params.InvoiceRef), &body)
	if err != nil {
		return nil, err
	}
	defer release()
	command, wrong := settlement(body, string(params.InvoiceRef))
	ctx, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()
	if err := h.Store.UnlessAnswered(ctx, req, cmp.Or(strict.Condition(ctx), wrong)); err != nil {
		return nil, err
	}
	i, out, err := h.Store.Settle(ctx, req, command)
	if err != nil {
		return nil, err
	}
	return &billingapi.SettleInvoiceOKHeaders{
		IdempotentReplayed: replayed(out.Replayed), LogPosition: h.position(out.Offset), Response: toInvoice(i),
	}, nil
}

// settlement returns the command that a request is.
func settlement(body billingapi.SettlementRequest, invoiceRef string) (billing.Command, error) {
	part := func(contractRef billingapi.OptContractRef) billing.Collecting {
		return billing.Collecting{InvoiceRef: invoiceRef, ContractRef: string(contractRef.Or(""))}
	}
	switch body.Type {
	case billingapi.SettlementPresentedSettlementRequest:
		return billing.Present{Collecting: part(body.SettlementPresented.ContractRef)}, nil
	case billingapi.SettlementCollectedSettlementRequest:
		return billing.Collect{Collecting: part(body.SettlementCollected.ContractRef)}, nil
	case billingapi.SettlementRejectedSettlementRequest:
		r := body.SettlementRejected
		known, err := sepa.RejectReason(string(r.Reason))
		return billing.Reject{Collecting: part(r.ContractRef), Reason: known.Code}, badReason(r.Reason, err)
	case billingapi.SettlementReturnedSettlementRequest:
		r := body.SettlementReturned
		known, err := sepa.ReturnReason(string(r.Reason))
		return billing.Return{Collecting: part(r.ContractRef), Reason: known.Code}, badReason(r.Reason, err)
	case billingapi.SettlementOtherwiseSettlementRequest:
		o := body.SettlementOtherwise
		return billing.SettleOtherwise{Collecting: part(o.ContractRef), Reference: o.Reference}, blank("/reference", o.Reference)
	}
	return nil, problem.New(problem.InvalidRequest, "a settlement is PRESENTED, COLLECTED, REJECTED, RETURNED or SETTLED_OTHERWISE")
}

// badReason returns the problem of a reason code that err says is wrong, nil if err is nil.
func badReason(code billingapi.SepaReason, err error) error {
	if err == nil {
		return nil
	}
	p := problem.New(problem.InvalidRequest, "the reason %s %s", code, err).WithHint("send the reason code that the bank stated")
	p.Errors = []problem.FieldError{{Pointer: "/reason", Message: err.Error()}}
	return p
}

// GetInvoice reads an invoice.
func (h *handler) GetInvoice(ctx context.Context, params billingapi.GetInvoiceParams) (*billingapi.InvoiceHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	ref := string(params.InvoiceRef)
	i, at, err := find(ctx, h, func() (billing.Invoice, int64, bool) { return h.Store.Invoice(ref) }, noInvoice(ref))
	if err != nil {
		return nil, err
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
		Of: access.Customers(ctx),
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

// noMandate returns the problem of a presentation that the mandate does not allow.
func noMandate(err *billing.MandateError) *problem.Problem {
	return problem.New(mandateNotValid, "%s", err).
		WithHint("have a mandate signed and present it again, or record a transfer with SETTLED_OTHERWISE").
		WithExtension(figures{Reasons: []billing.Reason{billing.MandateNotValid}})
}

// noPart returns the problem of a step that does not name a part of its invoice.
func noPart(err *billing.PartError) *problem.Problem {
	p := problem.New(problem.InvalidRequest, "%s", err).WithHint("name the contract of one of the parts in contractRef")
	p.Errors = []problem.FieldError{{Pointer: "/contractRef", Message: err.Error()}}
	return p
}

// forbidden returns the problem of a step that the status of a part does not allow.
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
	hash := i.Hash()
	return billingapi.Invoice{
		InvoiceRef: billingapi.InvoiceRef(i.Ref), CustomerRef: billingapi.CustomerRef(i.CustomerRef), SellerRef: i.SellerRef,
		Period: billingapi.Period(i.Period.String()), Status: billingapi.InvoiceStatus(i.Status()), Buyer: toBuyer(i.Buyer),
		Purchases: m(i.Purchases()), Refunds: m(i.Refunds()), Total: m(i.Total()), CreditNotes: m(i.CreditNotes()), Due: m(i.Due()), Collected: m(i.Collected()),
		Open: m(i.OpenAmount()), CreditDue: m(i.CreditDue()), LineCount: billingapi.Count(i.Lines()), LinesHash: hex.EncodeToString(hash[:]),
		IssuedAt: billingapi.Instant(i.IssuedAt), SettledAt: optionalInstant(i.SettledAt()),
		Parts: each(i.Parts, func(p billing.Part) billingapi.InvoicePart { return toPart(p, m) }),
	}
}

func toPart(p billing.Part, m func(int64) billingapi.Money) billingapi.InvoicePart {
	out := billingapi.InvoicePart{
		ContractRef: billingapi.ContractRef(p.ContractRef), SubscriptionRef: billingapi.SubscriptionRef(p.SubscriptionRef), Status: billingapi.InvoiceStatus(p.Status),
		Purchases: m(p.Purchases), Refunds: m(p.Refunds), Total: m(p.Total()), CreditNotes: m(p.CreditNotes), Due: m(p.Due()), Collected: m(p.Collected),
		Open: m(p.OpenAmount()), CreditDue: m(p.CreditDue()), LineCount: billingapi.Count(p.Lines), LinesHash: hex.EncodeToString(p.Hash[:]),
		Presentations: billingapi.Count(p.Presentations), Rum: optionalText(p.RUM), Reference: optionalText(p.Reference), SettledAt: optionalInstant(p.SettledAt),
	}
	if p.Failure != "" {
		out.Rejection.SetTo(billingapi.SepaReason(p.Failure))
	}
	if p.Method != "" {
		out.Method.SetTo(billingapi.SettlementMethod(p.Method))
	}
	return out
}

func toBuyer(c billing.Company) billingapi.Buyer {
	return billingapi.Buyer{LegalName: c.LegalName, Siren: c.SIREN, VatNumber: optionalText(c.VATNumber), BillingAddress: billingapi.Address{
		Line1: c.Address.Line1, Line2: optionalText(c.Address.Line2), PostalCode: c.Address.PostalCode, City: c.Address.City, Country: c.Address.Country,
	}}
}
