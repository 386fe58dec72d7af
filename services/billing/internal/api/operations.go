package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/strict"
)

// Problems of operations.
var (
	operationNotFound     = problem.NewCode("operation-not-found", http.StatusNotFound, "No such operation")
	orderAlreadyPurchased = problem.NewCode("order-already-purchased", http.StatusConflict, "The order was already purchased")
	refundNotPossible     = problem.NewCode("refund-not-possible", http.StatusConflict, "Only an accepted purchase can be refunded")
	purchaseRefused       = problem.NewCode("purchase-refused", http.StatusUnprocessableEntity, "The purchase is refused")
	refundCurrency        = problem.NewCode("refund-currency-differs", http.StatusConflict, "The refund is in another currency than its purchase")
	refundExceedsPurchase = problem.NewCode("refund-exceeds-purchase", http.StatusUnprocessableEntity, "The refund exceeds what is left of the purchase")
)

var operationCauses = causes{
	{billing.ErrOperationUnknown, operationNotFound, "check the reference; GET /operations searches", 0},
	{billing.ErrNotRefundable, refundNotPossible, "name the purchase that was accepted", 0},
	{billing.ErrRefundCurrency, refundCurrency, "refund in the currency of the purchase", 0},
	{billing.ErrPeriodFull, problem.InvalidRequest, "purchase less in one month", 0},
	{billing.ErrAmount, problem.InvalidRequest, "ask for at least one minor unit", 0},
}

// CreateOperation records a purchase or a refund.
func (h *handler) CreateOperation(ctx context.Context, body billingapi.OperationRequest, params billingapi.CreateOperationParams) (*billingapi.OperationHeaders, error) {
	req, release, err := h.requests.Begin(ctx, params.IdempotencyKey.Value, "createOperation", "", &body)
	if err != nil {
		return nil, err
	}
	defer release()
	command, wrong := operation(body)
	return h.operate(ctx, req, command, wrong)
}

// operate decides a command that makes an operation or changes one, and returns its answer. Wrong
// is what is wrong with the request, nil if nothing is.
func (h *handler) operate(ctx context.Context, req idempotency.Request, c billing.Command, wrong error) (*billingapi.OperationHeaders, error) {
	ctx, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()
	if err := h.Store.UnlessAnswered(ctx, req, cmp.Or(strict.Condition(ctx), wrong)); err != nil {
		return nil, err
	}
	o, out, err := h.Store.Operate(ctx, req, c)
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
		return billing.Purchase{ContractRef: string(p.ContractRef), OrderRef: string(p.OrderRef), Label: p.Label.Or(""), Amount: fromMoney(p.Amount)},
			cmp.Or(checkCurrency("/amount/currency", p.Amount.Currency), blank("/label", p.Label.Value))
	case billingapi.RefundRequestOperationRequest:
		r := body.RefundRequest
		return billing.Refund{PurchaseRef: string(r.PurchaseRef), Reason: r.Reason.Or(""), Amount: fromMoney(r.Amount)},
			cmp.Or(checkCurrency("/amount/currency", r.Amount.Currency), blank("/reason", r.Reason.Value))
	}
	return nil, problem.New(problem.InvalidRequest, "an operation is a PURCHASE or a REFUND")
}

// blank returns the problem of a text that is blank, nil if it is not.
func blank(pointer, text string) error {
	if !problem.Blank(text) {
		return nil
	}
	return problem.Invalid(problem.FieldError{Pointer: pointer, Message: "must not be blank"})
}

// CancelOperation cancels a purchase.
func (h *handler) CancelOperation(ctx context.Context, body *billingapi.CancellationRequest, params billingapi.CancelOperationParams) (*billingapi.OperationHeaders, error) {
	req, release, err := h.requests.Begin(ctx, params.IdempotencyKey.Value, "cancelOperation", string(params.OperationRef), body)
	if err != nil {
		return nil, err
	}
	defer release()
	return h.operate(ctx, req, billing.Cancel{PurchaseRef: string(params.OperationRef), Reason: body.Reason.Or("")}, blank("/reason", body.Reason.Value))
}

