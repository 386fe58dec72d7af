package api

import (
	"errors"
	"fmt"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// causes says what problem an error of the domain is, and what to do about it. The first that fits
// counts.
var causes = []struct {
	is    error
	code  problem.Code
	hint  string
	retry int
}{
	{billing.ErrContractUnknown, problem.ContractUnknown, "check the reference; a new contract is known after a moment, so try again with the same Idempotency-Key", 1},
	{billing.ErrContractUnreadable, problem.ContractUnreadable, "try again later; purchases are decided again once a newer version is read", 60},
	{billing.ErrOperationUnknown, problem.OperationNotFound, "check the reference; GET /operations searches", 0},
	{billing.ErrNotRefundable, problem.RefundNotPossible, "name the purchase that was accepted", 0},
	{billing.ErrRefundCurrency, problem.RefundNotPossible, "refund in the currency of the purchase", 0},
	{billing.ErrPurchaseInvoiced, problem.NotBuilt, "credit notes come later; settle the matter outside for now", 0},
	{billing.ErrInvoiceUnknown, problem.InvoiceNotFound, "check the reference; GET /invoices searches", 0},
	{billing.ErrMandateNotValid, problem.MandateNotValid, "have a mandate signed, then present the invoice again", 0},
	{billing.ErrPeriodNotEnded, problem.PeriodNotEnded, "run it after that; with dryRun true it shows what would be issued so far", 0},
	{billing.ErrAmount, problem.InvalidRequest, "ask for at least one minor unit", 0},
}

// problemOf is the one place where an error becomes a problem: those of the log as in every
// service, and the domain's.
func problemOf(err error) *problem.Problem {
	if p := logapi.Problem(err); p != nil {
		return p
	}
	var step *billing.StepError
	if errors.As(err, &step) {
		p := problem.New(problem.TransitionForbidden, "%s", step).WithHint("choose one of the allowed steps")
		if len(step.Allowed) == 0 {
			p.Hint = "nothing more can be done to it"
		}
		for _, s := range step.Allowed {
			p.Allowed = append(p.Allowed, string(s))
		}
		return p
	}
	var refund *billing.RefundError
	if errors.As(err, &refund) {
		p := problem.New(problem.RefundExceedsPurchase, "%s", refund).WithHint("refund at most what is left")
		p.Available = figure(refund.Left)
		return p
	}
	for _, c := range causes {
		if errors.Is(err, c.is) {
			return problem.New(c.code, "%s", err).WithHint("%s", c.hint).WithRetryAfter(c.retry)
		}
	}
	return problem.FromOgen(err)
}

// refused is the problem of a purchase that was refused, with every reason and the figures it was
// judged by.
func refused(o store.Operation) *problem.Problem {
	j := o.Judgement
	p := problem.New(problem.PurchaseRefused, "%s: %s", o.Ref, explain(o)).WithHint("%s", advice[j.Reasons[0]])
	p.OperationRef, p.ContractVersion = o.Ref, j.ContractVersion
	for _, r := range j.Reasons {
		p.Reasons = append(p.Reasons, string(r))
	}
	p.Outstanding, p.Ceiling, p.Available = figure(j.Outstanding), figure(j.Ceiling), figure(j.Available)
	return p
}

func figure(m billing.Money) *problem.Money {
	return &problem.Money{Amount: m.Amount, Currency: m.Currency}
}

func explain(o store.Operation) string {
	switch o.Judgement.Reasons[0] {
	case billing.ContractNotActive:
		return fmt.Sprintf("the contract %s is not active", o.ContractRef)
	case billing.ContractExpired:
		return fmt.Sprintf("the contract %s is outside its validity", o.ContractRef)
	case billing.MandateNotValid:
		return fmt.Sprintf("the mandate of %s is not valid", o.ContractRef)
	case billing.CeilingExceeded:
		return fmt.Sprintf("%s does not fit into the available %s of %s", o.Amount, o.Judgement.Available, o.ContractRef)
	}
	return fmt.Sprintf("%s is not in the currency of %s", o.Amount, o.ContractRef)
}

var advice = map[billing.Reason]string{
	billing.ContractNotActive: "have the contract activated or reinstated, then buy with a new Idempotency-Key",
	billing.ContractExpired:   "have the contract's validity extended, then buy with a new Idempotency-Key",
	billing.MandateNotValid:   "have a mandate signed, then buy with a new Idempotency-Key",
	billing.CeilingExceeded:   "buy for less, or wait until invoices are collected; then use a new Idempotency-Key",
	billing.CurrencyMismatch:  "buy in the contract's currency, with a new Idempotency-Key",
}
