package effect

import (
	"fmt"
	"math"
	"time"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/journal"
)

// The log's types are the public ones for now.
type (
	logMoney  = event.Money
	logReason = event.RefusalReason
)

// notBuilt is the outcome of decoding a body that this version of billing does not write. It is
// never skipped: the instance is not ready then.
func notBuilt(m billinginternal.LogBody) (Body, error) {
	return Body{}, fmt.Errorf("%w: %s is not built yet", journal.ErrUnknownKind, billinginternal.KindOfLogBody(m))
}

func fromLogContract(c event.Contract) billing.Contract { return fromFact(c) }

func fromLogCompany(c event.Company) billing.Company { return fromFactCompany(c) }

func toLogCompany(c billing.Company) event.Company { return toEventCompany(c) }

func toLogContract(c billing.Contract) event.Contract {
	out := event.Contract{
		ContractRef: c.Ref, SubscriptionRef: c.SubscriptionRef, CustomerRef: c.CustomerRef, SellerRef: c.SellerRef, Version: c.Version,
		Status: event.ContractStatus(c.Status), Buyer: toLogCompany(c.Buyer), Ceiling: event.Money(c.Ceiling), ValidFrom: c.ValidFrom, ValidUntil: optionalInstant(c.ValidUntil),
	}
	if m := c.Mandate; m != (billing.Mandate{}) {
		out.Mandate = &event.Mandate{Rum: m.RUM, Ics: m.ICS, Scheme: event.MandateScheme(m.Scheme), IBANLastFour: m.IBANLastFour, SignedAt: m.SignedAt, RevokedAt: optionalInstant(m.RevokedAt)}
	}
	if s := c.Suspension; s != (billing.Suspension{}) {
		out.Suspension = &event.Suspension{Cause: event.SuspensionCause(s.Cause), Detail: s.Detail, Since: s.Since, InvoiceRef: optional(s.InvoiceRef)}
	}
	return out
}

func convert[To, From ~string](from []From) (to []To) {
	for _, f := range from {
		to = append(to, To(f))
	}
	return to
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func optionalInstant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func int32Of(n int64) (int32, error) {
	if n < 0 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%d is too large for the record", n)
	}
	return int32(n), nil
}
