package api

import (
	"encoding/hex"
	"errors"
	"time"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// each converts a list; none is an empty list, never null.
func each[S, T any](from []S, convert func(S) T) []T {
	to := make([]T, 0, len(from))
	for _, f := range from {
		to = append(to, convert(f))
	}
	return to
}

func fromMoney(m billingapi.PositiveMoney) billing.Money {
	return billing.Money{Amount: int64(m.Amount), Currency: string(m.Currency)}
}

func toMoney(m billing.Money) billingapi.Money {
	return billingapi.Money{Amount: billingapi.MinorUnits(m.Amount), Currency: billingapi.Currency(m.Currency)}
}

func toPositive(m billing.Money) billingapi.PositiveMoney {
	return billingapi.PositiveMoney{Amount: billingapi.PositiveMinorUnits(m.Amount), Currency: billingapi.Currency(m.Currency)}
}

func optionalText(s string) (o billingapi.OptString) {
	if s != "" {
		o.SetTo(s)
	}
	return o
}

func optionalInstant(t time.Time) (o billingapi.OptInstant) {
	if !t.IsZero() {
		o.SetTo(billingapi.Instant(t))
	}
	return o
}

func optionalInvoice(ref string) (o billingapi.OptInvoiceRef) {
	if ref != "" {
		o.SetTo(billingapi.InvoiceRef(ref))
	}
	return o
}

func toReason(r billing.Reason) billingapi.RefusalReason { return billingapi.RefusalReason(r) }

func toOperation(o store.Operation) billingapi.Operation {
	if o.Kind == billing.KindRefund {
		return billingapi.NewRefundOperation(billingapi.Refund{
			OperationRef: billingapi.OperationRef(o.Ref), Status: billingapi.OperationStatus(o.Status), ContractRef: billingapi.ContractRef(o.ContractRef),
			SubscriptionRef: billingapi.SubscriptionRef(o.SubscriptionRef), CustomerRef: billingapi.CustomerRef(o.CustomerRef),
			PurchaseRef: billingapi.OperationRef(o.PurchaseRef), Reason: optionalText(o.Text), Amount: toPositive(o.Amount),
			Period: billingapi.Period(o.Period.String()), InvoiceRef: optionalInvoice(o.InvoiceRef), DecidedAt: billingapi.Instant(o.DecidedAt),
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

func toBuyer(c billing.Company) billingapi.Buyer {
	return billingapi.Buyer{LegalName: c.LegalName, Siren: c.SIREN, VatNumber: optionalText(c.VATNumber), BillingAddress: billingapi.Address{
		Line1: c.Address.Line1, Line2: optionalText(c.Address.Line2), PostalCode: c.Address.PostalCode, City: c.Address.City, Country: c.Address.Country,
	}}
}

func (h *handler) toMandate(a billing.Account) billingapi.Mandate {
	m := a.Contract.Mandate
	out := billingapi.Mandate{
		Status: billingapi.MandateStatus(a.MandateStatus(h.Store.Now())), Rum: optionalText(m.RUM), Ics: optionalText(m.ICS), IbanLastFour: optionalText(m.IBANLastFour),
		SignedAt: optionalInstant(m.SignedAt), LastPresentedAt: optionalInstant(a.LastPresented()),
	}
	if m.Scheme != "" {
		out.Scheme.SetTo(billingapi.MandateScheme(m.Scheme))
	}
	if out.Status == billingapi.MandateStatusVALID || out.Status == billingapi.MandateStatusLAPSED {
		out.LapsesAt = optionalInstant(a.MandateLapses())
	}
	return out
}

func (h *handler) toSubscription(a billing.Account) billingapi.Subscription {
	c := a.Contract
	return billingapi.Subscription{
		SubscriptionRef: billingapi.SubscriptionRef(c.SubscriptionRef), ContractRef: billingapi.ContractRef(c.Ref), CustomerRef: billingapi.CustomerRef(c.CustomerRef),
		Status: billingapi.ContractStatus(c.Status), ValidFrom: billingapi.Instant(c.ValidFrom), ValidUntil: optionalInstant(c.ValidUntil), Ceiling: toMoney(c.Ceiling),
		Mandate: h.toMandate(a), Buyer: toBuyer(c.Buyer), ContractVersion: billingapi.Version(c.Version), IngestedAt: billingapi.Instant(a.IngestedAt),
	}
}

func (h *handler) toEligibility(a billing.Account, asked billing.Money) billingapi.ContractEligibility {
	c, reasons := a.Contract, a.Judge(asked, h.Store.Now())
	part := func(amount int64) billingapi.Money {
		return toMoney(billing.Money{Amount: amount, Currency: a.Currency})
	}
	return billingapi.ContractEligibility{
		ContractRef: billingapi.ContractRef(c.Ref), SubscriptionRef: billingapi.SubscriptionRef(c.SubscriptionRef), Status: billingapi.ContractStatus(c.Status),
		Mandate:     h.toMandate(a),
		Outstanding: billingapi.Outstanding{Total: toMoney(a.Outstanding()), NotInvoiced: part(a.NotInvoiced), NotSettled: part(a.NotSettled)},
		Ceiling:     toMoney(c.Ceiling), Available: toMoney(a.Available()), Judged: toPositive(asked),
		Eligible: len(reasons) == 0 && !a.Unreadable, Reasons: each(reasons, toReason),
		ContractVersion: billingapi.Version(c.Version), IngestedAt: billingapi.Instant(a.IngestedAt),
	}
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

func toRun(p billing.Period, r store.RunView) billingapi.BillingRun {
	out := billingapi.BillingRun{
		Period: billingapi.Period(p.String()), Status: billingapi.BillingRunStatusCOMPLETED, StartedAt: optionalInstant(r.Run.StartedAt),
		CompletedAt: optionalInstant(r.Run.CompletedAt), Invoiced: billingapi.Count(r.Invoiced), NotInvoiced: billingapi.Count(r.ToInvoice),
	}
	if r.Run.Running {
		out.Status = billingapi.BillingRunStatusRUNNING
	}
	left := map[string]string{}
	for _, l := range r.Run.LeftOut {
		left[l.ContractRef] = l.Detail
	}
	out.Lines = each(r.Lines, func(l store.RunLine) billingapi.BillingRunLine { return toRunLine(l, left[l.ContractRef]) })
	return out
}

// toRunLine shows one contract of a run. One that the last run left out says why, whatever would
// come of it now.
func toRunLine(l store.RunLine, leftOut string) billingapi.BillingRunLine {
	out := billingapi.BillingRunLine{
		ContractRef: billingapi.ContractRef(l.ContractRef), Outcome: billingapi.BillingRunLineOutcomeTOINVOICE, InvoiceRef: optionalInvoice(l.InvoiceRef),
		Total: toMoney(l.Total), Operations: billingapi.Count(l.Operations),
	}
	why := leftOut
	if l.Err != nil && !errors.Is(l.Err, billing.ErrPeriodNotEnded) {
		why = l.Err.Error()
	}
	switch {
	case l.InvoiceRef != "":
		out.Outcome = billingapi.BillingRunLineOutcomeINVOICED
	case why != "":
		out.Outcome, out.Reason = billingapi.BillingRunLineOutcomeNOTPOSSIBLE, optionalText(why[:min(300, len(why))])
	}
	return out
}

func document(p *problem.Problem) billingapi.Problem {
	out := billingapi.Problem{
		Type: p.Code.URN(), Title: p.Code.Title(), Status: int32(p.Code.Status()), Detail: p.Detail, Instance: optionalText(p.Instance), Code: billingapi.ProblemCode(p.Code),
		Hint: optionalText(p.Hint), Allowed: p.Allowed,
	}
	if p.OperationRef != "" {
		out.OperationRef.SetTo(billingapi.OperationRef(p.OperationRef))
	}
	for _, r := range p.Reasons {
		out.Reasons = append(out.Reasons, billingapi.RefusalReason(r))
	}
	if p.ContractVersion > 0 {
		out.ContractVersion.SetTo(billingapi.Version(p.ContractVersion))
	}
	for from, to := range map[*problem.Money]*billingapi.OptMoney{p.Outstanding: &out.Outstanding, p.Ceiling: &out.Ceiling, p.Available: &out.Available} {
		if from != nil {
			to.SetTo(billingapi.Money{Amount: billingapi.MinorUnits(from.Amount), Currency: billingapi.Currency(from.Currency)})
		}
	}
	if p.RetryAfter > 0 {
		out.RetryAfter.SetTo(int32(p.RetryAfter))
	}
	for _, e := range p.Errors {
		out.Errors = append(out.Errors, billingapi.FieldError{Pointer: optionalText(e.Pointer), Message: e.Message})
	}
	return out
}
