package api

import (
	"fmt"
	"strings"

	"github.com/ogen-go/ogen/middleware"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/logapi"
)

// The kinds of what requests are about.
const (
	ofContract     access.Kind = "contract"
	ofSubscription access.Kind = "subscription"
	ofOperation    access.Kind = "operation"
	ofInvoice      access.Kind = "invoice"
)

// ownership says to which customer the target of a request belongs.
func (h *handler) ownership() access.Ownership {
	return access.Ownership{
		Paths: map[string]access.Kind{
			"operationRef": ofOperation, "subscriptionRef": ofSubscription, "invoiceRef": ofInvoice, "customerRef": access.Customer,
		},
		Bodies:  map[string]func(any) access.Target{"createOperation": operatesOn},
		Lists:   []string{"listOperations", "listSubscriptions", "listInvoices"},
		Owner:   h.owner,
		Missing: missing,
	}
}

func operatesOn(body any) access.Target {
	b, _ := body.(billingapi.OperationRequest)
	if b.Type == billingapi.RefundRequestOperationRequest {
		return access.Target{Kind: ofOperation, Ref: string(b.RefundRequest.PurchaseRef)}
	}
	return access.Target{Kind: ofContract, Ref: string(b.PurchaseRequest.ContractRef)}
}

func (h *handler) owner(req middleware.Request, t access.Target) (string, bool, error) {
	return logapi.Owner(req.Context, h.Store, func() (string, bool) {
		switch t.Kind {
		case ofOperation:
			o, _, ok := h.Store.Operation(t.Ref)
			return o.CustomerRef, ok
		case ofInvoice:
			i, _, ok := h.Store.Invoice(t.Ref)
			return i.CustomerRef, ok
		}
		a, _, ok := h.Store.Subscription(contractOf(t.Ref))
		return a.Contract.CustomerRef, ok
	})
}

// contractOf returns the contract of a subscription. That of a contract is the contract itself.
func contractOf(ref string) string {
	if n, is := strings.CutPrefix(ref, "SUB-"); is {
		return "CTR-" + n
	}
	return ref
}

// missing returns the error of an operation for a target that there is not.
func missing(operation string, t access.Target) error {
	switch {
	case t.Kind == ofContract:
		return fmt.Errorf("%w: %s", billing.ErrContractUnknown, t.Ref)
	case t.Kind == ofSubscription:
		return noSubscription(t.Ref)
	case operation == "getOperation":
		return noOperation(t.Ref)
	case operation == "getInvoice":
		return noInvoice(t.Ref)
	case t.Kind == ofInvoice:
		return fmt.Errorf("%w: %s", billing.ErrInvoiceUnknown, t.Ref)
	}
	return fmt.Errorf("%w: %s", billing.ErrOperationUnknown, t.Ref)
}

func noSubscription(ref string) error {
	return notFound(subscriptionNotFound, "subscription", ref, "check the reference: SUB-n belongs to the contract CTR-n; billing learns of it from contract facts")
}

func noOperation(ref string) error {
	return notFound(operationNotFound, "operation", ref, "check the reference; GET /operations searches")
}

func noInvoice(ref string) error {
	return notFound(invoiceNotFound, "invoice", ref, "check the reference; GET /invoices searches")
}