// notCancelled returns the problem of an operation that cannot be cancelled, with what may still be
// refunded of it.
func notCancelled(err *billing.CancelError) *problem.Problem {
	o := err.Operation
	p := problem.New(problem.TransitionForbidden, "%s", err)
	if o.Kind != billing.KindPurchase || o.Status != billing.OperationAccepted {
		return p.WithHint("name an accepted purchase that is not invoiced and of which nothing was refunded")
	}
	left := o.Left()
	hint := "refund what is left of it instead"
	if err.InvoiceRef == "" {
		p.Detail = fmt.Sprintf("%s of %s was refunded", text(o.Given()), o.Ref)
	}
	if err.InvoiceRef != "" {
		hint = "refund what is left of it; that issues a credit note"
	}
	return p.WithHint("%s", hint).WithExtension(figures{OperationRef: o.Ref, Available: &left})
}

// GetOperation reads an operation.
func (h *handler) GetOperation(ctx context.Context, params billingapi.GetOperationParams) (*billingapi.GetOperationOKHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	ref := string(params.OperationRef)
	o, at, err := find(ctx, h, func() (store.Operation, int64, bool) { return h.Store.Operation(ref) }, noOperation(ref))
	if err != nil {
		return nil, err
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
		OrderRef: string(params.OrderRef.Or("")), Status: billing.OperationStatus(params.Status.Or("")), Of: access.Customers(ctx),
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

// purchased returns the problem of a purchase of an order that another purchase has.
func purchased(err *billing.OrderError) *problem.Problem {
	return problem.New(orderAlreadyPurchased, "%s", err).
		WithHint("give what is added to the order an orderRef of its own, or cancel %s and purchase the order again", err.PurchaseRef).
		WithExtension(figures{OperationRef: err.PurchaseRef})
}

// exceeds returns the problem of a refund of more than is left of its purchase.
func exceeds(err *billing.RefundError) *problem.Problem {
	return problem.New(refundExceedsPurchase, "%s is asked back and %s is left of %s", text(err.Asked), text(err.Left), err.PurchaseRef).
		WithHint("refund at most what is left").WithExtension(figures{Available: &err.Left})
}

func toReason(r billing.Reason) billingapi.RefusalReason { return billingapi.RefusalReason(r) }

func toOperation(o store.Operation) billingapi.Operation {
	if o.Kind == billing.KindRefund {
		return billingapi.NewRefundOperation(billingapi.Refund{
			OperationRef: billingapi.OperationRef(o.Ref), Status: billingapi.OperationStatus(o.Status), ContractRef: billingapi.ContractRef(o.ContractRef),
			SubscriptionRef: billingapi.SubscriptionRef(o.SubscriptionRef), CustomerRef: billingapi.CustomerRef(o.CustomerRef),
			PurchaseRef: billingapi.OperationRef(o.PurchaseRef), OrderRef: billingapi.OrderRef(o.OrderRef), Reason: optionalText(o.Text), Amount: toPositive(o.Amount),
			Period: billingapi.Period(o.Period.String()), InvoiceRef: optionalInvoice(o.InvoiceRef), CreditNoteRef: optionalText(o.CreditNoteRef),
			DecidedAt: billingapi.Instant(o.DecidedAt),
		})
	}
	p := billingapi.Purchase{
		OperationRef: billingapi.OperationRef(o.Ref), Status: billingapi.OperationStatus(o.Status), ContractRef: billingapi.ContractRef(o.ContractRef),
		SubscriptionRef: billingapi.SubscriptionRef(o.SubscriptionRef), CustomerRef: billingapi.CustomerRef(o.CustomerRef), OrderRef: billingapi.OrderRef(o.OrderRef),
		Label: optionalText(o.Text), Amount: toPositive(o.Amount), Refunded: toMoney(billing.Money{Amount: o.Refunded, Currency: o.Amount.Currency}),
		InvoiceRef: optionalInvoice(o.InvoiceRef), DecidedAt: billingapi.Instant(o.DecidedAt),
		Judgement: billingapi.Judgement{
			ContractVersion: billingapi.Version(o.Judgement.ContractVersion), Outstanding: toMoney(o.Judgement.Outstanding), Ceiling: toMoney(o.Judgement.Ceiling),
			Available: toMoney(o.Judgement.Available), Reasons: each(o.Judgement.Reasons, toReason),
		},
	}
	if o.Period != (billing.Period{}) {
		p.Period.SetTo(billingapi.Period(o.Period.String()))
	}
	return billingapi.NewPurchaseOperation(p)
}
