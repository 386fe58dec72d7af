package api

import (
	"context"
	"strings"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
)

var firstPage = store.Page{Limit: 50}

// maxContracts bounds the contracts of one customer in one answer.
const maxContracts = 1000

func pageOf(limit, offset billingapi.OptInt32) store.Page {
	return store.Page{Limit: int(limit.Or(int32(firstPage.Limit))), Offset: int(offset.Or(0))}
}

func notFound(code problem.Code, what, ref, hint string) error {
	return problem.New(code, "there is no %s %s", what, ref).WithHint("%s", hint)
}

// GetOperation reads an operation.
func (h *handler) GetOperation(ctx context.Context, params billingapi.GetOperationParams) (*billingapi.GetOperationOKHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	o, at, ok := h.Store.Operation(string(params.OperationRef))
	if !ok {
		return nil, notFound(problem.OperationNotFound, "operation", string(params.OperationRef), "check the reference; GET /operations searches")
	}
	return &billingapi.GetOperationOKHeaders{LogPosition: h.position(at), Response: toOperation(o)}, nil
}

// ListOperations searches operations.
func (h *handler) ListOperations(ctx context.Context, params billingapi.ListOperationsParams) (*billingapi.OperationPageHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	f := store.OperationFilter{
		ContractRef: string(params.ContractRef.Or("")), CustomerRef: string(params.CustomerRef.Or("")), InvoiceRef: string(params.InvoiceRef.Or("")),
		Status: billing.OperationStatus(params.Status.Or("")),
	}
	if err := periodFilter(params.Period, &f.Period); err != nil {
		return nil, err
	}
	page := pageOf(params.Limit, params.Offset)
	l := h.Store.Operations(f, page)
	return &billingapi.OperationPageHeaders{LogPosition: h.position(l.Position), Response: billingapi.OperationPage{
		Items: each(l.Items, toOperation), Total: billingapi.Count(l.Total), Limit: billingapi.Count(page.Limit), Offset: billingapi.Count(page.Offset),
	}}, nil
}

func periodFilter(given billingapi.OptPeriod, to *billing.Period) error {
	p, ok := given.Get()
	if !ok {
		return nil
	}
	var err error
	*to, err = parsePeriod(p)
	return err
}

// GetSubscription reads billing's copy of a contract.
func (h *handler) GetSubscription(ctx context.Context, params billingapi.GetSubscriptionParams) (*billingapi.SubscriptionHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	ref := string(params.SubscriptionRef)
	a, at, ok := h.Store.Subscription("CTR-" + strings.TrimPrefix(ref, "SUB-"))
	if !ok {
		return nil, notFound(problem.SubscriptionNotFound, "subscription", ref, "check the reference: SUB-n belongs to the contract CTR-n; billing learns of it from contract facts")
	}
	return &billingapi.SubscriptionHeaders{LogPosition: h.position(at), Response: h.toSubscription(a)}, nil
}

// ListSubscriptions searches billing's copies of contracts.
func (h *handler) ListSubscriptions(ctx context.Context, params billingapi.ListSubscriptionsParams) (*billingapi.SubscriptionPageHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	page := pageOf(params.Limit, params.Offset)
	l := h.Store.Subscriptions(store.SubscriptionFilter{
		ContractRef: string(params.ContractRef.Or("")), CustomerRef: string(params.CustomerRef.Or("")), Status: billing.Status(params.Status.Or("")),
	}, page)
	return &billingapi.SubscriptionPageHeaders{LogPosition: h.position(l.Position), Response: billingapi.SubscriptionPage{
		Items: each(l.Items, h.toSubscription), Total: billingapi.Count(l.Total), Limit: billingapi.Count(page.Limit), Offset: billingapi.Count(page.Offset),
	}}, nil
}

// GetEligibility forecasts what a customer may buy.
func (h *handler) GetEligibility(ctx context.Context, params billingapi.GetEligibilityParams) (*billingapi.EligibilityHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	l := h.Store.Subscriptions(store.SubscriptionFilter{CustomerRef: string(params.CustomerRef)}, store.Page{Limit: maxContracts})
	if l.Total == 0 {
		return nil, problem.New(problem.CustomerNotFound, "billing knows no contract of the customer %s", params.CustomerRef).
			WithHint("check the reference; billing learns of contracts from contract facts")
	}
	out := billingapi.Eligibility{CustomerRef: params.CustomerRef}
	for _, a := range l.Items {
		asked := billing.Money{Amount: int64(params.Amount.Or(1)), Currency: string(params.Currency.Or(billingapi.Currency(a.Contract.Ceiling.Currency)))}
		out.Contracts = append(out.Contracts, h.toEligibility(a, asked))
	}
	return &billingapi.EligibilityHeaders{LogPosition: h.position(l.Position), Response: out}, nil
}

// GetBillingRun reads the run of a period.
func (h *handler) GetBillingRun(ctx context.Context, params billingapi.GetBillingRunParams) (*billingapi.GetBillingRunOKHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	p, err := parsePeriod(params.Period)
	if err != nil {
		return nil, err
	}
	r := h.Store.RunOf(p, pageOf(params.Limit, params.Offset))
	if !r.Known {
		return nil, problem.New(problem.BillingRunNotFound, "the billing of %s was never run", p).WithHint("POST /billing-runs runs it")
	}
	return &billingapi.GetBillingRunOKHeaders{LogPosition: h.position(r.Position), Response: toRun(p, r)}, nil
}

// GetInvoice reads an invoice.
func (h *handler) GetInvoice(ctx context.Context, params billingapi.GetInvoiceParams) (*billingapi.InvoiceHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	i, at, ok := h.Store.Invoice(string(params.InvoiceRef))
	if !ok {
		return nil, notFound(problem.InvoiceNotFound, "invoice", string(params.InvoiceRef), "check the reference; GET /invoices searches")
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
