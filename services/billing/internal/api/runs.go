package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/strict"
)

// Problems of billing runs.
var (
	billingRunNotFound = problem.NewCode("billing-run-not-found", http.StatusNotFound, "No such billing run")
	periodNotEnded     = problem.NewCode("period-not-ended", http.StatusConflict, "The period has not ended")
)

var runCauses = causes{
	{billing.ErrPeriodNotEnded, periodNotEnded, "run it after that; with dryRun true it shows what would be issued so far", 0},
}

// runIn is how long a billing run is waited for before it is answered as it stands.
const runIn = 8 * time.Second

// StartBillingRun bills a month, or shows what would be issued.
func (h *handler) StartBillingRun(ctx context.Context, body *billingapi.BillingRunRequest, params billingapi.StartBillingRunParams) (*billingapi.BillingRunHeaders, error) {
	p, err := parsePeriod(body.Period)
	if err != nil {
		return nil, err
	}
	req, release, err := h.requests.Begin(ctx, params.IdempotencyKey.Value, "startBillingRun", "", body)
	if err != nil {
		return nil, err
	}
	defer release()
	decide, cancel := context.WithTimeout(ctx, logapi.CommandTime)
	defer cancel()
	if err := h.Store.UnlessAnswered(decide, req, strict.Condition(ctx)); err != nil {
		return nil, err
	}
	if body.DryRun.Or(false) {
		if _, err := h.Store.Answered(decide, &req); err != nil {
			return nil, err
		}
		r := h.Store.RunOf(p, firstPage)
		return &billingapi.BillingRunHeaders{LogPosition: h.position(r.Position), Response: toDryRun(p, r)}, nil
	}
	done, again, err := h.Runs.Start(decide, &req, p)
	if err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-time.After(runIn):
	case <-ctx.Done():
	}
	r := h.Store.RunOf(p, firstPage)
	return &billingapi.BillingRunHeaders{
		IdempotentReplayed: replayed(again), LogPosition: h.position(r.Position), Response: toRun(p, r),
	}, nil
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
	r, _, err := find(ctx, h, func() (store.RunView, int64, bool) {
		r := h.Store.RunOf(p, pageOf(params.Limit, params.Offset))
		return r, r.Position, r.Known
	}, problem.New(billingRunNotFound, "the billing of %s was never run", p).WithHint("POST /billing-runs runs it"))
	if err != nil {
		return nil, err
	}
	return &billingapi.GetBillingRunOKHeaders{LogPosition: h.position(r.Position), Response: toRun(p, r)}, nil
}

func toRun(p billing.Period, r store.RunView) billingapi.BillingRun {
	out := billingapi.BillingRun{
		Period: billingapi.Period(p.String()), Status: billingapi.BillingRunStatusCOMPLETED, StartedAt: optionalInstant(r.Run.StartedAt),
		CompletedAt: optionalInstant(r.Run.CompletedAt), Invoiced: billingapi.Count(r.Invoiced), NotInvoiced: billingapi.Count(r.ToInvoice),
	}
	if r.Run.Running {
		out.Status = billingapi.BillingRunStatusRUNNING
	}
	out.Lines = each(r.Lines, func(l store.RunLine) billingapi.BillingRunLine { return toRunLine(l, r.Run.LeftOut) })
	return out
}

// toDryRun shows what a run would do: it counts what can be issued as issued.
func toDryRun(p billing.Period, r store.RunView) billingapi.BillingRun {
	out := toRun(p, r)
	out.Status = billingapi.BillingRunStatusDRYRUN
	out.StartedAt.Reset()
	out.CompletedAt.Reset()
	out.Invoiced, out.NotInvoiced = billingapi.Count(r.Invoiced+r.Possible), billingapi.Count(r.ToInvoice-r.Possible)
	return out
}

// toRunLine shows one invoice of a run, and why it cannot be issued: what the states show now, or
// else what held up the last run.
func toRunLine(l store.RunLine, leftOut []billing.LeftOut) billingapi.BillingRunLine {
	out := billingapi.BillingRunLine{
		CustomerRef: billingapi.CustomerRef(l.Customer.CustomerRef), SellerRef: l.Customer.SellerRef, Outcome: billingapi.BillingRunLineOutcomeTOINVOICE,
		InvoiceRef: optionalInvoice(l.InvoiceRef), Total: toMoney(l.Total), Operations: billingapi.Count(l.Operations),
		Parts: each(l.Parts, func(p store.RunPart) billingapi.BillingRunPart {
			return billingapi.BillingRunPart{ContractRef: billingapi.ContractRef(p.ContractRef), Total: toMoney(p.Total), Operations: billingapi.Count(p.Operations)}
		}),
	}
	why := ""
	for _, left := range leftOut {
		if left.Customer == l.Customer && !left.Shown() {
			why = left.Detail
		}
	}
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
