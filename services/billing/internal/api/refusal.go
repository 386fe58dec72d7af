package api

import (
	"fmt"
	"strings"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// refused returns the problem of a purchase that was refused, with every reason and the figures it
// was judged by.
func refused(o store.Operation) *problem.Problem {
	j := o.Judgement
	var why []string
	for _, r := range j.Reasons {
		why = append(why, explain(o, r))
	}
	return problem.New(purchaseRefused, "%s: %s", o.Ref, strings.Join(why, "; ")).WithHint("%s", advice[j.Reasons[0]]).WithExtension(figures{
		OperationRef: o.Ref, Reasons: j.Reasons, ContractVersion: j.ContractVersion, Outstanding: &j.Outstanding, Ceiling: &j.Ceiling, Available: &j.Available,
	})
}

func explain(o store.Operation, r billing.Reason) string {
	j := o.Judgement
	switch r {
	case billing.ContractNotActive:
		return fmt.Sprintf("the contract %s is %s", o.ContractRef, j.Refused.Status)
	case billing.ContractNotStarted:
		return fmt.Sprintf("the validity of %s begins at %s", o.ContractRef, j.Refused.ValidFrom.Format(time.RFC3339))
	case billing.ContractExpired:
		return fmt.Sprintf("the validity of %s %s", o.ContractRef, over(*j.Refused, o.DecidedAt))
	case billing.MandateNotValid:
		return fmt.Sprint(j.Refused.Mandate)
	case billing.CeilingExceeded:
		return fmt.Sprintf("%s does not fit into the available %s of %s", text(o.Amount), text(j.Available), o.ContractRef)
	}
	return fmt.Sprintf("%s is not in the currency of %s, which is %s", text(o.Amount), o.ContractRef, j.Ceiling.Currency)
}

// over says how the validity of a contract is over. Records of the former version have the reason
// CONTRACT_EXPIRED for a validity that had not begun, too.
func over(c store.Refused, at time.Time) string {
	switch {
	case at.Before(c.ValidFrom):
		return "begins at " + c.ValidFrom.Format(time.RFC3339)
	case c.ValidUntil.IsZero():
		return "is over"
	}
	return "ended at " + c.ValidUntil.Format(time.RFC3339)
}

// advice says what to do about the first reason of a refusal.
var advice = map[billing.Reason]string{
	billing.ContractNotActive:  "have the contract activated or reinstated, then buy with a new Idempotency-Key",
	billing.ContractNotStarted: "buy once the validity has begun, or have it begin earlier; then use a new Idempotency-Key",
	billing.ContractExpired:    "have the contract's validity extended, then buy with a new Idempotency-Key",
	billing.MandateNotValid:    "have a mandate signed, then buy with a new Idempotency-Key",
	billing.CeilingExceeded:    "buy for less, or wait until invoices are collected; then use a new Idempotency-Key",
	billing.CurrencyMismatch:   "buy in the contract's currency, with a new Idempotency-Key",
}
