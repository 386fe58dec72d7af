package api

import (
	"context"
	"fmt"
	"time"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/codes/currency"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
)

func (h *handler) position(offset int64) billingapi.LogPosition {
	return billingapi.LogPosition(logapi.Position(h.Store, offset))
}

func replayed(is bool) (o billingapi.OptBool) {
	if is {
		o.SetTo(true)
	}
	return o
}

func parsePeriod(p billingapi.Period) (billing.Period, error) {
	out, err := billing.ParsePeriod(string(p))
	if err != nil {
		return out, problem.New(problem.InvalidRequest, "%s", err)
	}
	return out, nil
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

var firstPage = store.Page{Limit: 50}

func pageOf(limit, offset billingapi.OptInt32) store.Page {
	return store.Page{Limit: int(limit.Or(int32(firstPage.Limit))), Offset: int(offset.Or(0))}
}

func notFound(code problem.Code, what, ref, hint string) error {
	return problem.New(code, "there is no %s %s", what, ref).WithHint("%s", hint)
}

// find returns what look finds, and the position it was found at. The error is missing if look
// finds nothing, and everything is read that was recorded before.
func find[T any](ctx context.Context, h *handler, look func() (T, int64, bool), missing error) (found T, at int64, err error) {
	ok, err := logapi.Find(ctx, h.Store, func() (ok bool) {
		found, at, ok = look()
		return ok
	})
	if err == nil && !ok {
		err = missing
	}
	return found, at, err
}

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

// text writes an amount for people.
func text(m billing.Money) string { return currency.Format(m.Amount, m.Currency) }

// checkCurrency returns the problem of a code that is not that of a currency. Place is a pointer
// into the body, or names a parameter.
func checkCurrency(place string, code billingapi.Currency) error {
	err := currency.Check(string(code))
	if err == nil {
		return nil
	}
	p := problem.Invalid(problem.FieldError{Pointer: place, Message: err.Error()})
	p.Detail = fmt.Sprintf("%s: %s %s", place, code, err)
	return p
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
