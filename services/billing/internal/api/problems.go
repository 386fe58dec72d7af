package api

import (
	"errors"
	"slices"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// Codes returns the codes of the problems that only this service has, for its tests.
func Codes() []problem.Code {
	return []problem.Code{operationNotFound, orderAlreadyPurchased, refundNotPossible, purchaseRefused,
		refundCurrency, refundExceedsPurchase, subscriptionNotFound, customerNotFound, contractUnknown, contractUnreadable, billingRunNotFound,
		periodNotEnded, invoiceNotFound, mandateNotValid}
}

// figures are the members that billing adds to a problem.
type figures struct {
	OperationRef    string           // that was refused or is in the way
	Reasons         []billing.Reason // of a refused purchase
	ContractVersion int64            // that a purchase was judged by
	Outstanding     *billing.Money
	Ceiling         *billing.Money
	Available       *billing.Money
}

// causes says which problem an error of the domain is, and what to do about it. The first that fits
// counts.
type causes []struct {
	is    error
	code  problem.Code
	hint  string
	retry int // seconds after which to try again, 0 for not at all
}

// problemOf returns the problem of any error: those of the log are the same in every service, the
// others are the domain's, by the causes of each part of the interface.
func problemOf(err error) *problem.Problem {
	if p := logapi.Problem(err); p != nil {
		return p
	}
	var step *billing.StepError
	if errors.As(err, &step) {
		return forbidden(step)
	}
	var part *billing.PartError
	if errors.As(err, &part) {
		return noPart(part)
	}
	var refund *billing.RefundError
	if errors.As(err, &refund) {
		return exceeds(refund)
	}
	var mandate *billing.MandateError
	if errors.As(err, &mandate) {
		return noMandate(mandate)
	}
	var order *billing.OrderError
	if errors.As(err, &order) {
		return purchased(order)
	}
	var cancel *billing.CancelError
	if errors.As(err, &cancel) {
		return notCancelled(cancel)
	}
	for _, c := range slices.Concat(subscriptionCauses, operationCauses, invoiceCauses, runCauses) {
		if errors.Is(err, c.is) {
			return problem.New(c.code, "%s", err).WithHint("%s", c.hint).WithRetryAfter(c.retry)
		}
	}
	return problem.FromOgen(err)
}

// document returns a problem as the generated server writes it.
func document(p *problem.Problem) billingapi.Problem {
	out := billingapi.Problem{
		Type: p.Code.URN(), Title: p.Code.Title(), Status: int32(p.Code.Status()), Detail: p.Detail, Instance: optionalText(p.Instance), Code: billingapi.ProblemCode(p.Code.String()),
		Hint: optionalText(p.Hint), Allowed: p.Allowed,
	}
	if p.RetryAfter > 0 {
		out.RetryAfter.SetTo(int32(p.RetryAfter))
	}
	for _, e := range p.Errors {
		out.Errors = append(out.Errors, billingapi.FieldError{Pointer: optionalText(e.Pointer), Message: e.Message})
	}
	if f, ok := p.Extension.(figures); ok {
		f.addTo(&out)
	}
	return out
}

func (f figures) addTo(out *billingapi.Problem) {
	if f.OperationRef != "" {
		out.OperationRef.SetTo(billingapi.OperationRef(f.OperationRef))
	}
	for _, r := range f.Reasons {
		out.Reasons = append(out.Reasons, toReason(r))
	}
	if f.ContractVersion > 0 {
		out.ContractVersion.SetTo(billingapi.Version(f.ContractVersion))
	}
	for from, to := range map[*billing.Money]*billingapi.OptMoney{f.Outstanding: &out.Outstanding, f.Ceiling: &out.Ceiling, f.Available: &out.Available} {
		if from != nil {
			to.SetTo(toMoney(*from))
		}
	}
}
